/* What a window takes from an event: its key, its group, what its alert is about, its class. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/cause.h"
#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define INTEGRATION_MAX 64

static const struct json *follow(const struct json *root, char *const *keys)
{
	for (; *keys && root; keys++)
		root = json_get(root, *keys);
	return root;
}

/* A scalar; anything else is null. */
static void add_value(struct buf *out, const struct json *v)
{
	enum json_type type = v ? json_type(v) : JSON_NULL;
	const char *text = json_string(v);

	if (text) {
		json_write_bytes(out, text, text_cut(text, WINDOW_VALUE_MAX));
	} else if (type == JSON_NUMBER || type == JSON_BOOL) {
		json_write(out, v);
	} else {
		buf_adds(out, "null");
	}
}

bool sight_key(struct window *w, struct sight *s)
{
	struct buf *text = &w->all->text;
	const char *broadcast = json_string(json_get(json_get(s->root, "data"), "broadcast_id"));

	if (!w->rule->by_broadcast || (broadcast && strlen(broadcast) > WINDOW_VALUE_MAX))
		broadcast = NULL;
	s->group = group_of(w, broadcast);
	if (!s->group)
		return false;
	buf_clear(text);
	for (size_t i = 0; i < w->rule->per.n; i++) {
		add_value(text, follow(s->root, w->rule->per.v[i].keys));
		buf_addc(text, ',');
	}
	json_write_string(text, broadcast);
	s->key = hash128(text->data, text->len);
	return true;
}

uint32_t sight_subject(struct window *w, const struct sight *s)
{
	const struct alert_paths *paths = alert_rule_subject(w->rule);
	struct buf *text = &w->all->text;

	buf_clear(text);
	buf_addc(text, '{');
	for (size_t i = 0; i < paths->n; i++) {
		buf_adds(text, i ? "," : "");
		json_write_string(text, paths->v[i].label);
		buf_addc(text, ':');
		add_value(text, follow(s->root, paths->v[i].keys));
	}
	buf_addc(text, '}');
	return name_take(w, &w->subjects, text->data, text->len);
}

void sight_class(struct window *w, const struct sight *s, uint32_t *integration, uint32_t *error)
{
	const struct json *data = json_get(s->root, "data");
	const char *id = json_string(json_get(data, "integration_id"));
	const char *message = json_string(json_get(data, "error_message"));
	struct buf *text = &w->all->text;

	*integration = *error = NAME_NONE;
	if (id)
		*integration = name_take(w, &w->classes, id, text_cut(id, INTEGRATION_MAX));
	if (message && *message) {
		buf_clear(text);
		cause_normalise(text, message);
		*error = name_take(w, &w->classes, text->data, text->len);
	}
}
