/* delivery: what was parked or settled is taken up again, or a parked one forgotten. */
#include "tests/unit/journal_look.h"

#include <limits.h>
#include <stdlib.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/delivery_judges.h"

static bool judge_404(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	ret->verdict = REFUSED;
	ret->why = "404: no such hook";
	return true;
}

static struct again *picks; /* of the test that runs */

static int open_with_picks(void **state)
{
	picks = xcalloc(LOOK_MAX, sizeof *picks);
	return rig_open(state);
}

static int close_with_picks(void **state)
{
	free(picks);
	return rig_close(state);
}

static size_t pick_parked(struct rig *w)
{
	struct look *l = look_at(w);
	size_t n = look_pick_parked(l, 1, w->latest, picks);

	free(l);
	return n;
}

static size_t pick_done(struct rig *w)
{
	struct look *l = look_at(w);
	size_t n = look_pick_done(l, w, 1, w->latest, picks);

	free(l);
	return n;
}

/* Takes up n picks; all are looked at. */
static size_t again(struct rig *w, size_t n)
{
	size_t taken;

	assert_int_equal(delivery_again(w->delivery, 1, picks, n, &taken), n);
	return taken;
}

static void park_all(struct rig *w, int n, int nkeys)
{
	w->receiver.judge = judge_404;
	rig_commit(w, n, nkeys);
	rig_pump(w);
	assert_int_equal(rig_status(w).parked, n);
	w->receiver.judge = judge_sent;
}

static void test_parked_are_sent(void **state)
{
	struct rig *w = *state;

	park_all(w, 30, 3);
	assert_int_equal(pick_parked(w), 30);
	assert_int_equal(again(w, 30), 30);
	assert_int_equal(rig_status(w).parked, 0);
	assert_false(delivery_drained(w->delivery));
	rig_pump(w);
	assert_int_equal(w->receiver.n, 60);
	for (size_t i = 30; i < 60; i++) /* of each key in the order of their sequences */
		for (size_t k = 30; k < i; k++)
			if (w->receiver.log[k].key == w->receiver.log[i].key)
				assert_true(w->receiver.log[k].sequence <
					    w->receiver.log[i].sequence);
	assert_int_equal(w->receiver.log[30].attempt, 1);
	assert_true(delivery_drained(w->delivery));
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(rig_status(w).parked, 0);
	assert_int_equal(rig_attempts(w, 1), 2); /* the refusal, and that it is there at last */
	assert_int_equal(w->receiver.n, 60);
}

static void test_settled_are_sent_once_more(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 2000, 100);
	rig_pump(w);
	assert_int_equal(pick_done(w), 2000);
	assert_int_equal(again(w, 1000), 1000);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 3000);
	assert_int_equal(rig_status(w).position, 2000);
	assert_int_equal(rig_attempts(w, 7), 1);
	assert_int_equal(rig_attempts(w, 1007), 0);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->receiver.n, 3000);
}

/* As at a first attempt: the whole schedule is before it again, then it is parked. */
static void test_again_in_vain(void **state)
{
	struct rig *w = *state;
	struct look *l;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 4 * H);
	assert_int_equal(w->receiver.n, 5);
	assert_int_equal(pick_parked(w), 1);
	assert_int_equal(again(w, 1), 1);
	rig_pass(w, 10);
	assert_int_equal(w->receiver.log[5].attempt, 1);
	l = look_at(w);
	assert_int_equal(l->row[1].state, EXCEPTION_RETRY);
	assert_int_equal(l->row[1].attempts, 1);
	free(l);
	rig_pass(w, 4 * H);
	assert_int_equal(w->receiver.n, 10);
	assert_int_equal(rig_status(w).parked, 1);
	assert_int_equal(rig_attempts(w, 1), 10);
}

/* What is on its way, waits, or is yet to come, needs nobody. */
static void test_what_is_owed_is_left_out(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 1500, 100);
	rig_pump(w);
	rig_answer(w, 0, TRY_AGAIN);
	rig_pass(w, 10);
	for (size_t i = 0; i < 1500; i++)
		picks[i] = (struct again){(int64_t)i + 1, 1, false, false};
	int64_t read = delivery_read_until(w->delivery, 1);

	assert_int_equal(again(w, 1000), 0);
	assert_int_equal(delivery_read_until(w->delivery, 1), read); /* nor is it read anew */
	assert_int_equal(rig_status(w).retrying, 1);
	delivery_again(w->delivery, 1, picks + 1000, 500, &(size_t){0});
	w->receiver.judge = judge_sent;
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, 1501);
	assert_true(delivery_drained(w->delivery));
}

/* One of a key stands behind those that are owed to the key, and those that come later behind it.
 */
/* Who asked the journal before it was parked does not know that it is. */
static void test_what_was_owed_when_it_was_asked_for(void **state)
{
	struct rig *w = *state;
	size_t parked;

	park_all(w, 20, 3);
	for (int64_t i = 0; i < 20; i++)
		picks[i] = (struct again){.sequence = i + 1, .order_key = 1, .owed = true};
	assert_int_equal(again(w, 20), 0);
	rig_pump(w);
	parked = rig_status(w).parked;
	assert_int_equal(parked, 20);
	assert_int_equal(pick_parked(w), parked);
}

/* As when retention takes it at that moment: nothing is left of it, and who stood behind it goes.
 */
static void test_what_is_gone_from_the_journal(void **state)
{
	struct rig *w = *state;
	struct look *l;

	rig_commit_to(w, 0, 1, 1); /* no route of its: the same to a reader */
	rig_commit(w, 1, 1);
	rig_pump(w);
	picks[0] = (struct again){1, 1, false, false};
	picks[1] = (struct again){2, 1, false, false};
	assert_int_equal(again(w, 2), 2);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 2);
	assert_int_equal(rig_status(w).parked, 0);
	assert_int_equal(rig_status(w).dropped, 1);
	assert_int_equal(w->notices[DELIVERY_GONE], 1);
	assert_true(delivery_drained(w->delivery));
	l = look_at(w);
	assert_int_equal(l->nrows, 0);
	free(l);
}

static void test_place_in_its_lane(void **state)
{
	static const int64_t want[] = {1, 2, 2, 1, 3};
	struct rig *w = *state;

	rig_commit(w, 1, 1);
	rig_pump(w);
	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 10);
	assert_int_equal(pick_done(w), 1);
	assert_int_equal(again(w, 1), 1);
	rig_commit(w, 1, 1);
	rig_pass(w, 10);
	assert_int_equal(rig_status(w).retrying, 1);
	assert_int_equal(rig_status(w).waiting, 2);
	w->receiver.judge = judge_sent;
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(w->receiver.log[i].sequence, want[i]);
	assert_true(delivery_drained(w->delivery));
}

/* The same behind a call that is out, for long: the window moves on. */
static void test_place_behind_a_call(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 1, 1);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 1, 1);
	rig_pump(w);
	assert_int_equal(pick_done(w), 1);
	assert_int_equal(again(w, 1), 1);
	assert_int_equal(rig_status(w).waiting, 1);
	rig_commit(w, 1, 1); /* 3 is behind 1, which is behind 2 */
	rig_pump(w);
	w->receiver.judge = judge_sent;
	rig_commit(w, 2 * SETTLE_WINDOW, 2 * SETTLE_WINDOW); /* the first is of that key, too */
	rig_pass(w, 1 * S);
	assert_int_equal(rig_status(w).position, 3 + 2 * SETTLE_WINDOW);
	assert_int_equal(w->receiver.nheld, 1);
	rig_answer(w, 0, SENT);
	rig_pass(w, 1 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(w->receiver.n, 4 + 2 * SETTLE_WINDOW);
}

/* Those before it have no rows, those that come behind it have: a restart must not send these
 * first.
 */
static void test_order_after_a_kill(void **state)
{
	static const int64_t want[] = {1, 2, 1, 2, 3, 4};
	struct rig *w = *state;

	rig_commit(w, 1, 1);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 1, 1);
	rig_commit(w, 1, 1); /* 3 is behind 2, which is out */
	rig_pump(w);
	assert_int_equal(pick_done(w), 1);
	assert_int_equal(again(w, 1), 1);
	rig_commit(w, 1, 1);
	rig_pass(w, 10);
	w->receiver.judge = judge_sent;
	rig_kill(w);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(w->receiver.log[i].sequence, want[i]);
}

static void test_without_order(void **state)
{
	struct rig *w = *state;

	w->options.order = ORDER_NONE;
	rig_kill(w);
	rig_commit(w, 10, 1);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	assert_int_equal(pick_done(w), 10);
	assert_int_equal(again(w, 10), 10);
	rig_pump(w);
	assert_int_equal(w->receiver.nheld, 10);
}

/* Half of the exceptions is left for what fails by itself. */
static void test_room_for_exceptions(void **state)
{
	struct rig *w = *state;
	size_t taken;

	park_all(w, 6000, 6000);
	assert_int_equal(pick_parked(w), 6000);
	w->receiver.judge = judge_503;
	assert_int_equal(delivery_again(w->delivery, 1, picks, 6000, &taken), EXCEPTIONS_MAX / 2);
	assert_int_equal(taken, EXCEPTIONS_MAX / 2);
	assert_int_equal(delivery_again(w->delivery, 1, picks + 5000, 1000, &taken), 0);
	assert_int_equal(taken, 0);
	rig_pump(w);
	assert_int_equal(rig_status(w).retrying, EXCEPTIONS_MAX / 2);
	w->receiver.judge = judge_sent;
	rig_commit(w, 1000, 1000); /* traffic goes on beside them */
	rig_pump(w);
	assert_int_equal(rig_status(w).position, 7000);
	rig_pass(w, 10 * S);
	assert_int_equal(pick_parked(w), 1000);
	assert_int_equal(again(w, 1000), 1000);
	rig_pass(w, 1 * S);
	assert_true(delivery_drained(w->delivery));
	assert_int_equal(rig_status(w).parked, 0);
}

/* A kill before the commit leaves the row as it was; one after it finds the row as it is. */
static void test_kills(void **state)
{
	struct rig *w = *state;

	park_all(w, 10, 10);
	w->receiver.judge = judge_503;
	pick_parked(w);
	atomic_store(&rig_commits_fail, true);
	assert_int_equal(again(w, 10), 10);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 20);
	atomic_store(&rig_commits_fail, false);
	rig_kill(w);
	assert_int_equal(rig_status(w).parked, 10);
	assert_int_equal(rig_status(w).retrying, 0);
	assert_int_equal(pick_parked(w), 10);
	assert_int_equal(again(w, 10), 10);
	rig_pump(w);
	rig_kill(w);
	assert_int_equal(rig_status(w).parked, 0);
	assert_int_equal(rig_status(w).retrying, 10);
	w->receiver.judge = judge_sent;
	rig_pass(w, 10 * S);
	assert_int_equal(w->receiver.n, 40);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
}

/* It is sent before the row of its being taken up was written: then none is left. */
static void test_failed_commits(void **state)
{
	struct rig *w = *state;

	park_all(w, 5, 5);
	rig_commit(w, 5, 5);
	rig_pump(w);
	size_t n = pick_parked(w);
	struct look *l = look_at(w);

	n += look_pick_done(l, w, 6, 10, picks + n);
	free(l);
	atomic_store(&rig_commits_fail, true);
	assert_int_equal(again(w, n), 10);
	rig_pass(w, 5 * S);
	assert_int_equal(w->receiver.n, 20);
	assert_int_equal(delivery_stamp(w->delivery), 0);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 5 * S);
	assert_int_not_equal(delivery_stamp(w->delivery), 0);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, 0);
	assert_int_equal(w->receiver.n, 20);
}

/* It was sent, and taken up again before the journal knew: then its row stays. */
static void test_taken_up_amid_failed_commits(void **state)
{
	struct rig *w = *state;
	size_t taken;

	for (int before = 0; before < 2; before++) { /* the commit that fails has been answered */
		rig_kill(w);
		w->receiver.judge = judge_503;
		rig_commit(w, 3, 3);
		rig_pump(w);
		struct again v = {w->latest - 1, 2, false, false};
		w->receiver.judge = judge_sent;
		atomic_store(&rig_commits_fail, true);
		rig_pass(w, 10 * S);
		w->receiver.judge = judge_hold;
		assert_int_equal(rig_status(w).retrying, 0);
		assert_int_equal(delivery_again(w->delivery, 1, &v, 1, &taken), 1);
		assert_int_equal(taken, 1);
		if (before)
			rig_pass(w, 5 * S);
		atomic_store(&rig_commits_fail, false);
		rig_pass(w, 5 * S);
		assert_int_not_equal(delivery_stamp(w->delivery), 0);
		rig_look(w);
		assert_int_equal(w->head.nexceptions, 1);
		assert_int_equal(w->head.exceptions[0].sequence, v.sequence);
		w->receiver.nheld = 0;
		w->receiver.judge = judge_sent;
		rig_pass(w, 1 * M);
		assert_true(delivery_drained(w->delivery));
	}
}

/* Picks that are past are told by the stamp; traffic does not change it. */
static void test_stamp(void **state)
{
	struct rig *w = *state;
	uint64_t first = delivery_stamp(w->delivery), second;

	assert_int_not_equal(first, 0);
	park_all(w, 4, 4);
	rig_commit(w, 100, 100);
	rig_pump(w);
	assert_int_equal(delivery_stamp(w->delivery), first);
	assert_int_equal(pick_parked(w), 4);
	assert_int_equal(again(w, 4), 4);
	assert_int_equal(delivery_stamp(w->delivery), 0);
	assert_int_equal(again(w, 4), 0); /* they are in memory: left out */
	rig_pump(w);
	second = delivery_stamp(w->delivery);
	assert_true(second != 0 && second != first);
	assert_int_equal(again(w, 0), 0);
	assert_int_equal(pick_parked(w), 0);
	assert_int_equal(delivery_stamp(w->delivery), second);
	delivery_forget_parked(w->delivery, 1, NULL, 0);
	assert_int_equal(delivery_stamp(w->delivery), second);
	delivery_forget_parked(w->delivery, 1, &(int64_t){1}, 1);
	assert_int_equal(delivery_stamp(w->delivery), 0);
	rig_pump(w);
	assert_true(delivery_stamp(w->delivery) > second);
	assert_int_equal(delivery_again(w->delivery, 9, picks, 4, &(size_t){0}), 4);
	delivery_forget_parked(w->delivery, 9, &(int64_t){1}, 1);
}

static void test_of_a_disabled_one(void **state)
{
	struct rig *w = *state;

	park_all(w, 10, 2);
	assert_true(delivery_set_state(w->delivery, 1, DESTINATION_DISABLED, "by hand"));
	pick_parked(w);
	assert_int_equal(again(w, 10), 10);
	rig_pass(w, 1 * H);
	assert_int_equal(w->receiver.n, 10);
	assert_int_equal(rig_status(w).retrying, 2);
	assert_int_equal(rig_status(w).waiting, 8);
	rig_kill(w);
	rig_pass(w, 1 * H);
	assert_int_equal(rig_status(w).retrying + rig_status(w).waiting, 10);
	assert_true(delivery_set_state(w->delivery, 1, DESTINATION_ENABLED, NULL));
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 20);
	for (size_t i = 10; i < 20; i++)
		assert_int_equal(w->receiver.log[i].attempt, 1);
}

static void test_of_a_detached_one(void **state)
{
	struct rig *w = *state;

	park_all(w, 10, 2);
	delivery_remove(w->delivery, 1);
	pick_parked(w);
	assert_int_equal(again(w, 5), 5);
	delivery_forget_parked(w->delivery, 1, &picks[9].sequence, 1);
	rig_pump(w);
	w->away = true;
	rig_kill(w);
	assert_int_equal(rig_status(w).parked, 4);
	assert_int_equal(pick_parked(w), 4);
	assert_int_equal(again(w, 4), 4);
	rig_pass(w, 1 * S);
	w->away = false;
	w->replaced_options = w->options;
	rig_replace(w);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 19);
	assert_true(delivery_drained(w->delivery));
}

static void test_forget_parked(void **state)
{
	static const int64_t some[] = {2, 3, 5};
	struct rig *w = *state;
	struct look *l;

	park_all(w, 6, 6);
	delivery_forget_parked(w->delivery, 1, some, 3);
	assert_int_equal(rig_status(w).parked, 3);
	assert_false(delivery_idle(w->delivery));
	rig_pump(w);
	assert_true(delivery_idle(w->delivery));
	l = look_at(w);
	assert_int_equal(l->nrows, 3);
	assert_true(look_parked(l, 1) && look_done(l, 2) && look_done(l, 5));
	free(l);
	rig_kill(w);
	assert_int_equal(rig_status(w).parked, 3);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 6);
}

/* One that is on its way once more keeps its row; and a failed commit forgets nothing. */
static void test_forget_what_is_out(void **state)
{
	static const int64_t both[] = {1, 2};
	struct rig *w = *state;

	park_all(w, 2, 2);
	pick_parked(w);
	w->receiver.judge = judge_hold;
	assert_int_equal(again(w, 1), 1);
	rig_pump(w);
	atomic_store(&rig_commits_fail, true);
	delivery_forget_parked(w->delivery, 1, both, 2);
	rig_pass(w, 3 * S);
	assert_int_equal(delivery_stamp(w->delivery), 0);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 3 * S);
	rig_kill(w);
	assert_int_equal(w->head.nexceptions, 1);
	assert_int_equal(w->head.exceptions[0].sequence, 1);
	assert_int_equal(w->head.exceptions[0].state, EXCEPTION_RETRY);
}

static void take_late(struct rig *w, int64_t sequence, size_t want)
{
	rig_route_late(w, sequence);
	picks[0] = (struct again){sequence, hash64("late", 4), false, false};
	assert_int_equal(again(w, 1), want);
}

/* Arrived once, whatever is killed now. */
static void check_late(struct rig *w, int64_t sequence)
{
	size_t n = 0;

	rig_pass(w, 1 * S);
	rig_kill(w);
	rig_pass(w, 1 * S);
	for (size_t i = 0; i < w->receiver.n; i++)
		n += w->receiver.log[i].sequence == sequence;
	assert_int_equal(n, 1);
	assert_true(delivery_drained(w->delivery));
}

/* Routed when the cursor has passed it; while older calls hold the cursor; while it is buffered;
 * and while the read that would have brought it is under way. */
static void test_routed_late(void **state)
{
	struct rig *w = *state;

	rig_commit_to(w, 0, 1, 1);
	rig_commit(w, 5, 5);
	rig_pump(w);
	take_late(w, 1, 1);
	check_late(w, 1);
	assert_int_equal(w->receiver.n, 6);

	w->receiver.judge = judge_hold;
	rig_commit(w, 1, 1); /* 7 */
	rig_commit_to(w, 0, 1, 1);
	rig_commit(w, 40, 40);
	rig_commit_to(w, 0, 1, 1); /* 49 */
	rig_commit(w, 40, 40);
	rig_commit_to(w, 0, 1, 1); /* 90 */
	rig_pump(w);
	assert_int_equal(rig_status(w).position, 6);
	assert_int_equal(w->receiver.nheld, 16);
	take_late(w, 8, 1);
	take_late(w, 49, 0); /* read once more */
	take_late(w, 90, 0);
	rig_pass(w, 1 * S);
	w->receiver.judge = judge_sent;
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_pass(w, 1 * S);
	check_late(w, 8);
	check_late(w, 49);
	check_late(w, 90);
	assert_int_equal(w->receiver.n, 90);

	rig_commit_to(w, 0, 1, 1); /* 91 */
	rig_commit(w, 5, 5);
	delivery_tick(w->delivery, w->now); /* as if this read came before the late route */
	assert_true(w->delivery->v[0]->reading);
	picks[0] = (struct again){91, hash64("late", 4), false, false};
	assert_int_equal(again(w, 1), 0);
	assert_true(w->delivery->v[0]->read_is_stale);
	rig_route_late(w, 91);
	check_late(w, 91);
	assert_int_equal(w->receiver.n, 96);
}

/* It was sent while an older call holds the cursor: a restart finds it done. */
static void test_routed_late_above_the_cursor(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold_first;
	rig_commit(w, 1, 1);
	rig_commit_to(w, 0, 1, 1);
	rig_commit(w, 2, 2);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 2); /* 1 is out, and 3 behind it */
	take_late(w, 2, 1);
	rig_pass(w, 10);
	assert_int_equal(w->receiver.n, 3);
	assert_int_equal(rig_status(w).position, 0);
	w->receiver.judge = judge_sent;
	check_late(w, 2);
	assert_int_equal(w->receiver.n, 5);
}

/* Nothing but refusals: the cursor goes on, memory does not grow, and all can be taken up. */
static void test_everything_is_parked(void **state)
{
	struct rig *w = *state;
	const struct destination *t = w->delivery->v[0];
	int n = 100000;

	w->receiver.judge = judge_404;
	for (int i = 0; i < 20; i++)
		rig_commit(w, n / 20, 50);
	rig_pump(w);
	assert_int_equal(w->receiver.n, n);
	assert_int_equal(rig_status(w).position, n);
	assert_int_equal(rig_status(w).parked, n);
	assert_int_equal(t->nitems, 0);
	assert_in_range(t->items_cap, 1, 4 * (SETTLE_WINDOW + SETTLES_MAX));
	assert_in_range(t->dirty_cap, 1, 4 * (SETTLE_WINDOW + SETTLES_MAX));
	w->receiver.judge = judge_sent;
	for (int left = n; left > n - 20000; left -= 4000) {
		assert_int_equal(pick_parked(w), left);
		assert_int_equal(again(w, 4000), 4000);
		rig_pass(w, 1 * S);
	}
	assert_int_equal(w->receiver.n, n + 20000);
	assert_int_equal(rig_status(w).parked, n - 20000);
	rig_look(w);
	assert_int_equal(w->head.nexceptions, n - 20000);
	assert_int_equal(rig_status(w).parked, n - 20000);
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, open_with_picks, close_with_picks)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(test_parked_are_sent),
		IN_RIG(test_settled_are_sent_once_more),
		IN_RIG(test_again_in_vain),
		IN_RIG(test_what_is_owed_is_left_out),
		IN_RIG(test_what_was_owed_when_it_was_asked_for),
		IN_RIG(test_what_is_gone_from_the_journal),
		IN_RIG(test_place_in_its_lane),
		IN_RIG(test_place_behind_a_call),
		IN_RIG(test_order_after_a_kill),
		IN_RIG(test_without_order),
		IN_RIG(test_room_for_exceptions),
		IN_RIG(test_kills),
		IN_RIG(test_failed_commits),
		IN_RIG(test_taken_up_amid_failed_commits),
		IN_RIG(test_stamp),
		IN_RIG(test_of_a_disabled_one),
		IN_RIG(test_of_a_detached_one),
		IN_RIG(test_forget_parked),
		IN_RIG(test_forget_what_is_out),
		IN_RIG(test_routed_late),
		IN_RIG(test_routed_late_above_the_cursor),
		IN_RIG(test_everything_is_parked),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
