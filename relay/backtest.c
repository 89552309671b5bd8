/* backtest — goes through the journal in steps and compares, event by event, where it went with
 * where it would go. Several threads take steps; each reads, matches and counts by itself.
 * Invariants: the decisions of a step are read before its events, so that retention beside it can
 * take an event out of the comparison, but never its routes alone; windows are fed in the order of
 * sequences, whoever's turn it is. */
#include "relay/backtest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/backtest_parts.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define STEP	    4000 /* sequences read at a time */
#define THREADS_MAX 4

#define NOBODY SIZE_MAX

struct run {
	const struct journal_options *journal;
	const struct backtest_options *o;
	struct store_head head;
	struct score_names names;
	int64_t first, last; /* sequences to look at */
	int64_t first_ms;
	atomic_int_least64_t next; /* step that nobody has taken */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t turned;
	struct refill *refill; /* NULL: no rule counts */
	int64_t turn;	       /* the step whose events are to be fed next */
	bool failed;
	struct err err;
};

struct worker {
	struct run *run;
	pthread_t thread;
	struct store *store;
	struct score score;
	struct rules_scratch *scratch;
	struct rule_hit *hits;
	bool *was_there, *would_be; /* per destination, of the event at hand; all false between */
	uint64_t *fired;	    /* per rule: alerts of then */
	struct json_doc *doc;
	uint64_t events;
	int64_t last_ms;
	bool started;
};

/* ---- one event ---- */

/* What is about a destination never goes there. */
static size_t route(struct worker *w, const struct event *ev)
{
	size_t n = rules_route(w->scratch, ev, w->hits), kept = 0;
	char *about = event_about(ev);

	if (!about)
		return n;
	for (size_t i = 0; i < n; i++)
		if (strcmp(w->run->o->destinations[w->hits[i].destination], about) != 0)
			w->hits[kept++] = w->hits[i];
	free(about);
	return kept;
}

/* Its decisions are d[0…n). */
static void compare(struct worker *w, const struct event *ev, const struct decision *d, size_t n)
{
	const struct score_names *names = &w->run->names;
	size_t hits = route(w, ev);

	for (size_t i = 0; i < hits; i++)
		w->would_be[w->hits[i].destination] = true;
	for (size_t i = 0; i < n; i++) {
		size_t rule = score_rule(names, d[i].rule);
		size_t to = score_destination(names, d[i].destination);

		if (rule == NOBODY || to == NOBODY)
			continue;
		struct score_cell *c = score_at(&w->score, rule, to);
		c->was++;
		c->less += !w->would_be[to];
		w->was_there[to] = true;
	}
	for (size_t i = 0; i < hits; i++) {
		size_t to = w->hits[i].destination;
		struct score_cell *c = score_at(&w->score, w->hits[i].rule, to);

		c->would++;
		c->more += !w->was_there[to];
		w->would_be[to] = false;
	}
	for (size_t i = 0; i < n; i++) {
		size_t to = score_destination(names, d[i].destination);

		if (to != NOBODY)
			w->was_there[to] = false;
	}
}

/* An alert of then came out of the rules of then: it is counted beside those of the new ones. */
static void count_alert(struct worker *w, const struct event *ev, const struct decision *d,
			size_t n)
{
	const struct score_names *names = &w->run->names;
	struct err unlikely = {0};
	const struct json *root = json_parse(w->doc, ev->body, ev->len, JSON_DEPTH + 4, &unlikely);
	const char *name = root ? json_string(json_get(root, "subject")) : NULL;

	for (size_t i = 0; i < n; i++) {
		size_t rule = score_rule(names, d[i].rule);
		size_t to = score_destination(names, d[i].destination);

		if (rule != NOBODY && to != NOBODY)
			score_at(&w->score, rule, to)->alerts_were++;
	}
	for (size_t i = 0; name && !strcmp(ev->type, "alert.firing") && i < names->nrules; i++)
		w->fired[i] += !strcmp(names->rules[i], name);
}

/* Events are held against the decisions that are not passed yet. */
struct compared {
	struct worker *worker;
	const struct decision *d, *end;
};

/* Both ascend by sequence; decisions of events that are gone are passed over. */
static void look_at(void *arg, const struct event *ev)
{
	struct compared *c = arg;
	struct worker *w = c->worker;
	size_t n = 0;

	while (c->d < c->end && c->d->sequence < ev->sequence)
		c->d++;
	while (c->d + n < c->end && c->d[n].sequence == ev->sequence)
		n++;
	if (strncmp(ev->type, "alert.", 6) == 0)
		count_alert(w, ev, c->d, n);
	else
		compare(w, ev, c->d, n);
	w->events++;
	if (ev->sequence == w->run->last) /* which retention leaves */
		w->last_ms = event_recorded_ms(ev->body, ev->len);
}

/* ---- steps ---- */

/* When something failed, nobody's turn comes any more. */
static void feed(struct run *r, int64_t step, const struct events *events)
{
	pthread_mutex_lock(&r->lock);
	while (r->turn != step && !r->failed)
		pthread_cond_wait(&r->turned, &r->lock);
	for (size_t i = 0; i < events->n && !r->failed; i++)
		refill_feed(r->refill, &events->v[i]);
	r->turn++;
	pthread_cond_broadcast(&r->turned);
	pthread_mutex_unlock(&r->lock);
}

static void fail(struct run *r, const struct err *err)
{
	pthread_mutex_lock(&r->lock);
	if (!r->failed)
		r->err = *err;
	r->failed = true;
	pthread_cond_broadcast(&r->turned);
	pthread_mutex_unlock(&r->lock);
}

/* Windows take events in turn, so these are kept until it has come. */
static int look_and_feed(struct compared *c, int64_t step, int64_t first, int64_t last,
			 struct err *err)
{
	struct worker *w = c->worker;
	const struct event_query q = {.after = first - 1, .before = last + 1, .limit = STEP};
	struct events events = {0};

	if (w->store->type->events(w->store, &q, &events, err) != 0)
		return -1;
	for (size_t i = 0; i < events.n; i++)
		look_at(c, &events.v[i]);
	feed(w->run, step, &events);
	events_release(&events);
	return 0;
}

static bool take_step(struct worker *w, int64_t step)
{
	struct run *r = w->run;
	const struct store_type *type = w->store->type;
	int64_t first = r->first + step * STEP;
	int64_t last = first + STEP - 1 < r->last ? first + STEP - 1 : r->last;
	struct decisions d = {0};
	struct err err = {0};
	int failed = type->decisions(w->store, first, last, &d, &err);
	struct compared c = {w, d.v, d.v + d.n};

	if (!failed && r->refill)
		failed = look_and_feed(&c, step, first, last, &err);
	else if (!failed)
		failed = type->scan(w->store, first, last, look_at, &c, &err);
	if (failed)
		fail(r, &err);
	decisions_release(&d);
	return !failed;
}

static void work(struct worker *w, bool tells)
{
	struct run *r = w->run;
	int64_t all = r->last - r->first + 1, step;

	while ((step = atomic_fetch_add(&r->next, 1)) * STEP < all) {
		if (tells && r->o->progress)
			r->o->progress(r->o->arg, step * STEP, all);
		if (!take_step(w, step))
			return;
	}
}

static void *work_beside(void *arg)
{
	work(arg, false);
	return NULL;
}

/* ---- workers ---- */

static int worker_open(struct worker *w, struct run *r, struct err *err)
{
	const struct journal_options *j = r->journal;

	*w = (struct worker){.run = r, .last_ms = DATE_NONE};
	w->store = j->type->open(j->options, STORE_READ, err);
	if (!w->store)
		return -1;
	score_init(&w->score);
	w->scratch = rules_scratch_new(r->o->rules);
	w->hits = xcalloc(r->o->ndestinations + 1, sizeof *w->hits);
	w->was_there = xcalloc(r->names.ndestinations + 1, sizeof *w->was_there);
	w->would_be = xcalloc(r->names.ndestinations + 1, sizeof *w->would_be);
	w->fired = xcalloc(r->names.nrules + 1, sizeof *w->fired);
	w->doc = json_doc_new();
	return 0;
}

static void worker_close(struct worker *w)
{
	if (w->store)
		w->store->type->close(w->store);
	score_release(&w->score);
	rules_scratch_free(w->scratch);
	json_doc_free(w->doc);
	free(w->hits);
	free(w->was_there);
	free(w->would_be);
	free(w->fired);
}

static void worker_join(struct worker *to, const struct worker *w)
{
	score_add(&to->score, &w->score);
	for (size_t i = 0; i < to->run->names.nrules; i++)
		to->fired[i] += w->fired[i];
	to->events += w->events;
	if (w->last_ms > to->last_ms)
		to->last_ms = w->last_ms;
}

static size_t threads(const struct run *r)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t steps = (r->last - r->first) / STEP + 1;

	if (n > THREADS_MAX)
		n = THREADS_MAX;
	return n < 1 || steps < 1 ? 1 : n > steps ? (size_t)steps : (size_t)n;
}

/* The first of them works on this thread; without the others it takes longer, that is all. */
static int work_all(struct run *r, struct worker *v, size_t n, struct err *err)
{
	struct err ignored = {0};

	if (worker_open(&v[0], r, err) != 0)
		return -1;
	for (size_t i = 1; i < n; i++)
		v[i].started = worker_open(&v[i], r, &ignored) == 0 &&
			       pthread_create(&v[i].thread, NULL, work_beside, &v[i]) == 0;
	work(&v[0], true);
	for (size_t i = 1; i < n; i++) {
		if (!v[i].started)
			continue;
		pthread_join(v[i].thread, NULL);
		worker_join(&v[0], &v[i]);
	}
	if (r->failed)
		*err = r->err;
	return r->failed ? -1 : 0;
}

/* ---- the whole ---- */

static int read_head(struct run *r, struct err *err)
{
	const struct event_query q = {.recorded_from_ms = r->o->since_ms, .limit = 1};
	struct events found = {0};
	struct store *s = r->journal->type->open(r->journal->options, STORE_READ, err);
	int failed = s ? s->type->head(s, &r->head, err) : -1;

	if (!failed)
		failed = s->type->events(s, &q, &found, err);
	if (s)
		s->type->close(s);
	if (failed)
		return -1;
	r->last = r->head.latest;
	r->first = found.n ? found.v[0].sequence : r->last + 1;
	if (found.n)
		r->first_ms = event_recorded_ms(found.v[0].body, found.v[0].len);
	events_release(&found);
	return 0;
}

/* w has everything that was counted. */
static void finish(struct run *r, struct worker *w, struct backtest *ret)
{
	struct backtest b = {.events = w->events, .first_ms = r->first_ms, .last_ms = w->last_ms};
	const struct alert_rule *const *rules;
	const size_t *places;
	size_t n = rules_alerts(r->o->rules, &rules, &places), at = 0, all = r->names.nrules;

	if (r->refill)
		refill_end(r->refill, &w->score);
	b.alerts = xcalloc(all + 1, sizeof *b.alerts);
	for (size_t i = 0; i < all; i++) {
		bool counts = at < n && places[at] == i;

		if (!counts && !w->fired[i])
			continue;
		b.alerts[b.nalerts++] = (struct backtest_alerts){
			.rule = r->names.rules[i],
			.was = w->fired[i],
			.would = counts && r->refill ? refill_fired(r->refill, i) : 0,
		};
		at += counts;
	}
	score_finish(&w->score, &r->names, &b);
	*ret = b;
}

static int compare_past(struct run *r, struct backtest *ret, struct err *err)
{
	struct worker v[THREADS_MAX] = {0};
	size_t n = threads(r);

	score_names_init(&r->names, &r->head, r->o);
	if (r->first <= r->last)
		r->refill = refill_new(r->o, r->head.uuid, r->first_ms);
	int failed = work_all(r, v, n, err);
	if (!failed)
		finish(r, &v[0], ret);
	for (size_t i = 0; i < n; i++)
		worker_close(&v[i]);
	refill_free(r->refill);
	score_names_release(&r->names);
	return failed;
}

int backtest_run(const struct journal_options *journal, const struct backtest_options *o,
		 struct backtest *ret, struct err *err)
{
	struct run r = {.journal = journal, .o = o, .first_ms = DATE_NONE};

	if (read_head(&r, err) != 0) {
		store_head_release(&r.head);
		return -1;
	}
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.turned, NULL);
	int failed = compare_past(&r, ret, err);
	pthread_cond_destroy(&r.turned);
	pthread_mutex_destroy(&r.lock);
	store_head_release(&r.head);
	return failed;
}

void backtest_release(struct backtest *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->nnames; i++)
		free(b->names[i]);
	free(b->names);
	free(b->rows);
	free(b->alerts);
	*b = (struct backtest){0};
}
