/* http_format — reading an event's attributes for headers. Invariant: whatever an attribute holds,
 * its line is one line of printable ASCII, and every name is a CloudEvents name. */
#include "transports/http_format.h"

#include "relay/base/json_members.h"

#define NAME_MAX_LEN 64 /* the specification asks for no more than 20 */

const char *const http_formats[] = {"cloudevents", "cloudevents-binary", "cloudevents-batch", NULL};
const char *const http_format_types[] = {
	"application/cloudevents+json; charset=utf-8",
	"application/json", /* the event's datacontenttype */
	"application/cloudevents-batch+json; charset=utf-8",
};

void http_attribute_escape(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > ' ' && c < 0x7f && c != '"' && c != '%')
			buf_addc(out, text[i]);
		else
			buf_addf(out, "%%%02X", c);
	}
}

static bool is_name(const struct json_member *m)
{
	for (size_t i = 0; i < m->name_len; i++) {
		char c = m->name[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			return false;
	}
	return m->name_len && m->name_len <= NAME_MAX_LEN;
}

/* An object or a list is no attribute's value, and null says that there is none. */
static bool has_value(const struct json_member *m)
{
	return m->len && *m->value != '{' && *m->value != '[' && *m->value != 'n';
}

static void add_line(struct http_binary *b, const struct json_member *m)
{
	struct buf text = BUF_INIT(b->lines.max);

	json_member_text(m, &text);
	buf_adds(&b->lines, "ce-");
	buf_add(&b->lines, m->name, m->name_len);
	buf_adds(&b->lines, text.len ? ": " : ";"); /* libcurl's spelling of one without value */
	http_attribute_escape(&b->lines, text.data, text.len);
	buf_addc(&b->lines, '\0');
	b->lines.full |= text.full;
	b->n++;
	buf_release(&text);
}

int http_binary_read(struct http_binary *ret, const char *body, size_t len, struct err *err)
{
	const char *at = body;
	struct json_member m;

	buf_clear(&ret->lines);
	ret->n = ret->len = 0;
	ret->data = "";
	while (json_member_next(&at, body + len, &m)) {
		if (json_member_is(&m, "data")) {
			ret->data = m.value;
			ret->len = m.len;
		} else if (!json_member_is(&m, "datacontenttype") && is_name(&m) && has_value(&m)) {
			if (ret->n == HTTP_ATTRIBUTES_MAX)
				return err_set(err, ERR_LIMIT,
					       "the event has more than %d attributes for headers",
					       HTTP_ATTRIBUTES_MAX);
			add_line(ret, &m);
		}
	}
	if (ret->lines.full)
		return err_set(err, ERR_LIMIT,
			       "the event's attributes come to more than %zu bytes of headers",
			       ret->lines.max);
	return 0;
}
