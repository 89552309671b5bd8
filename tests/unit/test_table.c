/* The table of records against an array that does the same slowly, by random steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/base/table.h"

#define KEYS  400 /* few homes: they collide */
#define PARTS 3
#define MOST  700
#define STEPS 200000

struct record {
	struct table_head head;
	int64_t value;
};

/* The bits that choose a home are the same for many keys. */
static struct hash128 key_of(uint32_t i)
{
	return (struct hash128){.low = (uint64_t)(i % 7) << 20, .high = i};
}

static int64_t model[KEYS][PARTS]; /* 0: not there */

static void check_all(const struct table *t, uint32_t n)
{
	uint32_t found = 0;
	struct record *r;

	assert_int_equal(t->n, n);
	for (uint32_t i = 0; (r = table_from(t, i)); i = r->head.slot + 1) {
		assert_int_equal(model[r->head.key.high][r->head.part], r->value);
		assert_ptr_equal(table_at(t, r->head.slot), r);
		found++;
	}
	assert_int_equal(found, n);
	for (uint32_t k = 0; k < KEYS; k++)
		for (uint32_t p = 0; p < PARTS; p++) {
			r = table_get(t, key_of(k), p);
			assert_int_equal(r ? r->value : 0, model[k][p]);
		}
}

static void random_steps(void **state)
{
	struct prng p = {7};
	struct table t;
	uint32_t n = 0;

	(void)state;
	print_message("seed 7\n");
	table_init(&t, sizeof(struct record), MOST);
	for (int step = 1; step <= STEPS; step++) {
		uint32_t k = (uint32_t)(prng_next(&p) % KEYS), part = prng_next(&p) % PARTS;
		struct record *r = table_get(&t, key_of(k), part);
		/* It fills up and empties, in turns. */
		bool grows = step / 5000 % 2 == 0 || prng_next(&p) % 8 == 0;
		assert_int_equal(r ? r->value : 0, model[k][part]);
		if (!r && grows) {
			r = table_add(&t, key_of(k), part);
			assert_true(!r == (n == MOST));
			if (r) {
				assert_int_equal(r->value, 0);
				model[k][part] = r->value = step;
				n++;
			}
		} else if (r && !grows) {
			table_remove(&t, r);
			model[k][part] = 0;
			n--;
		}
		if (step % 1000 == 0)
			check_all(&t, n);
	}
	table_release(&t);
	assert_int_equal(table_bytes(&t), 0);
}

static void an_empty_table_holds_no_memory(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, sizeof(struct record), MOST);
	assert_null(table_get(&t, key_of(1), 0));
	assert_null(table_from(&t, 0));
	struct record *r = table_add(&t, key_of(1), 0);
	assert_true(table_bytes(&t) > 0);
	table_remove(&t, r);
	assert_int_equal(table_bytes(&t), 0);
	assert_null(table_get(&t, key_of(1), 0));
	table_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps),
		cmocka_unit_test(an_empty_table_holds_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
