/*
 * What the recipients endpoint can be asked for. Scope filters name people or channels: who is in
 * such a set stays there, as a rule. State filters name what changes: a row that leaves the set is
 * not gone, and what is not shown cannot be compared.
 */
#include "relay/source/source_filter.h"

#include <string.h>

#define MEMBERS_MAX 64 /* more states than a journal can number; the URL has a ceiling, too */

static const char *const scopes[] = {"integration_id", "contact_id", "user_id",
				     "username",       "email",	     NULL};
static const char *const statuses[] = {"ALL", "SENDING", "PROCESSED", NULL};
static const char *const documented[] = {
	"is_skipped",	   "is_failed", "is_sent",   "is_delivered", "is_complained",
	"is_unsubscribed", "is_opened", "is_played", "status",	     NULL};

static bool is_among(const char *const *list, const char *text)
{
	while (*list && strcmp(*list, text) != 0)
		list++;
	return *list != NULL;
}

static bool names_state(const char *key)
{
	if (strncmp(key, "is_", 3) != 0)
		return false;
	size_t len = strspn(key + 3, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return len > 0 && len < NAME_SIZE && !key[3 + len];
}

static void add(struct source_options *o, const struct node *n)
{
	source_strings_add(&o->filter, n->key);
	source_strings_add(&o->filter, node_string(n));
}

static void read_scope(struct source_options *o, const struct node *n, struct problems *p)
{
	const char *text = node_string(n);

	if (!text || node_is_null(n) || !*text || strlen(text) > ID_MAX) {
		problem_at(p, n, "a text of 1 to %d bytes is expected", ID_MAX);
		return;
	}
	o->scope_filter = true;
	add(o, n);
}

static void read_status(struct source_options *o, const struct node *n, struct problems *p)
{
	const char *text = node_string(n);

	if (!text || node_is_null(n) || !*text || strlen(text) >= NAME_SIZE) {
		problem_at(p, n, "a status such as SENDING or PROCESSED is expected");
		return;
	}
	if (!is_among(statuses, text))
		problem_warn(p, n, "the API documents ALL, SENDING and PROCESSED");
	o->state_filter = o->state_filter || strcmp(text, "ALL") != 0;
	add(o, n);
}

static void read_state(struct source_options *o, const struct node *n, struct problems *p)
{
	const char *text = node_string(n);

	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)) {
		problem_at(p, n, "true or false is expected");
		return;
	}
	if (!is_among(documented, n->key))
		problem_warn(p, n, "the API documents no such filter; it may refuse it");
	o->state_filter = true;
	add(o, n);
}

static void refuse(const struct node *n, struct problems *p)
{
	const char *near = problem_nearest(n->key, scopes);

	if (!near)
		near = problem_nearest(n->key, documented);
	problem_at_key(p, n, "unknown key%s%s%s", near ? "; did you mean \"" : "", near ? near : "",
		       near ? "\"?" : "");
}

void source_filter_read(struct source_options *o, struct problems *p)
{
	const struct node *map = o->filter_map;

	if (!map || node_is_null(map))
		return;
	if (map->kind != NODE_MAP || map->n > MEMBERS_MAX) {
		problem_at(p, map, "a map of at most %d filters is expected", MEMBERS_MAX);
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		if (is_among(scopes, n->key))
			read_scope(o, n, p);
		else if (strcmp(n->key, "status") == 0)
			read_status(o, n, p);
		else if (names_state(n->key))
			read_state(o, n, p);
		else
			refuse(n, p);
	}
	if (o->state_filter)
		problem_warn(p, map,
			     "rows are asked for by their state: recipient.removed, "
			     "recipient.reverted, contact.unreached and broadcast.report are not "
			     "told");
}
