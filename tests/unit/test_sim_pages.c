/* sim pages: the API's own page size, overlapping, repeated and endless pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sim_client.h"

#define LATE  (SIM_EPOCH + 3600000LL)
#define TOTAL 250

static struct model *make(const char *const *specs, size_t n)
{
	struct sim_broadcast b = {.recipients = TOTAL};
	struct model_options o = sim_options(&b, SIM_ORDER_CREATED_OLDEST);
	struct err err = {0};

	o.next_tokens = true;
	struct model *m = sim_make_with(&o);
	if (model_set_faults(m, specs, n, &err))
		fail_msg("%s", err.msg);
	return m;
}

/* Row ids of a page as numbers: where they stand in the whole list. */
static size_t page_of(struct model *m, const struct sim_rows *all, const char *query, int ret[200])
{
	struct json_doc *doc = json_doc_new();
	size_t n = 0;

	for (const struct json *v = json_first(sim_read(m, LATE, SIM_PATH, query, doc)); v;
	     v = json_next(v)) {
		const struct sim_row *row = sim_rows_find(all, json_string(json_get(v, "id")));
		assert_non_null(row);
		ret[n++] = (int)(row - all->v);
	}
	json_doc_free(doc);
	return n;
}

struct expected {
	const char *query;
	int first; /* in the whole list; the others follow, from the start again behind the end */
	size_t n;
	const char *take, *next; /* headers */
};

static void assert_page(struct model *m, const struct sim_rows *all, const struct expected *e)
{
	int rows[200];
	struct sim_reply reply;
	size_t n = page_of(m, all, e->query, rows);

	if (n != e->n)
		fail_msg("%s: %zu rows", e->query, n);
	for (size_t i = 0; i < n; i++)
		if (rows[i] != (e->first + (int)i) % TOTAL)
			fail_msg("%s: row %zu is %d", e->query, i, rows[i]);
	sim_ask(m, LATE, SIM_PATH, e->query, &reply);
	const char *next = sim_reply_header(&reply, "pagination-next");
	assert_string_equal(sim_reply_header(&reply, "pagination-count"), "250");
	assert_string_equal(sim_reply_header(&reply, "pagination-take"), e->take);
	assert_string_equal(next ? next : "", e->next);
	sim_reply_release(&reply);
}

static void assert_pages(const char *const *specs, size_t nspecs, const struct expected *e,
			 size_t n)
{
	struct model *m = make(NULL, 0);
	struct sim_rows all;

	sim_rows(m, LATE, "", 100, &all);
	assert_int_equal(all.n, TOTAL);
	model_free(m);
	m = make(specs, nspecs);
	for (size_t i = 0; i < n; i++)
		assert_page(m, &all, &e[i]);
	sim_rows_release(&all);
	model_free(m);
}

#define ASSERT_PAGES(specs, pages)                                                                 \
	assert_pages(specs, sizeof(specs) / sizeof *(specs), pages, sizeof(pages) / sizeof *(pages))

static void the_apis_own_page_size(void **state)
{
	static const char *const specs[] = {"take=60"};
	static const struct expected pages[] = {
		{"page=1&take=100", 0, 60, "60", "pg_2"},
		{"page=2&take=100", 60, 60, "60", "pg_3"},
		{"page=5", 240, 10, "60", ""},
		{"page=6", 0, 0, "60", ""},
		{"page=3&take=7", 14, 7, "7", "pg_4"},
	};

	(void)state;
	ASSERT_PAGES(specs, pages);
}

static void neighbours_share_rows(void **state)
{
	static const char *const specs[] = {"overlap=3"};
	static const struct expected pages[] = {
		{"", 0, 100, "100", "pg_2"},
		{"page=2", 97, 100, "100", "pg_3"},
		{"page=3", 194, 56, "100", ""},
		{"page=4", 0, 0, "100", ""},
		{"page=2&take=10", 7, 10, "10", "pg_3"},
		{"page=5&take=1", 4, 1, "1", "pg_6"},
	};

	(void)state;
	ASSERT_PAGES(specs, pages);
}

static void the_same_page_for_every_number(void **state)
{
	static const char *const specs[] = {"repeat"};
	static const struct expected pages[] = {
		{"page=1", 0, 100, "100", "pg_2"},
		{"page=3", 0, 100, "100", "pg_4"},
		{"page=900&take=10", 0, 10, "10", "pg_901"},
	};

	(void)state;
	ASSERT_PAGES(specs, pages);
}

static void pages_without_an_end(void **state)
{
	static const char *const specs[] = {"endless"};
	static const struct expected pages[] = {
		{"page=2", 100, 100, "100", "pg_3"},
		{"page=3", 200, 100, "100", "pg_4"},
		{"page=4", 300, 100, "100", "pg_5"},
		{"page=1001&take=7", 7000, 7, "7", "pg_1002"},
	};

	(void)state;
	ASSERT_PAGES(specs, pages);
}

/* Fewer rows than a page has: it shows them again and again; none: it is empty. */
static void endless_pages_of_few_rows(void **state)
{
	static const char *const specs[] = {"endless"};
	struct model *m = make(specs, 1);
	struct sim_reply reply;
	size_t n = 0;

	(void)state;
	uint64_t skipped = sim_count(m, LATE, "is_skipped=true");
	assert_in_range(skipped, 1, 49);
	sim_ask(m, LATE, SIM_PATH, "is_skipped=true", &reply);
	for (const char *at = reply.body.data; (at = strstr(at, "broadcast_name")); at++)
		n++;
	assert_int_equal(n, 100);
	sim_reply_release(&reply);
	sim_ask(m, LATE, SIM_PATH, "is_skipped=true&is_sent=true", &reply);
	assert_string_equal(reply.body.data, "[]");
	sim_reply_release(&reply);
	model_free(m);
}

static void several_at_once(void **state)
{
	static const char *const specs[] = {"endless", "overlap=10", "take=50", "headers,p=0"};
	static const struct expected pages[] = {
		{"page=2&take=100", 40, 50, "50", "pg_3"},
		{"page=7", 240, 50, "50", "pg_8"},
	};

	(void)state;
	ASSERT_PAGES(specs, pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_apis_own_page_size),
		cmocka_unit_test(neighbours_share_rows),
		cmocka_unit_test(the_same_page_for_every_number),
		cmocka_unit_test(pages_without_an_end),
		cmocka_unit_test(endless_pages_of_few_rows),
		cmocka_unit_test(several_at_once),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
