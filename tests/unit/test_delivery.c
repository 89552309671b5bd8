/* delivery: what each verdict does to a route and to those behind it, in virtual time. */
#include "tests/unit/delivery_rig.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/delivery_judges.h"

static void test_happy_path(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 3000, 700);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 3000);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(w->receiver.log[i].attempt, 1);
	assert_true(delivery_drained(w->delivery));
	assert_true(delivery_idle(w->delivery));
	assert_int_equal(rig_status(w).position, 3000);

	rig_look(w);
	assert_int_equal(w->head.destinations[0].cursor.position, 3000);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(rig_attempts(w, 17), 0); /* first-try successes have no row */
	assert_int_equal(w->receiver.n, 3000);	  /* nothing is repeated */
}

static void test_in_flight_is_bounded(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 100, 100);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 16);
	rig_answer(w, 3, SENT);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 17);
	w->options.in_flight = 20;
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 20);
}

static void test_schedule_then_parked(void **state)
{
	static const int64_t delays[] = {0, 5 * S, 5 * M, 30 * M, 2 * H};
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 4 * H);
	assert_int_equal(w->receiver.n, 5);
	for (unsigned i = 1; i < 5; i++) {
		const struct arrival *a = &w->receiver.log[i];
		int64_t waited = a->at_ms - a[-1].at_ms;

		assert_int_equal(a->attempt, i + 1);
		assert_in_range(waited, delays[i] * 8 / 10, delays[i] * 12 / 10);
	}
	assert_int_equal(w->notices[DELIVERY_FAILING], 1); /* the same text is told once */
	assert_int_equal(w->notices[DELIVERY_PARKED], 1);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(rig_status(w).parked, 1);

	rig_look(w);
	assert_int_equal(w->head.nexceptions, 1);
	assert_int_equal(w->head.exceptions[0].state, EXCEPTION_PARKED);
	assert_int_equal(w->head.exceptions[0].attempts, 5);
	assert_string_equal(w->head.exceptions[0].why, "503: later");
	assert_int_equal(rig_attempts(w, 1), 5);
	assert_int_equal(rig_status(w).parked, 1);
}

/* A restart between attempts changes neither their number nor their time; nor does a wall clock
 * that jumps while the process lives. */
static void test_dues_outlive_a_kill(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 10 * S); /* two attempts */
	assert_int_equal(w->receiver.n, 2);
	rig_kill(w);
	w->now.mono_ms = 77; /* another boot */
	rig_pass(w, 3 * M);
	assert_int_equal(w->receiver.n, 2);
	w->now.wall_ms += 5 * H;
	rig_pump(w);
	assert_int_equal(w->receiver.n, 2);
	rig_pass(w, 4 * M);
	assert_int_equal(w->receiver.n, 3);
	assert_int_equal(w->receiver.log[2].attempt, 3);
}

static bool judge_wait(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	judge_503(w, p, ret);
	ret->wait_ms = p->event->sequence == 1 ? 1 * H : p->event->sequence == 2 ? 100 * H : 1;
	return p->attempt == 1 || judge_sent(w, p, ret);
}

static void test_asked_wait_is_obeyed(void **state)
{
	static const int64_t waits[] = {1 * H, 24 * H,
					5 * S}; /* the last: the schedule is longer */
	struct rig *w = *state;
	int64_t start = w->now.mono_ms;

	w->receiver.judge = judge_wait;
	rig_commit(w, 3, 3);
	rig_pump(w);
	w->receiver.judge = judge_sent;
	rig_pass(w, 30 * H);
	assert_int_equal(w->receiver.n, 6);
	for (size_t i = 3; i < 6; i++) {
		const struct arrival *a = &w->receiver.log[i];
		int64_t waited = a->at_ms - start, want = waits[a->sequence - 1];

		assert_in_range(waited, a->sequence == 3 ? want * 8 / 10 : want,
				a->sequence == 3 ? want * 12 / 10 : want + 1);
		assert_int_equal(a->attempt, 2);
	}
	assert_int_equal(rig_attempts(w, 1), 2); /* the failure, and the success that ended it */
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
}

static bool judge_first_fails(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return p->event->sequence == 1 && p->attempt == 1 ? judge_503(w, p, ret) : true;
}

static void test_order_by_key(void **state)
{
	struct rig *w = *state;
	int64_t of_key[10];
	size_t n = 0;

	w->receiver.judge = judge_first_fails;
	rig_commit(w, 30, 3); /* 1, 4, 7 … are of one key */
	rig_pump(w);
	assert_int_equal(w->receiver.n, 21);
	assert_int_equal(rig_status(w).retrying, 1);
	assert_int_equal(rig_status(w).waiting, 9);
	assert_int_equal(rig_status(w).position, 30); /* exceptions hold nothing up */
	rig_kill(w);				      /* the rows are the blocked set */
	rig_commit(w, 3, 3);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 23);
	assert_int_equal(rig_status(w).waiting, 10);
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, 34);
	for (size_t i = 0; i < w->receiver.n; i++)
		if (w->receiver.log[i].sequence % 3 == 1 && w->receiver.log[i].verdict == SENT &&
		    n < 10)
			of_key[n++] = w->receiver.log[i].sequence;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(of_key[i], 1 + 3 * (int64_t)i);
	assert_true(delivery_drained(w->delivery));
}

static void test_order_none(void **state)
{
	struct rig *w = *state;

	w->options.order = ORDER_NONE;
	w->receiver.judge = judge_first_fails;
	rig_commit(w, 30, 3);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 30);
	assert_int_equal(rig_status(w).retrying, 1);
	assert_int_equal(rig_status(w).waiting, 0);
}

/* A successor does not start before its predecessor was answered, nor cost a row. */
static void test_predecessor_out(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 4, 2);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 2);
	rig_answer(w, 0, SENT);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 3);
	assert_int_equal(w->receiver.log[2].sequence, 3);
	assert_int_equal(rig_status(w).waiting, 0);
	rig_answer(w, 0, TRY_AGAIN); /* of one key, while its successor is behind */
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).retrying, 1);
}

static bool judge_404(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	if (p->event->sequence == 1) {
		ret->verdict = REFUSED;
		ret->why = "404: no such hook";
	}
	return true;
}

static void test_refused_is_parked_and_blocks_nobody(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_404;
	rig_commit(w, 3, 1);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 3);
	assert_int_equal(w->notices[DELIVERY_PARKED], 1);
	assert_string_equal(w->why, "404: no such hook");
	assert_int_equal(rig_status(w).refused, 1);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 1);
	assert_int_equal(w->head.exceptions[0].sequence, 1);
	assert_int_equal(w->head.exceptions[0].state, EXCEPTION_PARKED);
	assert_int_equal(rig_attempts(w, 1), 1);
}

static bool judge_410(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	ret->verdict = TRY_AGAIN;
	ret->disable = true;
	ret->why = "410: gone";
	return true;
}

static void test_gone_disables(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_410;
	rig_commit(w, 50, 50);
	rig_pass(w, 1 * H);
	assert_in_range(w->receiver.n, 1, 16);
	assert_int_equal(w->notices[DELIVERY_DISABLED], 1);
	assert_int_equal(rig_status(w).state, DESTINATION_DISABLED);
	size_t before = w->receiver.n;

	rig_look(w); /* and a restart does not forget it */
	assert_int_equal(w->head.destinations[0].state, DESTINATION_DISABLED);
	assert_string_equal(w->head.destinations[0].why, "410: gone");
	assert_int_equal(w->notices[DELIVERY_DISABLED], 2); /* it says so at each start */
	assert_string_equal(w->why, "410: gone");
	assert_int_equal(w->head.destinations[0].cursor.position, 0);
	rig_pass(w, 1 * H);
	assert_int_equal(w->receiver.n, before);

	w->head.destinations[0].state = DESTINATION_ENABLED; /* all is still owed */
	delivery_close(w->delivery);
	rig_start(w);
	w->receiver.judge = judge_sent;
	rig_pump(w);
	assert_int_equal(w->receiver.n, before + 50);
}

/* One call that hangs holds up neither the others nor the position. */
static void test_full_window_moves_on(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold_first;
	rig_commit(w, 5000, 5000);
	rig_pump(w);
	assert_int_equal(w->receiver.n, SETTLE_WINDOW); /* the first few ms it is given time */
	rig_pass(w, 200);
	assert_int_equal(w->receiver.n, 5000);
	assert_int_equal(rig_status(w).position, 5000);
	assert_int_equal(rig_status(w).retrying, 1);
	assert_int_equal(rig_status(w).in_flight, 1);

	rig_answer(w, 0, SENT);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 5000);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
}

static void test_full_window_survives_a_kill(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold_first;
	rig_commit(w, 3000, 1);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 1); /* all others are behind it */
	w->receiver.judge = judge_sent;
	rig_kill(w);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 3001);
	for (int i = 1; i <= 3000; i++)
		assert_int_equal(w->receiver.log[i].sequence, i);
}

static void test_done_bits_survive_a_kill(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold_first;
	rig_commit(w, 500, 500);
	rig_pass(w, 20);
	assert_int_equal(rig_status(w).position, 0);
	rig_kill(w);
	w->receiver.judge = judge_sent;
	rig_pump(w);
	assert_int_equal(w->receiver.n, 501); /* only the first again */
	assert_int_equal(w->receiver.log[500].sequence, 1);
}

static void test_rate(void **state)
{
	struct rig *w = *state;

	w->options.rate = 10;
	rig_commit(w, 100, 100);
	rig_pass(w, 1 * S);
	assert_in_range(w->receiver.n, 9, 12);
	rig_pass(w, 2 * S);
	assert_in_range(w->receiver.n, 28, 32);
	w->options.rate = 0;
	rig_pass(w, 1);
	assert_int_equal(w->receiver.n, 100);
}

/* Two of five, so that the breaker stays closed. */
static bool judge_some_fail(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return p->event->sequence % 5 < 2 ? judge_503(w, p, ret) : true;
}

static void test_position_stands_still_at_the_ceiling(void **state)
{
	struct rig *w = *state;
	int n = (EXCEPTIONS_MAX + 2000) * 5 / 2, reached = EXCEPTIONS_MAX * 5 / 2;

	w->receiver.judge = judge_some_fail;
	rig_commit(w, n, n);
	rig_pump(w);
	assert_in_range(w->receiver.n, reached - 5, reached + 40);
	assert_in_range(rig_status(w).retrying, EXCEPTIONS_MAX, EXCEPTIONS_MAX + 16);
	assert_int_equal(rig_status(w).position, w->receiver.n);
	w->receiver.judge = judge_sent;
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->notices[DELIVERY_RECOVERED], 1);
}

/* While nothing can be committed, at most SETTLES_MAX verdicts are out on credit; afterwards none
 * is forgotten. */
static void test_failed_commits(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 2000, 2000);
	atomic_store(&rig_commits_fail, true);
	rig_pass(w, 5 * S);
	assert_in_range(w->receiver.n, SETTLES_MAX, SETTLES_MAX + 16);
	assert_int_equal(w->notices[DELIVERY_FAILING], 1);
	assert_string_equal(w->why, "disk full");
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 5 * S);
	assert_int_equal(w->receiver.n, 2000);
	rig_look(w);
	assert_int_equal(w->head.destinations[0].cursor.position, 2000);
	assert_int_equal(w->receiver.n, 2000);
}

static void test_failed_commit_of_exceptions(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	atomic_store(&rig_commits_fail, true);
	rig_pass(w, 7 * S); /* two attempts */
	w->receiver.judge = judge_sent;
	rig_pass(w, 7 * M); /* and the third, which ends it */
	assert_int_equal(w->receiver.n, 3);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 2 * S);
	assert_int_equal(rig_attempts(w, 1), 3);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->receiver.n, 3);
}

static void test_failed_reads(void **state)
{
	struct rig *w = *state;

	atomic_store(&rig_reads_fail, true);
	rig_commit(w, 10, 10);
	rig_pass(w, 3 * S);
	assert_int_equal(w->receiver.n, 0);
	atomic_store(&rig_reads_fail, false);
	rig_pass(w, 2 * S);
	assert_int_equal(w->receiver.n, 10);
	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pump(w);
	atomic_store(&rig_reads_fail, true);
	rig_pass(w, 10 * S); /* its body cannot be read again */
	assert_int_equal(w->receiver.n, 11);
	atomic_store(&rig_reads_fail, false);
	w->receiver.judge = judge_sent;
	rig_pass(w, 2 * S);
	assert_int_equal(w->receiver.n, 12);
}

static void test_stop(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 100, 100);
	rig_pump(w);
	delivery_stop(w->delivery);
	rig_answer(w, 0, SENT);
	rig_pass(w, 100);
	assert_int_equal(w->receiver.n, 16);
	assert_false(delivery_idle(w->delivery));
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	assert_false(delivery_idle(w->delivery)); /* nothing of it is committed yet */
	rig_pump(w);
	assert_true(delivery_idle(w->delivery));
	assert_false(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.destinations[0].cursor.position, 16);
}

static void begin_without_order(struct rig *w)
{
	w->options.order = ORDER_NONE;
	rig_kill(w); /* so that it begins with it */
}

static void reload_with_order(struct rig *w, int order)
{
	w->replaced_options = w->options;
	w->replaced_options.order = order;
	rig_replace(w);
}

/* Attempts in flight end under the old settings; what waits in a lane goes on when there is none
 * any more. */
static void test_replace(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 40, 2);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 2);
	rig_answer(w, 0, TRY_AGAIN); /* its successors wait by rows, the others in the window */
	rig_pass(w, 10);
	w->receiver.judge = judge_sent;
	reload_with_order(w, ORDER_NONE);
	rig_pump(w);
	assert_int_equal(w->receiver.opened, 2);
	assert_int_equal(w->receiver.closed, 0);
	assert_int_equal(w->receiver.n, 40); /* all at once, but the one in retry */
	assert_int_equal(rig_status(w).retrying, 1);
	rig_answer(w, 0, SENT);
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.closed, 1);
	assert_int_equal(w->receiver.n, 41);
	assert_true(delivery_drained(w->delivery));
}

static void test_replace_brings_order(void **state)
{
	struct rig *w = *state;
	size_t n;

	begin_without_order(w);
	w->receiver.judge = judge_503;
	rig_commit(w, 12, 1);
	rig_pump(w);
	assert_int_equal(rig_status(w).retrying, 12);
	reload_with_order(w, ORDER_RECIPIENT);
	w->receiver.judge = judge_sent;
	n = w->receiver.n;
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, n + 12);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(w->receiver.log[n + i].sequence, i + 1);
}

/* Order comes while calls of one recipient are out and one of them has failed: what arrives behind
 * that one costs a row, or it would hold the window. */
static void test_order_comes_amid_calls(void **state)
{
	struct rig *w = *state;

	begin_without_order(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 3, 1);
	rig_pump(w);
	rig_answer(w, 1, TRY_AGAIN); /* 2 fails; 1 and 3 are out */
	rig_pass(w, 10);
	reload_with_order(w, ORDER_RECIPIENT);
	rig_commit(w, 1, 1); /* 4 is the next of the three */
	rig_pump(w);
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_pass(w, 10 * S); /* 2 is out again */
	assert_int_equal(w->receiver.nheld, 1);
	w->receiver.judge = judge_sent;
	rig_commit(w, 2 * SETTLE_WINDOW, 2 * SETTLE_WINDOW);
	rig_pass(w, 1 * S);
	assert_int_equal(rig_status(w).position, 4 + 2 * SETTLE_WINDOW);
	rig_answer(w, 0, SENT);
	rig_pass(w, 1 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->receiver.log[w->receiver.n - 2].sequence, 4);
	assert_int_equal(w->receiver.log[w->receiver.n - 1].sequence, 5); /* of the same one */
}

/* A failure while its successors are out, too, as order came only now. */
static void test_order_comes_before_a_failure(void **state)
{
	struct rig *w = *state;

	begin_without_order(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 2, 1);
	rig_pump(w);
	reload_with_order(w, ORDER_RECIPIENT);
	rig_commit(w, 1, 1);
	rig_pump(w);
	rig_answer(w, 0, TRY_AGAIN); /* 1; 2 is out, 3 behind both */
	rig_pass(w, 10);
	rig_answer(w, 0, SENT);
	w->receiver.judge = judge_sent;
	rig_commit(w, 2 * SETTLE_WINDOW, 2 * SETTLE_WINDOW);
	rig_pass(w, 1 * S);
	assert_int_equal(rig_status(w).position, 3 + 2 * SETTLE_WINDOW);
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->receiver.log[w->receiver.n - 2].sequence, 3);
	assert_int_equal(w->receiver.log[w->receiver.n - 1].sequence, 4);
}

/* What is ready to be sent, or being read, when order comes keeps it from then on. */
static void test_order_comes_amid_ready(void **state)
{
	struct rig *w = *state;

	w->options.order = ORDER_NONE;
	w->options.in_flight = 1;
	rig_kill(w);
	w->receiver.judge = judge_503;
	rig_commit(w, 12, 1);
	rig_pump(w);
	assert_int_equal(rig_status(w).retrying, 12);
	w->receiver.judge = judge_hold;
	rig_pass(w, 10 * S); /* one is out, the others have their bodies */
	assert_int_equal(w->receiver.nheld, 1);
	w->replaced_options = w->options;
	w->replaced_options.order = ORDER_RECIPIENT;
	w->replaced_options.in_flight = 16;
	rig_replace(w);
	rig_pass(w, 10 * S);
	assert_in_range(w->receiver.nheld, 1, 2); /* the first one, and what was out already */
	w->receiver.judge = judge_sent;
	size_t n = w->receiver.n;
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_pass(w, 1 * S);
	assert_true(delivery_drained(w->delivery));
	for (size_t i = n + 1; i < w->receiver.n; i++)
		assert_true(w->receiver.log[i].sequence > w->receiver.log[i - 1].sequence);
}

/* The old address says that it is gone, after it was replaced: that is no reason to leave the new
 * one. */
static void test_gone_was_replaced(void **state)
{
	struct rig *w = *state;
	struct outcome gone = {.verdict = TRY_AGAIN, .wait_ms = -1, .disable = true, .why = "410"};

	w->receiver.judge = judge_hold;
	rig_commit(w, 1, 1);
	rig_pump(w);
	w->replaced_options = w->options;
	rig_replace(w);
	w->receiver.env->done(w->receiver.env->arg, w->receiver.held[0]->id, &gone);
	w->receiver.judge = judge_sent;
	rig_pass(w, 10 * S);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	assert_int_equal(w->receiver.n, 2);
	assert_true(delivery_drained(w->delivery));
}

/* What comes behind a 410, from the receiver or the journal, is not why it is disabled; and once it
 * is enabled again, that is past. */
static void test_why_it_is_disabled(void **state)
{
	struct rig *w = *state;
	struct outcome gone = {
		.verdict = TRY_AGAIN, .wait_ms = -1, .disable = true, .why = "410: gone"};

	w->receiver.judge = judge_hold;
	rig_commit(w, 3, 3);
	rig_pump(w);
	rig_answer(w, 0, TRY_AGAIN);
	rig_pump(w);
	atomic_store(&rig_commits_fail, true);
	w->receiver.env->done(w->receiver.env->arg, w->receiver.held[0]->id, &gone);
	rig_answer(w, 1, TRY_AGAIN);
	rig_pass(w, 20 * S);
	assert_string_equal(rig_status(w).why, "410: gone");
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 2 * S);
	rig_look(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_DISABLED);
	assert_string_equal(w->head.destinations[0].why, "410: gone");

	w->replaced_options = w->options;
	w->receiver.judge = judge_sent;
	rig_enable(w);
	rig_pass(w, 10 * S);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	assert_null(rig_status(w).why);
	assert_true(delivery_drained(w->delivery));
}

static void test_remove(void **state)
{
	struct rig *w = *state;
	struct delivery_status s;

	w->receiver.judge = judge_hold;
	rig_commit(w, 40, 40);
	rig_pump(w);
	delivery_remove(w->delivery, 1); /* what is out has no verdict and stays owed */
	s = rig_status(w);
	assert_int_equal(s.state, DESTINATION_DETACHED);
	assert_int_equal(s.in_flight, 0);
	assert_int_equal(w->receiver.closed, 1);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 16);
	w->receiver.judge = judge_sent;
	rig_kill(w);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 56);
}

static void test_answers_count_once(void **state)
{
	struct rig *w = *state;
	struct outcome again = {.verdict = TRY_AGAIN, .wait_ms = -1};

	w->receiver.judge = judge_hold;
	rig_commit(w, 2, 2);
	rig_pump(w);
	uint64_t id = w->receiver.held[0]->id;

	rig_answer(w, 0, SENT);
	w->receiver.env->done(w->receiver.env->arg, id, &again);
	rig_pump(w);
	w->receiver.env->done(w->receiver.env->arg, id, &again);
	w->receiver.env->done(w->receiver.env->arg, 12345, &again);
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).sent, 1);
	assert_int_equal(rig_status(w).tried_again, 0);
	rig_commit(w, 20, 20); /* other attempts are out now, in the same places */
	rig_pump(w);
	assert_int_equal(rig_status(w).in_flight, 16);
	w->receiver.env->done(w->receiver.env->arg, id, &again);
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).tried_again, 0);
}

static void test_nothing_to_do_asks_for_no_tick(void **state)
{
	struct rig *w = *state;

	rig_pump(w);
	assert_int_equal(delivery_tick(w->delivery, w->now), INT_MAX);
	rig_commit(w, 10, 10);
	rig_pump(w);
	assert_int_equal(delivery_tick(w->delivery, w->now), INT_MAX);
	delivery_close(NULL);
}

static void test_cursor(void **state)
{
	struct cursor c = {.position = 100};

	(void)state;
	for (int64_t s = 101; s <= 100 + SETTLE_WINDOW; s += 3)
		cursor_add(&c, s);
	for (int64_t by = 0; by < 1200; by += by < 130 ? 1 : 61) {
		struct cursor moved = c;

		cursor_move(&moved, 100 + by);
		assert_int_equal(moved.position, 100 + by);
		for (int64_t s = 90; s < 100 + 2 * SETTLE_WINDOW; s++)
			assert_int_equal(cursor_has(&moved, s),
					 s <= 100 + by ||
						 (s <= 100 + SETTLE_WINDOW && (s - 101) % 3 == 0));
		cursor_move(&moved, 50); /* never back */
		assert_int_equal(moved.position, 100 + by);
	}
}

/* --- the property: whatever is answered and whenever it is killed --- */

static bool judge_random(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	double x = prng_unit(&w->random);

	(void)p;
	if (x < 0.3)
		return false;
	if (x < 0.4)
		judge_503(w, p, ret);
	else if (x < 0.42)
		ret->verdict = REFUSED;
	return true;
}

static void play(struct rig *w, int steps)
{
	for (int i = 0; i < steps; i++) {
		struct receiver *r = &w->receiver;
		double x = prng_unit(&w->random);

		if (r->nheld && x < 0.6)
			rig_answer(w, prng_next(&w->random) % r->nheld,
				   prng_unit(&w->random) < 0.8 ? SENT : TRY_AGAIN);
		mailbox_run(w->loop);
		delivery_tick(w->delivery, w->now);
		if (x > 0.9) {
			w->now.mono_ms += 100 * S;
			w->now.wall_ms += 100 * S;
		} else if (x > 0.5) {
			mailbox_wait(w->loop, 1);
		}
	}
}

static void check_arrivals(const struct rig *w, size_t nevents, unsigned kills)
{
	const struct receiver *r = &w->receiver;
	int64_t *newest = xcalloc(64, sizeof *newest); /* by key: the highest that arrived */
	uint64_t keys[64];
	unsigned *seen = xcalloc(nevents + 1, sizeof *seen);
	size_t nkeys = 0, repeats = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct arrival *a = &r->log[i];
		size_t k = 0;

		while (k < nkeys && keys[k] != a->key)
			k++;
		if (k == nkeys)
			keys[nkeys++] = a->key;
		if (!seen[a->sequence] && a->sequence < newest[k])
			fail_msg("sequence %d arrived after %d of the same key", (int)a->sequence,
				 (int)newest[k]);
		if (a->sequence > newest[k])
			newest[k] = a->sequence;
		repeats += seen[a->sequence] && a->attempt == 1;
		seen[a->sequence]++;
	}
	for (size_t s = 1; s <= nevents; s++)
		assert_true(seen[s]);
	assert_true(repeats <= kills * (16 + SETTLES_MAX));
	free(newest);
	free(seen);
}

static void test_random_verdicts_and_kills(void **state)
{
	struct rig *w = *state;
	size_t nevents = 0;
	unsigned kills = 12;

	w->receiver.judge = judge_random;
	for (unsigned i = 0; i < kills; i++) {
		rig_commit(w, 100, 40);
		nevents += 100;
		play(w, 60);
		rig_kill(w);
	}
	w->receiver.judge = judge_sent;
	rig_pass(w, 24 * H);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.destinations[0].cursor.position, nevents);
	for (size_t i = 0; i < w->head.nexceptions; i++)
		assert_int_equal(w->head.exceptions[i].state, EXCEPTION_PARKED);
	check_arrivals(w, nevents, kills);
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor),
		IN_RIG(test_happy_path),
		IN_RIG(test_in_flight_is_bounded),
		IN_RIG(test_schedule_then_parked),
		IN_RIG(test_dues_outlive_a_kill),
		IN_RIG(test_asked_wait_is_obeyed),
		IN_RIG(test_order_by_key),
		IN_RIG(test_order_none),
		IN_RIG(test_predecessor_out),
		IN_RIG(test_refused_is_parked_and_blocks_nobody),
		IN_RIG(test_gone_disables),
		IN_RIG(test_full_window_moves_on),
		IN_RIG(test_full_window_survives_a_kill),
		IN_RIG(test_done_bits_survive_a_kill),
		IN_RIG(test_rate),
		IN_RIG(test_position_stands_still_at_the_ceiling),
		IN_RIG(test_failed_commits),
		IN_RIG(test_failed_commit_of_exceptions),
		IN_RIG(test_failed_reads),
		IN_RIG(test_stop),
		IN_RIG(test_replace),
		IN_RIG(test_replace_brings_order),
		IN_RIG(test_order_comes_amid_calls),
		IN_RIG(test_order_comes_before_a_failure),
		IN_RIG(test_order_comes_amid_ready),
		IN_RIG(test_gone_was_replaced),
		IN_RIG(test_why_it_is_disabled),
		IN_RIG(test_remove),
		IN_RIG(test_answers_count_once),
		IN_RIG(test_nothing_to_do_asks_for_no_tick),
		IN_RIG(test_random_verdicts_and_kills),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
