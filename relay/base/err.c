/* err — messages of failures. A message always ends in NUL and never in half a character, and
 * the arguments may point into the message that is being replaced. */
#include "relay/base/err.h"

#include <stdio.h>
#include <string.h>

/* Ends text at len, or before the UTF-8 character that len would cut. */
static void cut(char *text, size_t len)
{
	size_t at = len;

	while (at > 0 && len - at < 3 && ((unsigned char)text[at] & 0xC0) == 0x80)
		at--;
	text[at] = '\0';
}

static void format(char ret[sizeof((struct err *)0)->msg], const char *fmt, va_list args)
{
	char text[sizeof((struct err *)0)->msg + 1]; /* one more, to see what follows the cut */

	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		text[0] = '\0';
	if (strlen(text) > sizeof text - 2)
		cut(text, sizeof text - 2);
	memcpy(ret, text, strlen(text) + 1);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(err->msg, fmt, args);
	va_end(args);
	err->code = code;
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char context[sizeof err->msg];
	va_list args;

	va_start(args, fmt);
	format(context, fmt, args);
	va_end(args);
	return err_set(err, err->code, "%s: %s", context, err->msg);
}
