/* diff of broadcasts: two list entries in, events out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/looks.h"

#define BASE LOOKS_BASE

struct listed {
	const char *status, *counters, *templates;
	int64_t created, updated; /* seconds from BASE; -1000000: none */
	int64_t clicks;
};
#define NONE	  (-1000000)
#define CLICKS(n) "{\"click_count\":" #n "}", NULL, 1, 5, n

static int64_t ms_of(int64_t s)
{
	return s == NONE ? DATE_NONE : BASE + s * 1000;
}

static void list(struct looks *r, const struct listed *l, struct broadcast_record *record)
{
	static const char text[] = "{\"id\" : \"bc_1\"}";
	struct listing_row row = {.id = "bc_1",
				  .name = "Spring",
				  .status = l->status,
				  .created_ms = ms_of(l->created),
				  .updated_ms = ms_of(l->updated),
				  .counters = l->counters,
				  .templates = l->templates,
				  .clicks = l->clicks,
				  .text = {0, sizeof text - 1}};
	struct broadcast_record now;

	events_release(&r->out);
	diff_broadcast(&r->at, record->id ? record : NULL, &row, text, &r->out, &now);
	broadcast_record_release(record);
	*record = now;
	looks_tell(r);
}

static void broadcasts(void **state)
{
	static const struct {
		int64_t since; /* seconds; NONE: all */
		struct listed before, after;
		const char *first, *second;
	} cases[] = {
		{NONE,
		 {"DRAFT", "{}", NULL, 1, 1, -1},
		 {"DRAFT", "{}", NULL, 1, 1, -1},
		 "added@1",
		 ""},
		{NONE,
		 {"SENDING", "{}", NULL, 1, 2, -1},
		 {"SENT", "{}", NULL, 1, 5, -1},
		 "added@1 sending@2",
		 "sent@5"},
		{NONE,
		 {"SENDING", "{}", NULL, 1, 2, -1},
		 {"SENDING", "{\"a_count\":1}", NULL, 1, 5, -1},
		 "added@1 sending@2",
		 ""},
		{NONE,
		 {"SENT", "{}", NULL, 1, 2, -1},
		 {"Sending again!", "{}", NULL, 1, 5, -1},
		 "added@1 sent@2",
		 "sending_again_@5"},
		{NONE,
		 {"SENT", "{}", NULL, NONE, NONE, -1},
		 {"ACTIVE", "{}", NULL, 1, NONE, -1},
		 "added@100 sent@100",
		 "active@100"},
		{3,
		 {"SENT", "{}", NULL, 1, 2, -1},
		 {"SENDING", "{}", NULL, 1, 5, -1},
		 "",
		 "sending@5"},
		{3, {"SENT", "{}", NULL, 1, 4, -1}, {"SENT", "{}", NULL, 1, 5, -1}, "sent@4", ""},
		{3,
		 {"SENT", "{}", NULL, 4, NONE, -1},
		 {"SENT", "{}", NULL, 4, 5, -1},
		 "added@4 sent@100",
		 ""},
		{3, {"", "{}", NULL, 1, 2, -1}, {"", "{}", NULL, 1, 5, -1}, "", ""},
		{3, {"", "{}", NULL, 1, 2, -1}, {"SENT", "{}", NULL, 1, 5, -1}, "", "sent@5"},
		{3, {"SENT", "{}", NULL, 1, 2, -1}, {"", "{}", NULL, 1, 5, -1}, "", ""},
		/* clicks */
		{NONE,
		 {"SENT", CLICKS(3)},
		 {"SENT", CLICKS(10)},
		 "added@1 sent@5 clicked@100",
		 "clicked@100"},
		{NONE, {"SENT", CLICKS(3)}, {"SENT", CLICKS(3)}, "added@1 sent@5 clicked@100", ""},
		{NONE, {"SENT", CLICKS(3)}, {"SENT", CLICKS(2)}, "added@1 sent@5 clicked@100", ""},
		{9, {"SENT", CLICKS(3)}, {"SENT", CLICKS(4)}, "", "clicked@100"},
		{9, {"SENT", CLICKS(0)}, {"SENT", CLICKS(4)}, "", "clicked@100"},
		{9, {"SENT", "{}", NULL, 1, 5, -1}, {"SENT", CLICKS(4)}, "", ""},
		{9, {"SENT", NULL, NULL, 1, 5, -1}, {"SENT", CLICKS(4)}, "", ""},
		{9, {"SENT", CLICKS(4)}, {"SENT", "{}", NULL, 1, 6, -1}, "", ""},
		/* templates */
		{9,
		 {"SENT", "{}", "{\"t1\":\"e\"}", 1, 5, -1},
		 {"SENT", "{}", "{\"t1\":\"e\"}", 1, 6, -1},
		 "",
		 ""},
		{9,
		 {"SENT", "{}", "{\"t1\":\"e\"}", 1, 5, -1},
		 {"SENT", "{}", "{\"t1\":\"e\",\"t2\":\"e\"}", 1, 6, -1},
		 "",
		 "template_failed@6"},
		{9,
		 {"SENT", "{}", "{\"t1\":\"e\"}", 1, 5, -1},
		 {"SENT", "{}", "{\"t1\":\"f\"}", 1, 6, -1},
		 "",
		 "template_failed@6"},
		{9,
		 {"SENT", "{}", NULL, 1, 5, -1},
		 {"FAILED", "{}", "{\"t1\":\"e\",\"t2\":\"e\"}", 1, 6, -1},
		 "",
		 "failed@6 template_failed@6 template_failed@6"},
		{9,
		 {"SENT", "{}", "{\"t1\":\"e\"}", 1, 5, -1},
		 {"SENT", "{}", NULL, 1, 6, -1},
		 "",
		 ""},
		{NONE,
		 {"FAILED", "{}", "{\"t1\":\"e\"}", 1, 5, -1},
		 {"FAILED", "{}", NULL, 1, 6, -1},
		 "added@1 failed@5 template_failed@5",
		 ""},
	};
	struct looks *r = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct broadcast_record record = {0};
		r->at.since_ms = ms_of(cases[i].since);
		list(r, &cases[i].before, &record);
		assert_string_equal(r->told.data, cases[i].first);
		list(r, &cases[i].before, &record);
		assert_string_equal(r->told.data, "");
		list(r, &cases[i].after, &record);
		if (strcmp(r->told.data, cases[i].second) != 0)
			fail_msg("case %zu: \"%s\", not \"%s\"", i, r->told.data, cases[i].second);
		for (size_t j = 1; j < r->out.n; j++)
			assert_string_not_equal(r->out.v[j - 1].id, r->out.v[j].id);
		list(r, &cases[i].after, &record);
		assert_string_equal(r->told.data, "");
		broadcast_record_release(&record);
	}
}

static const char *data_of(const struct event *ev)
{
	return strstr(ev->body, "\"data\":");
}

static void broadcast_data(void **state)
{
	static const struct listed before = {"SENDING", "{\"click_count\":3}", NULL, 1, 5, 3};
	static const struct listed after = {
		"FAILED", "{\"click_count\":5}", "{\"t1\":\"no \\\"key\\\"\"}", 1, 6, 5};
	struct looks *r = *state;
	struct broadcast_record record = {0};

	list(r, &before, &record);
	record.number = 4;
	record.recipients = 9;
	record.baseline_page = 2;
	record.baseline_done = true;
	list(r, &after, &record);
	assert_string_equal(r->told.data, "failed@6 template_failed@6 clicked@100");
#define BEGIN "\"data\":{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":\"Spring\","
#define END                                                                                        \
	"\"status\":\"FAILED\",\"previous\":{\"status\":\"SENDING\"},"                             \
	"\"counters\":{\"click_count\":5},\"broadcast\":{\"id\":\"bc_1\"}}}"
	assert_string_equal(data_of(&r->out.v[0]), BEGIN END);
	assert_string_equal(data_of(&r->out.v[1]),
			    BEGIN "\"template_id\":\"t1\","
				  "\"error_message\":\"no \\\"key\\\"\"," END);
	assert_string_equal(data_of(&r->out.v[2]), BEGIN "\"total\":5,\"delta\":2," END);
	for (size_t i = 0; i < r->out.n; i++) {
		assert_non_null(strstr(r->out.v[i].body, "\"subject\":\"bc_1\""));
		assert_non_null(strstr(r->out.v[i].body, "\"partitionkey\":\"bc_1\""));
	}
	assert_string_equal(r->out.v[0].topic, "broadcast.failed.-.bc_1");
	assert_int_equal(record.number, 4);
	assert_int_equal(record.recipients, 9);
	assert_int_equal(record.baseline_page, 2);
	assert_true(record.baseline_done);
	assert_string_equal(record.org, "c");
	assert_string_equal(record.status, "FAILED");
	assert_string_equal(record.counters, after.counters);
	assert_string_equal(record.templates, after.templates);

	events_release(&r->out);
	diff_broadcast_removed(&r->at, &record, &r->out);
	looks_tell(r);
	assert_string_equal(r->told.data, "removed@100");
	assert_string_equal(data_of(&r->out.v[0]),
			    BEGIN "\"status\":null,\"previous\":{\"status\":\"FAILED\"},"
				  "\"counters\":{\"click_count\":5}}}");
	broadcast_record_release(&record);
}

static void broadcast_ids_are_the_vectors(void **state)
{
	static const char text[] = "{}";
	struct looks *r = *state;
	struct listing_row row = {.id = "bc_01JDXK4T6Q",
				  .status = "DRAFT",
				  .created_ms = BASE,
				  .updated_ms = 1795341480123,
				  .counters = "{\"click_count\":0}",
				  .text = {0, 2}};
	struct broadcast_record first, second;

	diff_broadcast(&r->at, NULL, &row, text, &r->out, &first);
	row.status = "SENDING";
	row.updated_ms = 1795341690123;
	row.clicks = 12;
	diff_broadcast(&r->at, &first, &row, text, &r->out, &second);
	looks_tell(r);
	assert_int_equal(r->out.n, 3);
	looks_assert_vector(r->out.v[0].id, "broadcast added");
	looks_assert_vector(r->out.v[1].id, "broadcast status");
	looks_assert_vector(r->out.v[2].id, "clicked: ");
	broadcast_record_release(&first);
	broadcast_record_release(&second);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, looks_set_up, looks_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(broadcasts),
		TEST(broadcast_data),
		TEST(broadcast_ids_are_the_vectors),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
