/* snapshot: pages as the API sends them, as it may send them one day, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/base/clock.h"
#include "relay/source/snapshot.h"

enum { SKIPPED, FAILED, SENT, DELIVERED, COMPLAINED, UNSUBSCRIBED, OPENED, PLAYED, BOUNCED };

struct reading {
	struct snapshot s;
	struct names states, statuses;
	struct buf text;
};

static int set_up(void **state)
{
	struct reading *r = calloc(1, sizeof *r);

	states_init(&r->states);
	buf_init(&r->text, 1 << 24);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct reading *r = *state;

	snapshot_release(&r->s);
	buf_release(&r->text);
	free(r);
	return 0;
}

static int read_text(struct reading *r, const char *text)
{
	struct err err;

	buf_clear(&r->text);
	buf_adds(&r->text, text);
	return snapshot_read(&r->s, r->text.data, r->text.len, &r->states, &r->statuses, &err);
}

static void read_file(struct reading *r, const char *name)
{
	char path[128], piece[4096];
	struct err err;
	size_t n;

	snprintf(path, sizeof path, "tests/data/api/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	buf_clear(&r->text);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_add(&r->text, piece, n);
	fclose(f);
	int rc = snapshot_read(&r->s, r->text.data, r->text.len, &r->states, &r->statuses, &err);
	if (rc < 0)
		fail_msg("%s: %s", path, err.msg);
}

static const struct row *row_named(const struct reading *r, const char *id)
{
	for (size_t i = 0; i < r->s.n; i++)
		if (strcmp(r->s.v[i].id, id) == 0)
			return &r->s.v[i];
	fail_msg("no row %s", id);
	return NULL;
}

static int64_t date(const char *text)
{
	int64_t ms = DATE_NONE;

	assert_true(date_parse(text, strlen(text), &ms));
	return ms;
}

static void reads_the_documented_row(void **state)
{
	struct reading *r = *state;

	read_file(r, "recipients.json");
	assert_int_equal(r->s.n, 3);
	assert_int_equal(r->s.doubled, 0);
	assert_int_equal(r->s.new_states, 0);
	assert_int_equal(r->s.new_statuses, 2);
	const struct row *row = &r->s.v[2];
	assert_string_equal(row->id, "rcp_003");
	assert_true(hash128_equal(row->key, hash128("rcp_003", 7)));
	assert_true(row->states == (1u << SENT | 1u << FAILED));
	assert_true(row->at[SENT] == date("2026-11-22T10:00:00.500Z"));
	assert_true(row->at[FAILED] == date("2026-11-22T10:00:02.250Z"));
	assert_true(row->at[OPENED] == DATE_NONE);
	assert_string_equal(r->statuses.v[row->status], "PROCESSED");
	assert_true(row->created_ms == date("2026-11-22T09:59:00Z"));
	assert_true(row->updated_ms == date("2026-11-22T10:00:03Z"));
	assert_string_equal(row->integration_id, "twilio");
	assert_string_equal(row->contact_id, "ct_003");
	assert_string_equal(row->error_message, "63003: unreachable number");
	assert_string_equal(row->external_message_id, "SM3");
	assert_true(r->s.v[0].states == 0);
	assert_null(r->s.v[0].error_message);
}

static void spans_are_the_rows(void **state)
{
	struct reading *r = *state;

	assert_int_equal(read_text(r, " [ {\"id\":\"a\"} , 7, {\"id\" : \"b\"}]"), 0);
	assert_int_equal(r->s.n, 2);
	assert_memory_equal(r->text.data + r->s.v[0].text.at, "{\"id\":\"a\"}", 10);
	assert_int_equal(r->s.v[0].text.len, 10);
	assert_memory_equal(r->text.data + r->s.v[1].text.at, "{\"id\" : \"b\"}", 12);
	assert_int_equal(r->s.v[1].text.len, 12);
}

static void takes_new_flags_as_states(void **state)
{
	struct reading *r = *state;

	read_file(r, "recipients-newer.json");
	assert_int_equal(r->s.n, 1);
	const struct row *row = &r->s.v[0];
	int clicked = names_find(&r->states, "clicked");
	assert_int_equal(clicked, STATES_KNOWN);
	assert_int_equal(r->s.new_states, 1);
	assert_true(row->states == (1u << SENT | 1u << BOUNCED | 1u << clicked));
	assert_true(row->at[clicked] == date("2026-11-22T10:00:08Z"));
	assert_true(row->at[BOUNCED] == date("2026-11-22T10:00:09Z"));
	assert_int_equal(row->status, STATUS_NONE);
	assert_null(row->integration_id);
	assert_int_equal(names_find(&r->states, "admin"), -1); /* the contact's, not the row's */
	read_file(r, "recipients-newer.json");
	assert_int_equal(r->s.new_states, 0);
}

static void bears_odd_values(void **state)
{
	struct reading *r = *state;
	const struct row *row;

	read_file(r, "recipients-odd.json");
	assert_int_equal(r->s.n, 5);
	row = row_named(r, "only-an-id");
	assert_true(row->states == 0 && row->contact == 0 && row->error == 0);
	assert_true(row->created_ms == DATE_NONE && row->updated_ms == DATE_NONE);
	assert_true(row->identity == row_named(r, "nulls")->identity);
	assert_true(row_named(r, "nulls")->states == 0 && row_named(r, "nulls")->contact == 0);
	row = row_named(r, "dates");
	assert_true(row->created_ms == date("2026-11-22T00:00:00Z"));
	assert_true(row->updated_ms == date("2026-11-22T10:00:00.999Z"));
	assert_true(row->states == (1u << SENT | 1u << OPENED | 1u << FAILED | 1u << PLAYED));
	for (size_t i = 0; i < STATES_MAX; i++)
		assert_true(row->at[i] == DATE_NONE);
	row = row_named(r, "kinds");
	assert_string_equal(r->statuses.v[row->status], "QUEUED");
	assert_string_equal(row->integration_id, "carrier_pigeon");
	assert_true(!row->contact_id && !row->error_message && row->contact == 0);
	row = row_named(r, "ünï-😀/?#");
	assert_int_equal(row->status, STATUS_NONE);
}

static void skips_and_counts_bad_rows(void **state)
{
	struct reading *r = *state;

	read_file(r, "recipients-bad-rows.json");
	assert_int_equal(r->s.skipped[SKIP_NO_OBJECT], 4);
	assert_int_equal(r->s.skipped[SKIP_NO_ID], 4);
	assert_int_equal(r->s.skipped[SKIP_LONG_ID], 1);
	assert_int_equal(r->s.skipped[SKIP_BAD_FLAG], 3);
	assert_int_equal(r->s.skipped[SKIP_TOO_MANY], 0);
	assert_int_equal(r->s.doubled, 1);
	assert_int_equal(r->s.n, 4);
	assert_int_equal(strlen(r->s.v[0].id), 256);
	assert_string_equal(r->s.v[1].id, "twice");
	const char *first = r->text.data + r->s.v[1].text.at;
	assert_non_null(memmem(first, r->s.v[1].text.len, "first", 5));
	assert_true(row_named(r, "bad-then-good")->states == 1u << SENT);
	assert_true(row_named(r, "unknown-kind")->states == 0);
	assert_int_equal(r->states.n, STATES_KNOWN);
	/* the next page starts from zero */
	assert_int_equal(read_text(r, "[]"), 0);
	assert_int_equal(r->s.n + r->s.doubled + r->s.skipped[SKIP_NO_ID], 0);
	for (size_t i = 0; i < SKIP_KINDS; i++)
		assert_true(strlen(skip_names[i]) > 0);
}

static void refuses_what_is_no_page(void **state)
{
	static const char *const texts[] = {"",
					    "{}",
					    "null",
					    "\"[]\"",
					    "[{\"id\":\"a\"}",
					    "<html>",
					    "[]]",
					    "[1,]",
					    "[{\"id\":\"\\u0000\"}]",
					    "[{\"id\":\"\xff\"}]"};
	struct reading *r = *state;
	struct err err;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(read_text(r, "[{\"id\":\"before\"}]"), 0);
		err = (struct err){0};
		assert_int_equal(snapshot_read(&r->s, texts[i], strlen(texts[i]), &r->states,
					       &r->statuses, &err),
				 -1);
		assert_int_equal(err.code, ERR_FORMAT);
		assert_true(strlen(err.msg) > 0);
		assert_int_equal(r->s.n, 0);
	}
}

/* What one member of a row means, whatever stood in the row before it. */
static void reads_each_pair(void **state)
{
	static const struct {
		const char *members;
		const char *name; /* of the state, NULL: none */
		bool value;
		const char *at;
	} cases[] = {
		{"\"is_a\":true", "a", true, NULL},
		{"\"is_b\":null", NULL, false, NULL},
		{"\"is_b\":false", "b", false, NULL},
		{"\"is_c\":false,\"is_c_at\":null", "c", false, NULL},
		{"\"is_d_at\":\"2026-01-01\",\"is_d\":true", "d", true, "2026-01-01"},
		{"\"is_d\":true,\"is_d_at\":\"2026-01-02\"", "d", true, "2026-01-02"},
		{"\"is_e_at\":\"2026-01-01\"", NULL, false, NULL},
		{"\"is_looked_at\":true,\"is_looked_at_at\":\"2026-01-01\"", "looked_at", true,
		 "2026-01-01"},
		{"\"is_looked_at\":null", "looked_at", false, NULL},
		{"\"is_n_at\":null,\"is_n\":null", NULL, false, NULL},
		{"\"is_sent_at\":true", "sent", false, NULL},
		{"\"is_f\":\"yes\"", NULL, false, NULL},
		{"\"is_F\":true", NULL, false, NULL},
		{"\"is_\":true", NULL, false, NULL},
		{"\"is__at\":\"2026-01-01\"", NULL, false, NULL},
		{"\"is_g-h\":true", NULL, false, NULL},
		{"\"is_abcdefghijklmnopqrstuvwxyz012345\":true", "abcdefghijklmnopqrstuvwxyz012345",
		 true, NULL},
		{"\"is_abcdefghijklmnopqrstuvwxyz012345\":true,"
		 "\"is_abcdefghijklmnopqrstuvwxyz012345_at\":\"2026-01-01\"",
		 "abcdefghijklmnopqrstuvwxyz012345", true, "2026-01-01"},
		{"\"is_abcdefghijklmnopqrstuvwxyz0123456\":true", NULL, false, NULL},
		{"\"Is_sent\":true", NULL, false, NULL},
	};
	struct reading *r = *state;
	char text[256];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned known = r->states.n;
		snprintf(text, sizeof text, "[{\"id\":\"r\",%s}]", cases[i].members);
		assert_int_equal(read_text(r, text), 0);
		assert_int_equal(r->s.n, 1);
		const struct row *row = &r->s.v[0];
		if (!cases[i].name) {
			assert_int_equal(r->states.n, known);
			assert_true(row->states == 0);
			continue;
		}
		int number = names_find(&r->states, cases[i].name);
		assert_true(number >= 0);
		assert_true(row->states == (uint64_t)cases[i].value << number);
		assert_true(row->at[number] == (cases[i].at ? date(cases[i].at) : DATE_NONE));
	}
	assert_int_equal(names_find(&r->states, "sent_at"), -1);
}

/* What looked like a flag and is none in some row costs no row, and is told apart from false. */
static void odd_flags_are_marked(void **state)
{
	struct reading *r = *state;

	assert_int_equal(
		read_text(r, "[{\"id\":\"a\",\"is_tier\":\"gold\"},{\"id\":\"b\",\"is_tier\":null},"
			     "{\"id\":\"c\",\"is_tier\":true},{\"id\":\"d\",\"is_tier\":1,"
			     "\"is_sent\":true},{\"id\":\"e\",\"is_tier\":null},"
			     "{\"id\":\"f\",\"is_tier\":false}]"),
		0);
	assert_int_equal(r->s.n, 6);
	assert_int_equal(r->s.new_states, 1);
	uint64_t tier = UINT64_C(1) << names_find(&r->states, "tier");
	assert_true(r->s.odd == tier);
	for (size_t i = 0; i < r->s.n; i++)
		assert_true(r->s.v[i].odd == (i == 3 ? tier : 0));
	assert_true(r->s.v[2].states == tier && r->s.v[3].states == 1u << SENT);
	assert_int_equal(read_text(r, "[{\"id\":\"a\",\"is_tier\":\"gold\"}]"), 0);
	assert_true(r->s.n == 1 && r->s.odd == tier);
	assert_int_equal(read_text(r, "[{\"id\":\"a\",\"is_tier\":true}]"), 0);
	assert_true(r->s.odd == 0);
}

static void ignores_names_beyond_the_ceiling(void **state)
{
	struct reading *r = *state;
	struct buf text = BUF_INIT(1 << 16);

	buf_adds(&text, "[{\"id\":\"r\"");
	for (int i = 0; i < 40; i++)
		buf_addf(&text, ",\"is_x%d\":true,\"is_x%d_at\":\"2026-01-01\"", i, i);
	buf_adds(&text, "},{\"id\":\"s\",\"is_x39\":true,\"is_sent\":true,\"is_x38\":1}]");
	assert_int_equal(read_text(r, text.data), 0);
	assert_int_equal(r->states.n, STATES_MAX);
	assert_int_equal(r->s.new_states, 32);
	assert_true(r->s.v[0].states == (UINT64_C(1) << 41) - (1 << 9));
	assert_true(r->s.v[1].states == 1u << SENT);
	buf_release(&text);
}

static void numbers_statuses_to_the_ceiling(void **state)
{
	struct reading *r = *state;
	struct buf text = BUF_INIT(1 << 16);

	buf_addc(&text, '[');
	for (int i = 0; i < 130; i++)
		buf_addf(&text, "%s{\"id\":\"r%d\",\"status\":\"S%d\"}", i ? "," : "", i, i);
	buf_addc(&text, ']');
	assert_int_equal(read_text(r, text.data), 0);
	assert_int_equal(r->s.new_statuses, STATUSES_MAX);
	assert_int_equal(r->s.v[126].status, 126);
	assert_int_equal(r->s.v[127].status, STATUS_NONE);
	buf_release(&text);
}

static void keeps_a_thousand_rows(void **state)
{
	struct reading *r = *state;
	struct buf text = BUF_INIT(1 << 20);

	buf_addc(&text, '[');
	for (int i = 0; i < 1100; i++)
		buf_addf(&text, "%s{\"id\":\"r%d\"}", i ? "," : "", i % 1050);
	buf_addc(&text, ']');
	assert_int_equal(read_text(r, text.data), 0);
	assert_int_equal(r->s.n, ROWS_MAX);
	assert_int_equal(r->s.skipped[SKIP_TOO_MANY], 100);
	assert_int_equal(r->s.doubled, 0);
	buf_release(&text);
}

/* Two rows, and which fingerprints must differ: i identity, e error, c contact. */
static void fingerprints(void **state)
{
	static const struct {
		const char *a, *b, *differ;
	} cases[] = {
		{"\"name\":\"ab\"", "\"name\":\"ab\"", ""},
		{"\"name\":\"a\",\"username\":\"b\"", "\"username\":\"b\",\"name\":\"a\"", ""},
		{"\"name\":\"ab\",\"username\":\"\"", "\"name\":\"a\",\"username\":\"b\"", "i"},
		{"\"name\":\"ab\"", "\"username\":\"ab\"", "i"},
		{"\"name\":null", "\"name\":\"\"", "i"},
		{"\"name\":null", "\"user_id\":null", ""},
		{"\"external_message_id\":\"1\"", "\"external_message_id\":\"2\"", "i"},
		{"\"template_id\":\"1\"", "\"template_id\":\"2\"", "i"},
		{"\"integration_id\":\"1\"", "\"integration_id\":\"2\"", "i"},
		{"\"phone\":\"1\"", "\"email\":\"1\"", "i"},
		{"\"name\":\"\\u00e9\"", "\"name\":\"é\"", ""},
		{"\"error_message\":\"x\"", "\"error_message\":\"y\"", "e"},
		{"\"error_message\":\"\"", "\"error_message\":null", "e"},
		{"\"is_sent\":true", "\"status\":\"SENDING\"", ""},
		{"\"updated_at\":\"2026-01-01\"", "\"updated_at\":\"2026-01-02\"", ""},
		{"\"broadcast_name\":\"1\"", "\"broadcast_name\":\"2\"", ""},
		{"\"contact\":{\"a\":1,\"b\":[2,{}]}", "\"contact\":{ \"b\":[2.0,{}],\"a\":1e0}",
		 ""},
		{"\"contact\":{\"a\":[1,2]}", "\"contact\":{\"a\":[2,1]}", "c"},
		{"\"contact\":{\"a\":[[1],2]}", "\"contact\":{\"a\":[[1,2]]}", "c"},
		{"\"contact\":{\"a\":\"x\",\"b\":\"y\"}", "\"contact\":{\"a\":\"y\",\"b\":\"x\"}",
		 "c"},
		{"\"contact\":{\"a\":\"x\"}", "\"contact\":{\"b\":\"x\"}", "c"},
		{"\"contact\":{\"a\":true}", "\"contact\":{\"a\":false}", "c"},
		{"\"contact\":{\"a\":null}", "\"contact\":{\"a\":false}", "c"},
		{"\"contact\":{\"a\":{}}", "\"contact\":{\"a\":[]}", "c"},
		{"\"contact\":{}", "\"contact\":null", "c"},
		{"\"contact\":{\"channels\":[{\"ip\":\"1\"}]}", "\"contact\":{\"channels\":[]}",
		 ""},
		{"\"contact\":{\"a\":{\"channels\":1}}", "\"contact\":{\"a\":{\"channels\":2}}",
		 "c"},
	};
	struct reading *r = *state;
	char text[512];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(text, sizeof text, "[{\"id\":\"a\",%s},{%s,\"id\":\"b\"}]", cases[i].a,
			 cases[i].b);
		assert_int_equal(read_text(r, text), 0);
		const struct row *a = &r->s.v[0], *b = &r->s.v[1];
		char differ[4];
		snprintf(differ, sizeof differ, "%s%s%s", a->identity != b->identity ? "i" : "",
			 a->error != b->error ? "e" : "", a->contact != b->contact ? "c" : "");
		if (strcmp(differ, cases[i].differ) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", text, differ, cases[i].differ);
	}
}

/* They are kept in journals: a change of how they are made would make every row look changed. */
static void fingerprints_stay(void **state)
{
	struct reading *r = *state;

	read_file(r, "recipients.json");
	const struct row *row = &r->s.v[2];
	assert_true(row->identity == UINT64_C(0x816976ac8480f5ab));
	assert_true(row->error == UINT64_C(0xf4cc0f893ff8edf9));
	assert_true(row->contact == UINT64_C(0xd09a9d076d41d97c));
}

static void long_ids_of_others_are_left_out(void **state)
{
	struct reading *r = *state;
	char text[1024], id[300];

	memset(id, 'z', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	snprintf(text, sizeof text,
		 "[{\"id\":\"a\",\"integration_id\":\"%s\",\"contact\":{\"id\":\"%s\"}}]", id, id);
	assert_int_equal(read_text(r, text), 0);
	assert_null(r->s.v[0].integration_id);
	assert_null(r->s.v[0].contact_id);
}

static void release_takes_zero(void **state)
{
	struct snapshot s = {0};

	(void)state;
	snapshot_release(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_documented_row),
		TEST(spans_are_the_rows),
		TEST(takes_new_flags_as_states),
		TEST(bears_odd_values),
		TEST(skips_and_counts_bad_rows),
		TEST(refuses_what_is_no_page),
		TEST(reads_each_pair),
		TEST(odd_flags_are_marked),
		TEST(ignores_names_beyond_the_ceiling),
		TEST(numbers_statuses_to_the_ceiling),
		TEST(keeps_a_thousand_rows),
		TEST(fingerprints),
		TEST(fingerprints_stay),
		TEST(long_ids_of_others_are_left_out),
		cmocka_unit_test(release_takes_zero),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
