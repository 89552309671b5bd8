/* nng_queue: what is told of a queue from two counts, against a queue that knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "tests/unit/random_runs.h"
#include "transports/nng_queue.h"

/* As pub.c of nng has it: one on its way out, then a queue. */
struct truth {
	uint64_t cap, queued, offered, left, dropped;
	bool busy, counted; /* the one on its way is counted as left already */
};

static void offer(struct truth *t)
{
	t->offered++;
	if (!t->busy)
		t->busy = true;
	else if (t->queued < t->cap)
		t->queued++;
	else
		t->dropped++;
}

/* In two steps: the count, then the next one on its way. */
static void leave(struct truth *t)
{
	if (!t->busy)
		return;
	if (!t->counted) {
		t->counted = true;
		t->left++;
		return;
	}
	t->counted = false;
	t->busy = t->queued > 0;
	t->queued -= t->busy;
}

static void check(const struct truth *t, const struct queue_guess *q)
{
	if (q->least > t->dropped || q->most < t->dropped)
		fail_msg("dropped %llu: told %llu to %llu", (unsigned long long)t->dropped,
			 (unsigned long long)q->least, (unsigned long long)q->most);
	assert_int_equal(queue_dropped(q), q->least);
	assert_true(queue_held_least(q) <= queue_held_most(q));
	assert_int_equal(queue_held_most(q), t->offered - t->left - q->least);
}

static void look(const struct truth *t, struct queue_guess *q)
{
	queue_look(q, t->offered, t->left);
	check(t, q);
}

static void the_truth_lies_between(void **state)
{
	struct random_runs runs = random_runs(2000, 7);

	(void)state;
	for (size_t i = 0; i < runs.n; i++) {
		struct prng r = {runs.seed + i};
		struct truth t = {.cap = 1 + prng_next(&r) % 20};
		double offers = prng_unit(&r), looks = prng_unit(&r) * 0.2;
		struct queue_guess q;

		queue_begin(&q, t.cap);
		for (int step = 0; step < 500; step++) {
			if (step % 100 == 0)
				offers = prng_unit(&r);
			if (prng_unit(&r) < offers)
				offer(&t);
			else
				leave(&t);
			if (prng_unit(&r) < looks)
				look(&t, &q);
		}
		while (t.busy)
			leave(&t);
		look(&t, &q);
		assert_int_equal(q.most, t.dropped); /* it has caught up */
	}
}

static void who_takes_nothing_is_known_exactly(void **state)
{
	struct truth t = {.cap = 16};
	struct queue_guess q;

	(void)state;
	queue_begin(&q, t.cap);
	for (int i = 1; i <= 200; i++) {
		offer(&t);
		if (i % 10)
			continue;
		look(&t, &q);
		assert_int_equal(q.least, t.dropped);
		assert_true(q.most <= t.dropped + 1);
	}
	assert_int_equal(t.dropped, 200 - 17);
}

static void who_keeps_up_has_lost_nothing(void **state)
{
	struct truth t = {.cap = 16};
	struct queue_guess q;

	(void)state;
	queue_begin(&q, t.cap);
	for (int i = 1; i <= 1000; i++) {
		for (int k = 0; k < 8; k++)
			offer(&t);
		for (int k = 0; k < 16; k++)
			leave(&t);
		look(&t, &q);
		assert_int_equal(q.most, 0);
	}
}

/* Slow and full: the bounds do not drift apart. */
static void bounds_stay_close(void **state)
{
	struct truth t = {.cap = 100};
	struct queue_guess q;

	(void)state;
	queue_begin(&q, t.cap);
	for (int i = 1; i <= 1000; i++) {
		for (int k = 0; k < 50; k++) {
			offer(&t);
			if (k % 10 == 0) {
				leave(&t);
				leave(&t);
			}
		}
		look(&t, &q);
		assert_true(q.most - q.least <= 5 + 1);
	}
	assert_true(t.dropped > 40000);
}

static void who_has_caught_up_is_known_exactly_again(void **state)
{
	struct truth t = {.cap = 100};
	struct queue_guess q;

	(void)state;
	queue_begin(&q, t.cap);
	for (int i = 0; i < 1000; i++)
		offer(&t);
	for (int i = 0; i < 40; i++)
		leave(&t);
	for (int second = 0; second < 4; second++) {
		look(&t, &q);
		queue_settle(&q);
		if (second < 3)
			assert_true(q.least < t.dropped);
		offer(&t); /* at first it stands still, then it takes all */
		while (second > 0 && t.busy)
			leave(&t);
	}
	assert_int_equal(q.least, t.dropped);
	assert_int_equal(q.most, t.dropped);
}

static void counts_that_began_late_do_no_harm(void **state)
{
	struct queue_guess q;

	(void)state;
	queue_begin(&q, 8);
	queue_look(&q, 2, 5); /* three went before it was counted what is offered */
	assert_int_equal(queue_held_most(&q), 0);
	assert_int_equal(q.most, 0);
	queue_look(&q, 6, 5);
	assert_int_equal(queue_held_most(&q), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_truth_lies_between),
		cmocka_unit_test(who_takes_nothing_is_known_exactly),
		cmocka_unit_test(who_keeps_up_has_lost_nothing),
		cmocka_unit_test(bounds_stay_close),
		cmocka_unit_test(who_has_caught_up_is_known_exactly_again),
		cmocka_unit_test(counts_that_began_late_do_no_harm),
	};

	return cmocka_run_group_tests_name("nng_queue", tests, NULL, NULL);
}
