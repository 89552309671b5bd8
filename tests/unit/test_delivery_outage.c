/* delivery to a destination in trouble: away for a day or a minute, flapping, poisoned, throttling;
 * in virtual time. */
#include "tests/unit/delivery_rig.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/delivery_judges.h"

static bool judge_reset(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	ret->verdict = TRY_AGAIN;
	ret->no_connection = true;
	ret->why = "connection refused";
	return true;
}

static const struct destination *crm(const struct rig *w)
{
	return w->delivery->v[0];
}

/* So many events arrived, each once, those of a key in order. */
static void check_arrived(const struct rig *w, size_t nevents)
{
	const struct receiver *r = &w->receiver;
	size_t mask = 8191, arrived = 0;		     /* more than there are keys */
	int64_t *newest = xcalloc(mask + 1, sizeof *newest); /* by key, in open addressing */
	uint64_t *keys = xcalloc(mask + 1, sizeof *keys);
	bool *seen = xcalloc((size_t)w->latest + 1, sizeof *seen);

	for (size_t i = 0; i < r->n; i++) {
		const struct arrival *a = &r->log[i];
		size_t k = a->key & mask;

		if (a->verdict != SENT)
			continue;
		while (newest[k] && keys[k] != a->key)
			k = (k + 1) & mask;
		if (newest[k] >= a->sequence)
			fail_msg("%d arrived behind %d", (int)a->sequence, (int)newest[k]);
		keys[k] = a->key;
		newest[k] = a->sequence;
		assert_false(seen[a->sequence]);
		seen[a->sequence] = true;
		arrived++;
	}
	assert_int_equal(arrived, nevents);
	free(newest);
	free(keys);
	free(seen);
}

static void back(struct rig *w)
{
	w->receiver.judge = judge_sent;
}

/* --- a day --- */

static void stay_away_for_a_day(struct rig *w, int nevents)
{
	for (int hour = 0; hour < 24; hour++) {
		rig_commit(w, nevents / 24 + (hour < nevents % 24), 3000);
		rig_pass(w, 1 * H);
		assert_in_range(crm(w)->nitems, 1, 2000);
		assert_in_range(crm(w)->body_bytes, 0, 2 * READ_BYTES);
		assert_in_range(rig_status(w).position, 0, 2000);
	}
}

static void outlast_a_day(struct rig *w)
{
	const int nevents = 100000;
	size_t probes, rows;

	stay_away_for_a_day(w, nevents);
	probes = w->receiver.n;
	assert_in_range(probes, 1400, 1600);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	assert_int_equal(w->notices[DELIVERY_UP], 0);
	back(w);
	rig_pass(w, 61 * S);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, (size_t)nevents);
	assert_int_equal(w->receiver.n, probes + (size_t)nevents);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	assert_int_equal(w->notices[DELIVERY_PARKED], 0);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->head.destinations[0].cursor.position, nevents);
	rows = rig_all_attempts(w); /* of failures, and of the successes that ended them */
	assert_in_range(rows, 1, probes + 1500);
}

static void test_a_day_without_connections(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	outlast_a_day(w);
}

static void test_a_day_of_503(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	outlast_a_day(w);
}

/* One recipient only: what waits behind its retry is not taken into memory to find a probe. */
static void test_a_day_of_one_recipient(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	w->options.retry.n = 1; /* such a schedule would park it at once */
	for (int hour = 0; hour < 24; hour++) {
		rig_commit(w, 1000, 1);
		rig_pass(w, 1 * H);
		assert_in_range(crm(w)->nitems, 1, EXCEPTIONS_MAX + 100);
	}
	assert_in_range(w->notices[DELIVERY_PARKED], 0, 5); /* until it opened */
	back(w);
	rig_pass(w, 61 * S);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 24000 - w->notices[DELIVERY_PARKED]);
}

/* --- a minute --- */

static bool due_later(const struct rig *w)
{
	const struct destination *t = crm(w);

	for (size_t i = 0; i < t->nitems; i++)
		if (t->items[i]->excepted)
			return true;
	return false;
}

static void outlast_a_minute(struct rig *w, int64_t away_ms)
{
	bool (*judge)(struct rig *, const struct parcel *, struct outcome *) = w->receiver.judge;
	unsigned downs = w->notices[DELIVERY_DOWN];

	for (int64_t ms = 0; ms < away_ms; ms += 500) {
		rig_commit(w, 1 + (int)(ms / 500) % 20, 500);
		rig_pass(w, 500);
	}
	assert_int_equal(w->notices[DELIVERY_DOWN], downs + 1);
	assert_true(due_later(w));
	back(w);
	rig_pass(w, 5 * S);
	assert_false(due_later(w));
	assert_true(delivery_drained(w->delivery));
	w->receiver.judge = judge;
}

static void test_a_minute(void **state)
{
	struct rig *w = *state;

	for (int64_t away_ms = 57 * S; away_ms <= 63 * S; away_ms += 1300) {
		w->receiver.judge = away_ms % 2600 ? judge_reset : judge_503;
		outlast_a_minute(w, away_ms);
	}
	assert_int_equal(w->notices[DELIVERY_PARKED], 0);
	check_arrived(w, (size_t)w->latest);
}

/* Where there is one event alone, it does not wait for the schedule's minutes either. */
static void test_a_minute_of_one_event(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 1, 1);
	rig_pass(w, 60 * S);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	back(w);
	rig_pass(w, 5 * S);
	assert_int_equal(rig_status(w).sent, 1);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
}

/* Of the probes of the first minutes hardly any costs a row. */
static void test_rows_of_an_outage(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 10, 10);
	rig_pass(w, 10 * M);
	assert_in_range(w->receiver.n, 40, 60);
	rig_look(w);
	assert_in_range(rig_all_attempts(w), 5 + 8, 10 + 10);
}

static bool judge_one_away(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return p->event->sequence == 6 ? judge_reset(w, p, ret) : true;
}

/* Each retry is the probe in its turn, though the one that always fails, tried for the first time
 * as a probe, is always the first to be due again. */
static void test_probes_take_turns(void **state)
{
	static int64_t delays[] = {0, 5 * M};
	struct rig *w = *state;

	w->options.retry = (struct numbers){delays, 2};
	w->receiver.judge = judge_reset;
	rig_commit(w, 5, 5);
	rig_pump(w);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	w->first_key = 5;
	rig_commit(w, 1, 6);
	rig_pass(w, 1 * M);
	w->receiver.judge = judge_one_away;
	rig_pass(w, 15 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	assert_int_equal(rig_status(w).sent, 5);
}

/* Who has just come back is not stormed. */
static void test_comes_back_slowly(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 500, 500);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	rig_pass(w, 6 * S);
	for (size_t out = 1; out <= 16; out *= 2) {
		assert_int_equal(w->receiver.nheld, out);
		for (size_t i = 0; i < (out > 1 ? out : 2); i++) {
			rig_answer(w, 0, SENT); /* the first time it is the probe, then one */
			rig_pump(w);
			if (out == 1)
				assert_int_equal(w->receiver.nheld, i + 1);
		}
	}
	assert_in_range(w->receiver.nheld, 16, 18); /* from there on it grows by an eighth */
}

/* --- what the receiver named a time for --- */

static bool judge_503_named(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	judge_503(w, p, ret);
	if (p->event->sequence % 10 == 0)
		ret->wait_ms = 10 * M;
	return true;
}

static void test_named_times_are_kept(void **state)
{
	struct rig *w = *state;
	int64_t start = w->now.mono_ms;

	w->receiver.judge = judge_503_named;
	rig_commit(w, 30, 30);
	rig_pass(w, 1 * S);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	rig_kill(w); /* their rows say so */
	back(w);
	rig_pass(w, 5 * S);
	assert_int_equal(rig_status(w).retrying, 2); /* 10 and 20; 30 was not sent yet */
	rig_pass(w, 10 * M - 7 * S);
	assert_int_equal(rig_status(w).retrying, 2);
	rig_pass(w, 3 * S);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 30);
	assert_true(w->receiver.log[w->receiver.n - 1].at_ms >= start + 10 * M);
}

static bool judge_all_named(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	judge_503(w, p, ret);
	ret->wait_ms = 10 * M;
	return true;
}

/* Of retries that are all held none can be the probe: a new route is. */
static void test_only_held_ones(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_all_named;
	rig_commit(w, 20, 20);
	rig_pass(w, 9 * M);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	assert_int_equal(w->receiver.n, 20);
	back(w);
	w->first_key = 20;
	rig_commit(w, 1, 1000);
	rig_pass(w, 5 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	assert_int_equal(w->receiver.n, 21);
	rig_pass(w, 1 * M);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 21);
}

/* Or the first whose time has come, where all others are behind those: they are not all taken in
 * to find one. */
static void test_all_behind_held_ones(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_all_named;
	rig_commit(w, 20, 20);
	rig_pump(w);
	rig_commit(w, 5000, 20);
	for (int i = 0; i < 1000; i++)
		rig_pump(w);
	rig_pass(w, 6 * S);
	for (int i = 0; i < 1000; i++)
		rig_pump(w);
	assert_in_range(crm(w)->nitems, 20, 60);
	rig_pass(w, 9 * M);
	assert_in_range(crm(w)->nitems, 20, 2000);
	assert_int_equal(w->receiver.n, 20);
	back(w);
	rig_pass(w, 2 * M);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 5020);
}

/* --- flapping and poison --- */

static bool judge_every_other(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return w->receiver.n % 2 ? judge_503(w, p, ret) : true;
}

static void test_flapping(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_every_other;
	rig_commit(w, 1000, 100);
	rig_pass(w, 12 * H);
	assert_true(delivery_drained(w->delivery));
	assert_true(w->notices[DELIVERY_UP] > 5);
	assert_int_equal(w->notices[DELIVERY_UP], w->notices[DELIVERY_DOWN]);
	assert_in_range(rig_status(w).parked, 0, 10); /* by the schedule, whose luck was bad */
	check_arrived(w, 1000 - rig_status(w).parked);
}

/* It takes one call, then it is away for some seconds, all day long: no event is to be parked for
 * having been tried in vain each time. */
static bool judge_crash_loop(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	static const int64_t period_ms = 7 * S;
	const struct receiver *r = &w->receiver;
	int64_t turn = w->now.mono_ms / period_ms;

	for (size_t i = r->n; i-- > 0 && r->log[i].at_ms / period_ms == turn;)
		if (r->log[i].verdict == SENT)
			return judge_reset(w, p, ret);
	return true;
}

static void test_crash_loop(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_crash_loop;
	rig_commit(w, 400, 100);
	rig_pass(w, 30 * M);
	assert_int_equal(w->notices[DELIVERY_PARKED], 0);
	assert_true(rig_status(w).sent > 100);
	back(w);
	rig_pass(w, 3 * H); /* those that were let go in vain come at their own time */
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 400);
}

static bool judge_poison(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return p->event->sequence <= 6 ? judge_reset(w, p, ret) : true;
}

static void commit_good_ones(struct rig *w, int n, int64_t every_ms)
{
	for (int i = 0; i < n; i++) {
		w->first_key = 6 + i % 100;
		rig_commit(w, 1, 1000);
		rig_pass(w, every_ms);
	}
}

/* Events that always make it hang up, three of them: with others between their attempts nothing
 * opens, and they are parked by the schedule. */
static void test_poison_amid_others(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 3, 3);
	w->receiver.judge = judge_sent;
	rig_pump(w);
	w->receiver.judge = judge_poison;
	rig_commit(w, 3, 3);
	commit_good_ones(w, 5, 4 * S);
	commit_good_ones(w, 1000, 12 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(rig_status(w).sent, 1008);
	assert_int_equal(rig_status(w).parked, 3);
	assert_int_equal(w->notices[DELIVERY_DOWN], 0);
	for (int64_t sequence = 4; sequence <= 6; sequence++)
		assert_int_equal(rig_attempts(w, sequence), 5);
}

/* The same where nothing else comes: that looks like an outage, but the first event that is taken
 * ends it, however many of the others there are. */
static void test_poison_alone(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_poison;
	rig_commit(w, 6, 6);
	rig_pass(w, 1 * H);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	commit_good_ones(w, 1, 3 * M);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	commit_good_ones(w, 1500, 11 * S);
	assert_int_equal(rig_status(w).sent, 1501); /* whatever opened again meanwhile */
	assert_int_equal(rig_status(w).parked, 6);
	assert_true(delivery_drained(w->delivery));
}

static bool judge_400_or_away(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	if (p->event->sequence != 1)
		return judge_reset(w, p, ret);
	ret->verdict = REFUSED;
	ret->why = "400: no";
	return true;
}

/* A refusal is an answer. */
static void test_refused_probe(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 2, 2);
	rig_pass(w, 12 * H);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	w->receiver.judge = judge_400_or_away;
	rig_pass(w, 3 * M);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	assert_int_equal(w->notices[DELIVERY_PARKED], 1);
	assert_int_equal(rig_status(w).retrying, 1);
}

/* --- restarts and changes --- */

static void test_restart_while_down(void **state)
{
	static const int64_t jumps[] = {0, -5 * H, 400LL * 24 * H}; /* of the wall clock */
	struct rig *w = *state;
	int64_t down_ms;
	size_t sent;

	w->receiver.judge = judge_reset;
	rig_commit(w, 100, 100);
	rig_pass(w, 1 * H);
	down_ms = rig_status(w).down_ms;
	assert_in_range(down_ms, w->now.wall_ms - 1 * H, w->now.wall_ms - 1 * H + 1 * S);
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		rig_kill(w);
		assert_int_equal(w->head.destinations[0].down_ms, down_ms);
		assert_int_equal(rig_status(w).down_ms, down_ms);
		w->now.wall_ms += jumps[i];
		w->now.mono_ms = 50 + (int64_t)i;
		sent = w->receiver.n;
		rig_pump(w);
		assert_int_equal(w->receiver.n, sent + 1); /* the probe, at once */
		rig_pass(w, 4 * S);
		assert_int_equal(w->receiver.n, sent + 1);
		rig_pass(w, 57 * S);
		assert_in_range(w->receiver.n, sent + 2, sent + 13);
		w->now.wall_ms -= jumps[i];
	}
	assert_int_equal(w->notices[DELIVERY_DOWN], 1); /* it is the same one */
	back(w);
	rig_pass(w, 61 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.destinations[0].down_ms, 0);
	check_arrived(w, 100);
}

/* A new address deserves a new try; so does one that a person enables, or that comes again. */
static void test_changes_end_it(void **state)
{
	struct rig *w = *state;

	for (unsigned i = 1; i <= 3; i++) {
		w->receiver.judge = judge_reset;
		rig_commit(w, 10, 10);
		rig_pass(w, 2 * M);
		assert_true(rig_status(w).down_ms > 0);
		back(w);
		w->replaced_options = w->options;
		if (i == 2) {
			delivery_set_state(w->delivery, 1, DESTINATION_DISABLED, "by hand");
			rig_pass(w, 1 * H);
			assert_true(rig_status(w).down_ms > 0);
			delivery_set_state(w->delivery, 1, DESTINATION_ENABLED, NULL);
		} else if (i == 3) {
			delivery_remove(w->delivery, 1);
			rig_replace(w);
		} else {
			rig_enable(w);
		}
		rig_pass(w, 1);
		assert_int_equal(rig_status(w).down_ms, 0);
		assert_int_equal(w->notices[DELIVERY_UP], i);
		assert_true(delivery_drained(w->delivery));
	}
	check_arrived(w, 30);
}

/* A change amid a probe: its answer is one like any other. */
static void test_change_amid_a_probe(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 10, 10);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	rig_pass(w, 1 * M);
	assert_int_equal(w->receiver.nheld, 1);
	w->replaced_options = w->options;
	rig_enable(w);
	rig_pump(w);
	assert_in_range(w->receiver.nheld, 2, 16);
	while (w->receiver.nheld)
		rig_answer(w, 0, TRY_AGAIN);
	back(w);
	rig_pass(w, 10 * M);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(rig_status(w).sent, 10);
}

/* Answers of calls from before it opened do not close it. */
static void test_late_answers(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 40, 40);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 16);
	for (int i = 0; i < 5; i++)
		rig_answer_as(w, 0,
			      &(struct outcome){.verdict = TRY_AGAIN,
						.wait_ms = -1,
						.no_connection = true,
						.why = "reset"});
	rig_pump(w);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	while (w->receiver.nheld > 1)
		rig_answer(w, 0, SENT);
	rig_pass(w, 4 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 0);
	back(w); /* nor does one that hangs keep the probe back */
	rig_pass(w, 2 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	rig_answer(w, 0, SENT);
	rig_pass(w, 1 * S);
	assert_true(delivery_drained(w->delivery));
}

/* --- 429 --- */

static bool judge_429_first(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	if (p->event->sequence != 1 || p->attempt > 1)
		return true;
	ret->verdict = TRY_AGAIN;
	ret->throttled = true;
	ret->wait_ms = 5 * M;
	ret->why = "429: too many";
	return true;
}

static void test_throttled_pauses_all(void **state)
{
	struct rig *w = *state;
	int64_t start = w->now.mono_ms;

	w->receiver.judge = judge_429_first;
	w->options.in_flight = 1;
	rig_commit(w, 20, 20);
	rig_pass(w, 59 * S);
	assert_int_equal(w->receiver.n, 1);
	rig_pass(w, 2 * S); /* not for as long as the one event */
	assert_int_equal(w->receiver.n, 20);
	assert_in_range(w->receiver.log[1].at_ms, start + 60 * S, start + 61 * S);
	rig_pass(w, 4 * M);
	assert_true(delivery_drained(w->delivery));
	assert_in_range(w->receiver.log[20].at_ms, start + 5 * M, start + 5 * M + 1 * S);
	assert_int_equal(w->notices[DELIVERY_DOWN], 0);
}

static bool judge_429(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	ret->verdict = TRY_AGAIN;
	ret->throttled = true;
	ret->why = "429: too many";
	return true;
}

/* Without a time the schedule holds, and the limit shrinks; it never counts as down. */
static void test_throttled_without_a_time(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_429;
	rig_commit(w, 200, 200);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 200);
	assert_int_equal(w->notices[DELIVERY_DOWN], 0);
	assert_int_equal(rig_status(w).in_flight_max, 1);
	back(w);
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 200);
}

/* A throttled probe is an answer, too; its event keeps its time. */
static void test_throttled_probe(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_reset;
	rig_commit(w, 10, 10);
	rig_pass(w, 1 * S);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	w->receiver.judge = judge_429_first;
	rig_pass(w, 70 * S);
	assert_int_equal(w->notices[DELIVERY_UP], 1);
	rig_pass(w, 10 * M);
	assert_true(delivery_drained(w->delivery));
	check_arrived(w, 10);
}

/* --- others --- */

/* Ticks until the other destination has got all that was committed. */
static unsigned ticks_until(struct rig *w, size_t n)
{
	unsigned ticks = 0;

	while (w->other.n < n) {
		mailbox_run(w->loop);
		delivery_tick(w->delivery, w->now);
		if (w->delivery->answers_owed)
			mailbox_wait(w->loop, 10000);
		ticks++;
	}
	return ticks;
}

static void test_others_do_not_wait(void **state)
{
	struct rig *w = *state;
	unsigned most = 0;

	w->receiver.judge = judge_reset;
	for (int i = 0; i < 20; i++)
		rig_commit(w, 5000, 5000);
	rig_pass(w, 1 * M);
	back(w);
	w->now.mono_ms += 6 * S;
	w->now.wall_ms += 6 * S;
	for (size_t n = 1; n <= 30; n++) {
		unsigned ticks;

		rig_commit_to(w, 2, 1, 1);
		ticks = ticks_until(w, n);
		most = ticks > most ? ticks : most;
	}
	assert_in_range(w->receiver.n, 1000, 90000); /* the one is still catching up */
	assert_in_range(most, 1, 8); /* of which some waited for answers that were the one's */
	rig_pass(w, 1 * M);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->receiver.n - 100000, rig_status(w).tried_again);
}

/* --- many parcels a call --- */

static void begin_with_calls(struct rig *w)
{
	w->type = &rig_batch_transport;
	rig_kill(w);
}

static const struct outcome no_call = {
	.verdict = TRY_AGAIN, .wait_ms = -1, .no_connection = true, .why = "reset", .group = 77};

static void test_calls_of_many(void **state)
{
	struct rig *w = *state;
	unsigned ticks;

	begin_with_calls(w);
	w->receiver.judge = judge_hold;
	rig_pump(w);
	ticks = w->receiver.ticks;
	rig_commit(w, 200, 200);
	delivery_tick(w->delivery, w->now); /* reads */
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 50); /* five calls */
	assert_true(w->receiver.ticks > ticks);
	for (int i = 0; i < 10; i++) { /* all of one call */
		struct outcome failed = no_call;
		size_t k = 0;

		while (w->receiver.held[k]->event->sequence != 10 - i)
			k++;
		failed.no_connection = false;
		rig_answer_as(w, k, &failed);
	}
	w->receiver.judge = judge_sent;
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 200);
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, 210);
	for (size_t i = 0; i < 10; i++) {
		const struct arrival *a = &w->receiver.log[200 + i];

		assert_int_equal(a->group, 77);
		assert_int_equal(a->sequence, i + 1);
		assert_int_equal(a->at_ms, w->receiver.log[200].at_ms);
		assert_int_equal(a->attempt, 2);
	}
	assert_true(delivery_drained(w->delivery));
}

static bool judge_call_busy(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	*ret = (struct outcome){.verdict = TRY_AGAIN, .wait_ms = -1, .why = "503", .group = 88};
	return true;
}

/* The same call each time, and nothing in between: each failure has its own delay. */
static void test_call_by_its_schedule(void **state)
{
	static const int64_t passes[] = {10 * S, 7 * M, 40 * M};
	struct rig *w = *state;

	begin_with_calls(w);
	w->receiver.judge = judge_call_busy;
	rig_commit(w, 3, 3);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 3);
	for (size_t i = 0; i < 3; i++) {
		rig_pass(w, passes[i]);
		assert_int_equal(w->receiver.n, 3 * (i + 2));
		assert_int_equal(w->receiver.log[3 * (i + 1)].attempt, i + 2);
	}
	assert_int_equal(w->notices[DELIVERY_DOWN], 0);
}

/* Ten of those that are out went in one call. */
static void fail_call(struct rig *w, uint64_t group)
{
	struct outcome failed = no_call;

	failed.group = group;
	for (int i = 0; i < 10; i++)
		rig_answer_as(w, 0, &failed);
	rig_pump(w);
}

/* However many events one carries. */
static void test_calls_are_counted(void **state)
{
	struct rig *w = *state;

	begin_with_calls(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 50, 50);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 50);
	for (uint64_t call = 1; call < 5; call++)
		fail_call(w, call);
	assert_int_equal(w->notices[DELIVERY_DOWN], 0);
	fail_call(w, 5);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
}

/* The probe is the whole call that failed. */
static void test_probe_of_many(void **state)
{
	struct rig *w = *state;

	begin_with_calls(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 50, 50);
	rig_pump(w);
	for (uint64_t call = 1; call <= 5; call++)
		fail_call(w, call);
	assert_int_equal(w->notices[DELIVERY_DOWN], 1);
	for (size_t sent = 50; sent < 100; sent += 10) {
		rig_pass(w, 1 * M);
		assert_int_equal(w->receiver.n, sent + 10);
		for (size_t i = sent; i < sent + 10; i++) {
			assert_int_equal(w->receiver.log[i].group, w->receiver.log[sent].group);
			assert_int_equal(w->receiver.log[i].attempt, 2);
		}
		fail_call(w, w->receiver.log[sent].group);
	}
	back(w);
	while (w->receiver.nheld) /* the next one is out already */
		rig_answer(w, 0, SENT);
	rig_pass(w, 1 * M);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->receiver.n, 150);
}

/* --- what is told of it --- */

static bool judge_slow(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	ret->took_ms = p->event->sequence * 37 % 100; /* not slower and slower: as it comes */
	return true;
}

static void test_status(void **state)
{
	struct rig *w = *state;

	assert_int_equal(rig_status(w).took_p50_ms, -1);
	w->receiver.judge = judge_slow;
	rig_commit(w, 1000, 1000);
	rig_pump(w);
	assert_in_range(rig_status(w).took_p50_ms, 45, 60);
	assert_in_range(rig_status(w).took_p99_ms, 95, 99);
	assert_in_range(rig_status(w).in_flight_max, 8, 64);
	assert_int_equal(rig_status(w).down_ms, 0);
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(test_a_day_without_connections),
		IN_RIG(test_a_day_of_503),
		IN_RIG(test_a_day_of_one_recipient),
		IN_RIG(test_a_minute),
		IN_RIG(test_a_minute_of_one_event),
		IN_RIG(test_rows_of_an_outage),
		IN_RIG(test_probes_take_turns),
		IN_RIG(test_comes_back_slowly),
		IN_RIG(test_named_times_are_kept),
		IN_RIG(test_only_held_ones),
		IN_RIG(test_all_behind_held_ones),
		IN_RIG(test_flapping),
		IN_RIG(test_crash_loop),
		IN_RIG(test_poison_amid_others),
		IN_RIG(test_poison_alone),
		IN_RIG(test_refused_probe),
		IN_RIG(test_restart_while_down),
		IN_RIG(test_changes_end_it),
		IN_RIG(test_change_amid_a_probe),
		IN_RIG(test_late_answers),
		IN_RIG(test_throttled_pauses_all),
		IN_RIG(test_throttled_without_a_time),
		IN_RIG(test_throttled_probe),
		cmocka_unit_test_setup_teardown(test_others_do_not_wait, rig_open_two, rig_close),
		IN_RIG(test_calls_of_many),
		IN_RIG(test_call_by_its_schedule),
		IN_RIG(test_calls_are_counted),
		IN_RIG(test_probe_of_many),
		IN_RIG(test_status),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
