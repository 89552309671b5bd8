/* store_index — a contact's rows are found however they came: in any order, written again, with
 * another contact, before and after housekeeping and restarts. */
#include "tests/suite/store_world.h"

#include <stdio.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/unit/random_runs.h"

#define ROWS	   600
#define BROADCASTS 2
#define CONTACTS   40

struct model {
	struct world *w;
	struct prng random;
	int64_t now_ms;
	bool is_there[BROADCASTS + 1][ROWS];
	int contact[BROADCASTS + 1][ROWS]; /* -1: none */
};

static uint64_t below(struct model *m, uint64_t n)
{
	return prng_next(&m->random) % n;
}

static char *name_of(int contact)
{
	return contact < 0 ? NULL : xasprintf("con_%d", contact);
}

static void put(struct batch *b, uint32_t broadcast, uint32_t number, char *contact)
{
	struct recipient_record *r = &fixture_recipient(b, broadcast, number)->r;

	free(r->contact_id);
	r->contact_id = contact;
}

/* Rows of anywhere, some of which are there already; some come twice. */
static void write_some(struct model *m)
{
	struct batch *b = batch_new();
	uint64_t n = 1 + below(m, 30);

	for (uint64_t i = 0; i < n; i++) {
		uint32_t broadcast = 1 + (uint32_t)below(m, BROADCASTS);
		uint32_t number = (uint32_t)below(m, ROWS);
		int contact = (int)below(m, CONTACTS + 4) - 4;

		m->is_there[broadcast][number] = true;
		m->contact[broadcast][number] = contact;
		put(b, broadcast, number, name_of(contact));
	}
	world_commit(m->w, b, NULL);
}

static void fail_to_write(struct model *m)
{
	struct batch *b = world_events(1);

	for (uint32_t i = 0; i < 9; i++)
		put(b, 1, (uint32_t)below(m, ROWS), name_of((int)below(m, CONTACTS)));
	fixture_route(b, 1, true); /* twice the same: no store takes that */
	assert_int_equal(m->w->store->type->commit(m->w->store, &b, 1, &m->w->err), -1);
	batch_free(b);
}

static void expect_contact(struct model *m, uint32_t broadcast, int contact,
			   const struct recipient_records *r, size_t *at)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		if (!m->is_there[broadcast][i] || m->contact[broadcast][i] != contact)
			continue;
		assert_true(*at < r->n);
		assert_int_equal(r->v[(*at)++].number, i);
	}
}

static void ask(struct model *m)
{
	char *names[8];
	int contacts[8];
	struct row_query q = {
		.kind = ROWS_OF_CONTACTS,
		.broadcast = 1 + (uint32_t)below(m, BROADCASTS),
		.contacts = (const char *const *)names,
		.ncontacts = below(m, 9),
	};
	struct recipient_records r;
	size_t at = 0;

	for (size_t i = 0; i < q.ncontacts; i++) {
		contacts[i] = (int)below(m, CONTACTS + 1); /* one that nobody has */
		names[i] = name_of(contacts[i]);
	}
	PASS(m->w, m->w->store->type->rows(m->w->store, &q, &r, &m->w->err));
	for (size_t i = 0; i < q.ncontacts; i++) {
		expect_contact(m, q.broadcast, contacts[i], &r, &at);
		free(names[i]);
	}
	assert_int_equal(at, r.n);
	recipient_records_release(&r);
}

static void contacts_are_found_however_rows_came(void **state)
{
	struct random_runs runs = random_runs(400, random_u64());
	struct model *m = xcalloc(1, sizeof *m);

	*m = (struct model){.w = *state, .random.state = runs.seed, .now_ms = 1763805600000};
	for (size_t i = 0; i < runs.n; i++) {
		switch (below(m, 8)) {
		case 0:
			m->now_ms += (int64_t)below(m, 3000); /* and … */
		/* fall through */
		case 1: world_tidy(m->w, m->now_ms); break;
		case 2:
			if (below(m, 10) == 0)
				world_reopen(m->w);
			break;
		case 3: fail_to_write(m); break;
		case 4: write_some(m); break;
		default: ask(m);
		}
	}
	free(m);
}

/* More than housekeeping takes at a time. */
#define MANY 20000

static void expect_rows(struct world *w, const char *contact, const char *expected)
{
	struct row_query q = {
		.kind = ROWS_OF_CONTACTS, .broadcast = 1, .contacts = &contact, .ncontacts = 1};
	struct buf text = BUF_INIT(1000);
	struct recipient_records r;

	PASS(w, w->store->type->rows(w->store, &q, &r, &w->err));
	for (size_t i = 0; i < r.n; i++)
		buf_addf(&text, "%s%u", i ? " " : "", r.v[i].number);
	assert_string_equal(text.len ? text.data : "", expected);
	buf_release(&text);
	recipient_records_release(&r);
}

static void many_rows_are_found_before_and_after_housekeeping(void **state)
{
	struct world *w = *state;
	int64_t now_ms = 1763805600000;
	bool more;

	for (uint32_t i = 0; i < MANY;) {
		struct batch *b = batch_new();

		for (int k = 0; k < 1000; k++, i++)
			put(b, 1, i, xasprintf("con_%u", i % 9000));
		world_commit(w, b, NULL);
		if (i == MANY / 2)
			world_tidy(w, now_ms);
	}
	for (int round = 0; round < 3; round++) {
		expect_rows(w, "con_1", "1 9001 18001");
		expect_rows(w, "con_8999", "8999 17999");
		expect_rows(w, "con_1999", "1999 10999 19999");
		expect_rows(w, "con_2000", "2000 11000");
		for (int i = 8180; i < 8200; i++) { /* where a step may end */
			char *name = name_of(i), *numbers = xasprintf("%d %d", i, i + 9000);

			expect_rows(w, name, numbers);
			free(name);
			free(numbers);
		}
		expect_rows(w, "con_9000", "");
		if (round == 1)
			world_reopen(w);
		for (more = true; more;)
			w->store->type->tidy(w->store, now_ms, true, &more);
		now_ms += 10000;
	}
	struct batch *b = batch_new();
	put(b, 1, 9001, xstrdup("con_8999"));
	put(b, 1, 18001, NULL);
	world_commit(w, b, NULL);
	expect_rows(w, "con_1", "1");
	expect_rows(w, "con_8999", "8999 9001 17999");
}

/* ---- a store may look for contacts by a short hash */

struct hashed {
	uint32_t hash;
	int contact;
};

static int by_hash(const void *a, const void *b)
{
	uint32_t x = ((const struct hashed *)a)->hash, y = ((const struct hashed *)b)->hash;

	return x < y ? -1 : x > y;
}

/* Two whose hashes end in the same 32 bits. */
static void find_alike(int *ret_a, int *ret_b)
{
	enum { TRIED = 300000 };
	struct hashed *v = xcalloc(TRIED, sizeof *v);

	for (int i = 0; i < TRIED; i++) {
		char *name = name_of(i);

		v[i] = (struct hashed){(uint32_t)hash64(name, strlen(name)), i};
		free(name);
	}
	qsort(v, TRIED, sizeof *v, by_hash);
	for (int i = 1; i < TRIED; i++) {
		if (v[i].hash != v[i - 1].hash)
			continue;
		*ret_a = v[i - 1].contact;
		*ret_b = v[i].contact;
	}
	free(v);
}

static void contacts_that_hash_alike_are_told_apart(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new(), *later = batch_new();
	int one = -1, other = -1;

	find_alike(&one, &other);
	assert_true(one >= 0);
	char *x = name_of(one), *y = name_of(other);
	for (uint32_t i = 0; i < 4; i++)
		put(b, 1, i, xstrdup(i % 2 ? x : y));
	world_commit(w, b, NULL);
	for (int64_t round = 0; round < 2; round++) {
		expect_rows(w, x, "1 3");
		expect_rows(w, y, "0 2");
		world_tidy(w, 1763805600000 + round * 5000);
		world_tidy(w, 1763805600000 + round * 5000 + 2000);
	}
	put(later, 1, 1, xstrdup(y));
	put(later, 1, 2, xstrdup(x));
	world_commit(w, later, NULL);
	expect_rows(w, x, "2 3");
	expect_rows(w, y, "0 1");
	free(x);
	free(y);
}

const struct CMUnitTest store_index[] = {
	cmocka_unit_test(contacts_are_found_however_rows_came),
	cmocka_unit_test(many_rows_are_found_before_and_after_housekeeping),
	cmocka_unit_test(contacts_that_hash_alike_are_told_apart),
};
const size_t nstore_index = sizeof store_index / sizeof *store_index;
