/*
 * Life, and what is asked. A request is made only when health, budget and planner agree, in this
 * order, so that the planner names nothing that is not asked.
 */
#include "relay/source/source_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct source *source_open(const struct source_options *o, const struct source_env *env,
			   struct instant now, struct err *err)
{
	struct client *client = client_open(o, env->fetch, env->fetch_arg, err);
	if (!client)
		return NULL;
	struct source *s = xcalloc(1, sizeof *s);
	s->options = o;
	s->env = *env;
	s->now = now;
	s->client = client;
	s->planner = planner_new(o);
	s->health.down = env->down;
	s->orgs.told = xcalloc(o->orgs.n, sizeof *s->orgs.told);
	s->orgs.due_ms = now.mono_ms;
	s->random.state = env->seed;
	budget_init(&s->budget, o->rate_limit, now.mono_ms);
	return s;
}

void watch_free(struct watch *w)
{
	broadcast_record_release(&w->followed.record);
	held_free(w->followed.held);
	pages_release(&w->pages);
	free(w);
}

void slot_free(struct slot *slot)
{
	snapshot_release(&slot->rows);
	buf_release(&slot->text);
	free(slot->page.numbers);
	free(slot->fresh);
	free(slot);
}

void source_close(struct source *s)
{
	if (!s)
		return;
	for (struct slot *slot = s->slots, *next; slot; slot = next) {
		next = slot->next;
		if (slot->used && slot->watch->dropped)
			watch_free(slot->watch);
		slot_free(slot);
	}
	while (s->n > 0) {
		struct watch *w = s->v[--s->n];
		planner_remove(s->planner, &w->followed);
		watch_free(w);
	}
	free(s->v);
	free(s->worked_org);
	free(s->refused_org);
	listing_release(&s->listing);
	tokens_release(&s->tokens);
	source_orgs_release(&s->orgs);
	planner_free(s->planner);
	client_close(s->client);
	free(s);
}

static void ask_client(struct ask *a, struct request *r)
{
	struct source *s = a->source;
	struct err err = {0};

	a->what = r->kind;
	a->list = tokens_list(r);
	r->next = tokens_find(&s->tokens, a->list, r->page);
	a->asked = s->now;
	s->stats.requests++;
	s->stats.in_flight++;
	if (client_ask(s->client, r, source_answered, a, &err) < 0)
		source_not_asked(a, err.msg);
}

/* Where to try the key. It may have lost one organization only: whether it is dead, another one
 * must say, and best the one that answered last. A dead one is tried everywhere. */
static const char *org_to_try(struct source *s)
{
	const struct strings *orgs = &s->options->orgs;

	if (s->health.doubt && s->worked_org && strcmp(s->worked_org, s->refused_org) != 0)
		return s->worked_org;
	for (size_t i = 0; s->health.doubt && i < orgs->n; i++)
		if (strcmp(orgs->v[i], s->refused_org) != 0)
			return orgs->v[i];
	return orgs->v[prng_next(&s->random) % orgs->n];
}

/* A broadcast of it, another one each time. */
static struct watch *any_watch(struct source *s, const char *org)
{
	size_t first = s->n ? prng_next(&s->random) % s->n : 0;

	for (size_t i = 0; i < s->n; i++) {
		struct watch *w = s->v[(first + i) % s->n];
		if (strcmp(w->followed.record.org, org) == 0)
			return w;
	}
	return NULL;
}

static void ask_probe(struct source *s)
{
	struct request r = {.kind = health_probe(&s->health), .page = 1, .take = 1};
	bool key = s->health.doubt || s->health.no_key;
	struct ask *a = xcalloc(1, sizeof *a);

	a->source = s;
	r.org = org_to_try(s);
	if (r.kind == REQUEST_RECIPIENTS) {
		const struct watch *w = any_watch(s, r.org);
		r.kind = w ? REQUEST_RECIPIENTS : key ? REQUEST_ORGS : REQUEST_BROADCASTS;
		r.broadcast = w ? w->followed.record.id : NULL;
	}
	if (r.kind == REQUEST_BROADCASTS)
		r.take = TAKE; /* what it is asked for in good days: a smaller one may be sound */
	ask_client(a, &r);
}

/* Rows of a sweep's first page on carry its stamp; those of other sweeps must not. */
static void stamp_all(struct held *held, const struct plan *plan)
{
	bool wrapped = plan->sweep == 1;

	if (!plan->starts || !(wrapped || plan->resumes))
		return;
	for (uint32_t i = 0, n = held_count(held); i < n; i++) {
		struct held_row *row = held_at(held, i);
		row->sweep = plan->resumes && !row->gone ? plan->sweep & 0x1fff : 0;
	}
}

static void ask_planned(struct source *s, const struct plan *plan)
{
	const char *filter[] = {ask_filters[plan->offer.ask], "true", NULL};
	const char *status[] = {"status", plan->status, NULL};
	struct request r = {.kind = REQUEST_BROADCASTS, .org = plan->org, .page = plan->page};
	struct ask *a = xcalloc(1, sizeof *a);

	a->source = s;
	a->plan = *plan;
	r.take = TAKE;
	r.filter = plan->status ? status : NULL;
	if (plan->kind == PLAN_PAGE) {
		a->watch = (struct watch *)plan->broadcast;
		a->watch->busy = true;
		stamp_all(plan->broadcast->held, plan);
		r.kind = REQUEST_RECIPIENTS;
		r.org = plan->broadcast->record.org;
		r.broadcast = plan->broadcast->record.id;
		r.filter = filter[0] ? filter : NULL;
	}
	ask_client(a, &r);
}

static void ask_orgs(struct source *s)
{
	struct ask *a = xcalloc(1, sizeof *a);
	struct request r;

	a->source = s;
	source_orgs_plan(s, a, &r);
	ask_client(a, &r);
}

/* Asks one thing; or says how long there is nothing to ask. */
static int64_t ask_next(struct source *s)
{
	int64_t now = s->now.mono_ms;
	bool good = health_is_good(&s->health);
	int64_t wait = good ? 0 : health_wait_ms(&s->health, now);
	int64_t closed = budget_wait_ms(&s->budget, now);
	int64_t orgs = good ? source_orgs_wait_ms(s) : INT64_MAX;
	struct plan plan;

	if (s->stats.in_flight + s->pages >= UNDER_WAY_MAX)
		return INT64_MAX;
	if (wait > 0 || closed > 0)
		return wait > closed ? wait : closed;
	if (good && orgs > 0) {
		planner_next(s->planner, now, &plan);
		if (plan.kind == PLAN_NOTHING)
			return plan.wait_ms < orgs ? plan.wait_ms : orgs;
	}
	budget_take(&s->budget, now);
	if (!good)
		ask_probe(s);
	else if (orgs <= 0)
		ask_orgs(s);
	else
		ask_planned(s, &plan);
	return 0;
}

int source_tick(struct source *s, struct instant now)
{
	int64_t wait;

	s->now.wall_ms = now.wall_ms;
	if (now.mono_ms > s->now.mono_ms)
		s->now.mono_ms = now.mono_ms;
	if (s->paused)
		return INT_MAX;
	do {
		wait = ask_next(s);
	} while (wait <= 0);
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

void source_pause(struct source *s, bool pause)
{
	s->paused = pause;
}

bool source_busy(const struct source *s)
{
	return s->stats.in_flight > 0 || s->pages > 0;
}

void source_status(const struct source *s, struct source_status *ret)
{
	*ret = s->stats;
	ret->followed = s->n;
	ret->down = s->health.down;
	ret->failing_since_ms = s->failing_since_ms;
	for (size_t i = 0; i < s->n; i++) {
		ret->rows_held += held_live(s->v[i]->followed.held);
		ret->held_bytes += held_bytes(s->v[i]->followed.held) + s->v[i]->pages.bytes;
	}
}
