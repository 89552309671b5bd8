/* nats_subject — reading and making subjects. Invariant: what is made has one token or more, none
 * of them empty, and neither wildcard, white space nor control character; so it names one subject.
 */
#include "transports/nats_subject.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define DOC_KEEP (64 << 10) /* a larger event's tree is given back at once */

static const char *wrong_byte(char c)
{
	unsigned char u = (unsigned char)c;

	if (u <= ' ' || u == 0x7f)
		return "holds white space or a control character";
	if (c == '*' || c == '>')
		return "holds a wildcard, * or >";
	return NULL;
}

/* NULL: one can publish under it. */
static const char *unfit(const char *subject)
{
	if (!*subject)
		return "is empty";
	if (*subject == '.' || strstr(subject, "..") || subject[strlen(subject) - 1] == '.')
		return "has an empty part";
	if (*subject == '$' || strncmp(subject, "_INBOX.", 7) == 0 || !strcmp(subject, "_INBOX"))
		return "begins as those that NATS keeps for itself, with $ or _INBOX";
	for (const char *at = subject; *at; at++)
		if (wrong_byte(*at))
			return wrong_byte(*at);
	return NULL;
}

/* What stands around the places, as far as it can be told without an event. */
static const char *unfit_around(const char *text)
{
	if (*text == '.' || *text == '$')
		return *text == '.' ? "begins with a dot" : "begins with $, which NATS keeps";
	while (*text) {
		if (text[0] == '{' && text[1] == '{') {
			const char *end = strstr(text, "}}");
			text = end ? end + 2 : text + strlen(text);
		} else if (wrong_byte(*text)) {
			return wrong_byte(*text);
		} else {
			text++;
		}
	}
	return NULL;
}

int nats_subject_read(struct nats_subject *ret, const char *text, struct err *err)
{
	bool places = strstr(text, "{{");
	const char *why = places ? unfit_around(text) : unfit(text);
	struct template *t = NULL;

	if (!why && strlen(text) > NATS_SUBJECT_MAX / 2)
		why = "is too long";
	if (why)
		return err_set(err, ERR_CONFIG, "%s", why);
	if (places) {
		t = template_compile(TEMPLATE_TOPIC, text, strlen(text), err);
		if (!t)
			return -1;
	}
	*ret = (struct nats_subject){.prefix = places ? NULL : xstrdup(text), .template = t};
	return 0;
}

void nats_subject_release(struct nats_subject *s)
{
	free(s->prefix);
	template_free(s->template);
	*s = (struct nats_subject){0};
}

static int render(const struct template *t, const struct event *event, struct json_doc *doc,
		  struct buf *out, struct err *err)
{
	const struct json *root = json_parse(doc, event->body, event->len, JSON_DEPTH, err);
	int done = root ? template_render(t, root, out, err) : -1;

	if (event->len > DOC_KEEP)
		json_doc_trim(doc);
	return done;
}

int nats_subject_make(const struct nats_subject *s, const struct event *event, struct json_doc *doc,
		      struct buf *out, struct err *err)
{
	const char *why;

	buf_clear(out);
	if (s->template && render(s->template, event, doc, out, err) < 0)
		return err_wrap(err, "subject");
	if (!s->template && !event->topic)
		return err_set(err, ERR_FORMAT, "the event has no topic");
	if (!s->template)
		buf_addf(out, "%s.%s", s->prefix, event->topic);
	why = out->full || out->len > NATS_SUBJECT_MAX ? "is too long" : unfit(out->data);
	if (why)
		return err_set(err, ERR_FORMAT, "subject \"%.200s\" %s", out->data, why);
	return 0;
}
