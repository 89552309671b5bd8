/* A lock that is given in the order in which it is asked for. That a thread waits is seen by its
 * number, never by time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

#include "relay/base/turn.h"

#define THREADS 8
#define ROUNDS	2000

struct queue {
	struct turn turn;
	int order[THREADS]; /* what follows: by who has the turn */
	int served;
	long counted;
};

struct waiter {
	struct queue *queue;
	pthread_t thread;
	int number;
};

static void *wait_once(void *arg)
{
	struct waiter *w = arg;

	turn_take(&w->queue->turn);
	w->queue->order[w->queue->served++] = w->number;
	turn_leave(&w->queue->turn);
	return NULL;
}

/* So many have asked for the turn, who has it now among them. */
static void until_asked(struct turn *t, uint64_t n)
{
	for (bool seen = false; !seen; poll(NULL, 0, 1)) {
		pthread_mutex_lock(&t->lock);
		seen = t->asked == n;
		pthread_mutex_unlock(&t->lock);
	}
}

static void start(struct waiter *w, struct queue *q, int number, void *(*run)(void *))
{
	*w = (struct waiter){.queue = q, .number = number};
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void they_are_served_in_the_order_in_which_they_came(void **state)
{
	struct queue q = {.served = 0};
	struct waiter waiters[THREADS];

	(void)state;
	turn_init(&q.turn);
	turn_take(&q.turn);
	for (int i = 0; i < THREADS; i++) {
		start(&waiters[i], &q, i, wait_once);
		until_asked(&q.turn, (uint64_t)i + 2);
	}
	assert_int_equal(q.served, 0);
	turn_leave(&q.turn);
	for (int i = 0; i < THREADS; i++)
		pthread_join(waiters[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(q.order[i], i);
	turn_destroy(&q.turn);
}

/* The greedy one asks again at once, each time while the other waits. */
static void who_comes_again_stands_behind_who_waits(void **state)
{
	struct queue q = {.served = 0};
	struct waiter modest;

	(void)state;
	turn_init(&q.turn);
	turn_take(&q.turn);
	for (uint64_t i = 0; i < 200; i++) {
		q.served = 0;
		start(&modest, &q, 0, wait_once);
		until_asked(&q.turn, 2 * i + 2);
		turn_leave(&q.turn);
		turn_take(&q.turn);
		assert_int_equal(q.served, 1);
		pthread_join(modest.thread, NULL);
	}
	turn_leave(&q.turn);
	turn_destroy(&q.turn);
}

static void *count(void *arg)
{
	struct waiter *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		turn_take(&w->queue->turn);
		w->queue->counted++;
		turn_leave(&w->queue->turn);
	}
	return NULL;
}

static void one_has_it_at_a_time(void **state)
{
	struct queue q = {.counted = 0};
	struct waiter waiters[THREADS];

	(void)state;
	turn_init(&q.turn);
	for (int i = 0; i < THREADS; i++)
		start(&waiters[i], &q, i, count);
	for (int i = 0; i < THREADS; i++)
		pthread_join(waiters[i].thread, NULL);
	assert_int_equal(q.counted, THREADS * ROUNDS);
	turn_destroy(&q.turn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_served_in_the_order_in_which_they_came),
		cmocka_unit_test(who_comes_again_stands_behind_who_waits),
		cmocka_unit_test(one_has_it_at_a_time),
	};

	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
