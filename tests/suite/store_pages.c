/* store_pages — a broadcast's rows in the order of their ids, a page at a time, each page with the
 * sequence at which it holds. */
#include "tests/suite/store_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "relay/base/mem.h"

static void put_broadcast(struct batch *b, uint32_t number, const char *org, const char *id)
{
	*batch_broadcast(b) = (struct broadcast_record){.number = number,
							.org = xstrdup(org),
							.id = xstrdup(id),
							.name = xstrdup("Spring"),
							.status = xstrdup("SENDING"),
							.created_ms = DATE_NONE,
							.updated_ms = DATE_NONE,
							.counters = xstrdup("{\"sent_count\":3}"),
							.recipients = 7,
							.baseline_done = number == 1};
}

static struct recipient_record *put(struct batch *b, uint32_t broadcast, uint32_t number,
				    const char *id)
{
	struct recipient_record *r = &fixture_recipient(b, broadcast, number)->r;

	free(r->id);
	r->id = xstrdup(id);
	return r;
}

static struct page page_of(struct world *w, struct store *s, const struct page_query *q)
{
	struct page p;

	PASS(w, s->type->page(s, q, &p, &w->err));
	return p;
}

/* "a b …" and what the page says besides. */
static void expect(struct world *w, const struct page_query *q, const char *expected)
{
	struct page p = page_of(w, w->store, q);
	struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < p.rows.n; i++)
		buf_addf(&text, "%s ", p.rows.v[i].id);
	buf_addf(&text, "at %lld of %s/%s%s%s", (long long)p.sequence,
		 p.broadcast.org ? p.broadcast.org : "-", p.broadcast.id ? p.broadcast.id : "-",
		 p.more ? " more" : "", p.ambiguous ? " ambiguous" : "");
	assert_string_equal(text.data, expected);
	buf_release(&text);
	page_release(&p);
}

static void fill(struct world *w)
{
	static const char *const ids[] = {"m", "b", "Z", "\xc3\xa4", "a10", "a1", "a2"};
	struct batch *b = batch_new();

	put_broadcast(b, 1, "c", "bc_1");
	put_broadcast(b, 2, "c", "bc_2");
	put_broadcast(b, 3, "c", "bc_3");
	put_broadcast(b, 4, "d", "bc_3");
	for (uint32_t i = 0; i < 7; i++)
		put(b, 1, i, ids[i]);
	put(b, 2, 0, "other");
	put(b, 4, 0, "of d");
	world_commit(w, b, world_events(5), NULL);
}

static void pages_are_in_the_order_of_ids(void **state)
{
	struct world *w = *state;
	static const struct {
		struct page_query q;
		const char *expected;
	} cases[] = {
		{{"bc_1", NULL, "", 100}, "Z a1 a10 a2 b m \xc3\xa4 at 5 of c/bc_1"},
		{{"bc_1", "c", "", 7}, "Z a1 a10 a2 b m \xc3\xa4 at 5 of c/bc_1"},
		{{"bc_1", NULL, "", 3}, "Z a1 a10 at 5 of c/bc_1 more"},
		{{"bc_1", NULL, "a10", 3}, "a2 b m at 5 of c/bc_1 more"},
		{{"bc_1", NULL, "m", 3}, "\xc3\xa4 at 5 of c/bc_1"},
		{{"bc_1", NULL, "a", 1}, "a1 at 5 of c/bc_1 more"},
		{{"bc_1", NULL, "\xc3\xa4", 3}, "at 5 of c/bc_1"},
		{{"bc_1", NULL, "\xff", 3}, "at 5 of c/bc_1"},
		{{"bc_2", NULL, "", 9}, "other at 5 of c/bc_2"},
		{{"bc_3", "c", "", 9}, "at 5 of c/bc_3"},
		{{"bc_3", "d", "", 9}, "of d at 5 of d/bc_3"},
		{{"bc_3", NULL, "", 9}, "at 5 of c/bc_3 ambiguous"},
		{{"bc_1", "d", "", 9}, "at 5 of -/-"},
		{{"bc_9", NULL, "", 9}, "at 5 of -/-"},
		{{"", NULL, "", 9}, "at 5 of -/-"},
	};

	expect(w, &cases[0].q, "at 0 of -/-");
	fill(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(w, &cases[i].q, cases[i].expected);
}

static void a_page_has_all_that_is_known(void **state)
{
	struct world *w = *state;
	const struct page_query q = {"bc_1", NULL, "", 10};
	struct batch *b = batch_new(), *expected = batch_new();

	put_broadcast(b, 1, "c", "bc_1");
	for (uint32_t i = 0; i < 10; i++)
		fixture_recipient(b, 1, i);
	struct name_write *n = batch_name(b);
	*n = (struct name_write){.kind = 's', .name = "skipped"};
	n = batch_name(b);
	*n = (struct name_write){.kind = 't', .name = "SENDING"};
	world_commit(w, b, NULL);
	struct page p = page_of(w, w->store, &q);
	assert_int_equal(p.rows.n, 10);
	for (uint32_t i = 0; i < 10; i++) /* of one digit: ids and numbers have one order */
		fixture_same_recipient(&p.rows.v[i], &fixture_recipient(expected, 1, i)->r);
	assert_string_equal(p.states.v[0], "skipped");
	assert_string_equal(p.statuses.v[0], "SENDING");
	assert_string_equal(p.broadcast.name, "Spring");
	assert_string_equal(p.broadcast.counters, "{\"sent_count\":3}");
	assert_int_equal(p.broadcast.recipients, 7);
	assert_true(p.broadcast.baseline_done);
	page_release(&p);
	batch_free(expected);
}

/* What comes between two pages is in the second, if it belongs behind the first. */
static void what_is_new_is_in_the_next_page(void **state)
{
	struct world *w = *state;
	struct store *s = w->store;
	struct batch *b = batch_new();

	fill(w);
	w->store = world_reading(w);
	expect(w, &(struct page_query){"bc_1", NULL, "", 2}, "Z a1 at 5 of c/bc_1 more");
	put(b, 1, 7, "A");
	put(b, 1, 8, "a3");
	put(b, 2, 1, "a4");
	struct batch *batches[] = {b};
	PASS(w, s->type->commit(s, batches, 1, &w->err));
	batch_free(b);
	expect(w, &(struct page_query){"bc_1", NULL, "a1", 3}, "a10 a2 a3 at 5 of c/bc_1 more");
	expect(w, &(struct page_query){"bc_2", NULL, "", 3}, "a4 other at 5 of c/bc_2");
	expect(w, &(struct page_query){"bc_1", NULL, "", 3}, "A Z a1 at 5 of c/bc_1 more");
	s->type->close(w->store);
	w->store = s;
}

/* ---- many rows ---- */

#define MANY 50000

static void put_many(struct world *w)
{
	char id[16];

	for (uint32_t from = 0; from < MANY; from += MANY / 5) {
		struct batch *b = batch_new();
		if (!from)
			put_broadcast(b, 1, "c", "bc_1");
		for (uint32_t i = from; i < from + MANY / 5; i++) {
			snprintf(id, sizeof id, "%08x", i * 2654435761U);
			put(b, 1, i, id);
		}
		world_commit(w, b, NULL);
	}
}

static void a_large_broadcast_is_gone_through(void **state)
{
	struct world *w = *state;
	char after[16] = "";
	size_t n = 0, calls = 0;
	bool more = true;

	put_many(w);
	while (more) {
		const struct page_query q = {"bc_1", NULL, after, 1000};
		struct page p = page_of(w, w->store, &q);
		calls++;
		assert_true(!p.sorting || (!p.rows.n && p.more));
		assert_in_range(p.rows.n, 0, 1000);
		for (size_t i = 0; i < p.rows.n; i++, n++) {
			assert_true(strcmp(after, p.rows.v[i].id) < 0);
			snprintf(after, sizeof after, "%s", p.rows.v[i].id);
		}
		more = p.more;
		page_release(&p);
	}
	assert_int_equal(n, MANY);
	assert_in_range(calls, MANY / 1000, MANY / 1000 + 50);
	const struct page_query first = {"bc_1", NULL, "", 5};
	struct page p = page_of(w, w->store, &first);
	assert_int_equal(p.rows.n, 5);
	if (!w->store->type->rest) {
		page_release(&p);
		return;
	}
	w->store->type->rest(w->store); /* what it kept for speed is gone, and made once more */
	do {
		page_release(&p);
		p = page_of(w, w->store, &first);
	} while (p.sorting);
	assert_int_equal(p.rows.n, 5);
	assert_true(p.more);
	page_release(&p);
}

/* The first page, once the ids are in order; *ret: how many calls it took. */
static struct page sorted_page(struct world *w, const char *broadcast, size_t *ret)
{
	const struct page_query q = {broadcast, NULL, "", 5};
	struct page p = page_of(w, w->store, &q);

	for (*ret = 1; p.sorting; ++*ret) {
		page_release(&p);
		p = page_of(w, w->store, &q);
	}
	return p;
}

/* So far apart that a store does not keep the order of both: numbers stand for rows here. */
static void large_broadcasts_are_read_by_turns(void **state)
{
	struct world *w = *state;
	static const char *const ids[] = {"bc_1", "bc_2"};
	struct batch *b = batch_new();
	size_t calls;

	for (uint32_t i = 0; i < 2; i++) {
		put_broadcast(b, i + 1, "c", ids[i]);
		put(b, i + 1, 0, "near");
		put(b, i + 1, 700000, "far");
	}
	world_commit(w, b, NULL);
	for (int turn = 0; turn < 6; turn++) {
		struct page p = sorted_page(w, ids[turn / 2 % 2], &calls);
		assert_int_equal(p.rows.n, 2);
		assert_string_equal(p.rows.v[0].id, "far");
		assert_string_equal(p.rows.v[1].id, "near");
		assert_false(p.more);
		page_release(&p);
		if (turn % 2)
			assert_int_equal(calls, 1); /* it was kept */
	}
}

/* ---- rows and sequence agree ---- */

#define ROWS	50
#define COMMITS 300
#define CHUNK	7 /* events of a commit */

struct watch {
	struct store *store;
	struct err err;
	atomic_bool over;
	int64_t last; /* the sequence of the page before */
	size_t pages, growing;
	char wrong[512];
};

/* Event s is of row s % ROWS, which notes s when it has it. */
static void judge(struct watch *v, const struct page *p)
{
	int64_t known = p->sequence < ROWS ? p->sequence : ROWS;

	if (p->sequence < v->last || (int64_t)p->rows.n != known)
		snprintf(v->wrong, sizeof v->wrong, "%zu rows at %lld behind %lld", p->rows.n,
			 (long long)p->sequence, (long long)v->last);
	for (size_t i = 0; i < p->rows.n; i++) {
		int64_t of = strtoll(p->rows.v[i].id, NULL, 10), has = p->rows.v[i].updated_ms;

		if (has % ROWS != of || has > p->sequence || has + ROWS <= p->sequence)
			snprintf(v->wrong, sizeof v->wrong, "row %lld has %lld at %lld",
				 (long long)of, (long long)has, (long long)p->sequence);
	}
	v->growing += p->sequence > v->last;
	v->last = p->sequence;
	v->pages++;
}

static void *watch_pages(void *arg)
{
	struct watch *v = arg;
	const struct page_query q = {"bc_1", NULL, "", ROWS + 1};
	bool last = false;

	while (!last && !*v->wrong) {
		struct page p;
		last = atomic_load(&v->over);
		if (v->store->type->page(v->store, &q, &p, &v->err) != 0) {
			snprintf(v->wrong, sizeof v->wrong, "%s", v->err.msg);
			break;
		}
		judge(v, &p);
		page_release(&p);
	}
	return NULL;
}

static struct batch *step(int64_t first)
{
	struct batch *b = batch_new();
	char id[16];

	if (first == 1)
		put_broadcast(b, 1, "c", "bc_1");
	for (int64_t s = first; s < first + CHUNK; s++) {
		snprintf(id, sizeof id, "%lld", (long long)s % ROWS);
		fixture_event(b, "recipient.updated", id, (int)s, 0);
		/* Numbers in the order of first sight. */
		put(b, 1, (uint32_t)((s - 1) % ROWS), id)->updated_ms = s;
	}
	return b;
}

static void rows_and_sequence_agree(void **state)
{
	struct world *w = *state;
	struct watch v = {.store = world_reading(w)};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, watch_pages, &v), 0);
	for (int64_t i = 0; i < COMMITS; i++)
		world_commit(w, step(i * CHUNK + 1), NULL);
	atomic_store(&v.over, true);
	pthread_join(thread, NULL);
	w->store->type->close(v.store);
	assert_string_equal(v.wrong, "");
	assert_int_equal(v.last, COMMITS * CHUNK);
	assert_true(v.growing > 1); /* it saw several states */
}

const struct CMUnitTest store_pages[] = {
	cmocka_unit_test(pages_are_in_the_order_of_ids),
	cmocka_unit_test(a_page_has_all_that_is_known),
	cmocka_unit_test(what_is_new_is_in_the_next_page),
	cmocka_unit_test(a_large_broadcast_is_gone_through),
	cmocka_unit_test(large_broadcasts_are_read_by_turns),
	cmocka_unit_test(rows_and_sequence_agree),
};
const size_t nstore_pages = sizeof store_pages / sizeof *store_pages;
