/* summary: when a contact is reached or unreached, from rows that are given in short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/source/summary.h"
#include "tests/unit/looks.h"

#define VECTOR_AT 1795341600123 /* as in tests/data/ids.json */
#define MOST	  100

/*
 * Rows of contact ct_77 in short, "+0:o1d3 .1:f2!": how it is known (+ rose, = read, . held), its
 * number, and its flags, each a letter (o sent, d delivered, f failed, b bounced, s skipped; a
 * capital one has fallen) and when it rose, in seconds after LOOKS_BASE, 0: without a time; "!":
 * the row is gone, "*": that it is unreached was told, "~": is to be decided.
 */
#define ROWS 8

struct given {
	struct recipient_record r[ROWS];
	size_t n;
	struct contact_rows rows;
	struct contact contact;
};

static unsigned state_of(char letter)
{
	static const char letters[] = "sfodcuepb"; /* by number */

	return (unsigned)(strchr(letters, letter | 0x20) - letters);
}

/* Returns what follows. */
static const char *read_row(struct recipient_record *r, const char *at)
{
	uint32_t number = (uint32_t)(*at - '0');

	*r = (struct recipient_record){.number = number,
				       .id = xasprintf("r%u", number),
				       .contact_id = xstrdup("ct_77"),
				       .integration_id = xasprintf("ch%u", number)};
	for (at += 2; *at && *at != ' '; at++) {
		if (*at == '!') {
			r->gone = true;
		} else if (*at == '*' || *at == '~') {
			r->unreached_ms = *at == '*' ? UNREACHED_TOLD : LOOKS_BASE;
		} else {
			unsigned state = state_of(*at);
			r->states |= *at >= 'a' ? UINT64_C(1) << state : 0;
			at++;
			recipient_record_set_time(
				r, state, *at == '0' ? -1 : LOOKS_BASE + (*at - '0') * 1000);
		}
	}
	return at + strspn(at, " ");
}

static void give(struct given *g, const char *text)
{
	*g = (struct given){0};
	while (*text) {
		enum contact_row_kind kind = *text == '+'   ? ROW_ROSE
					     : *text == '=' ? ROW_READ
							    : ROW_HELD;
		assert_true(g->n < ROWS);
		text = read_row(&g->r[g->n], text + 1);
		contact_rows_add(&g->rows, &g->r[g->n++], kind);
	}
	contact_rows_sort(&g->rows);
	contact_rows_next(&g->rows, 0, &g->contact);
	assert_int_equal(g->contact.n, g->n);
}

static void forget(struct given *g)
{
	contact_rows_release(&g->rows);
	while (g->n)
		recipient_record_release(&g->r[--g->n]);
}

typedef bool tell_fn(const struct diff_place *at, const struct contact *c, size_t most,
		     struct events *out);

struct expected {
	const char *rows;
	const char
		*told; /* "r2@5": the deciding row, and when (not: there is no time); "": nothing */
};

static void expect(struct looks *l, tell_fn *tell, const struct expected *e)
{
	struct events out = {0};
	struct given g;
	char got[64] = "";

	give(&g, e->rows);
	bool told = tell(&l->at, &g.contact, MOST, &out);
	assert_int_equal(told, out.n);
	if (out.n) {
		const struct json *body;
		struct json_doc *doc = looks_body(&out.v[0], &body);
		const struct json *data = json_get(body, "data");
		bool timed = json_string(json_get(data, "at"));
		snprintf(got, sizeof got, "%s", json_string(json_get(data, "recipient_id")));
		if (timed)
			snprintf(got + strlen(got), 32, "@%g",
				 (double)(out.v[0].time_ms - LOOKS_BASE) / 1000);
		json_doc_free(doc);
	}
	if (strcmp(got, e->told) != 0)
		fail_msg("%s: \"%s\"", e->rows, got);
	events_release(&out);
	forget(&g);
}

static void reached_by_the_first_delivery(void **state)
{
	static const struct expected cases[] = {
		{"+0:o1d3", "r0@3"},
		{"+0:d0", "r0"},
		/* the others are not, or not any more */
		{"+0:d3 .1:o1 .2:f2", "r0@3"},
		{".0:o1 +0:o1d3", "r0@3"},
		/* one was before: told, or not told because it lies before `since` */
		{"+0:d3 .1:d1", ""},
		{"+0:d3 .1:d9", ""},
		{"+0:d3 .1:D1", ""},
		{"+0:d3 =1:d1", ""},
		{"+0:d3 .1:d1!", ""},
		{".0:D1 +0:d3", ""},
		/* the earliest of several on one page */
		{"+0:d5 +1:d3 +2:d4", "r1@3"},
		{"+0:d0 +1:d3", "r1@3"},
		{"+1:d3 +0:d3", "r0@3"},
		/* nothing rose */
		{"=0:o1", ""},
		{".0:d1", ""},
		/* it was told that it is unreached */
		{"+0:f1d3*", "r0@3"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(*state, summary_reached, &cases[i]);
}

static void unreached_when_all_have_failed(void **state)
{
	static const struct expected cases[] = {
		{".0:o1f3", "r0@3"},
		{".0:b3", "r0@3"},
		{".0:s3", "r0@3"},
		{".0:f0", "r0"},
		{".0:f5~", "r0@5"},
		/* the row that failed last decides, by when it first did */
		{".0:f5 .1:b7 .2:s6", "r1@7"},
		{".0:f5b9 .1:b7", "r1@7"},
		{".0:f0 .1:b7", "r1@7"},
		{".0:f5 .1:b0", "r0@5"},
		/* one may still come, or did */
		{".0:f5 .1:o1", ""},
		{".0:f5 .1:", ""},
		{".0:f5 .1:F1", ""},
		{".0:f5 .1:d1", ""},
		{".0:f5 .1:D1f2", ""},
		{".0:d1f5", ""},
		/* who is gone does not come any more */
		{".0:f5 .1:o1!", "r0@5"},
		{".0:f5 .1:f9!", "r0@5"},
		{".0:f5 .1:D1!", ""},
		{".0:f5!", ""},
		/* it was told */
		{".0:f5 .1:f1*", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(*state, summary_unreached, &cases[i]);
}

/* Who may have rows that are not here may have been told before. */
static void of_too_many_rows_nothing_is_told(void **state)
{
	static const struct {
		const char *rows;
		bool told;
	} cases[] = {{"+0:d1 .1:o1 .2:o1 .3:o1 .0:o1", true},
		     {"+0:d1 .1:o1 .2:o1 .3:o1 .4:o1", false}};
	struct looks *l = *state;
	struct events out = {0};
	struct given g;

	for (size_t i = 0; i < 2; i++) {
		give(&g, cases[i].rows);
		assert_int_equal(summary_reached(&l->at, &g.contact, 5, &out), cases[i].told);
		forget(&g);
	}
	give(&g, ".0:f1 .1:f1");
	assert_false(summary_unreached(&l->at, &g.contact, 2, &out));
	assert_true(summary_unreached(&l->at, &g.contact, 3, &out));
	forget(&g);
	events_release(&out);
}

static void rows_are_gathered_by_contact(void **state)
{
	static char a[] = "ct_a", b[] = "ct_b", none[] = "";
	struct recipient_record r[] = {
		{.number = 5, .contact_id = b},	   {.number = 4, .contact_id = a},
		{.number = 3, .contact_id = b},	   {.number = 2},
		{.number = 1, .contact_id = none}, {.number = 0, .contact_id = b}};
	struct contact_rows rows = {0};
	struct contact c;

	(void)state;
	contact_rows_sort(&rows);
	contact_rows_next(&rows, 0, &c);
	assert_int_equal(c.n, 0);
	for (size_t i = 0; i < sizeof r / sizeof *r; i++)
		contact_rows_add(&rows, &r[i], i == 2 ? ROW_ROSE : ROW_HELD);
	contact_rows_sort(&rows);
	contact_rows_next(&rows, 0, &c);
	assert_string_equal(c.id, "ct_a");
	assert_int_equal(c.n, 1);
	assert_false(contact_rose(&c));
	contact_rows_next(&rows, 1, &c);
	assert_string_equal(c.id, "ct_b");
	assert_int_equal(c.n, 3);
	assert_int_equal(c.v[0].r->number, 0);
	assert_int_equal(c.v[2].r->number, 5);
	assert_true(contact_rose(&c));
	contact_rows_next(&rows, 4, &c);
	assert_int_equal(c.n, 0);
	contact_rows_release(&rows);
	contact_rows_release(&rows);
}

/* What a look at a row says of its contact. */
static void looks_note_what_rose(void **state)
{
	static const struct {
		const char *row, *contact;
		int64_t since_s; /* after LOOKS_BASE */
		bool delivered;
		int marked; /* 0: not */
	} cases[] = {
		{UP("delivered", 3), "ct_77", 0, true, 0},
		{UP("delivered", 3), "ct_77", 4, false, 0},
		{UP("delivered", 3), NULL, 0, false, 0},
		{UP("delivered", 3), "", 0, false, 0},
		{UP("opened", 3), "ct_77", 0, false, 0},
		{UP("failed", 3), "ct_77", 0, false, 3},
		{UP("failed", 3), "ct_77", 4, false, 0},
		{UP("failed", 3), NULL, 0, false, 0},
		{UP("failed", 3) "," UP("bounced", 2), "ct_77", 0, false, 2},
		{UP("failed", 3) "," UP("bounced", 5), "ct_77", 4, false, 5},
		{UP("skipped", 1) "," UP("delivered", 2), "ct_77", 0, true, 1},
		{UNDATED("skipped"), "ct_77", -100, false, 100}, /* when it was recorded */
	};
	struct looks *l = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char row[512], contact[64] = "";
		if (cases[i].contact)
			snprintf(contact, sizeof contact, ",\"contact\":{\"id\":\"%s\"}",
				 cases[i].contact);
		snprintf(row, sizeof row, "%s%s", cases[i].row, contact);
		l->at.since_ms = LOOKS_BASE + cases[i].since_s * 1000;
		looks_forget(l);
		looks_row(l, row);
		bool delivered = summary_note(&l->record, &l->out, 0);
		int64_t marked = cases[i].marked ? LOOKS_BASE + cases[i].marked * 1000LL : 0;
		if (delivered != cases[i].delivered || l->record.unreached_ms != marked)
			fail_msg("case %zu: %d %lld", i, delivered,
				 (long long)l->record.unreached_ms);
	}
	/* only what this look told */
	looks_forget(l);
	looks_row(l, UP("delivered", 3) ",\"contact\":{\"id\":\"ct_77\"}");
	assert_false(summary_note(&l->record, &l->out, l->out.n));
}

static void events_name_contact_and_rows(void **state)
{
	struct looks *l = *state;
	struct events out = {0};
	struct given g;
	const struct json *body;

	give(&g, "+0:o1d3 .0:o1 .1:o1f2 .2:o1!");
	assert_true(summary_reached(&l->at, &g.contact, MOST, &out));
	struct json_doc *doc = looks_body(&out.v[0], &body);
	assert_string_equal(json_string(json_get(body, "type")), "contact.reached");
	assert_string_equal(json_string(json_get(body, "subject")), "ct_77");
	assert_string_equal(json_string(json_get(body, "partitionkey")), "ct_77");
	assert_string_equal(json_string(json_get(body, "source")),
			    "https://api.example.com/orgs/c/broadcasts/bc_1");
	assert_string_equal(out.v[0].topic, "contact.reached.ch0.bc_1");
	struct buf data = BUF_INIT(1 << 16);
	json_write(&data, json_get(body, "data"));
	assert_string_equal(
		data.data,
		"{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":\"Spring\","
		"\"recipient_id\":\"r0\",\"integration_id\":\"ch0\",\"contact_id\":\"ct_77\","
		"\"at\":\"2026-11-22T10:00:03.000Z\",\"rows\":3,\"recipients\":["
		"{\"recipient_id\":\"r0\",\"integration_id\":\"ch0\","
		"\"states\":[\"sent\",\"delivered\"]},"
		"{\"recipient_id\":\"r1\",\"integration_id\":\"ch1\","
		"\"states\":[\"failed\",\"sent\"]}]}");
	buf_release(&data);
	json_doc_free(doc);
	events_release(&out);
	forget(&g);
}

static void ids_follow_from_the_fact(void **state)
{
	struct looks *l = *state;
	static char id[] = "rcp_1", contact[] = "ct_77";
	struct recipient_record r = {
		.id = id, .contact_id = contact, .states = UINT64_C(1) << STATE_DELIVERED};
	struct contact_rows rows = {0};
	struct events out = {0};
	struct contact c;

	l->at.broadcast = "bc_01JDXK4T6Q";
	recipient_record_set_time(&r, STATE_DELIVERED, VECTOR_AT);
	contact_rows_add(&rows, &r, ROW_ROSE);
	contact_rows_next(&rows, 0, &c);
	assert_true(summary_reached(&l->at, &c, MOST, &out));
	looks_assert_vector(out.v[0].id, "contact: ");
	r.ntimes = 0;
	r.states = UINT64_C(1) << STATE_FAILED;
	recipient_record_set_time(&r, STATE_FAILED, -1);
	assert_true(summary_unreached(&l->at, &c, MOST, &out));
	looks_assert_vector(out.v[1].id, "contact whose deciding _at is null");
	events_release(&out);
	contact_rows_release(&rows);
}

#define IN_LOOKS(test) cmocka_unit_test_setup_teardown(test, looks_set_up, looks_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LOOKS(reached_by_the_first_delivery),
		IN_LOOKS(unreached_when_all_have_failed),
		IN_LOOKS(of_too_many_rows_nothing_is_told),
		IN_LOOKS(rows_are_gathered_by_contact),
		IN_LOOKS(looks_note_what_rose),
		IN_LOOKS(events_name_contact_and_rows),
		IN_LOOKS(ids_follow_from_the_fact),
	};

	return cmocka_run_group_tests_name("contacts", tests, NULL, NULL);
}
