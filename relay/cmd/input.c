/* input — see the header. */
#include "relay/cmd/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *input_name(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

int input_read(struct buf *ret, const char *path, struct err *err)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char part[4096];
	size_t n;
	int failed = 0;
	if (!f)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	while (!ret->full && (n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(ret, part, n);
	if (ferror(f))
		failed = err_set(err, ERR_IO, "%s: cannot be read", input_name(path));
	else if (ret->full)
		failed = err_set(err, ERR_LIMIT, "%s: is longer than %zu bytes", input_name(path),
				 ret->max);
	explicit_bzero(part, sizeof part); /* it may have been a secret */
	if (f != stdin)
		fclose(f);
	return failed;
}
