/* shadow_never — facts about events, and which tests they rule out. Invariant: a fact stands here
 * only if docs/events.md promises it and no new flag of the API can change it. */
#include "rules/shadow_never.h"

#include <string.h>

#include "rules/pattern_implies.h"

enum leaf_fact {
	A_STRING, /* always there */
	A_STRING_OR_NULL,
};

struct fact {
	const char *path;
	enum leaf_fact is;
};

static const struct fact envelope[] = {
	{"specversion", A_STRING},
	{"id", A_STRING},
	{"type", A_STRING},
	{"source", A_STRING},
	{"subject", A_STRING_OR_NULL},
	{"time", A_STRING},
	{"recordedtime", A_STRING},
	{"sequence", A_STRING},
	{"partitionkey", A_STRING},
	{"datacontenttype", A_STRING},
};

/* Of recipient.*; they may be absent as well. */
static const struct fact recipient[] = {
	{"data.org_id", A_STRING_OR_NULL},
	{"data.broadcast_id", A_STRING_OR_NULL},
	{"data.broadcast_name", A_STRING_OR_NULL},
	{"data.recipient_id", A_STRING_OR_NULL},
	{"data.integration_id", A_STRING_OR_NULL},
	{"data.state", A_STRING_OR_NULL},
	{"data.at", A_STRING_OR_NULL},
	{"data.error_message", A_STRING_OR_NULL},
	{"data.external_message_id", A_STRING_OR_NULL},
};

static const char *const families[] = {"recipient.", "broadcast.", "contact.", "alert.", "relay."};

/* How many of the condition's keys the dotted path names; 0: it is not on that path. */
static size_t keys_on(const struct condition *c, const char *path)
{
	size_t n = 0;

	while (n < c->nkeys) {
		size_t len = strlen(c->keys[n]);

		if (strchr(c->keys[n], '.') || strncmp(path, c->keys[n], len) != 0 ||
		    (path[len] && path[len] != '.'))
			return 0;
		n++;
		if (!path[len])
			return n;
		path += len + 1;
	}
	return 0;
}

static bool is_path(const struct condition *c, const char *path)
{
	size_t keys = keys_on(c, path);

	return keys && keys == c->nkeys;
}

/* Can it hold where `is` says what is there, at this path or somewhere above it? */
static bool possible(const struct test *t, enum leaf_fact is, bool above)
{
	switch (t->kind) {
	case TEST_ABSENT: return above || is == A_STRING_OR_NULL;
	case TEST_NULL: return !above && is == A_STRING_OR_NULL;
	case TEST_NUMBER:
	case TEST_RANGE:
	case TEST_TRUE:
	case TEST_FALSE: return false;
	default: return !above;
	}
}

static bool begins_with(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Can a type be so? */
static bool possible_type(const struct test *t)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		const char *family = families[i];

		if (t->kind == TEST_STRING && begins_with(t->text, t->len, family))
			return true;
		/* one of the two begins with the other */
		if (t->kind == TEST_PREFIX && (begins_with(t->text, t->len, family) ||
					       begins_with(family, strlen(family), t->text)))
			return true;
	}
	return t->kind != TEST_STRING && t->kind != TEST_PREFIX;
}

static bool rules_out(const struct condition *c, const struct fact *f)
{
	size_t keys = keys_on(c, f->path);

	if (!keys)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		if (possible(&c->v[i], f->is, keys < c->nkeys))
			return false;
	}
	return true;
}

static void add_path(struct buf *why, const struct condition *c)
{
	for (size_t i = 0; i < c->nkeys; i++) {
		if (i)
			buf_addc(why, '.');
		buf_adds(why, c->keys[i]);
	}
}

/* True, for `return ruled_out(…)`. */
static bool ruled_out(struct buf *why, const struct condition *c, const char *text)
{
	if (why) {
		add_path(why, c);
		buf_adds(why, text);
	}
	return true;
}

static bool asks_for_a_leaf(const struct condition *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind == TEST_ABSENT)
			return false;
	}
	return true;
}

static bool against_facts(const struct condition *c, const struct fact *facts, size_t n,
			  struct buf *why)
{
	for (size_t i = 0; i < n; i++) {
		if (!rules_out(c, &facts[i]))
			continue;
		if (keys_on(c, facts[i].path) < c->nkeys)
			return ruled_out(why, c, ": no event has a map there");
		return ruled_out(why, c,
				 asks_for_a_leaf(c) ? " is always a text" : " is always there");
	}
	return false;
}

static bool all_types_impossible(const struct condition *c, struct buf *why)
{
	if (!is_path(c, "type"))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		if (possible_type(&c->v[i]))
			return false;
	}
	return ruled_out(why, c,
			 ": every type begins with recipient., broadcast., contact., alert. or "
			 "relay.");
}

static const struct condition *find(const struct conjunction *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++) {
		if (is_path(&c->v[i], path))
			return &c->v[i];
	}
	return NULL;
}

static bool is_of_recipients(const struct condition *type)
{
	if (!type)
		return false;
	for (size_t i = 0; i < type->n; i++) {
		const struct test *t = &type->v[i];

		if ((t->kind != TEST_STRING && t->kind != TEST_PREFIX) ||
		    !begins_with(t->text, t->len, families[0]))
			return false;
	}
	return true;
}

/* Of the event about a flag `data.state` is what stands in its type, but where it tells that the
 * flag fell. */
static bool state_fits(const struct condition *state, const struct test *type)
{
	size_t family = strlen(families[0]);
	const struct value own = {
		.type = JSON_STRING, .text = type->text + family, .len = type->len - family};

	if (type->kind != TEST_STRING ||
	    (own.len == 8 && memcmp(own.text, "reverted", own.len) == 0))
		return true;
	for (size_t i = 0; i < state->n; i++) {
		if (state->v[i].kind == TEST_ABSENT || test_value(&state->v[i], &own))
			return true;
	}
	return false;
}

static bool another_state(const struct condition *type, const struct condition *state,
			  struct buf *why)
{
	if (!state)
		return false;
	for (size_t i = 0; i < type->n; i++) {
		if (state_fits(state, &type->v[i]))
			return false;
	}
	return ruled_out(why, state, " is another one in events of this type");
}

bool shadow_never(const struct conjunction *c, struct buf *why)
{
	const struct condition *type = find(c, "type");
	bool recipients = is_of_recipients(type);

	for (size_t i = 0; i < c->n; i++) {
		if (all_types_impossible(&c->v[i], why) ||
		    against_facts(&c->v[i], envelope, sizeof envelope / sizeof *envelope, why))
			return true;
		if (recipients &&
		    against_facts(&c->v[i], recipient, sizeof recipient / sizeof *recipient, why))
			return true;
	}
	return recipients && another_state(type, find(c, "data.state"), why);
}
