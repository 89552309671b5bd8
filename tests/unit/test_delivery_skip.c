/* delivery: what a destination is owed up to a sequence is given up. */
#include "tests/unit/journal_look.h"

#include <limits.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/delivery_judges.h"

static int64_t read_until(struct rig *w)
{
	return delivery_read_until(w->delivery, 1);
}

static void answer_all(struct rig *w)
{
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
}

/* How often a sequence between two arrived. */
static size_t arrived(const struct rig *w, int64_t first, int64_t last)
{
	size_t n = 0;

	for (size_t i = 0; i < w->receiver.n; i++)
		n += w->receiver.log[i].sequence >= first && w->receiver.log[i].sequence <= last;
	return n;
}

/* In flight, in the window, in the buffer, and not read yet. */
static void test_skip(void **state)
{
	struct rig *w = *state;
	struct look *l;

	w->receiver.judge = judge_hold;
	rig_commit(w, 3000, 3000);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 16);
	int64_t read = read_until(w);

	assert_in_range(read, 17, 2499);
	assert_int_equal(delivery_skip(w->delivery, 1, 2500), read - 16);
	assert_int_equal(read_until(w), 2500);
	assert_int_equal(rig_status(w).dropped, read - 16);
	assert_int_equal(rig_status(w).position, 2500);
	rig_pass(w, 10);
	l = look_at(w); /* those that are out have rows */
	assert_int_equal(l->cursor.position, 2500);
	assert_int_equal(l->nrows, 16);
	free(l);
	w->receiver.judge = judge_sent;
	answer_all(w);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 16 + 500);
	assert_int_equal(arrived(w, 2501, 3000), 500);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->receiver.n, 16 + 500);
}

/* A kill repeats what was out, and nothing of what was given up. */
static void test_skip_survives_a_kill(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 3000, 3000);
	rig_pump(w);
	delivery_skip(w->delivery, 1, 2990);
	rig_pass(w, 10);
	w->receiver.judge = judge_sent;
	rig_kill(w);
	rig_pass(w, 1 * S);
	assert_int_equal(arrived(w, 1, 16), 32);
	assert_int_equal(arrived(w, 17, 2990), 0);
	assert_int_equal(arrived(w, 2991, 3000), 10);
	assert_true(delivery_drained(w->delivery));
}

/* Those behind the skipped ones of their key go on; behind one that is out they wait for it. */
static void test_skip_releases_lanes(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 10);
	w->receiver.judge = judge_hold;
	rig_commit(w, 5, 1); /* 2 … 6: behind 1 */
	w->receiver.judge = judge_hold;
	rig_commit(w, 6, 3); /* 7 … 12: 7 and 10 are of that key, too */
	rig_pass(w, 10);
	assert_int_equal(w->receiver.nheld, 2); /* 8, 9 */
	assert_int_equal(rig_status(w).waiting, 7);
	assert_int_equal(delivery_skip(w->delivery, 1, 8), 7); /* all but 8 */
	rig_pass(w, 10);
	assert_int_equal(w->receiver.nheld, 3);
	assert_int_equal(w->receiver.log[w->receiver.n - 1].sequence, 10);
	assert_int_equal(rig_status(w).waiting, 1); /* 11, behind 8 */
	w->receiver.judge = judge_sent;
	answer_all(w);
	rig_pass(w, 10);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(arrived(w, 2, 7), 0);
	assert_int_equal(arrived(w, 8, 12), 5);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
}

static bool judge_odd_404(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	if (p->event->sequence % 2) {
		ret->verdict = REFUSED;
		ret->why = "404: no such hook";
		return true;
	}
	return judge_503(w, p, ret);
}

static void test_skip_leaves_parked_ones(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_odd_404;
	rig_commit(w, 20, 20);
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).retrying, 10);
	assert_int_equal(delivery_skip(w->delivery, 1, 20), 10);
	assert_int_equal(rig_status(w).parked, 10);
	assert_int_equal(rig_status(w).retrying, 0);
	rig_pass(w, 1 * H);
	assert_int_equal(w->receiver.n, 20);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 10);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(delivery_skip(w->delivery, 1, 20), 0);
}

/* Parked in this very turn, and its row not yet written. */
static void test_skip_amid_a_turn(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_odd_404;
	rig_commit(w, 20, 20);
	atomic_store(&rig_commits_fail, true);
	rig_pump(w);
	assert_int_equal(delivery_skip(w->delivery, 1, 20), 10);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 5 * S);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 10);
	assert_int_equal(w->head.destinations[0].cursor.position, 20);
	assert_int_equal(w->receiver.n, 20);
}

static void test_skip_while_disabled(void **state)
{
	struct rig *w = *state;
	size_t n;

	w->receiver.judge = judge_hold;
	rig_commit(w, 600, 300);
	rig_pump(w);
	delivery_set_state(w->delivery, 1, DESTINATION_DISABLED, "by hand");
	rig_answer(w, 0, TRY_AGAIN);
	rig_answer(w, 0, SENT); /* its successor is ready, but is not sent */
	rig_pass(w, 10);
	int64_t read = read_until(w);

	n = delivery_skip(w->delivery, 1, 590);
	assert_int_equal(n, (read < 590 ? read : 590) - 15); /* 14 are out, one was sent */
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).position, 590);
	rig_kill(w);
	assert_int_equal(w->head.destinations[0].cursor.position, 590);
	assert_int_equal(w->head.nexceptions, 14);
	w->receiver.judge = judge_sent;
	delivery_set_state(w->delivery, 1, DESTINATION_ENABLED, NULL);
	rig_pass(w, 1 * S);
	assert_int_equal(arrived(w, 17, 590), 0);
	assert_int_equal(arrived(w, 591, 600), 10);
	assert_true(delivery_drained(w->delivery));
}

static void test_skip_while_detached(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 40, 4);
	rig_pass(w, 10);
	w->away = true;
	rig_kill(w);
	rig_commit(w, 60, 60);
	assert_int_equal(rig_status(w).retrying + rig_status(w).waiting, 40);
	assert_int_equal(read_until(w), 40);
	assert_int_equal(delivery_skip(w->delivery, 1, 90), 40);
	rig_pass(w, 10);
	w->away = false;
	rig_kill(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->head.destinations[0].cursor.position, 90);
	w->receiver.judge = judge_sent;
	rig_pass(w, 1 * S);
	assert_int_equal(arrived(w, 5, 90), 0);
	assert_int_equal(arrived(w, 91, 100), 10);
}

/* What a read brings that was under way is no more wanted. */
static void test_skip_during_a_read(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 300, 300);
	delivery_tick(w->delivery, w->now);
	assert_true(w->delivery->v[0]->reading);
	assert_int_equal(delivery_skip(w->delivery, 1, 290), 0);
	assert_int_equal(rig_status(w).position, 290);
	rig_pass(w, 10);
	assert_int_equal(w->receiver.n, 10);
	assert_int_equal(arrived(w, 291, 300), 10);
	rig_look(w);
	assert_int_equal(w->head.destinations[0].cursor.position, 300);
}

/* The same of bodies of those that are due. */
static void test_skip_during_a_load(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 10, 5);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 5);
	w->receiver.judge = judge_sent;
	w->now.mono_ms += 10 * S;
	w->now.wall_ms += 10 * S;
	delivery_tick(w->delivery, w->now);
	assert_true(w->delivery->v[0]->loading);
	assert_int_equal(delivery_skip(w->delivery, 1, 3), 3);
	rig_pass(w, 10);
	assert_int_equal(arrived(w, 1, 3), 3);
	assert_int_equal(w->receiver.n, 5 + 7);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
}

/* What does not exist yet cannot be given up. */
static void test_skip_ends_at_the_newest(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 10, 10);
	assert_int_equal(delivery_skip(w->delivery, 1, INT64_MAX), 0);
	rig_pump(w);
	assert_int_equal(rig_status(w).position, 10);
	rig_commit(w, 10, 10);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 10);
	assert_int_equal(delivery_skip(w->delivery, 1, 5), 0);
	assert_int_equal(delivery_skip(w->delivery, 1, 20), 0);
	assert_true(delivery_idle(w->delivery)); /* nothing was left to give up */
	assert_int_equal(delivery_skip(w->delivery, 9, 20), 0);
	assert_int_equal(delivery_read_until(w->delivery, 9), 0);
}

/* The row of one that is skipped goes; that of one that is taken up and skipped, too. */
static void test_skip_what_was_taken_up(void **state)
{
	struct rig *w = *state;
	struct again *picks = xcalloc(20, sizeof *picks);
	struct look *l;
	size_t taken;

	w->receiver.judge = judge_odd_404;
	rig_commit(w, 1, 1);
	rig_pump(w);
	w->receiver.judge = judge_sent;
	rig_commit(w, 9, 9);
	rig_pump(w);
	delivery_set_state(w->delivery, 1, DESTINATION_DISABLED, "by hand");
	l = look_at(w);
	size_t n = look_pick_parked(l, 1, 10, picks);
	n += look_pick_done(l, w, 2, 10, picks + n);
	free(l);
	assert_int_equal(delivery_again(w->delivery, 1, picks, n, &taken), 10);
	assert_int_equal(taken, 10);
	assert_int_equal(delivery_skip(w->delivery, 1, 5), 5); /* before any row was written */
	rig_pass(w, 10);
	assert_int_equal(delivery_skip(w->delivery, 1, 7), 2);
	rig_pass(w, 10);
	rig_kill(w);
	assert_int_equal(w->head.nexceptions, 3);
	assert_int_equal(rig_status(w).parked, 0);
	free(picks);
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(test_skip),
		IN_RIG(test_skip_survives_a_kill),
		IN_RIG(test_skip_releases_lanes),
		IN_RIG(test_skip_leaves_parked_ones),
		IN_RIG(test_skip_amid_a_turn),
		IN_RIG(test_skip_while_disabled),
		IN_RIG(test_skip_while_detached),
		IN_RIG(test_skip_during_a_read),
		IN_RIG(test_skip_during_a_load),
		IN_RIG(test_skip_ends_at_the_newest),
		IN_RIG(test_skip_what_was_taken_up),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
