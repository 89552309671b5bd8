/* store_contacts — recipients by contact, what is undecided of their contacts, and in portions. */
#include "tests/suite/store_world.h"

#include "relay/base/mem.h"

static struct recipient_records rows(struct world *w, const struct row_query *q)
{
	struct recipient_records r = {0};

	PASS(w, w->store->type->rows(w->store, q, &r, &w->err));
	return r;
}

/* The numbers found, as text, so that a difference shows. */
static void expect(struct world *w, const struct row_query *q, const char *numbers)
{
	struct recipient_records r = rows(w, q);
	char text[1024] = "";

	for (size_t i = 0; i < r.n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "",
			 r.v[i].number);
	assert_string_equal(text, numbers);
	recipient_records_release(&r);
}

static struct recipient_record *put(struct batch *b, uint32_t broadcast, uint32_t number,
				    const char *contact)
{
	struct recipient_record *r = &fixture_recipient(b, broadcast, number)->r;

	free(r->contact_id);
	r->contact_id = xstrdup(contact);
	return r;
}

static void expect_contact(struct world *w, const char *contact, const char *numbers)
{
	expect(w,
	       &(struct row_query){.kind = ROWS_OF_CONTACTS,
				   .broadcast = 1,
				   .contacts = &contact,
				   .ncontacts = 1},
	       numbers);
}

static void recipients_are_found_by_contact(void **state)
{
	struct world *w = *state;
	static const char *const two[] = {"b", "none", "a"};
	struct batch *b = batch_new(), *later = batch_new();

	put(b, 1, 5, "a");
	put(b, 1, 2, "a");
	put(b, 1, 3, "b");
	put(b, 1, 4, NULL);
	put(b, 1, 6, "");
	put(b, 2, 7, "a");
	world_commit(w, b, NULL);
	world_reopen(w);
	expect_contact(w, "a", "2 5");
	expect_contact(w, "", "6");
	expect_contact(w, "A", "");
	expect(w,
	       &(struct row_query){
		       .kind = ROWS_OF_CONTACTS, .broadcast = 1, .contacts = two, .ncontacts = 3},
	       "3 2 5");
	expect(w, &(struct row_query){.kind = ROWS_OF_CONTACTS, .broadcast = 1}, "");
	put(later, 1, 5, "b"); /* two contacts were made one */
	put(later, 1, 3, NULL);
	put(later, 1, 4, "b");
	world_commit(w, later, NULL);
	expect_contact(w, "a", "2");
	expect_contact(w, "b", "4 5");
}

static void a_contact_of_many_rows_is_cut(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	const char *contact = "a";
	struct row_query q = {
		.kind = ROWS_OF_CONTACTS, .broadcast = 1, .contacts = &contact, .ncontacts = 1};

	for (uint32_t i = 0; i < CONTACT_ROWS_MAX + 20; i++)
		put(b, 1, 1000 - i, "a");
	world_commit(w, b, NULL);
	struct recipient_records r = rows(w, &q);
	assert_int_equal(r.n, CONTACT_ROWS_MAX);
	assert_int_equal(r.v[0].number, 1000 - CONTACT_ROWS_MAX - 19);
	recipient_records_release(&r);
}

static void all_columns_come_with_each(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new(), *expected = batch_new();
	const char *contact = "ct_6";
	struct row_query queries[] = {
		{.kind = ROWS_OF_CONTACTS, .contacts = &contact, .ncontacts = 1},
		{.kind = ROWS_UNDECIDED, .limit = 1},
		{.kind = ROWS_AFTER, .from = 6, .limit = 1},
	};

	for (uint32_t i = 0; i < 10; i++)
		fixture_recipient(b, 1, i)->r.unreached_ms = 1000 - i % 7;
	fixture_recipient(expected, 1, 6)->r.unreached_ms = 994;
	world_commit(w, b, NULL);
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		queries[i].broadcast = 1;
		struct recipient_records r = rows(w, &queries[i]);
		assert_int_equal(r.n, 1);
		fixture_same_recipient(&r.v[0], &expected->recipients[0].r);
		recipient_records_release(&r);
	}
	batch_free(expected);
}

static void recipients_come_in_portions(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();

	for (uint32_t i = 0; i < 7; i++)
		fixture_recipient(b, 1, i * 2);
	fixture_recipient(b, 2, 1);
	world_commit(w, b, NULL);
	expect(w, &(struct row_query){ROWS_AFTER, 1, 0, 3, NULL, 0}, "0 2 4");
	expect(w, &(struct row_query){ROWS_AFTER, 1, 5, 3, NULL, 0}, "6 8 10");
	expect(w, &(struct row_query){ROWS_AFTER, 1, 10, 9, NULL, 0}, "10 12");
	expect(w, &(struct row_query){ROWS_AFTER, 1, UINT32_MAX, 9, NULL, 0}, "");
	expect(w, &(struct row_query){ROWS_AFTER, 3, 0, 9, NULL, 0}, "");
}

static void mark(struct batch *b, uint32_t number, int64_t ms)
{
	fixture_recipient(b, 1, number)->r.unreached_ms = ms;
}

static void decide(struct batch *b, uint32_t number, int64_t was, int64_t now)
{
	*batch_decided(b) = (struct decided_write){1, number, was, now};
}

static void expect_undecided(struct world *w, size_t limit, const char *numbers)
{
	expect(w, &(struct row_query){ROWS_UNDECIDED, 1, 0, limit, NULL, 0}, numbers);
}

static void what_is_undecided_is_found_until_it_is_decided(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();

	for (uint32_t i = 0; i < 4; i++)
		mark(b, i, 1000 - i);
	mark(b, 4, 0);
	mark(b, 5, UNREACHED_TOLD);
	fixture_recipient(b, 2, 6)->r.unreached_ms = 1;
	world_commit(w, b, NULL);
	world_reopen(w);
	expect_undecided(w, 10, "3 2 1 0");
	expect_undecided(w, 2, "3 2");
	b = batch_new();
	decide(b, 3, 997, UNREACHED_TOLD);
	decide(b, 2, 998, 0);
	decide(b, 1, 998, 0);  /* it is not what was decided */
	decide(b, 77, 998, 0); /* not there: no harm */
	assert_false(batch_is_empty(b));
	world_commit(w, b, NULL);
	expect_undecided(w, 10, "1 0");
}

/* A row that is written again says nothing of it, or that it has to be decided anew; what was told
 * stays told. */
static void a_mark_outlives_other_writes(void **state)
{
	struct world *w = *state;
	struct batch *a = batch_new(), *b = batch_new(), *c = batch_new();

	for (uint32_t i = 0; i < 4; i++)
		mark(a, i, 500 + i);
	decide(a, 3, 503, UNREACHED_TOLD);
	world_commit(w, a, NULL);
	mark(b, 0, 0);
	mark(b, 1, 400);
	mark(b, 3, 600);
	mark(b, 2, 600); /* twice in one commit: the second is of something else */
	mark(c, 2, 0);
	world_commit(w, b, c, NULL);
	expect_undecided(w, 10, "1 0 2");
	a = batch_new();
	decide(a, 0, 500, 0);
	decide(a, 2, 600, 0);
	mark(a, 0, 0);
	world_commit(w, a, NULL);
	expect_undecided(w, 10, "1");
}

const struct CMUnitTest store_contacts[] = {
	cmocka_unit_test(recipients_are_found_by_contact),
	cmocka_unit_test(a_contact_of_many_rows_is_cut),
	cmocka_unit_test(all_columns_come_with_each),
	cmocka_unit_test(recipients_come_in_portions),
	cmocka_unit_test(what_is_undecided_is_found_until_it_is_decided),
	cmocka_unit_test(a_mark_outlives_other_writes),
};
const size_t nstore_contacts = sizeof store_contacts / sizeof *store_contacts;
