/*
 * outage — what an open breaker means for the routes of a destination: which of them is the probe,
 * and who is let go when it closes. Invariant: while it is open the cursor passes nothing but
 * probes and the few that stand behind others before them, so what waits costs no memory.
 */
#include "relay/delivery/destination.h"

#define OUTAGE_MAX_MS                                                                              \
	(7 * 86400000LL)    /* known of one that a restart finds; longer changes nothing */
#define VAIN_MAX      3	    /* else some that always fail would close it in for ever */
#define NOTE_EVERY_MS 60000 /* a long outage must not fill the journal */
#define NOMINAL	      0.5   /* a delay without its jitter */
#define PROBE_LOOK    16    /* routes behind others that a search for a probe may pass */

void outage_resume(struct destination *t)
{
	const struct instant *now = &t->delivery->now;
	int64_t since_ms = now->wall_ms - t->down_ms;

	if (!t->down_ms)
		return;
	if (since_ms < 0) /* the wall clock was set back */
		since_ms = 0;
	if (since_ms > OUTAGE_MAX_MS)
		since_ms = OUTAGE_MAX_MS;
	breaker_reopen(&t->breaker, now->mono_ms - since_ms, now->mono_ms);
}

static void begin(struct destination *t, const char *why)
{
	t->down_ms = t->delivery->now.wall_ms;
	t->probe_noted_ms = 0;
	t->changed = true;
	notice(t, DELIVERY_DOWN, NULL, why);
}

/* All that failed are due, but for those to which the receiver named a time, and those for which
 * this was in vain some times. In the order of the log, since all have the same due. Their rows
 * keep the old time: they go first now, so only a kill within moments would find it there. */
static void let_go(struct destination *t)
{
	int64_t now_ms = t->delivery->now.mono_ms;
	struct dues old = t->dues;

	t->dues = (struct dues){0};
	for (size_t i = 0; i < old.n; i++) {
		struct item *x = old.v[i];
		int64_t due_ms = x->not_before_ms > now_ms ? x->not_before_ms : now_ms;

		if (x->due_ms <= now_ms || x->vain < VAIN_MAX) {
			x->early |= due_ms < x->due_ms;
			x->due_ms = due_ms;
		}
		dues_put(&t->dues, x);
	}
	dues_release(&old);
}

void outage_end(struct destination *t)
{
	if (!t->down_ms)
		return;
	breaker_close(&t->breaker);
	notice(t, DELIVERY_UP, NULL, NULL);
	t->down_ms = 0;
	t->changed = true;
	pace_restart(&t->pace, t->flying);
	let_go(t);
}

static enum call_end end_of(const struct outcome *o)
{
	if (o->verdict != TRY_AGAIN || o->disable)
		return CALL_ANSWERED;
	if (o->throttled)
		return CALL_THROTTLED;
	return o->no_connection ? CALL_UNANSWERED : CALL_FAILED;
}

static bool is_lonely(const struct destination *t, const struct item *x)
{
	const struct numbers *retry = &t->options->retry;
	int64_t last_ms = retry_delay_ms(retry, x->attempts, NOMINAL);

	return x->attempts > 1 && t->heard_ms + last_ms <= t->delivery->now.mono_ms &&
	       retry_delay_ms(retry, x->attempts + 1, NOMINAL) > BREAKER_LEAST_MS;
}

void outage_count(struct destination *t, const struct item *x, const struct outcome *o, bool probe)
{
	int64_t now_ms = t->delivery->now.mono_ms;
	enum call_end end = end_of(o);
	bool told = o->group && o->group == t->counted;

	t->counted = o->group;
	if (told) /* all events of a call end as it does */
		return;
	if (end != CALL_UNANSWERED)
		t->heard_ms = now_ms;
	if (!t->breaker.open) {
		if (breaker_count(&t->breaker, end, is_lonely(t, x), now_ms))
			begin(t, o->why);
	} else if (probe) { /* the others were sent before it opened */
		if (end == CALL_ANSWERED || end == CALL_THROTTLED)
			outage_end(t);
		else
			breaker_probe_failed(&t->breaker, x->due_ms, now_ms);
	}
}

bool outage_notes(struct destination *t)
{
	int64_t now_ms = t->delivery->now.mono_ms;

	if (t->probe_noted_ms && now_ms < t->probe_noted_ms + NOTE_EVERY_MS)
		return false;
	t->probe_noted_ms = now_ms;
	return true;
}

static bool wants_probe(const struct destination *t)
{
	return !t->probing && !t->nloads &&
	       breaker_wants_probe(&t->breaker, t->delivery->now.mono_ms);
}

static bool goes_before(const struct item *x, const struct item *y)
{
	if (x->probed != y->probed)
		return x->probed < y->probed;
	return x->due_ms != y->due_ms ? x->due_ms < y->due_ms : x->sequence < y->sequence;
}

/* The retry that is the next probe: of those to which the receiver named no time that is still to
 * come, the one that was a probe the longest ago, then the one due first. Each has its turn, so one
 * that always fails keeps nobody away. */
static struct item *next_retry(const struct destination *t)
{
	int64_t now_ms = t->delivery->now.mono_ms;
	struct item *first = NULL;

	for (size_t i = 0; i < t->dues.n; i++) {
		struct item *x = t->dues.v[i];

		if (x->not_before_ms <= now_ms && (!first || goes_before(x, first)))
			first = x;
	}
	return first;
}

/* Retries and new routes take turns: were all retries of a kind that always fails, only a new one
 * could show that the receiver is there. */
struct item *outage_probe(struct destination *t)
{
	struct item *x = NULL;

	if (!wants_probe(t))
		return NULL;
	if (t->ready)
		x = ready_take(t, 0);
	else if (t->probes % 2 || !next_retry(t))
		x = window_admit(t, PROBE_LOOK);
	t->probes += x != NULL;
	return x;
}

/* Comes behind outage_probe in a turn: that has found nothing to send. */
struct item *outage_load(struct destination *t)
{
	struct item *x;

	if (!wants_probe(t) || t->ready)
		return NULL;
	x = next_retry(t);
	if (x)
		dues_remove(&t->dues, x);
	else if (t->nitems) /* all are out, or held, or behind such */
		breaker_look_later(&t->breaker, t->delivery->now.mono_ms);
	return x;
}
