/* Tests of the hold on retention: who has to wait for whom, and that both have their turn. */
#include "relay/journal/hold.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/base/clock.h"

#define DEADLINE_MS 10000
#define TURNS	    200

struct fixture {
	struct mailbox *loop;
	struct hold *hold;
	int given;
	atomic_bool taking, ended;
	atomic_int passes; /* that took */
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){.loop = mailbox_open(NULL, NULL)};
	f.hold = hold_new(f.loop);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hold_free(f->hold);
	mailbox_close(f->loop);
	return 0;
}

static void given(void *arg)
{
	struct fixture *f = arg;

	f->given++;
}

/* How often it was given so far. */
static int look(struct fixture *f)
{
	mailbox_run(f->loop);
	return f->given;
}

static void while_it_is_there_no_pass_takes(void **state)
{
	struct fixture *f = *state;

	hold_ask(f->hold, given, f);
	assert_int_equal(f->given, 0); /* on the loop */
	assert_int_equal(look(f), 1);
	for (int i = 0; i < 3; i++) {
		assert_false(hold_begin_pass(f->hold));
		hold_end_pass(f->hold, i > 0);
	}
	hold_end(f->hold);
	assert_true(hold_begin_pass(f->hold));
	hold_end_pass(f->hold, false);
	assert_int_equal(look(f), 1);
}

/* Though there is more to take: that comes later. */
static void a_pass_under_way_ends_first(void **state)
{
	struct fixture *f = *state;

	assert_true(hold_begin_pass(f->hold));
	hold_ask(f->hold, given, f);
	assert_int_equal(look(f), 0);
	hold_end_pass(f->hold, true);
	assert_int_equal(look(f), 1);
	assert_false(hold_begin_pass(f->hold));
	hold_end_pass(f->hold, true);
	hold_end(f->hold);
}

static void what_it_put_off_comes_before_the_next(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		hold_ask(f->hold, given, f);
		assert_int_equal(look(f), 2 * i + 1);
		assert_false(hold_begin_pass(f->hold));
		hold_end_pass(f->hold, true);
		hold_end(f->hold);
		hold_ask(f->hold, given, f);
		assert_int_equal(look(f), 2 * i + 1);
		assert_true(hold_begin_pass(f->hold));
		assert_int_equal(look(f), 2 * i + 1);
		hold_end_pass(f->hold, true);
		assert_int_equal(look(f), 2 * i + 2);
		hold_end(f->hold);
	}
}

static void a_pass_that_finds_nothing_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 3; i++) {
		hold_ask(f->hold, given, f);
		assert_int_equal(look(f), i);
		assert_false(hold_begin_pass(f->hold));
		hold_end_pass(f->hold, false);
		hold_end(f->hold);
	}
}

static void without_further_passes_it_is_given(void **state)
{
	struct fixture *f = *state;

	hold_ask(f->hold, given, f);
	assert_false(hold_begin_pass(f->hold));
	hold_end_pass(f->hold, true);
	assert_int_equal(look(f), 1);
	hold_end(f->hold);
	hold_ask(f->hold, given, f);
	assert_int_equal(look(f), 1);
	hold_end_passes(f->hold);
	assert_int_equal(look(f), 2);
}

/* There is always more to take. */
static void *pass(void *arg)
{
	struct fixture *f = arg;

	while (!atomic_load(&f->ended)) {
		if (hold_begin_pass(f->hold)) {
			atomic_store(&f->taking, true);
			atomic_fetch_add(&f->passes, 1);
			atomic_store(&f->taking, false);
		}
		hold_end_pass(f->hold, true);
	}
	return NULL;
}

static void both_have_their_turns(void **state)
{
	struct fixture *f = *state;
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	pthread_t thread;
	bool overlap = false;

	assert_int_equal(pthread_create(&thread, NULL, pass, f), 0);
	while ((f->given < TURNS || atomic_load(&f->passes) < TURNS) && clock_now().mono_ms < end) {
		int before = f->given;

		hold_ask(f->hold, given, f);
		while (look(f) == before && clock_now().mono_ms < end)
			mailbox_wait(f->loop, 100);
		int passes = atomic_load(&f->passes);
		overlap |= atomic_load(&f->taking);
		overlap |= atomic_load(&f->passes) != passes;
		hold_end(f->hold);
	}
	atomic_store(&f->ended, true);
	pthread_join(thread, NULL);
	assert_false(overlap);
	assert_true(f->given >= TURNS);
	assert_true(atomic_load(&f->passes) >= TURNS);
}

int main(void)
{
#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(while_it_is_there_no_pass_takes),
		IN_FIXTURE(a_pass_under_way_ends_first),
		IN_FIXTURE(what_it_put_off_comes_before_the_next),
		IN_FIXTURE(a_pass_that_finds_nothing_is_not_waited_for),
		IN_FIXTURE(without_further_passes_it_is_given),
		IN_FIXTURE(both_have_their_turns),
	};
	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
