/* csv — see the header. Invariant: whatever a field holds, it is read back as one field. */
#include "relay/cmd/csv.h"

#include <stdio.h>
#include <string.h>

void csv_add(struct buf *line, const char *field)
{
	const char *text = field ? field : "";
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;

	if (line->len)
		buf_addc(line, ',');
	quoted |=
		!line->len && !*text; /* else the line would seem to begin with its second field */
	if (quoted)
		buf_addc(line, '"');
	if (*text && strchr("=+-@\t\r", *text))
		buf_addc(line, '\'');
	for (; *text; text++) {
		if (*text == '"')
			buf_addc(line, '"');
		buf_addc(line, *text);
	}
	if (quoted)
		buf_addc(line, '"');
}

void csv_print(struct buf *line)
{
	buf_adds(line, "\r\n");
	fputs(line->data, stdout);
	buf_clear(line);
}
