/* mailbox — order of arrival, one wake per empty mailbox, nothing lost between threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mailbox.h"

#define PATIENCE_S 60 /* a test that waits in vain ends by SIGALRM */

struct note {
	struct trace *trace;
	int value;
};

struct trace {
	struct mailbox *m;
	int values[16];
	int n;
};

static void write_down(void *arg)
{
	struct note *note = arg;

	note->trace->values[note->trace->n++] = note->value;
}

static void count(void *arg)
{
	atomic_int *counter = arg;

	atomic_fetch_add(counter, 1);
}

static void runs_in_order_of_arrival(void **state)
{
	struct trace t = {0};
	struct note notes[5];

	(void)state;
	t.m = mailbox_open(NULL, NULL);
	assert_false(mailbox_run(t.m));
	for (int i = 0; i < 5; i++) {
		notes[i] = (struct note){&t, i};
		mailbox_post(t.m, write_down, &notes[i]);
	}
	assert_int_equal(t.n, 0);
	assert_true(mailbox_run(t.m));
	assert_int_equal(t.n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(t.values[i], i);
	assert_false(mailbox_run(t.m));
	mailbox_close(t.m);
	mailbox_close(NULL);
}

static void wakes_when_it_was_empty(void **state)
{
	atomic_int wakes = 0, runs = 0;
	struct mailbox *m = mailbox_open(count, &wakes);

	(void)state;
	for (int i = 0; i < 3; i++)
		mailbox_post(m, count, &runs);
	assert_int_equal(wakes, 1);
	mailbox_run(m);
	assert_int_equal(runs, 3);
	assert_int_equal(wakes, 1);
	mailbox_post(m, count, &runs);
	assert_int_equal(wakes, 2);
	mailbox_close(m);
	assert_int_equal(runs, 4);
}

static void post_next(void *arg)
{
	struct trace *t = arg;

	t->values[t->n] = t->n;
	if (++t->n < 3)
		mailbox_post(t->m, post_next, t);
}

static void a_message_may_post(void **state)
{
	struct trace t = {0};

	(void)state;
	t.m = mailbox_open(NULL, NULL);
	mailbox_post(t.m, post_next, &t);
	assert_true(mailbox_run(t.m));
	assert_int_equal(t.n, 1); /* the next one waits for the next run */
	mailbox_close(t.m);
	assert_int_equal(t.n, 3);
}

#define POSTERS 4
#define POSTS	4000

struct poster {
	struct mailbox *m;
	int next; /* the owner's: the number of this poster's message that must come next */
	struct numbered {
		struct poster *from;
		int number;
	} messages[POSTS];
};

static atomic_int out_of_order, handled;

static void take_numbered(void *arg)
{
	struct numbered *msg = arg;

	if (msg->from->next++ != msg->number)
		atomic_fetch_add(&out_of_order, 1);
	atomic_fetch_add(&handled, 1);
}

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++) {
		p->messages[i] = (struct numbered){p, i};
		mailbox_post(p->m, take_numbered, &p->messages[i]);
	}
	return NULL;
}

static void loses_nothing_between_threads(void **state)
{
	static struct poster posters[POSTERS];
	struct mailbox *m = mailbox_open(NULL, NULL);
	pthread_t threads[POSTERS];

	(void)state;
	alarm(PATIENCE_S);
	for (int i = 0; i < POSTERS; i++) {
		posters[i].m = m;
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
	}
	while (atomic_load(&handled) < POSTERS * POSTS) {
		mailbox_wait(m, -1);
		mailbox_run(m);
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	alarm(0);
	assert_int_equal(out_of_order, 0);
	assert_false(mailbox_run(m));
	mailbox_close(m);
}

static void waits_no_longer_than_asked(void **state)
{
	static const int waits_ms[] = {0, 1, 20, 1005};
	struct mailbox *m = mailbox_open(NULL, NULL);
	atomic_int runs = 0;

	(void)state;
	alarm(PATIENCE_S);
	for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
		int64_t from_us = clock_mono_us();
		mailbox_wait(m, waits_ms[i]);
		assert_true(clock_mono_us() - from_us >= waits_ms[i] * 1000LL);
	}
	mailbox_post(m, count, &runs);
	mailbox_wait(m, -1); /* does not run it, so it stays there */
	mailbox_wait(m, 1000000);
	assert_int_equal(runs, 0);
	alarm(0);
	mailbox_close(m);
	assert_int_equal(runs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_in_order_of_arrival),
		cmocka_unit_test(wakes_when_it_was_empty),
		cmocka_unit_test(a_message_may_post),
		cmocka_unit_test(loses_nothing_between_threads),
		cmocka_unit_test(waits_no_longer_than_asked),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
