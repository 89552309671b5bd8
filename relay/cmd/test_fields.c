/* test_fields — see the header. Invariant: each name stands once, in the order of its first
 * writing; each value is one JSON text. */
#include "relay/cmd/test_fields.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/config/option.h"
#include "relay/config/yaml_json.h"

/* What the API is known to have; it may have more. */
static const char *const known[][48] = {
	[TEST_BROADCAST] = {"id",
			    "org_id",
			    "name",
			    "status",
			    "scheduled_at",
			    "started_at",
			    "completed_at",
			    "contacts_count",
			    "recipients_count",
			    "skipped_count",
			    "sent_count",
			    "failed_count",
			    "delivered_count",
			    "opened_count",
			    "played_count",
			    "click_count",
			    "complained_count",
			    "unsubscribed_count",
			    "bounced_count",
			    "error_message",
			    "segments",
			    "send_to_all",
			    "templates",
			    "created_at",
			    "updated_at",
			    NULL},
	[TEST_RECIPIENT] = {"id",
			    "broadcast_id",
			    "user_id",
			    "name",
			    "username",
			    "phone",
			    "email",
			    "integration_id",
			    "external_message_id",
			    "template_id",
			    "error_message",
			    "status",
			    "created_at",
			    "updated_at",
			    "contact",
			    "broadcast_name",
			    "is_skipped",
			    "is_skipped_at",
			    "is_failed",
			    "is_failed_at",
			    "is_sent",
			    "is_sent_at",
			    "is_delivered",
			    "is_delivered_at",
			    "is_complained",
			    "is_complained_at",
			    "is_unsubscribed",
			    "is_unsubscribed_at",
			    "is_opened",
			    "is_opened_at",
			    "is_played",
			    "is_played_at",
			    "is_bounced",
			    "is_bounced_at",
			    NULL},
};

static void put(struct test_fields *f, const char *name, char *json)
{
	size_t i = 0;
	while (i < f->n && strcmp(f->v[i].name, name) != 0)
		i++;
	if (i == f->n) {
		f->v = mem_grow(f->v, f->n, &f->cap, sizeof *f->v);
		f->v[f->n++] = (struct test_field){.name = xstrdup(name)};
	}
	free(f->v[i].json);
	f->v[i].json = json;
}

void test_fields_set(struct test_fields *f, const char *name, const char *text)
{
	struct buf json = BUF_INIT(YAML_FILE_MAX * 8);
	json_write_string(&json, text);
	put(f, name, buf_detach(&json));
}

static bool ends_in_at(const char *name)
{
	size_t len = strlen(name);
	return len > 3 && !strcmp(name + len - 3, "_at");
}

/* `now`, or `-5m`: so long ago. */
static bool relative_time(const struct node *n, int64_t now_ms, int64_t *ret_ms)
{
	int64_t ago_ms = 0;
	if (!ends_in_at(n->key) || n->kind != NODE_SCALAR || n->quoted)
		return false;
	if (strcmp(n->text, "now") != 0 &&
	    (n->text[0] != '-' || !option_duration(n->text + 1, &ago_ms)))
		return false;
	*ret_ms = now_ms - ago_ms;
	return true;
}

/* Of what has happened; a time that is planned may lie ahead. */
static void warn_of_time(const struct node *n, int64_t now_ms, struct problems *p)
{
	char clock[DATE_TEXT];
	int64_t ms;
	bool happened = !strncmp(n->key, "is_", 3) || !strcmp(n->key, "created_at") ||
			!strcmp(n->key, "updated_at");
	if (happened && ends_in_at(n->key) && n->kind == NODE_SCALAR &&
	    date_parse(n->text, n->len, &ms) && ms > now_ms)
		problem_warn(p, n, "lies ahead: the clock of the test says %s",
			     date_format(clock, now_ms));
}

static void warn_of_name(const struct node *n, enum test_object what, struct problems *p)
{
	const char *near = problem_nearest(n->key, known[what]);
	if (near && strcmp(near, n->key) != 0)
		problem_warn(p, n, "the API has no such member today; did you mean \"%s\"?", near);
}

void test_fields_check(enum test_object what, const struct node *map, int64_t now_ms,
		       struct problems *p)
{
	for (size_t i = 0; i < map->n; i++) {
		warn_of_name(map->items[i], what, p);
		warn_of_time(map->items[i], now_ms, p);
	}
}

void test_fields_merge(struct test_fields *f, const struct node *map, int64_t now_ms)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		struct buf json = BUF_INIT(YAML_FILE_MAX * 8);
		char date[DATE_TEXT];
		int64_t ms;
		if (relative_time(n, now_ms, &ms))
			json_write_string(&json, date_format(date, ms));
		else
			yaml_json(&json, n);
		put(f, n->key, buf_detach(&json));
	}
}

void test_fields_write(const struct test_fields *f, struct buf *out)
{
	buf_addc(out, '{');
	for (size_t i = 0; i < f->n; i++) {
		buf_adds(out, i ? "," : "");
		json_write_string(out, f->v[i].name);
		buf_addc(out, ':');
		buf_adds(out, f->v[i].json);
	}
	buf_addc(out, '}');
}

void test_fields_release(struct test_fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].name);
		free(f->v[i].json);
	}
	free(f->v);
	*f = (struct test_fields){0};
}
