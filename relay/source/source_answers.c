/*
 * What becomes of answers. Each request ends in exactly one word to the planner: read, failed or
 * unasked; that of a page is said in source_pages.c.
 */
#include "relay/source/source_state.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define MISSING_MAX 2 /* 404 in a row until a broadcast counts as gone */

void source_tell(const struct source *s, enum source_notice what, const struct watch *w,
		 const char *why, int64_t number)
{
	s->env.notice(s->env.arg, what, w ? &w->followed : NULL, why, number);
}

static void tell_change(const struct source *s, enum health_change change, const char *why,
			int64_t status)
{
	if (change == HEALTH_FELL)
		source_tell(s, SOURCE_DOWN, NULL, why, status);
	else if (change == HEALTH_ROSE)
		source_tell(s, SOURCE_UP, NULL, "", 0);
}

void source_worked(struct source *s)
{
	enum health_change change = health_worked(&s->health);

	budget_accepted(&s->budget);
	s->failing_since_ms = 0;
	if (change == HEALTH_ROSE)
		planner_recovered(s->planner);
	tell_change(s, change, "", 0);
}

/* What a reply shows is no older. It may be told by a clock that goes after ours, and by then. */
int64_t source_asked_ms(const struct ask *a, const struct answer *answer)
{
	int64_t ours = a->asked.wall_ms, theirs = ours;

	if (answer->date_ms != DATE_NONE)
		theirs = answer->date_ms - answer->took_ms;
	a->source->behind_ms = theirs < ours ? ours - theirs : 0;
	return ours - a->source->behind_ms;
}

/* ---- requests that end without a page ---- */

void source_end_ask(struct ask *a)
{
	struct watch *w = a->watch;

	if (w) {
		w->busy = false;
		if (w->dropped)
			watch_free(w);
	}
	free(a);
}

static bool is_planned(const struct ask *a)
{
	return a->plan.kind != PLAN_NOTHING && !(a->watch && a->watch->dropped);
}

static void put_back(struct ask *a)
{
	if (is_planned(a))
		planner_unasked(a->source->planner, &a->plan);
	source_end_ask(a);
}

static void note_failure(const struct ask *a)
{
	struct source *s = a->source;

	if (!s->failing_since_ms)
		s->failing_since_ms = a->asked.wall_ms;
}

static void trouble(struct ask *a, const char *why, int status)
{
	struct source *s = a->source;

	s->stats.failures++;
	source_tell(s, SOURCE_TROUBLE, a->watch, why, status);
	if (is_planned(a))
		planner_failed(s->planner, &a->plan, prng_unit(&s->random), s->now.mono_ms);
}

/* Where the list is all that can be asked, it speaks for the other paths, too. */
static enum request_kind path_of(const struct ask *a)
{
	bool last_resort = a->plan.kind == PLAN_NOTHING && a->source->health.list_alone;

	return last_resort ? REQUEST_RECIPIENTS : a->what;
}

void source_fail(struct ask *a, const char *why, int status)
{
	struct source *s = a->source;

	note_failure(a);
	trouble(a, why, status);
	tell_change(s, health_failed(&s->health, path_of(a), prng_unit(&s->random), s->now.mono_ms),
		    why, status);
	source_end_ask(a);
}

static void refuse_key(struct ask *a, const char *why, int status)
{
	struct source *s = a->source;
	struct err err = {0};

	note_failure(a);
	trouble(a, why, status);
	err_set(&err, ERR_DENIED, "the API key is refused: %s", why);
	/* What was under way when the doubt arose proves no more than what raised it. */
	if (a->plan.kind == PLAN_NOTHING || !s->health.doubt)
		tell_change(s, health_no_key(&s->health, a->what, s->now.mono_ms), err.msg, status);
	source_end_ask(a);
}

void source_refused(struct source *s, const struct watch *w, const struct answer *answer)
{
	s->stats.refusals++;
	budget_refused(&s->budget, s->now.mono_ms, answer->wait_ms, prng_unit(&s->random));
	source_tell(s, SOURCE_TROUBLE, w, answer->why, answer->status);
}

static void come_later(struct ask *a, const struct answer *answer)
{
	source_refused(a->source, a->watch, answer);
	put_back(a);
}

/* Only a first page says that a broadcast is gone. */
static void miss(struct ask *a, const char *why, int status)
{
	struct source *s = a->source;
	struct watch *w = a->watch;

	bool key = s->health.doubt || s->health.no_key;
	if (a->plan.kind == PLAN_NOTHING && key) { /* the key was good enough to be told so */
		source_worked(s);
		source_end_ask(a);
		return;
	}
	if (!w) {
		source_fail(a, why, status);
		return;
	}
	trouble(a, why, status);
	if (a->plan.page == 1 && !w->dropped && ++w->missing >= MISSING_MAX)
		source_tell(s, SOURCE_GONE, w, why, status);
	source_end_ask(a);
}

/* ---- the list ---- */

/* Reads from a copy, in which an entry that is no good JSON can be left out. */
static int read_listing(struct listing *l, const struct answer *answer, struct buf *text,
			struct err *err)
{
	struct err again = {0};

	buf_add(text, answer->body, answer->len);
	if (listing_read(l, text->data, text->len, err) == 0)
		return 0;
	size_t mended = json_mend(text->data, text->len, JSON_DEPTH);
	if (!mended || listing_read(l, text->data, text->len, &again) < 0)
		return -1;
	skip_mended(l->skipped, mended);
	return 0;
}

static void take_listing(struct ask *a, const struct answer *answer)
{
	struct source *s = a->source;
	struct listing *l = &s->listing;
	struct buf text = BUF_INIT(API_BODY_MAX);
	struct err err = {0};

	if (read_listing(l, answer, &text, &err) < 0) {
		buf_release(&text);
		err_wrap(&err, "broadcast list of %s", a->plan.org);
		source_fail(a, err.msg, answer->status);
		return;
	}
	struct plan_answer told = {
		.count = answer->count,
		.rows = l->n + l->doubled,
		.hash = hash64(answer->body, answer->len),
		.date_ms = source_asked_ms(a, answer),
	};
	for (int i = 0; i < SKIP_KINDS; i++) {
		told.skipped += l->skipped[i];
		if (l->skipped[i])
			source_tell(s, SOURCE_SKIPPED, NULL, skip_names[i], (int64_t)l->skipped[i]);
	}
	told.rows += told.skipped;
	source_worked(s);
	struct source_listing listing = {
		.org = a->plan.org,
		.v = l->v,
		.n = l->n,
		.text = text.data,
		.date_ms = answer->date_ms,
		.asked_ms = told.date_ms,
		.part = a->plan.status != NULL,
		.complete = !a->plan.status && planner_completes(s->planner, &a->plan, &told),
	};
	if (source_polls(s, a->plan.org))
		s->env.listing(s->env.arg, &listing);
	planner_read(s->planner, &a->plan, &told, s->now.mono_ms);
	buf_release(&text);
	source_end_ask(a);
}

/* ---- all answers ---- */

void source_not_asked(struct ask *a, const char *why)
{
	a->source->stats.in_flight--;
	if (a->orgs) {
		source_orgs_answered(a, &(struct answer){.kind = ANSWER_BROKEN, .why = why});
		return;
	}
	if (a->plan.kind == PLAN_NOTHING)
		health_probed(&a->source->health);
	source_fail(a, why, 0);
}

/* The answer says how long it took; the last tick may lie further back. */
static void advance(struct source *s, const struct ask *a, int64_t took_ms)
{
	int64_t behind = a->asked.mono_ms + took_ms - s->now.mono_ms;

	if (behind <= 0)
		return;
	s->now.mono_ms += behind;
	s->now.wall_ms += behind;
}

static void note_org(struct source *s, const struct request *r, enum answer_kind kind)
{
	char **which = kind == ANSWER_PAGE ? &s->worked_org : &s->refused_org;

	if (kind != ANSWER_PAGE && kind != ANSWER_NO_KEY)
		return;
	if (r->kind != REQUEST_ORGS)
		planner_refused(s->planner, r->org, r->kind == REQUEST_BROADCASTS,
				kind == ANSWER_NO_KEY);
	if (*which && strcmp(*which, r->org) == 0)
		return;
	free(*which);
	*which = xstrdup(r->org);
}

static void take_page(struct ask *a, const struct answer *answer)
{
	if (a->plan.kind == PLAN_LIST) {
		take_listing(a, answer);
	} else if (a->plan.kind == PLAN_PAGE) {
		source_take_page(a, answer);
	} else {
		source_worked(a->source);
		source_end_ask(a);
	}
}

/* Behind the last page an API may refuse what another answers with an empty list. */
static bool is_the_end(const struct ask *a, enum answer_kind kind)
{
	return (kind == ANSWER_MISSING || kind == ANSWER_REFUSED) && is_planned(a) &&
	       planner_is_behind(a->source->planner, &a->plan);
}

static void take_end(struct ask *a, const struct answer *answer)
{
	struct answer nothing = *answer;

	nothing.kind = ANSWER_PAGE;
	nothing.body = "[]";
	nothing.len = strlen(nothing.body);
	nothing.count = -1;
	take_page(a, &nothing);
}

/* False: the token is refused; the page is asked for once more, by its number. */
static bool take_token(const struct ask *a, const struct request *r, const struct answer *answer)
{
	struct tokens *tokens = &a->source->tokens;
	bool refused = r->next && answer->kind == ANSWER_REFUSED;

	if (refused)
		tokens_keep(tokens, a->list, r->page, NULL);
	else if (answer->kind == ANSWER_PAGE)
		tokens_keep(tokens, a->list, r->page + 1, answer->next);
	return !refused;
}

void source_answered(void *arg, const struct request *r, const struct answer *answer)
{
	struct ask *a = arg;
	struct source *s = a->source;

	s->stats.in_flight--;
	s->answers[r->kind][answer->kind]++;
	advance(s, a, answer->took_ms);
	if (a->orgs) {
		source_orgs_answered(a, answer);
		return;
	}
	note_org(s, r, answer->kind);
	if (a->plan.kind == PLAN_NOTHING)
		health_probed(&s->health);
	if (!take_token(a, r, answer)) {
		put_back(a);
		return;
	}
	if (is_the_end(a, answer->kind)) {
		take_end(a, answer);
		return;
	}
	switch (answer->kind) {
	case ANSWER_PAGE: take_page(a, answer); return;
	case ANSWER_LATER: come_later(a, answer); return;
	case ANSWER_NO_KEY: refuse_key(a, answer->why, answer->status); return;
	case ANSWER_MISSING: miss(a, answer->why, answer->status); return;
	case ANSWER_ABORTED: put_back(a); return;
	case ANSWER_BROKEN:
	case ANSWER_REFUSED: break;
	}
	source_fail(a, answer->why, answer->status);
}
