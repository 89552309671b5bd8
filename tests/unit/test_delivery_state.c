/* delivery: destinations disabled and enabled by hand, taken out of the configuration and put back,
 * forgotten. */
#include "tests/unit/journal_look.h"

#include <limits.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/delivery_judges.h"

static bool judge_odd_503(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	return p->event->sequence % 2 ? judge_503(w, p, ret) : true;
}

static bool disable(struct rig *w, const char *why)
{
	return delivery_set_state(w->delivery, 1, DESTINATION_DISABLED, why);
}

static bool enable(struct rig *w)
{
	return delivery_set_state(w->delivery, 1, DESTINATION_ENABLED, NULL);
}

static void go_away(struct rig *w)
{
	delivery_remove(w->delivery, 1);
	w->receiver.nheld = 0;
}

static void come_back(struct rig *w)
{
	w->replaced_options = w->options;
	rig_replace(w);
}

/* What is out ends as it would; nothing new is sent; all the rest is kept. */
static void test_disabled(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_hold;
	rig_commit(w, 100, 50);
	rig_pump(w);
	assert_true(disable(w, "by hand: maintenance"));
	assert_int_equal(rig_status(w).state, DESTINATION_DISABLED);
	assert_string_equal(rig_status(w).why, "by hand: maintenance");
	assert_true(rig_status(w).enabled); /* its settings say so */
	assert_int_equal(w->notices[DELIVERY_DISABLED], 0);
	rig_answer(w, 0, TRY_AGAIN);
	while (w->receiver.nheld)
		rig_answer(w, 0, SENT);
	rig_commit(w, 100, 50);
	rig_pass(w, 1 * H);
	assert_int_equal(w->receiver.n, 16);
	assert_int_equal(rig_status(w).in_flight, 0);
	assert_int_equal(rig_status(w).sent, 15);
	assert_string_equal(rig_status(w).why, "by hand: maintenance");
	assert_true(delivery_drained(w->delivery)); /* it holds up nobody who waits for that */
	assert_true(delivery_idle(w->delivery));

	w->receiver.judge = judge_sent;
	assert_true(enable(w));
	assert_null(rig_status(w).why);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 16 + 185);
	assert_true(delivery_drained(w->delivery));
}

static void test_disabled_outlives(void **state)
{
	struct rig *w = *state;
	struct look *l;

	disable(w, "by hand");
	rig_pass(w, 10);
	l = look_at(w);
	assert_int_equal(l->state, DESTINATION_DISABLED);
	assert_string_equal(l->why, "by hand");
	free(l);
	rig_commit(w, 10, 10);
	rig_kill(w);
	rig_pump(w);
	assert_int_equal(w->notices[DELIVERY_DISABLED], 1); /* it says so at each start */
	come_back(w); /* a reload that changes nothing of it */
	rig_pass(w, 1 * H);
	assert_int_equal(rig_status(w).state, DESTINATION_DISABLED);
	assert_int_equal(w->receiver.n, 0);
	disable(w, "by hand: once more");
	rig_look(w);
	assert_string_equal(w->head.destinations[0].why, "by hand: once more");

	w->replaced_options = w->options;
	rig_enable(w); /* one that does */
	rig_pump(w);
	assert_int_equal(w->receiver.n, 10);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	rig_look(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_ENABLED);
	assert_null(w->head.destinations[0].why);
}

/* A commit that fails loses no change of state. */
static void test_failed_commit_of_a_state(void **state)
{
	struct rig *w = *state;

	atomic_store(&rig_commits_fail, true);
	disable(w, "by hand");
	rig_pass(w, 3 * S);
	assert_string_equal(rig_status(w).why, "by hand");
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 3 * S);
	rig_look(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_DISABLED);
	assert_string_equal(w->head.destinations[0].why, "by hand");
	atomic_store(&rig_commits_fail, true);
	enable(w);
	rig_pass(w, 3 * S);
	disable(w, "by hand: again");
	rig_pass(w, 3 * S);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 3 * S);
	rig_look(w);
	assert_string_equal(w->head.destinations[0].why, "by hand: again");
}

/* A 410 behind that changes nothing; and one that is disabled by it can be enabled by hand. */
static void test_gone_and_by_hand(void **state)
{
	struct rig *w = *state;
	struct outcome gone = {.verdict = TRY_AGAIN, .wait_ms = -1, .disable = true, .why = "410"};

	w->receiver.judge = judge_hold;
	rig_commit(w, 2, 2);
	rig_pump(w);
	disable(w, "by hand");
	w->receiver.env->done(w->receiver.env->arg, w->receiver.held[0]->id, &gone);
	rig_pump(w);
	assert_string_equal(rig_status(w).why, "by hand");
	enable(w);
	w->receiver.env->done(w->receiver.env->arg, w->receiver.held[1]->id, &gone);
	rig_pump(w);
	assert_int_equal(rig_status(w).state, DESTINATION_DISABLED);
	assert_string_equal(rig_status(w).why, "410");
	w->receiver.nheld = 0;
	w->receiver.judge = judge_sent;
	enable(w);
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
}

/* Enabled by hand, but its settings say no. */
static void test_settings_count_too(void **state)
{
	struct rig *w = *state;

	w->options.enabled = false;
	rig_commit(w, 3, 3);
	assert_true(enable(w));
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 0);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	assert_false(rig_status(w).enabled);
	w->options.enabled = true;
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 3);
}

static void test_no_such_destination(void **state)
{
	struct rig *w = *state;

	assert_false(delivery_set_state(w->delivery, 9, DESTINATION_DISABLED, "by hand"));
	assert_false(delivery_forget(w->delivery, 9));
	assert_false(delivery_forget(w->delivery, 1)); /* it is attached */
	go_away(w);
	assert_false(disable(w, "by hand"));
	assert_false(enable(w));
	assert_int_equal(rig_status(w).number, 1);
	assert_false(rig_status(w).enabled);
	assert_string_equal(rig_status(w).transport, "");
}

/* A failing destination that was enabled all along keeps why it fails. */
static void test_enabled_already(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 1, 1);
	rig_pass(w, 10);
	assert_true(enable(w));
	assert_string_equal(rig_status(w).why, "503: later");
	assert_true(delivery_idle(w->delivery));
}

static void test_record_keeps_since_when_it_is_down(void **state)
{
	struct rig *w = *state;
	struct look *l;

	w->delivery->v[0]->down_ms = 1795000000123;
	disable(w, "by hand");
	rig_pass(w, 10);
	l = look_at(w);
	assert_int_equal(l->down_ms, 1795000000123);
	free(l);
}

/* First arrivals of each key in order, each once unless it failed. */
static void check_all_arrived(const struct rig *w, int64_t n)
{
	unsigned *sent = xcalloc((size_t)n + 1, sizeof *sent);

	for (size_t i = 0; i < w->receiver.n; i++) {
		const struct arrival *a = &w->receiver.log[i];

		if (a->verdict != SENT)
			continue;
		for (size_t k = 0; k < i; k++)
			if (w->receiver.log[k].key == a->key && w->receiver.log[k].verdict == SENT)
				assert_true(w->receiver.log[k].sequence < a->sequence);
		sent[a->sequence]++;
	}
	for (int64_t s = 1; s <= n; s++)
		assert_int_equal(sent[s], 1);
	free(sent);
}

/* Removed, restarted while it is away, back by a reload: nothing is lost, nothing out of order. */
static void test_away_and_back(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_odd_503;
	rig_commit(w, 400, 20);
	rig_pass(w, 10);
	size_t kept = rig_status(w).retrying + rig_status(w).waiting;
	int64_t position = rig_status(w).position;

	assert_int_equal(kept, 200);
	go_away(w);
	assert_int_equal(rig_status(w).retrying + rig_status(w).waiting, kept);
	rig_pass(w, 1 * H);
	w->away = true;
	for (int i = 0; i < 3; i++) {
		rig_kill(w);
		assert_int_equal(rig_status(w).state, DESTINATION_DETACHED);
		assert_string_equal(rig_status(w).transport, "");
		rig_commit(w, 100, 20); /* routed while its name was there, read later */
		rig_pass(w, 1 * H);
		assert_int_equal(rig_status(w).retrying + rig_status(w).waiting, kept);
		assert_int_equal(rig_status(w).position, position);
		assert_true(delivery_drained(w->delivery));
		assert_true(delivery_idle(w->delivery));
		assert_int_equal(delivery_tick(w->delivery, w->now), INT_MAX);
	}
	w->receiver.judge = judge_sent;
	come_back(w);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
	check_all_arrived(w, 700);
}

/* The same without a restart, amid calls, a read and a load; and with another order. */
static void test_away_amid_work(void **state)
{
	struct rig *w = *state;

	w->options.order = ORDER_NONE;
	rig_kill(w);
	w->receiver.judge = judge_503;
	rig_commit(w, 16, 4); /* too few to open the breaker */
	rig_pump(w);
	assert_int_equal(rig_status(w).retrying, 16);
	w->now.mono_ms += 10 * S;
	w->now.wall_ms += 10 * S;
	rig_commit(w, 400, 20);
	delivery_tick(w->delivery, w->now);
	assert_true(w->delivery->v[0]->loading && w->delivery->v[0]->reading);
	go_away(w);
	rig_pass(w, 1 * H);
	w->receiver.judge = judge_sent;
	w->options.order = ORDER_RECIPIENT;
	come_back(w);
	rig_pass(w, 10 * S);
	assert_true(delivery_drained(w->delivery));
	check_all_arrived(w, 416);
}

/* One that was disabled, removed and put back is new to its section: it starts. */
static void test_disabled_away_and_back(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 10, 10);
	disable(w, "by hand");
	rig_pass(w, 10);
	go_away(w);
	assert_int_equal(rig_status(w).state, DESTINATION_DETACHED);
	come_back(w);
	assert_int_equal(rig_status(w).state, DESTINATION_ENABLED);
	assert_null(rig_status(w).why);
	rig_pass(w, 1 * S);
	assert_int_equal(w->receiver.n, 10);
}

static size_t count(struct rig *w)
{
	struct delivery_status s[2];

	return delivery_status(w->delivery, s, 2);
}

/* Forgotten at once for who asks; in truth when nothing that knows of it is under way. */
static void test_forget(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 40, 4);
	rig_pump(w);
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	assert_false(delivery_forget(w->delivery, 1));
	assert_int_equal(count(w), 0);
	assert_int_equal(delivery_skip(w->delivery, 1, 40), 0);
	assert_true(delivery_idle(w->delivery));
	assert_true(delivery_drained(w->delivery));
	delivery_tick(w->delivery, w->now);
	assert_int_equal(w->delivery->n, 0);
	rig_pump(w);
}

static void test_forget_during_reads(void **state)
{
	struct rig *w = *state;

	w->receiver.judge = judge_503;
	rig_commit(w, 16, 16);
	rig_pump(w);
	w->now.mono_ms += 10 * S;
	w->now.wall_ms += 10 * S;
	rig_commit(w, 400, 20);
	delivery_tick(w->delivery, w->now);
	assert_true(w->delivery->v[0]->loading && w->delivery->v[0]->reading);
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	delivery_tick(w->delivery, w->now);
	assert_int_equal(w->delivery->n, 1);
	rig_pass(w, 10);
	assert_int_equal(w->delivery->n, 0);
	assert_int_equal(w->notices[DELIVERY_PARKED], 0);
}

static void forget_amid(struct rig *w, bool reading)
{
	assert_int_equal(w->delivery->v[0]->reading, reading);
	assert_int_equal(w->delivery->v[0]->loading, !reading);
	disable(w, "by hand"); /* never committed */
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	delivery_tick(w->delivery, w->now);
	assert_int_equal(w->delivery->n, 1);
	rig_pump(w);
	assert_int_equal(w->delivery->n, 0);
	rig_kill(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_ENABLED);
}

/* One of the two alone. */
static void test_forget_during_a_read(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 40, 40);
	delivery_tick(w->delivery, w->now);
	forget_amid(w, true);
	w->receiver.judge = judge_503;
	rig_pump(w);
	w->now.mono_ms += 10 * S;
	w->now.wall_ms += 10 * S;
	delivery_tick(w->delivery, w->now);
	forget_amid(w, false);
}

/* Nothing more of it is committed. */
static void test_forget_before_a_commit(void **state)
{
	struct rig *w = *state;

	disable(w, "by hand");
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	rig_pass(w, 1 * S);
	rig_kill(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_ENABLED);
}

static void test_forget_during_a_commit(void **state)
{
	struct rig *w = *state;

	for (int failing = 0; failing < 2; failing++) {
		atomic_store(&rig_commits_fail, failing);
		disable(w, "by hand");
		delivery_tick(w->delivery, w->now);
		assert_true(w->delivery->committing);
		go_away(w);
		assert_true(delivery_forget(w->delivery, 1));
		delivery_tick(w->delivery, w->now);
		assert_int_equal(w->delivery->n, 1);
		rig_pass(w, 10);
		assert_int_equal(w->delivery->n, 0);
		assert_true(delivery_idle(w->delivery));
		atomic_store(&rig_commits_fail, false);
		rig_kill(w);
	}
}

/* The other one neither waits nor loses anything, whatever commit both were in. */
static void test_forget_one_of_two(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 40, 40);
	rig_commit_to(w, 2, 40, 40);
	rig_pump(w);
	disable(w, "by hand");
	delivery_set_state(w->delivery, 2, DESTINATION_DISABLED, "by hand");
	atomic_store(&rig_commits_fail, true);
	delivery_tick(w->delivery, w->now);
	assert_true(w->delivery->committing);
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	rig_pass(w, 10);
	atomic_store(&rig_commits_fail, false);
	rig_pass(w, 3 * S);
	assert_int_equal(w->delivery->n, 1);
	assert_int_equal(w->delivery->v[0]->number, 2);
	assert_true(delivery_idle(w->delivery));
	rig_kill(w);
	assert_int_equal(w->head.destinations[0].state, DESTINATION_ENABLED);
	assert_int_equal(w->head.destinations[1].state, DESTINATION_DISABLED);
	assert_int_equal(w->other.n, 40);
}

/* Closed before the answers have come. */
static void test_forget_and_close(void **state)
{
	struct rig *w = *state;

	rig_commit(w, 40, 40);
	delivery_tick(w->delivery, w->now);
	go_away(w);
	assert_true(delivery_forget(w->delivery, 1));
	rig_kill(w);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 40); /* the journal's part is the caller's */
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(test_disabled),
		IN_RIG(test_disabled_outlives),
		IN_RIG(test_failed_commit_of_a_state),
		IN_RIG(test_gone_and_by_hand),
		IN_RIG(test_settings_count_too),
		IN_RIG(test_no_such_destination),
		IN_RIG(test_enabled_already),
		IN_RIG(test_record_keeps_since_when_it_is_down),
		IN_RIG(test_away_and_back),
		IN_RIG(test_away_amid_work),
		IN_RIG(test_disabled_away_and_back),
		IN_RIG(test_forget),
		IN_RIG(test_forget_during_reads),
		IN_RIG(test_forget_during_a_read),
		IN_RIG(test_forget_before_a_commit),
		IN_RIG(test_forget_during_a_commit),
		IN_RIG(test_forget_and_close),
		cmocka_unit_test_setup_teardown(test_forget_one_of_two, rig_open_two, rig_close),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
