/* What SQLite keeps for reading rows in the order of their ids goes again when it rests. */
#include "tests/suite/store_world.h"

#include <sqlite3.h>

#include "relay/base/mem.h"

#define ROWS 20000

static void fill(struct store *s)
{
	struct batch *b = batch_new();
	struct err err;

	*batch_broadcast(b) = (struct broadcast_record){
		.number = 1, .org = xstrdup("c"), .id = xstrdup("bc_1"), .status = xstrdup("SENT")};
	for (uint32_t i = 0; i < ROWS; i++)
		fixture_recipient(b, 1, i);
	assert_int_equal(s->type->commit(s, &b, 1, &err), 0);
	batch_free(b);
}

static void look(struct store *s)
{
	const struct page_query q = {"bc_1", NULL, "", 1};
	bool sorting = true;

	while (sorting) {
		struct page p;
		struct err err;
		assert_int_equal(s->type->page(s, &q, &p, &err), 0);
		sorting = p.sorting;
		page_release(&p);
	}
}

static void memory_is_given_back(void **state)
{
	void *options = fixture_sqlite();
	struct err err;
	struct store *w = store_sqlite.open(options, STORE_WRITE, &err);

	(void)state;
	assert_non_null(w);
	fill(w);
	struct store *s = store_sqlite.open(options, STORE_READ, &err);
	assert_non_null(s);
	store_sqlite.rest(s); /* nothing was asked for yet */
	look(s);
	sqlite3_int64 full = sqlite3_memory_used();
	store_sqlite.rest(s);
	sqlite3_int64 least = sqlite3_memory_used();
	assert_true(full - least > ROWS * 20);
	for (int i = 0; i < 5; i++) { /* and nothing is left over each time */
		look(s);
		store_sqlite.rest(s);
	}
	assert_in_range(sqlite3_memory_used(), 0, least + 65536);
	store_sqlite.close(s);
	store_sqlite.close(w);
	fixture_forget_sqlite(options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_given_back),
	};

	return cmocka_run_group_tests_name("sqlite_page", tests, NULL, NULL);
}
