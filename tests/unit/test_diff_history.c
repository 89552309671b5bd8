/* diff over random histories: each rise is told once and under one id, however the history is cut
 * into looks and in whatever order members come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/looks.h"
#include "relay/base/random.h"

#define BASE  LOOKS_BASE
#define FLAGS 11 /* the nine of the API and two it may grow */
#define STEPS 40

static const char *const flag_names[FLAGS] = {"skipped",    "failed",	    "sent",   "delivered",
					      "complained", "unsubscribed", "opened", "played",
					      "bounced",    "clicked",	    "zapped"};

struct history {
	struct {
		unsigned flag;
		bool up;
		int64_t at; /* DATE_NONE: the API gives none */
	} v[STEPS];
	size_t n;
};

/* Steps in time order, a second apart, so that each rise has a time of its own. */
static void invent(struct history *h, struct prng *p, bool falls, bool undated)
{
	uint64_t states = 0;

	h->n = 0;
	for (int i = 0; i < STEPS; i++) {
		unsigned flag = (unsigned)(prng_next(p) % FLAGS);
		bool is_up = states >> flag & 1;
		if (is_up && !falls)
			continue;
		states ^= UINT64_C(1) << flag;
		h->v[h->n].flag = flag;
		h->v[h->n].up = !is_up;
		h->v[h->n].at = undated && flag % 2 ? DATE_NONE : BASE + i * 1000;
		h->n++;
	}
}

/* The row as it stands after n steps, its members in an order of chance. */
static void write_row(struct buf *row, const struct history *h, size_t n, struct prng *p)
{
	int64_t at[FLAGS] = {0};
	bool up[FLAGS] = {false};
	unsigned first = (unsigned)(prng_next(p) % FLAGS);

	for (size_t i = 0; i < n; i++) {
		up[h->v[i].flag] = h->v[i].up;
		at[h->v[i].flag] = h->v[i].at;
	}
	buf_clear(row);
	buf_adds(row, "{\"id\":\"r1\"");
	for (unsigned i = 0; i < FLAGS; i++) {
		unsigned flag = (first + i * 7) % FLAGS;
		char date[DATE_TEXT];
		buf_addf(row, ",\"is_%s\":%s", flag_names[flag],
			 up[flag]	    ? "true"
			 : prng_next(p) % 2 ? "false"
					    : "null");
		if (up[flag] && at[flag] != DATE_NONE)
			buf_addf(row, ",\"is_%s_at\":\"%s\"", flag_names[flag],
				 date_format(date, at[flag]));
	}
	buf_addc(row, '}');
}

#define IDS 400
struct ids {
	char v[IDS][EVENT_ID_SIZE];
	size_t n;
};

static bool has_id(const struct ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (strcmp(ids->v[i], id) == 0)
			return true;
	return false;
}

static void add_id(struct ids *ids, const char *id)
{
	assert_false(has_id(ids, id)); /* once */
	assert_true(ids->n < IDS);
	memcpy(ids->v[ids->n++], id, EVENT_ID_SIZE);
}

static void expect_flag(struct ids *ids, const char *type, const char *state, int64_t at)
{
	char id[EVENT_ID_SIZE], time[32];
	struct id_part parts[5] = {ID_PART("bc_1"), ID_PART("r1"), ID_PART(type)};
	size_t n = 3;

	snprintf(time, sizeof time, at < 0 ? "n%lld" : "%lld",
		 at < 0 ? -(long long)at : (long long)at);
	if (state)
		parts[n++] = ID_PART(state);
	parts[n++] = ID_PART(time);
	event_id(id, parts, n);
	add_id(ids, id);
}

/* What must be told, found without diff: per flag, the looks at which it stood otherwise than at
 * the look before. */
struct oracle {
	bool up[FLAGS];
	int64_t told_at[FLAGS]; /* of the last rise told; negative: the count of undated ones */
	struct ids ids;
};

static void foresee(struct oracle *o, const struct history *h, size_t n)
{
	for (unsigned flag = 0; flag < FLAGS; flag++) {
		bool up = false;
		int64_t at = DATE_NONE;
		char type[64];
		for (size_t i = 0; i < n; i++)
			if (h->v[i].flag == flag) {
				up = h->v[i].up;
				at = h->v[i].at;
			}
		if (up == o->up[flag])
			continue;
		o->up[flag] = up;
		if (up)
			o->told_at[flag] = at != DATE_NONE ? at : o->told_at[flag] - 1;
		snprintf(type, sizeof type, "recipient.%s", up ? flag_names[flag] : "reverted");
		expect_flag(&o->ids, type, up ? NULL : flag_names[flag], o->told_at[flag]);
	}
}

/* Looks after each of the steps named by `mask`, and after the last. */
static void follow(struct looks *r, const struct history *h, uint64_t mask, struct prng *p,
		   struct ids *told, struct ids *due)
{
	struct buf row = BUF_INIT(1 << 16);
	struct oracle o = {.ids = {.n = 0}};

	told->n = 0;
	looks_forget(r);
	for (size_t n = 0; n <= h->n; n++) {
		if (n < h->n && n > 0 && !(mask >> n & 1))
			continue;
		write_row(&row, h, n, p);
		looks_text(r, row.data);
		foresee(&o, h, n);
		for (size_t i = 0; i < r->out.n; i++)
			if (strcmp(r->out.v[i].type, "recipient.added") != 0)
				add_id(told, r->out.v[i].id);
		looks_text(r, row.data);
		assert_int_equal(r->out.n, 0);
	}
	*due = o.ids;
	buf_release(&row);
}

static void assert_same(const struct ids *a, const struct ids *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_true(has_id(b, a->v[i]));
}

static void random_histories(void **state)
{
	struct looks *r = *state;
	static struct ids told, again, due;
	struct history h;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct prng p = {seed};
		invent(&h, &p, seed % 2, seed % 4 > 1);
		uint64_t mask = prng_next(&p);
		follow(r, &h, mask, &p, &told, &due);
		assert_same(&told, &due);
		/* the same looks again, in another order of members: the same ids */
		follow(r, &h, mask, &p, &again, &due);
		assert_same(&told, &again);
	}
}

/* Where nothing falls back, the same events come out however the history is cut. */
static void any_cut_tells_the_same(void **state)
{
	struct looks *r = *state;
	static struct ids told, again, due;
	struct history h;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct prng p = {seed};
		invent(&h, &p, false, seed % 2);
		follow(r, &h, UINT64_MAX, &p, &told, &due);
		assert_int_equal(told.n, h.n);
		for (int cut = 0; cut < 4; cut++) {
			follow(r, &h, cut ? prng_next(&p) : 0, &p, &again, &due);
			assert_same(&told, &again);
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, looks_set_up, looks_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_histories),
		TEST(any_cut_tells_the_same),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
