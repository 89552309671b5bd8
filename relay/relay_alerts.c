/*
 * Alerts: feeds the committed log to the rules' windows and commits what they say. A fold: what
 * must survive goes into the journal in the same commit as the alerts it speaks of, so that a crash
 * neither loses nor repeats one. Invariants: `rows` is what the journal holds; one commit of ours
 * is under way at a time; when it fails, the windows are built anew from `rows` and the log. Each
 * event is fed once, in the order of sequences. Nothing holds the loop for long, however many
 * alerts are open: what is much is done in portions, with turns of the others between them.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/alert_event.h"
#include "relay/base/json_add.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/journal/fold_rows.h"
#include "relay/relay_state.h"
#include "relay/source/report.h"

#define FOLD		  "alerts"
#define FEED_MOST	  250	 /* events in one go: some 2 ms if each opens an alert */
#define FEED_MAX_US	  4000	 /* … and what is left after this is read from the log again */
#define FEED_LOOK	  8	 /* events from one look at the clock to the next */
#define RESTORE_MOST	  500	 /* rows in one go: some 2 ms */
#define ROWS_MOST	  1000	 /* in a commit but for those of events: some 2 ms */
#define TELL_MOST	  100	 /* alerts in one go, and in a commit but for those of events */
#define TICK_MS		  1000	 /* watermarks move without notice */
#define PROGRESS_EVERY_MS 60000	 /* how far decisions came is kept, alerts or not */
#define AGAIN_MS	  5000	 /* after a failure; doubled while it lasts … */
#define AGAIN_MOST_MS	  300000 /* … up to this: each time much of the past is read again */

enum stage {
	STAGE_NONE,    /* nothing is built */
	STAGE_RESTORE, /* from `rows` */
	STAGE_READ,    /* of the log */
	STAGE_LIVE     /* all that was committed is fed */
};

struct alerts {
	struct relay *relay;
	struct windows *windows; /* NULL: no rule counts, or they are to be built anew */
	const size_t *places;	 /* of their rules in the list */
	struct fold_rows rows;
	struct batch *next; /* alerts that wait for the commit under way */
	enum stage stage;
	uint32_t restored;	      /* rows of slots before it are */
	int64_t from_ms;	      /* of the first read: recorded from then on */
	int64_t fed;		      /* the last sequence */
	int64_t renew_ms, again_ms;   /* mono: build anew then; INT64_MAX: they are built */
	int64_t tick_ms, progress_ms; /* mono: due then */
	unsigned built; /* counts, so that an answer for former ones is known as such */
	bool committing;
	bool asked;	  /* a read of the past is under way … */
	unsigned reading; /* … so many, with those for former ones */
};

/* ---- commits ---- */

static struct batch *next_batch(struct alerts *a)
{
	if (!a->next)
		a->next = batch_new();
	return a->next;
}

static void write_row(void *arg, const char *key, const char *state)
{
	struct fold_record *w = batch_fold(next_batch(arg));
	*w = (struct fold_record){xstrdup(FOLD), xstrdup(key), xstrdup(state)};
}

/* What the windows hold says more than the journal does: they are built from the journal again. */
static void renew(struct alerts *a, int64_t at_ms)
{
	windows_free(a->windows);
	a->windows = NULL;
	batch_free(a->next);
	a->next = NULL;
	a->stage = STAGE_NONE;
	a->asked = false;
	a->renew_ms = at_ms;
}

static void renew_later(struct alerts *a)
{
	renew(a, relay_now(a->relay).mono_ms + a->again_ms);
	a->again_ms = a->again_ms * 2 < AGAIN_MOST_MS ? a->again_ms * 2 : AGAIN_MOST_MS;
}

static void commit(struct alerts *a);
static void read_on(struct alerts *a);

static void committed(void *arg, const struct batch *b, const struct err *err)
{
	struct alerts *a = arg;
	struct relay *r = a->relay;
	a->committing = false;
	if (err) {
		log_warn("alerts wait: the journal refused them", log_str("why", err->msg));
		renew_later(a);
		return;
	}
	a->again_ms = AGAIN_MS;
	for (size_t i = 0; i < b->nfolds; i++)
		fold_rows_keep(&a->rows, &b->folds[i]);
	router_committed(r->router, b);
	relay_committed(r, b);
	commit(a);
	read_on(a);
}

/* More would make the commit a long one: what could add to it waits for the one under way. */
static bool is_full(const struct alerts *a)
{
	return (a->next && a->next->events.n >= TELL_MOST) ||
	       (a->windows && windows_changes(a->windows) >= ROWS_MOST);
}

static void commit(struct alerts *a)
{
	struct relay *r = a->relay;
	int64_t now_ms = relay_now(r).mono_ms;
	if (a->committing || !a->windows || (!a->next && !is_full(a) && now_ms < a->progress_ms))
		return;
	windows_take_changes(a->windows, write_row, a);
	a->progress_ms = now_ms + PROGRESS_EVERY_MS;
	if (!a->next)
		return;
	struct batch *b = a->next;
	a->next = NULL;
	a->committing = true;
	relay_add_destinations(r, b);
	journal_commit(r->journal, b, committed, a);
}

/* ---- what the windows say and ask ---- */

static void on_alert(void *arg, const struct alert *alert)
{
	struct alerts *a = arg;
	struct relay *r = a->relay;
	size_t rule = a->places[alert->rule];
	struct batch *b = next_batch(a);
	alert_event(batch_event(b), alert, rules_name(r->settings->rules, rule), r->uuid,
		    relay_now(r).wall_ms);
	router_route_alert(r->router, b, b->events.n - 1, rule);
}

static void on_full(void *arg, size_t rule, uint64_t refused)
{
	struct alerts *a = arg;
	struct relay *r = a->relay;
	const char *name = rules_name(r->settings->rules, a->places[rule]);
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	buf_addc(&data, '{');
	json_add_text(&data, "rule", name);
	json_add_int(&data, "keys", WINDOW_KEYS_MAX);
	json_add_count(&data, "refused", (int64_t)refused);
	buf_addc(&data, '}');
	log_warn("a rule counts as many keys as it may; further ones are left out",
		 log_str("rule", name));
	relay_tell(r, &(struct relay_word){
			      .type = "relay.window.full", .subject = name, .data = &data});
	buf_release(&data);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* "failed" of recipient.failed; NULL: the type is of something else. */
static const char *state_of(const char *type)
{
	static const char prefix[] = "recipient.";
	return strncmp(type, prefix, sizeof prefix - 1) != 0 ? NULL : type + sizeof prefix - 1;
}

/* Types of recipients have states of their names; of any other, all must be known. */
static int64_t on_known_until(void *arg, const char *broadcast, const char *const *awaited)
{
	const struct alerts *a = arg;
	const struct source *s = a->relay->source;
	int64_t until = INT64_MAX;
	if (!awaited || !awaited[0])
		return source_known_until(s, broadcast, NULL);
	for (; *awaited; awaited++)
		until = earlier(until, source_known_until(s, broadcast, state_of(*awaited)));
	return until;
}

/* ---- the log ---- */

/* A read may have seen what was committed before its commit was heard of here. Thousands of rules
 * may count the same events: false when the time was up before all were fed. */
static bool feed(struct alerts *a, const struct events *v)
{
	int64_t until_us = clock_mono_us() + FEED_MAX_US;
	bool all = true;
	for (size_t i = 0; i < v->n && all; i++) {
		const struct window_event fed = alert_window_event(&v->v[i]);
		if (fed.sequence <= a->fed)
			continue;
		windows_feed(a->windows, &fed);
		a->fed = fed.sequence;
		all = i % FEED_LOOK != FEED_LOOK - 1 || clock_mono_us() < until_us;
	}
	commit(a);
	return all;
}

struct reading {
	struct alerts *alerts;
	unsigned built;
	int64_t latest; /* when it was asked */
};

static void past_read(void *arg, const struct events *v, const struct err *err)
{
	struct reading reading = *(struct reading *)arg;
	struct alerts *a = reading.alerts;
	free(arg);
	a->reading--;
	if (reading.built != a->built || !a->windows)
		return;
	a->asked = false;
	if (err) {
		log_warn("alerts wait: the past cannot be read", log_str("why", err->msg));
		renew_later(a);
		return;
	}
	a->from_ms = 0;
	/* What it passed over is of no interest. */
	if (feed(a, v) && v->n < FEED_MOST && a->fed < reading.latest)
		a->fed = reading.latest;
	read_on(a);
}

static void read_on(struct alerts *a)
{
	struct journal *j = a->relay->journal;
	if (a->stage != STAGE_READ || a->asked || is_full(a))
		return;
	if (!a->from_ms && a->fed >= journal_latest(j)) {
		a->stage = STAGE_LIVE;
		return;
	}
	struct reading *reading = xmalloc(sizeof *reading);
	const struct event_query q = {
		.after = a->fed, .recorded_from_ms = a->from_ms, .limit = FEED_MOST};
	*reading = (struct reading){a, a->built, journal_latest(j)};
	a->asked = true;
	a->reading++;
	journal_events(j, &q, past_read, reading);
}

/* ---- life ---- */

static void restore(struct alerts *a)
{
	const struct fold_row *row;
	for (int n = 0; n < RESTORE_MOST; n++) {
		row = table_from(&a->rows.rows, a->restored);
		if (!row)
			break;
		a->restored = row->head.slot + 1;
		if (!windows_restore(a->windows, row->record.key, row->record.state))
			write_row(a, row->record.key, NULL);
	}
	if (table_from(&a->rows.rows, a->restored))
		return;
	int64_t from_ms = windows_feed_from_ms(a->windows);
	bool none = from_ms == INT64_MAX;
	a->from_ms = none ? 0 : from_ms;
	a->fed = none ? journal_latest(a->relay->journal) : 0;
	a->stage = STAGE_READ;
	read_on(a);
}

static size_t add_state(const char **states, size_t n, const char *state)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(states[i], state))
			return n;
	states[n] = state;
	return n + 1;
}

/* So that what does not come is known to be absent soon. */
static void await_states(struct source *s, const struct alert_rule *const *rules, size_t n)
{
	const char *states[STATES_MAX];
	size_t nstates = 0;
	for (size_t i = 0; i < n; i++) {
		const char *const *type = alert_rule_awaits(rules[i]);
		for (; type && *type && nstates < STATES_MAX; type++)
			nstates =
				add_state(states, nstates, state_of(*type) ? state_of(*type) : "");
	}
	source_await(s, states, nstates);
}

static void build(struct alerts *a)
{
	struct relay *r = a->relay;
	const struct alert_rule *const *rules;
	struct instant now = relay_now(r);
	const struct windows_env env = {
		.alert = on_alert,
		.full = on_full,
		.known_until = on_known_until,
		.arg = a,
		.tells = TELL_MOST,
	};
	size_t n = rules_alerts(r->settings->rules, &rules, &a->places);
	a->renew_ms = INT64_MAX;
	a->built++;
	await_states(r->source, rules, n);
	if (!n && !a->rows.rows.n)
		return;
	a->windows = windows_new(rules, n, now.wall_ms, &env);
	a->tick_ms = a->progress_ms = now.mono_ms;
	a->restored = 0;
	a->stage = STAGE_RESTORE;
}

struct alerts *relay_open_alerts(struct relay *r, struct store_head *head)
{
	struct alerts *a = xcalloc(1, sizeof *a);
	a->relay = r;
	a->again_ms = AGAIN_MS;
	fold_rows_init(&a->rows);
	for (size_t i = 0; i < head->nfolds; i++)
		if (!strcmp(head->folds[i].fold, FOLD))
			fold_rows_keep(&a->rows, &head->folds[i]);
	return a;
}

void relay_close_alerts(struct alerts *a)
{
	if (!a)
		return;
	windows_free(a->windows);
	batch_free(a->next);
	fold_rows_release(&a->rows);
	free(a);
}

void relay_renew_alerts(struct alerts *a)
{
	renew(a, 0);
}

void relay_halt_alerts(struct alerts *a)
{
	renew(a, INT64_MAX);
}

void relay_feed_alerts(struct alerts *a, const struct batch *b)
{
	if (a->stage != STAGE_LIVE)
		return;
	if (b->events.n <= FEED_MOST && feed(a, &b->events))
		return;
	a->stage = STAGE_READ; /* in portions, which only the journal can give */
	read_on(a);
}

void relay_alerts_status(const struct alerts *a, struct windows_status *ret)
{
	const struct alert_rule *const *rules;
	const size_t *places;
	size_t n = a->windows ? rules_alerts(a->relay->settings->rules, &rules, &places) : 0;
	*ret = (struct windows_status){0};
	for (size_t i = 0; i < n; i++) {
		struct windows_status one;
		windows_status(a->windows, i, &one);
		ret->keys += one.keys;
		ret->refused += one.refused;
		ret->firing += one.firing;
		ret->late += one.late;
		ret->bytes += one.bytes;
	}
}

bool relay_alerts_busy(const struct alerts *a)
{
	return a->reading > 0 || a->stage == STAGE_RESTORE;
}

int relay_tick_alerts(struct alerts *a, struct instant now)
{
	if (a->renew_ms <= now.mono_ms && !a->committing)
		build(a);
	if (a->stage == STAGE_RESTORE) {
		restore(a);
		return 0;
	}
	if (a->stage != STAGE_LIVE)
		return INT_MAX;
	if (now.mono_ms >= a->tick_ms && !is_full(a)) {
		int64_t next_ms = windows_tick(a->windows, now.wall_ms);
		a->tick_ms = now.mono_ms + (next_ms < TICK_MS ? next_ms : TICK_MS);
	}
	commit(a);
	return is_full(a) ? INT_MAX : (int)(a->tick_ms - now.mono_ms);
}
