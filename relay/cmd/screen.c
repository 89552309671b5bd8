/* screen — see the header. */
#include "relay/cmd/screen.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
	int64_t ms;
	const char *unit;
} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

const char *span_text(char ret[SPAN_TEXT], int64_t ms)
{
	size_t i = 0;
	while (i < 4 && ms < units[i].ms)
		i++;
	snprintf(ret, SPAN_TEXT, "%" PRId64 "%s", ms < 0 ? 0 : ms / units[i].ms, units[i].unit);
	return ret;
}

const char *span_fine(char ret[SPAN_TEXT], int64_t ms)
{
	size_t i = 0;
	if (ms < 60000) {
		int64_t tenths = ms > 0 ? (ms + 99) / 100 : 0;
		snprintf(ret, SPAN_TEXT, tenths % 10 ? "%" PRId64 ".%" PRId64 "s" : "%" PRId64 "s",
			 tenths / 10, tenths % 10);
		return ret;
	}
	while (ms < units[i].ms)
		i++;
	int64_t rest = ms % units[i].ms / units[i + 1].ms;
	snprintf(ret, SPAN_TEXT, rest ? "%" PRId64 "%s %" PRId64 "%s" : "%" PRId64 "%s",
		 ms / units[i].ms, units[i].unit, rest, units[i + 1].unit);
	return ret;
}

void screen_print(const char *text, FILE *out)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 127 ||
				     ((unsigned char)*text == 0xc2 && (unsigned char)text[1] < 0xa0)
			     ? '?'
			     : *text,
		     out);
}

void screen_text(const char *text)
{
	screen_print(text, stdout);
}
