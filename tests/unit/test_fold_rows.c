/* fold_rows: a row is found by its fold and its key together, written again, and taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/journal/fold_rows.h"

static void keep(struct fold_rows *rows, const char *fold, const char *key, const char *state)
{
	fold_rows_keep(rows, &(struct fold_record){(char *)fold, (char *)key, (char *)state});
}

static void a_row_has_a_fold_and_a_key(void **state)
{
	struct fold_rows rows;

	(void)state;
	fold_rows_init(&rows);
	keep(&rows, "a", "x", "1");
	keep(&rows, "b", "x", "2");
	keep(&rows, "a", "x", "3");
	assert_int_equal(rows.rows.n, 2);
	assert_string_equal(fold_rows_state(&rows, "a", "x"), "3");
	assert_string_equal(fold_rows_state(&rows, "b", "x"), "2");
	keep(&rows, "a", "x", NULL);
	keep(&rows, "a", "y", NULL);
	assert_null(fold_rows_state(&rows, "a", "x"));
	assert_int_equal(rows.rows.n, 1);
	fold_rows_release(&rows);
	assert_int_equal(rows.rows.n, 0);
	fold_rows_release(&rows);
}

static void many(void **state)
{
	enum { MANY = 20000 };
	struct fold_rows rows;
	char key[16];

	(void)state;
	fold_rows_init(&rows);
	for (int i = MANY; i > 0; i--) {
		snprintf(key, sizeof key, "%d", i);
		keep(&rows, "a", key, key);
	}
	for (int i = 1; i <= MANY; i++) {
		snprintf(key, sizeof key, "%d", i);
		assert_string_equal(fold_rows_state(&rows, "a", key), key);
	}
	fold_rows_release(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_a_fold_and_a_key),
		cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
