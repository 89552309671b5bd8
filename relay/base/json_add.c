/* Members of an object. What stands last in the text tells whether one goes before. */
#include "relay/base/json_add.h"

#include "relay/base/clock.h"
#include "relay/base/json.h"

static void add_comma(struct buf *out)
{
	char last = out->len ? out->data[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_addc(out, ',');
}

void json_add_name(struct buf *out, const char *name)
{
	add_comma(out);
	buf_addc(out, '"');
	buf_adds(out, name);
	buf_adds(out, "\":");
}

void json_add_text(struct buf *out, const char *name, const char *value)
{
	json_add_name(out, name);
	json_write_string(out, value);
}

void json_add_int(struct buf *out, const char *name, int64_t value)
{
	json_add_name(out, name);
	buf_addi(out, value);
}

void json_add_bool(struct buf *out, const char *name, bool value)
{
	json_add_name(out, name);
	buf_adds(out, value ? "true" : "false");
}

void json_add_date(struct buf *out, const char *name, int64_t ms)
{
	char text[DATE_TEXT];

	json_add_text(out, name, ms == DATE_NONE ? NULL : date_format(text, ms));
}

void json_add_count(struct buf *out, const char *name, int64_t n)
{
	if (n >= 0)
		json_add_int(out, name, n);
	else
		json_add_text(out, name, NULL);
}

void json_add_element(struct buf *out)
{
	add_comma(out);
	buf_addc(out, '{');
}
