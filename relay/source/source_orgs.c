/*
 * Rounds over the lists of sub-organizations. Their answers say nothing about the API as a whole: a
 * key may not be allowed to ask for them.
 */
#include "relay/source/source_orgs.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/source/source_state.h"

#define EVERY_MS   600000 /* organizations are made by hand */
#define BROKEN_MS  60000  /* after a round in which something broke */
#define PAGES_MAX  100	  /* of one list: ten times the organizations there may be */
#define ABSENT_MAX 2

void source_orgs_release(struct source_orgs *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].id);
	free(o->v);
	free(o->told);
	orgs_release(&o->page);
}

static struct found_org *find(const struct source_orgs *o, const char *id)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->v[i].id, id) == 0)
			return &o->v[i];
	return NULL;
}

static bool is_configured(const struct source *s, const char *id)
{
	const struct strings *orgs = &s->options->orgs;

	for (size_t i = 0; i < orgs->n; i++)
		if (strcmp(orgs->v[i], id) == 0)
			return true;
	return false;
}

bool source_polls(const struct source *s, const char *org)
{
	return is_configured(s, org) || find(&s->orgs, org);
}

void source_orgs_add(struct source *s, const char *id)
{
	struct source_orgs *o = &s->orgs;

	if (source_polls(s, id) || o->n + s->options->orgs.n >= ORGS_MAX)
		return;
	o->v = mem_grow(o->v, o->n, &o->cap, sizeof *o->v);
	o->v[o->n++] = (struct found_org){.id = xstrdup(id)};
	planner_add_org(s->planner, id, s->now.mono_ms);
}

/* ---- asking ---- */

int64_t source_orgs_wait_ms(const struct source *s)
{
	const struct source_orgs *o = &s->orgs;

	if (!s->options->sub_orgs || o->asked)
		return INT64_MAX;
	return o->reading ? 0 : o->due_ms - s->now.mono_ms;
}

static void begin_list(struct source_orgs *o, size_t parent)
{
	o->parent = parent;
	o->number = 1;
	o->rows = 0;
	o->hash = 0;
}

static void begin_round(struct source_orgs *o)
{
	o->reading = o->whole = true;
	o->broken = false;
	for (size_t i = 0; i < o->n; i++)
		o->v[i].named = false;
	begin_list(o, 0);
}

void source_orgs_plan(struct source *s, struct ask *a, struct request *ret)
{
	struct source_orgs *o = &s->orgs;

	if (!o->reading)
		begin_round(o);
	o->asked = a->orgs = true;
	*ret = (struct request){
		.kind = REQUEST_ORGS,
		.org = s->options->orgs.v[o->parent],
		.page = o->number,
		.take = TAKE,
	};
}

/* ---- answers ---- */

static void drop(struct source *s, size_t i)
{
	struct source_orgs *o = &s->orgs;
	char *id = o->v[i].id;

	o->v[i] = o->v[--o->n];
	planner_remove_org(s->planner, id);
	source_tell(s, SOURCE_ORG_GONE, NULL, id, 0);
	free(id);
}

static void end_round(struct source *s)
{
	struct source_orgs *o = &s->orgs;

	o->reading = false;
	o->due_ms = s->now.mono_ms + (o->broken ? BROKEN_MS : EVERY_MS);
	if (!o->whole)
		return;
	for (size_t i = o->n; i-- > 0;) {
		struct found_org *found = &o->v[i];
		found->absent = found->named ? 0 : found->absent + 1;
		if (found->absent >= ABSENT_MAX)
			drop(s, i);
	}
	if (s->env.orgs)
		s->env.orgs(s->env.arg);
}

static void next_list(struct source *s)
{
	struct source_orgs *o = &s->orgs;

	if (o->parent + 1 < s->options->orgs.n)
		begin_list(o, o->parent + 1);
	else
		end_round(s);
}

static void take_row(struct source *s, const struct org_row *row)
{
	struct source_orgs *o = &s->orgs;
	struct found_org *found;

	if (!row->broadcasts || is_configured(s, row->id))
		return;
	if (!find(o, row->id)) {
		source_orgs_add(s, row->id);
		if (find(o, row->id))
			source_tell(s, SOURCE_ORG_FOUND, NULL, row->id, 0);
	}
	found = find(o, row->id);
	if (found) {
		found->named = true;
	} else if (!o->ceiling_told) {
		o->ceiling_told = true;
		source_tell(s, SOURCE_TROUBLE, NULL,
			    "there are more organizations than can be followed", 0);
	}
}

static bool ends(const struct source_orgs *o, const struct answer *answer, uint64_t hash)
{
	if (o->page.rows == 0 || hash == o->hash || o->number >= PAGES_MAX)
		return true;
	return o->page.rows < TAKE && (answer->count < 0 || o->rows >= (size_t)answer->count);
}

static void take_orgs(struct source *s, const struct answer *answer)
{
	struct source_orgs *o = &s->orgs;
	uint64_t hash = hash64(answer->body, answer->len);

	budget_accepted(&s->budget);
	o->told[o->parent] = false;
	o->rows += o->page.rows;
	for (size_t i = 0; i < o->page.n; i++)
		take_row(s, &o->page.v[i]);
	if (ends(o, answer, hash)) {
		next_list(s);
		return;
	}
	o->hash = hash;
	o->number++;
}

/* A list that cannot be had is told once, and until it can no organization is taken for gone. */
static void miss(struct source *s, const char *why, int status, bool broken)
{
	struct source_orgs *o = &s->orgs;
	char *text = xasprintf("sub-organizations of %s: %s", s->options->orgs.v[o->parent], why);

	s->stats.failures++;
	if (!o->told[o->parent])
		source_tell(s, SOURCE_TROUBLE, NULL, text, status);
	free(text);
	o->told[o->parent] = true;
	o->whole = false;
	o->broken = o->broken || broken;
	next_list(s);
}

static int read_page(struct orgs *page, const struct answer *answer, struct err *err)
{
	struct buf text = BUF_INIT(API_BODY_MAX);
	struct err again = {0};

	buf_add(&text, answer->body, answer->len);
	int failed = orgs_read(page, text.data, text.len, err);
	if (failed && json_mend(text.data, text.len, JSON_DEPTH))
		failed = orgs_read(page, text.data, text.len, &again);
	buf_release(&text);
	return failed;
}

void source_orgs_answered(struct ask *a, const struct answer *answer)
{
	struct source *s = a->source;
	struct err err = {0};

	s->orgs.asked = false;
	free(a);
	switch (answer->kind) {
	case ANSWER_PAGE:
		if (read_page(&s->orgs.page, answer, &err) < 0)
			miss(s, err.msg, answer->status, true);
		else
			take_orgs(s, answer);
		return;
	case ANSWER_LATER: source_refused(s, NULL, answer); return;
	case ANSWER_ABORTED: return;
	case ANSWER_NO_KEY:
	case ANSWER_MISSING:
	case ANSWER_REFUSED: miss(s, answer->why, answer->status, false); return;
	case ANSWER_BROKEN: break;
	}
	miss(s, answer->why, answer->status, true);
}
