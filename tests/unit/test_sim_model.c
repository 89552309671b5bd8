/* sim model: one seed gives one course of things, and its counters, filters and pages all tell the
 * same story as a look at every row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/invent-sim/campaign.h"
#include "relay/base/clock.h"
#include "tests/unit/sim_client.h"

#define SECOND 1000LL
#define HOUR   (3600 * SECOND)

static const int64_t moments[] = {SIM_EPOCH,
				  SIM_EPOCH + 200,
				  SIM_EPOCH + 20 * SECOND,
				  SIM_EPOCH + 61 * SECOND,
				  SIM_EPOCH + 5 * HOUR,
				  SIM_EPOCH + 600 * HOUR};
#define MOMENTS (sizeof moments / sizeof *moments)

static void ids_hold_their_numbers(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t x = i * 0x9E3779B97F4A7C15ULL + (i << 40);
		assert_true(sim_unmix64(sim_mix64(x)) == x);
	}
}

static char *course_of(uint64_t seed)
{
	struct sim_broadcast b = {.recipients = 300};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);
	struct buf all = BUF_INIT(64 << 20);

	o.seed = seed;
	struct model *m = sim_make_with(&o);
	for (size_t i = 0; i < MOMENTS; i++) {
		struct sim_reply reply;
		sim_ask(m, moments[i], SIM_PATH, "page=2", &reply);
		buf_add(&all, reply.body.data, reply.body.len);
		sim_reply_release(&reply);
		sim_ask(m, moments[i], "/orgs/org_1/broadcasts", NULL, &reply);
		buf_add(&all, reply.body.data, reply.body.len);
		sim_reply_release(&reply);
	}
	model_free(m);
	return buf_detach(&all);
}

static void the_seed_decides(void **state)
{
	char *a = course_of(3), *b = course_of(3), *c = course_of(4);

	(void)state;
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(b);
	free(c);
}

/* Small steps or one leap: the same state. */
static void steps_do_not_matter(void **state)
{
	struct model *a = sim_make(200, SIM_ORDER_UPDATED), *b = sim_make(200, SIM_ORDER_UPDATED);
	struct sim_reply x, y;

	(void)state;
	while (model_next_change(a) <= SIM_EPOCH + HOUR)
		model_advance(a, model_next_change(a));
	sim_ask(a, SIM_EPOCH + HOUR, SIM_PATH, NULL, &x);
	sim_ask(b, SIM_EPOCH + HOUR, SIM_PATH, NULL, &y);
	assert_string_equal(x.body.data, y.body.data);
	sim_reply_release(&x);
	sim_reply_release(&y);
	model_free(a);
	model_free(b);
}

static int64_t number_of(const struct json *object, const char *key)
{
	int64_t n = -1;

	assert_true(json_int(json_get(object, key), &n));
	return n;
}

static int64_t count_flag(const struct sim_rows *rows, enum sim_what what)
{
	int64_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += rows->v[i].flags >> what & 1;
	return n;
}

static void assert_counters(struct model *m, int64_t now, const struct sim_rows *rows)
{
	static const struct {
		const char *key;
		enum sim_what what;
	} counters[] = {
		{"skipped_count", SIM_SKIPPED},	      {"sent_count", SIM_SENT},
		{"failed_count", SIM_FAILED},	      {"delivered_count", SIM_DELIVERED},
		{"opened_count", SIM_OPENED},	      {"played_count", SIM_PLAYED},
		{"complained_count", SIM_COMPLAINED}, {"unsubscribed_count", SIM_UNSUBSCRIBED},
	};
	struct json_doc *doc = json_doc_new();
	const struct json *b = json_first(sim_read(m, now, "/orgs/c/broadcasts", NULL, doc));

	assert_int_equal(number_of(b, "recipients_count"), rows->n);
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
		assert_int_equal(number_of(b, counters[i].key), count_flag(rows, counters[i].what));
	json_doc_free(doc);
}

static void counters_equal_the_rows(void **state)
{
	struct model *m = sim_make(3000, SIM_ORDER_NONE);
	struct sim_rows rows;

	(void)state;
	for (size_t t = 0; t < MOMENTS; t++) {
		sim_rows(m, moments[t], "", 100, &rows);
		assert_counters(m, moments[t], &rows);
		sim_rows_release(&rows);
	}
	model_free(m);
}

/* Hands flip every third row's flags and remove every seventh: all still agrees, in every order,
 * and the campaign goes on to its end. */
static void changes_by_hand_are_counted_too(void **state)
{
	(void)state;
	for (enum sim_order order = SIM_ORDER_NONE; order <= SIM_ORDER_UPDATED_OLDEST; order++) {
		struct model *m = sim_make(400, order);
		struct sim_rows rows;
		for (size_t t = 1; t < MOMENTS; t++) {
			sim_rows(m, moments[t], "", 100, &rows);
			assert_counters(m, moments[t], &rows);
			for (size_t i = 0; i < rows.n; i++) {
				enum sim_what what = SIM_SKIPPED + (i + t) % (SIM_STATES - 1);
				bool rises = !(rows.v[i].flags >> what & 1);
				if (i % 3 == 0)
					assert_true(
						model_change(m, "bc_1", rows.v[i].id, what, rises));
				if (i % 7 == 0 && rows.n > 300)
					assert_true(model_change(m, "bc_1", rows.v[i].id,
								 SIM_REMOVED, true));
			}
			sim_rows_release(&rows);
			sim_rows(m, moments[t], "", 64, &rows);
			assert_counters(m, moments[t], &rows);
			sim_rows_release(&rows);
		}
		model_free(m);
	}
}

/* Something of everything happens, updated_at is the newest change, nothing is before its cause. */
static void rows_make_sense(void **state)
{
	struct model *m = sim_make(4000, SIM_ORDER_NONE);
	struct sim_rows rows;
	uint32_t seen = 0;

	(void)state;
	sim_rows(m, SIM_EPOCH + 600 * HOUR, "", 100, &rows);
	assert_int_equal(rows.n, 4000);
	for (size_t i = 0; i < rows.n; i++) {
		const struct sim_row *r = &rows.v[i];
		int64_t newest = r->created_ms;
		for (int s = SIM_SKIPPED; s < SIM_STATES; s++) {
			assert_true(r->at[s] == DATE_NONE || r->at[s] >= r->created_ms);
			newest = r->at[s] > newest ? r->at[s] : newest;
		}
		assert_true(r->updated_ms >= newest && r->updated_ms <= newest + 100);
		assert_true(!(r->flags >> SIM_DELIVERED & 1) ||
			    r->at[SIM_DELIVERED] >= r->at[SIM_SENT]);
		assert_true(!(r->flags >> SIM_OPENED & 1) ||
			    r->at[SIM_OPENED] >= r->at[SIM_DELIVERED]);
		assert_true((r->flags >> SIM_SENT & 1) + (r->flags >> SIM_SKIPPED & 1) <= 1);
		seen |= r->flags;
	}
	for (int s = SIM_SKIPPED; s < SIM_REPLIED; s++)
		assert_true(seen >> s & 1);
	sim_rows_release(&rows);
	model_free(m);
}

/* ---- filters */

static void assert_filter(struct model *m, const struct sim_rows *all, const char *filter,
			  bool (*matches)(const struct sim_row *r, const void *arg),
			  const void *arg)
{
	struct sim_rows some;
	size_t expected = 0;

	sim_rows(m, model_now(m), filter, 37, &some);
	for (size_t i = 0; i < all->n; i++)
		expected += matches(&all->v[i], arg);
	if (some.n != expected)
		fail_msg("%s: %zu rows, expected %zu", filter, some.n, expected);
	assert_int_equal(sim_count(m, model_now(m), filter), expected);
	for (size_t i = 0; i < some.n; i++) {
		assert_true(matches(&some.v[i], arg));
		assert_non_null(sim_rows_find(all, some.v[i].id));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(some.v[k].id, some.v[i].id);
	}
	sim_rows_release(&some);
}

struct flags {
	uint32_t on, off;
};

static bool has_flags(const struct sim_row *r, const void *arg)
{
	const struct flags *f = arg;

	return (r->flags & f->on) == f->on && !(r->flags & f->off);
}

static void flag_filters(void **state)
{
	static const char *const names[] = {"skipped",	  "failed",	  "sent",   "delivered",
					    "complained", "unsubscribed", "opened", "played"};
	struct model *m = sim_make(700, SIM_ORDER_NONE);
	struct sim_rows all;
	char filter[64];

	(void)state;
	sim_rows(m, SIM_EPOCH + 40 * SECOND, "", 100, &all);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		uint32_t bit = 1u << sim_what_number(names[i]);
		snprintf(filter, sizeof filter, "is_%s=true", names[i]);
		assert_filter(m, &all, filter, has_flags, &(struct flags){bit, 0});
		snprintf(filter, sizeof filter, "is_%s=false", names[i]);
		assert_filter(m, &all, filter, has_flags, &(struct flags){0, bit});
	}
	assert_filter(m, &all, "status=ALL", has_flags, &(struct flags){0, 0});
	assert_filter(m, &all, "status=SENDING", has_flags,
		      &(struct flags){0, 1u << SIM_PROCESSED});
	assert_filter(m, &all, "status=PROCESSED&is_sent=true&is_delivered=false", has_flags,
		      &(struct flags){1u << SIM_PROCESSED | 1u << SIM_SENT, 1u << SIM_DELIVERED});
	sim_rows_release(&all);
	model_free(m);
}

struct member {
	size_t at;
	const char *text;
};

static bool same_text(const struct sim_row *r, const void *arg)
{
	const struct member *m = arg;

	return !strcmp((const char *)r + m->at, m->text);
}

static bool no_row(const struct sim_row *r, const void *arg)
{
	(void)r;
	(void)arg;
	return false;
}

static const struct {
	const char *name;
	size_t at;
} text_members[] = {
	{"integration_id", offsetof(struct sim_row, integration)},
	{"contact_id", offsetof(struct sim_row, contact)},
	{"user_id", offsetof(struct sim_row, user)},
	{"username", offsetof(struct sim_row, username)},
	{"email", offsetof(struct sim_row, email)},
};

static void text_filters(void **state)
{
	static const char *const nobody[] = {
		"integration_id=telnyx",
		"integration_id=pigeon",
		"contact_id=con_x",
		"user_id=155599999999",
		"username=silva.12345",
		"email=nobody@example.com",
		"email=",
		"email=silva.1%40example.com.ex",
	};
	struct sim_broadcast b = {.recipients = 300, .kind = "transactional"};
	struct model_options o = sim_options(&b, SIM_ORDER_CREATED);
	struct model *m = sim_make_with(&o);
	struct sim_rows all;
	char filter[256];

	(void)state;
	sim_rows(m, SIM_EPOCH + HOUR, "", 100, &all);
	for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
		assert_filter(m, &all, nobody[i], no_row, NULL);
	for (size_t i = 0; i < all.n; i += 37) {
		for (size_t k = 0; k < sizeof text_members / sizeof *text_members; k++) {
			struct member is = {text_members[k].at,
					    (const char *)&all.v[i] + text_members[k].at};
			snprintf(filter, sizeof filter, "%s=%s", text_members[k].name, is.text);
			if (*is.text) /* a username may be null */
				assert_filter(m, &all, filter, same_text, &is);
		}
		snprintf(filter, sizeof filter, "contact_id=%s&email=other.1%%40example.com",
			 all.v[i].contact);
		assert_filter(m, &all, filter, no_row, NULL);
	}
	sim_rows_release(&all);
	model_free(m);
}

/* ---- pages */

static bool in_order(const struct sim_row *a, const struct sim_row *b, enum sim_order order)
{
	switch (order) {
	case SIM_ORDER_ID: return strcmp(a->id, b->id) < 0;
	case SIM_ORDER_CREATED: return a->created_ms >= b->created_ms;
	case SIM_ORDER_UPDATED: return a->updated_ms >= b->updated_ms;
	case SIM_ORDER_CREATED_OLDEST: return a->created_ms <= b->created_ms;
	case SIM_ORDER_UPDATED_OLDEST: return a->updated_ms <= b->updated_ms;
	case SIM_ORDER_NONE: break;
	}
	return true;
}

static void pages_cover_all_in_order(void **state)
{
	static const unsigned takes[] = {1, 7, 64, 100};

	(void)state;
	for (enum sim_order order = SIM_ORDER_NONE; order <= SIM_ORDER_UPDATED_OLDEST; order++) {
		struct model *m = sim_make(331, order);
		for (size_t t = 0; t < MOMENTS; t++) {
			struct sim_rows rows;
			sim_rows(m, moments[t], "", takes[t % 4], &rows);
			assert_int_equal(rows.n, sim_count(m, moments[t], "take=1"));
			for (size_t i = 0; i < rows.n; i++) {
				assert_ptr_equal(sim_rows_find(&rows, rows.v[i].id), &rows.v[i]);
				assert_true(!i || in_order(&rows.v[i - 1], &rows.v[i], order));
			}
			sim_rows_release(&rows);
		}
		model_free(m);
	}
}

/* An order by nothing stays what it is, whatever happens to the rows. */
static void a_fixed_order_stays(void **state)
{
	struct model *m = sim_make(250, SIM_ORDER_NONE);
	struct sim_rows before, after;
	size_t ascending = 0;

	(void)state;
	sim_rows(m, SIM_EPOCH + 10 * SECOND, "", 100, &before);
	sim_rows(m, SIM_EPOCH + 9 * HOUR, "", 100, &after);
	assert_int_equal(before.n, 250);
	for (size_t i = 0; i < 250; i++) {
		assert_string_equal(before.v[i].id, after.v[i].id);
		ascending += i && before.v[i].created_ms >= before.v[i - 1].created_ms;
	}
	assert_true(ascending < 240);
	sim_rows_release(&before);
	sim_rows_release(&after);
	model_free(m);
}

static void rows_along_the_ramp(void **state)
{
	struct sim_broadcast b = {.recipients = 600, .start_ms = SECOND};
	struct model_options o = sim_options(&b, SIM_ORDER_CREATED);

	(void)state;
	o.along_ramp = true;
	struct model *m = sim_make_with(&o);
	assert_int_equal(sim_count(m, SIM_EPOCH, ""), 0);
	assert_int_equal(sim_count(m, SIM_EPOCH + 31 * SECOND, ""), 301);
	assert_int_equal(sim_count(m, SIM_EPOCH + 70 * SECOND, ""), 600);
	model_free(m);
}

static void next_tokens_lead_through(void **state)
{
	struct sim_broadcast b = {.recipients = 250};
	struct model_options o = sim_options(&b, SIM_ORDER_ID);
	char query[64] = "take=100";
	size_t pages = 0;

	(void)state;
	o.next_tokens = true;
	struct model *m = sim_make_with(&o);
	while (*query) {
		struct sim_reply reply;
		sim_ask(m, SIM_EPOCH + HOUR, SIM_PATH, query, &reply);
		assert_int_equal(reply.status, 200);
		const char *next = sim_reply_header(&reply, "pagination-next");
		snprintf(query, sizeof query, "%s%s", next ? "next=" : "", next ? next : "");
		pages++;
		sim_reply_release(&reply);
	}
	assert_int_equal(pages, 3);
	model_free(m);
}

/* ---- the broadcasts themselves */

static void assert_status(struct model *m, int64_t now, const char *id, const char *status)
{
	struct json_doc *doc = json_doc_new();
	const struct json *v = json_first(sim_read(m, now, "/orgs/c/broadcasts", NULL, doc));

	while (v && strcmp(json_string(json_get(v, "id")), id))
		v = json_next(v);
	assert_non_null(v);
	assert_string_equal(json_string(json_get(v, "status")), status);
	json_doc_free(doc);
}

static void broadcasts_live_and_end(void **state)
{
	struct sim_broadcast list[] = {
		{.id = "a", .recipients = 50, .start_ms = SECOND},
		{.id = "b", .recipients = 50, .kind = "transactional"},
		{.id = "c", .recipients = 50, .kind = "draft"},
		{.id = "d", .recipients = 50, .org = "org_2"},
	};
	const char *const subs[] = {"org_2", NULL};
	struct model_options o = sim_options(list, SIM_ORDER_NONE);
	struct sim_reply reply;

	(void)state;
	o.nbroadcasts = 4;
	o.sub_orgs = subs;
	struct model *m = sim_make_with(&o);
	assert_status(m, SIM_EPOCH, "a", "SCHEDULED");
	assert_status(m, SIM_EPOCH, "b", "ACTIVE");
	assert_status(m, SIM_EPOCH, "c", "DRAFT");
	assert_status(m, SIM_EPOCH + SECOND, "a", "SENDING");
	assert_status(m, SIM_EPOCH + HOUR, "a", "SENT");
	assert_status(m, SIM_EPOCH + HOUR, "b", "ACTIVE");
	sim_ask(m, SIM_EPOCH + HOUR, "/orgs/org_2/broadcasts", "status=SENT", &reply);
	assert_non_null(strstr(reply.body.data, "[{\"id\":\"d\","));
	assert_string_equal(sim_reply_header(&reply, "pagination-count"), "1");
	sim_reply_release(&reply);
	sim_ask(m, SIM_EPOCH + HOUR, "/orgs/c/orgs", NULL, &reply);
	assert_non_null(strstr(reply.body.data, "[{\"id\":\"org_2\","));
	sim_reply_release(&reply);
	sim_ask(m, SIM_EPOCH + HOUR, "/orgs/c/broadcasts/d/recipients", NULL, &reply);
	assert_int_equal(reply.status, 404);
	sim_reply_release(&reply);
	model_free(m);
}

static void nothing_after_the_end(void **state)
{
	struct sim_broadcast b = {.recipients = 300};
	struct model_options o = sim_options(&b, SIM_ORDER_NONE);
	struct sim_rows rows;

	(void)state;
	o.until_ms = 30 * SECOND;
	struct model *m = sim_make_with(&o);
	sim_rows(m, SIM_EPOCH + 900 * HOUR, "", 100, &rows);
	assert_int_equal(rows.n, 300);
	for (size_t i = 0; i < rows.n; i++)
		assert_true(rows.v[i].updated_ms <= SIM_EPOCH + 30 * SECOND);
	assert_true(model_next_change(m) == INT64_MAX);
	sim_rows_release(&rows);
	model_free(m);

	m = sim_make(300, SIM_ORDER_NONE);
	model_advance(m, SIM_EPOCH + 30 * SECOND);
	model_end(m);
	uint64_t sent = sim_count(m, SIM_EPOCH + HOUR, "is_sent=true");
	assert_in_range(sent, 100, 200);
	assert_true(model_next_change(m) == INT64_MAX);
	model_free(m);
}

static void bad_options(void **state)
{
	static const struct {
		struct sim_broadcast list[2];
		const char *channels, *says;
	} cases[] = {
		{{{.id = "x"}, {.id = "x"}}, NULL, "broadcast x: there are two of it"},
		{{{.id = "x", .kind = "fax"}, {.id = "y"}}, NULL, "broadcast x: no kind fax"},
		{{{.id = "x"}, {.id = "y"}}, "pigeon:3", "channels: pigeon is no integration_id"},
		{{{.id = "x"}, {.id = "y"}}, "gmail:0", "channels: no channel has any weight"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct model_options o = sim_options(cases[i].list, SIM_ORDER_NONE);
		struct err err = {0};
		o.nbroadcasts = 2;
		o.channels = cases[i].channels;
		assert_null(model_new(&o, &err));
		assert_string_equal(err.msg, cases[i].says);
	}
	model_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_hold_their_numbers),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(steps_do_not_matter),
		cmocka_unit_test(counters_equal_the_rows),
		cmocka_unit_test(changes_by_hand_are_counted_too),
		cmocka_unit_test(rows_make_sense),
		cmocka_unit_test(flag_filters),
		cmocka_unit_test(text_filters),
		cmocka_unit_test(pages_cover_all_in_order),
		cmocka_unit_test(a_fixed_order_stays),
		cmocka_unit_test(rows_along_the_ramp),
		cmocka_unit_test(next_tokens_lead_through),
		cmocka_unit_test(broadcasts_live_and_end),
		cmocka_unit_test(nothing_after_the_end),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
