/* store_pages — a broadcast's rows in the order of their numbers, a page at a time, each page with
 * the sequence at which it holds. */
#include "tests/suite/store_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "relay/base/hash.h"
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

struct asked {
	const char *broadcast, *org;
	uint32_t number; /* behind the row of that number and … */
	const char *id;	 /* … id; NULL: from the first on */
	size_t limit;
};

/* "a b …" and what the page says besides. */
static void expect(struct world *w, const struct asked *a, const char *expected)
{
	struct page_place place = {a->number, a->id ? hash64(a->id, strlen(a->id)) : 0};
	const struct page_query q = {a->broadcast, a->org, a->id ? &place : NULL, a->limit};
	struct page p = page_of(w, w->store, &q);
	struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < p.rows.n; i++)
		buf_addf(&text, "%s ", p.rows.v[i].id);
	buf_addf(&text, "at %lld of %s/%s%s%s%s", (long long)p.sequence,
		 p.broadcast.org ? p.broadcast.org : "-", p.broadcast.id ? p.broadcast.id : "-",
		 p.more ? " more" : "", p.ambiguous ? " ambiguous" : "", p.astray ? " astray" : "");
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
	put(b, 2, UINT32_MAX, "far"); /* numbers may have gaps */
	put(b, 4, 0, "of d");
	world_commit(w, b, world_events(5), NULL);
}

static void pages_are_in_the_order_of_numbers(void **state)
{
	struct world *w = *state;
	static const struct {
		struct asked q;
		const char *expected;
	} cases[] = {
		{{"bc_1", NULL, 0, NULL, 100}, "m b Z \xc3\xa4 a10 a1 a2 at 5 of c/bc_1"},
		{{"bc_1", "c", 0, NULL, 7}, "m b Z \xc3\xa4 a10 a1 a2 at 5 of c/bc_1"},
		{{"bc_1", NULL, 0, NULL, 3}, "m b Z at 5 of c/bc_1 more"},
		{{"bc_1", NULL, 2, "Z", 3}, "\xc3\xa4 a10 a1 at 5 of c/bc_1 more"},
		{{"bc_1", NULL, 5, "a1", 3}, "a2 at 5 of c/bc_1"},
		{{"bc_1", NULL, 0, "m", 1}, "b at 5 of c/bc_1 more"},
		{{"bc_1", NULL, 5, "a1", 1}, "a2 at 5 of c/bc_1"},
		{{"bc_1", NULL, 6, "a2", 3}, "at 5 of c/bc_1"},
		{{"bc_1", NULL, 0, "b", 3}, "at 5 of c/bc_1 astray"},
		{{"bc_1", NULL, 7, "a2", 3}, "at 5 of c/bc_1 astray"},
		{{"bc_1", NULL, UINT32_MAX, "a2", 3}, "at 5 of c/bc_1 astray"},
		{{"bc_2", NULL, 0, "m", 9}, "at 5 of c/bc_2 astray"},
		{{"bc_2", NULL, 0, NULL, 9}, "other far at 5 of c/bc_2"},
		{{"bc_2", NULL, 0, "other", 9}, "far at 5 of c/bc_2"},
		{{"bc_3", "c", 0, NULL, 9}, "at 5 of c/bc_3"},
		{{"bc_3", "c", 0, "m", 9}, "at 5 of c/bc_3 astray"},
		{{"bc_3", "d", 0, NULL, 9}, "of d at 5 of d/bc_3"},
		{{"bc_3", NULL, 0, NULL, 9}, "at 5 of c/bc_3 ambiguous"},
		{{"bc_1", "d", 0, NULL, 9}, "at 5 of -/-"},
		{{"bc_9", NULL, 0, NULL, 9}, "at 5 of -/-"},
		{{"bc_9", NULL, 0, "m", 9}, "at 5 of -/-"},
		{{"", NULL, 0, NULL, 9}, "at 5 of -/-"},
	};

	expect(w, &cases[0].q, "at 0 of -/-");
	fill(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(w, &cases[i].q, cases[i].expected);
}

static void a_page_has_all_that_is_known(void **state)
{
	struct world *w = *state;
	const struct page_query q = {"bc_1", NULL, NULL, 10};
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
	for (uint32_t i = 0; i < 10; i++)
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

/* What comes between two pages is behind all others. */
static void what_is_new_is_in_a_later_page(void **state)
{
	struct world *w = *state;
	struct store *s = w->store;
	struct batch *b = batch_new();

	fill(w);
	w->store = world_reading(w);
	expect(w, &(struct asked){"bc_1", NULL, 0, NULL, 5},
	       "m b Z \xc3\xa4 a10 at 5 of c/bc_1 more");
	put(b, 1, 7, "A");
	put(b, 1, 8, "a3");
	put(b, 2, 1, "a4");
	struct batch *batches[] = {b};
	PASS(w, s->type->commit(s, batches, 1, &w->err));
	batch_free(b);
	expect(w, &(struct asked){"bc_1", NULL, 4, "a10", 3}, "a1 a2 A at 5 of c/bc_1 more");
	expect(w, &(struct asked){"bc_1", NULL, 7, "A", 3}, "a3 at 5 of c/bc_1");
	expect(w, &(struct asked){"bc_2", NULL, 0, NULL, 2}, "other a4 at 5 of c/bc_2 more");
	s->type->close(w->store);
	w->store = s;
}

/* ---- many rows ---- */

#define MANY	 20000
#define AT_ONCE	 1000
#define FAR	 700000 /* numbers up to it: a store that prepares for a broadcast sees as many rows */
#define BOTH_END (2 * (MANY / AT_ONCE + 1))

static void put_many(struct world *w, uint32_t broadcast, const char *id)
{
	char row[16];

	for (uint32_t from = 0; from < MANY; from += MANY / 4) {
		struct batch *b = batch_new();
		if (!from) {
			put_broadcast(b, broadcast, "c", id);
			put(b, broadcast, FAR, "last");
		}
		for (uint32_t i = from; i < from + MANY / 4; i++) {
			snprintf(row, sizeof row, "%08x", i * 2654435761U);
			put(b, broadcast, i, row);
		}
		world_commit(w, b, NULL);
	}
}

struct walk {
	const char *broadcast;
	struct page_place place;
	size_t rows;
	bool over;
};

static void go_on(struct world *w, struct walk *walk)
{
	const struct page_query q = {walk->broadcast, NULL, walk->rows ? &walk->place : NULL,
				     AT_ONCE};
	struct page p = page_of(w, w->store, &q);

	assert_in_range(p.rows.n, 1, AT_ONCE);
	for (size_t i = 0; i < p.rows.n; i++, walk->rows++) {
		assert_int_equal(p.rows.v[i].number, walk->rows < MANY ? walk->rows : FAR);
		walk->place = page_place_of(&p.rows.v[i]);
	}
	walk->over = !p.more;
	page_release(&p);
}

/* However many rows the two have together, neither costs the other a call. */
static void two_are_gone_through_by_turns(void **state)
{
	struct world *w = *state;
	struct walk walks[] = {{.broadcast = "bc_1"}, {.broadcast = "bc_2"}};
	size_t calls = 0;

	put_many(w, 1, "bc_1");
	put_many(w, 2, "bc_2");
	for (size_t i = 0; calls < BOTH_END && !(walks[0].over && walks[1].over); i++)
		if (!walks[i % 2].over) {
			go_on(w, &walks[i % 2]);
			calls++;
		}
	for (size_t i = 0; i < 2; i++) {
		assert_true(walks[i].over);
		assert_int_equal(walks[i].rows, MANY + 1);
	}
}

/* ---- places as text ---- */

static void a_place_is_read_as_it_was_written(void **state)
{
	static const char *const wrong[] = {"",
					    "-",
					    "0",
					    "rcp_1",
					    "7-12ab",
					    "07-00000000000012ab",
					    "7-00000000000012AB",
					    "7-00000000000012ab ",
					    "+7-00000000000012ab",
					    " 7-00000000000012ab",
					    "-7-00000000000012ab",
					    "7--0000000000012ab",
					    "7-0x000000000012ab",
					    "4294967296-00000000000012ab",
					    "18446744073709551623-00000000000012ab",
					    "7-100000000000012ab",
					    "7 00000000000012ab"};
	static const struct page_place right[] = {{0, 0}, {7, 0x12ab}, {UINT32_MAX, UINT64_MAX}};
	struct page_place p = {3, 4};
	char text[PAGE_PLACE_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(page_place_read(&p, wrong[i]));
	assert_true(p.number == 3 && p.id == 4);
	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		page_place_write(text, right[i]);
		assert_true(page_place_read(&p, text));
		assert_true(p.number == right[i].number && p.id == right[i].id);
	}
	page_place_write(text, right[1]);
	assert_string_equal(text, "7-00000000000012ab");
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
	const struct page_query q = {"bc_1", NULL, NULL, ROWS + 1};
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
	cmocka_unit_test(pages_are_in_the_order_of_numbers),
	cmocka_unit_test(a_page_has_all_that_is_known),
	cmocka_unit_test(what_is_new_is_in_a_later_page),
	cmocka_unit_test(two_are_gone_through_by_turns),
	cmocka_unit_test(a_place_is_read_as_it_was_written),
	cmocka_unit_test(rows_and_sequence_agree),
};
const size_t nstore_pages = sizeof store_pages / sizeof *store_pages;
