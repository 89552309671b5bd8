/* Seeds: as text, and as what a broadcast starts from until its rows say otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/seed.h"

#define URL "https://api.example.com"

static void test_it_is_read_as_it_was_written(void **state)
{
	(void)state;
	for (unsigned order = SORT_UNKNOWN; order <= SORT_NONE; order++) {
		struct seed s = {order,	     order % 2, order % (COUNTERS_ABSENT + 1),
				 order * 10, order % 2, order % 3 == 0};
		struct seed read;
		struct buf text = BUF_INIT(4096);
		struct err err = {0};
		seed_write(&text, &s, URL, 1795392000000);
		assert_int_equal(seed_read(&read, text.data, text.len, URL, &err), 0);
		assert_int_equal(read.order, s.order);
		assert_int_equal(read.newest_first, s.newest_first);
		assert_int_equal(read.counters, s.counters);
		assert_int_equal(read.take, s.take);
		assert_int_equal(read.counts, s.counts);
		assert_int_equal(read.filters, s.filters);
		buf_release(&text);
	}
}

static void refused(const char *text, const char *why)
{
	struct seed s = {.take = 7};
	struct err err = {0};

	assert_int_equal(seed_read(&s, text, strlen(text), URL, &err), -1);
	if (!strstr(err.msg, why))
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(s.take, 7);
}

static void test_what_is_no_seed_of_this_api(void **state)
{
	struct seed s;
	struct err err = {0};
	const char odd[] =
		"{\"base_url\":\"" URL "\",\"order\":\"up\",\"counters\":3,\"take\":5000}";

	(void)state;
	refused("", "not JSON");
	refused("[]", "no base_url");
	refused("{\"base_url\":\"https://other.example.com\"}", "another base_url");
	assert_int_equal(seed_read(&s, odd, strlen(odd), URL, &err), 0);
	assert_int_equal(s.order, SORT_UNKNOWN);
	assert_int_equal(s.counters, COUNTERS_UNKNOWN);
	assert_int_equal(s.take, 0);
}

#define ROWS 100

/* A page of rows made at these times, one a second, changed at those. */
static void vote(struct sorting *o, int created_step, int updated_step)
{
	static char ids[ROWS][8];
	struct row v[ROWS] = {0};

	for (int i = 0; i < ROWS; i++) {
		snprintf(ids[i], sizeof ids[i], "%d", i * 37 % ROWS);
		v[i].id = ids[i];
		v[i].created_ms = 1000000 + i * created_step + (created_step ? 0 : i * 37 % ROWS);
		v[i].updated_ms = 2000000 + i * updated_step + (updated_step ? 0 : i * 41 % ROWS);
	}
	sorting_vote(o, v, ROWS);
}

static struct chase *start(const struct seed *s)
{
	static struct chase c;

	chase_release(&c);
	chase_init(&c, 0);
	seed_apply(&c, s);
	return &c;
}

static void test_the_order_stands_until_a_page_was_read(void **state)
{
	struct chase *c = start(&(struct seed){.order = SORT_UPDATED, .newest_first = true});

	(void)state;
	assert_int_equal(sorting_of(&c->order), SORT_UPDATED);
	assert_true(sorting_newest_first(&c->order));
	vote(&c->order, 1000, 0); /* oldest first */
	assert_int_equal(sorting_of(&c->order), SORT_CREATED);
	assert_false(sorting_newest_first(&c->order));

	c = start(&(struct seed){.order = SORT_UPDATED, .newest_first = true});
	vote(&c->order, 0, 1000);
	assert_int_equal(sorting_of(&c->order), SORT_UPDATED);
	assert_false(sorting_newest_first(&c->order));

	c = start(&(struct seed){.order = SORT_NONE});
	assert_int_equal(sorting_of(&c->order), SORT_NONE);
	vote(&c->order, 0, 0);
	assert_int_equal(sorting_of(&c->order), SORT_UNKNOWN);

	c = start(&(struct seed){.order = SORT_CREATED, .newest_first = true});
	assert_int_equal(sorting_of(&c->order), SORT_UNKNOWN);
}

/* Where both agree, as before anything has changed, the seed says which of them it is. */
static void test_of_two_that_agree_it_names_one(void **state)
{
	struct chase *c = start(&(struct seed){.order = SORT_UPDATED, .newest_first = true});

	(void)state;
	vote(&c->order, -1000, -1000);
	assert_int_equal(sorting_of(&c->order), SORT_UPDATED);
	vote(&c->order, -1000, 0);
	assert_int_equal(sorting_of(&c->order), SORT_CREATED);
	c = start(&(struct seed){0});
	vote(&c->order, -1000, -1000);
	assert_int_equal(sorting_of(&c->order), SORT_CREATED);
}

static void listed(struct chase *c, const struct planes *held, unsigned sent, int64_t now)
{
	char counters[64];

	snprintf(counters, sizeof counters, "{\"sent_count\":%u}", sent);
	counts_ask(&c->counts, held);
	chase_listed(c, &(struct chase_entry){counters, true, now, now}, held, now);
}

static void test_counters_are_believed_again(void **state)
{
	struct chase *c = start(&(struct seed){.counters = COUNTERS_BEHIND, .take = 50});
	struct planes held = {0};

	(void)state;
	assert_true(counts_lag(&c->counts));
	assert_int_equal(c->take, 50);
	for (unsigned i = 1; i <= 30 && counts_lag(&c->counts); i++) {
		planes_set(&held, i, 0, UINT64_C(1) << ask_flag(ASK_SENT));
		listed(c, &held, i, i * 5000);
	}
	assert_false(counts_lag(&c->counts));
	c = start(&(struct seed){.counters = COUNTERS_WRONG});
	assert_false(counts_lag(&c->counts));
	assert_int_equal(c->take, 100);
	chase_release(c);
	planes_release(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_read_as_it_was_written),
		cmocka_unit_test(test_what_is_no_seed_of_this_api),
		cmocka_unit_test(test_the_order_stands_until_a_page_was_read),
		cmocka_unit_test(test_of_two_that_agree_it_names_one),
		cmocka_unit_test(test_counters_are_believed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
