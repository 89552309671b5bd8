/* What a refill socket says to requests without a socket in between: rows of a broadcast page by
 * page, and to bad requests of either kind what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/suite/nng_world.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"

struct said {
	struct json_doc *doc;
	struct buf text;
	const struct json *root;
};

static int open_world(void **state)
{
	*state = nng_world_new();
	return 0;
}

static int close_world(void **state)
{
	nng_world_free(*state);
	return 0;
}

static void said_release(struct said *s)
{
	json_doc_free(s->doc);
	buf_release(&s->text);
}

static struct said ask_bytes(const struct nng_world *w, const char *request, size_t len)
{
	struct said s = {json_doc_new(), BUF_INIT(FRAME_REPLY_MAX), NULL};
	struct err err = {0};

	refill_answer(&w->history, 7, request, len, &s.text);
	assert_false(s.text.full);
	s.root = json_parse(s.doc, s.text.data, s.text.len, JSON_DEPTH, &err);
	if (!s.root)
		fail_msg("%s in %.200s", err.msg, s.text.data);
	return s;
}

static struct said ask(const struct nng_world *w, const char *request)
{
	return ask_bytes(w, request, strlen(request));
}

static void expect(const struct nng_world *w, const char *request, const char *reply)
{
	struct said s = ask(w, request);

	assert_string_equal(s.text.data, reply);
	said_release(&s);
}

static void the_state_of_a_broadcast(void **state)
{
	struct nng_world *w = *state;

	nng_world_commit(w, "t", 0);
	nng_world_commit(w, "t", 0);
	w->nrows = 3;
	w->row_padding = 1;
	expect(w, "{\"state\":\"bc_1\"}",
	       "{\"state\":\"bc_1\",\"rows\":[{\"recipient_id\":\"rcp_000000\",\"p\":\"0\"},"
	       "{\"recipient_id\":\"rcp_000001\",\"p\":\"0\"},{\"recipient_id\":\"rcp_000002\","
	       "\"p\":\"0\"}],\"broadcast\":{\"broadcast_id\":\"bc_1\"},\"sequence\":2,"
	       "\"next\":\"000002-x\",\"more\":false}");
	expect(w, "{\"org\":\"c\",\"limit\":1,\"after\":\"000000-x\",\"state\":\"bc_1\"}",
	       "{\"state\":\"bc_1\",\"rows\":[{\"recipient_id\":\"rcp_000001\",\"p\":\"0\"}],"
	       "\"broadcast\":{\"broadcast_id\":\"bc_1\"},\"sequence\":2,\"next\":\"000001-x\","
	       "\"more\":true}");
	expect(w, "{\"state\":\"bc_1\",\"after\":\"000002-x\"}",
	       "{\"state\":\"bc_1\",\"rows\":[],\"broadcast\":{\"broadcast_id\":\"bc_1\"},"
	       "\"sequence\":2,\"next\":\"000002-x\",\"more\":false}");
}

static void one_that_is_unknown_is_not_an_empty_one(void **state)
{
	struct nng_world *w = *state;

	expect(w, "{\"state\":\"bc_1\"}",
	       "{\"state\":\"bc_1\",\"rows\":[],\"broadcast\":{\"broadcast_id\":\"bc_1\"},"
	       "\"sequence\":0,\"next\":\"\",\"more\":false}");
	expect(w, "{\"state\":\"b\\\"c\"}",
	       "{\"state\":\"b\\\"c\",\"rows\":[],\"broadcast\":null,\"sequence\":0,\"next\":\"\","
	       "\"more\":false}");
	expect(w, "{\"state\":\"bc_1\",\"org\":\"d\"}",
	       "{\"state\":\"bc_1\",\"rows\":[],\"broadcast\":null,\"sequence\":0,\"next\":\"\","
	       "\"more\":false}");
}

/* 600 rows of 40 KB: what finds no room in one reply is in the next. */
static void a_reply_of_rows_is_bounded(void **state)
{
	struct nng_world *w = *state;
	char request[64], id[32], next[32] = "";
	size_t seen = 0, replies = 0;
	bool more = true;

	w->nrows = 600;
	w->row_padding = 40000;
	while (more) {
		snprintf(request, sizeof request, "{\"state\":\"bc_1\",\"after\":\"%s\"}", next);
		struct said s = ask(w, request);
		assert_in_range(s.text.len, 1, FRAME_REPLY_MAX);
		for (const struct json *r = json_first(json_get(s.root, "rows")); r;
		     r = json_next(r), seen++) {
			snprintf(id, sizeof id, "rcp_%06zu", seen);
			assert_string_equal(json_string(json_get(r, "recipient_id")), id);
			snprintf(next, sizeof next, "%06zu-x", seen);
		}
		assert_string_equal(json_string(json_get(s.root, "next")), next);
		more = json_bool(json_get(s.root, "more"), true);
		replies++;
		said_release(&s);
	}
	assert_int_equal(seen, 600);
	assert_in_range(replies, 3, 5);
}

static void what_does_not_fit_is_an_error(void **state)
{
	struct nng_world *w = *state;
	char *about = xcalloc(1, FRAME_REPLY_MAX);

	memset(about, '1', FRAME_REPLY_MAX - 1);
	w->about = about;
	expect(w, "{\"state\":\"bc_1\"}", "{\"error\":\"the journal cannot be read now\"}");
	free(about);
}

/* ---- bad requests ---- */

#define DIGITS_17 "00000000000000001"

static const struct {
	const char *request, *why; /* how the error begins */
} bad[] = {
	{"", "the request is empty"},
	{" ", "not JSON"},
	{"{", "not JSON"},
	{"{} {}", "not JSON"},
	{"{'state':'bc_1'}", "not JSON"},
	{"[]", "a JSON object is expected"},
	{"null", "a JSON object is expected"},
	{"7", "a JSON object is expected"},
	{"\"state\"", "a JSON object is expected"},
	{"[{\"state\":\"bc_1\"}]", "a JSON object is expected"},
	{"{}", "topic or state is missing"},
	{"{\"after\":1}", "topic or state is missing"},
	{"{\"State\":\"bc_1\"}", "topic or state is missing"},
	{"{\"topic\":\"\",\"state\":\"bc_1\"}", "topic and state: only one"},
	{"{\"state\":\"bc_1\",\"state\":\"bc_1\"}", "not JSON"},
	{"{\"topic\":\"\",\"topic\":\"\"}", "not JSON"},
	{"{\"topic\":\"\",\"after\":1,\"after\":2}", "not JSON"},
	{"{\"state\":\"\xff\"}", "not JSON"},
	{"{\"state\":\"\xc0\x80\"}", "not JSON"},
	{"{\"state\":\"\xed\xa0\x80\"}", "not JSON"},
	{"{\"state\":\"\\ud800\"}", "not JSON"},
	{"{\"state\":\"a\\u0000b\"}", "not JSON"},
	{"{\"sta\\u0000te\":\"a\"}", "not JSON"},
	{"{\"state\":[[[[[[[[[[[[]]]]]]]]]]]]}", "not JSON"},
	{"{\"state\":\"bc_1\",\"limit\":1e}", "not JSON"},
	/* topic */
	{"{\"topic\":1}", "topic: a string"},
	{"{\"topic\":null}", "topic: a string"},
	{"{\"topic\":[\"\"]}", "topic: a string"},
	{"{\"topic\":\"\",\"after\":null}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":true}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":{}}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":-1}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":0.5}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":1e400}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":9007199254740992}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":9007199254740993}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":18446744073709551617}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":\"9007199254740992\"}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":\"" DIGITS_17 "\"}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":\"-1\"}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":\"rcp_1\"}", "after: a sequence"},
	{"{\"topic\":\"\",\"after\":3}", "after: 3 is beyond the journal's latest sequence, 2"},
	{"{\"topic\":\"x\",\"after\":9007199254740991}", "after: 9007199254740991 is beyond"},
	{"{\"topic\":\"\",\"limit\":0}", "limit: 1 to 1000"},
	{"{\"topic\":\"\",\"limit\":1001}", "limit: 1 to 1000"},
	{"{\"topic\":\"\",\"limit\":1.5}", "limit: 1 to 1000"},
	{"{\"topic\":\"\",\"limit\":\"5\"}", "limit: 1 to 1000"},
	{"{\"topic\":\"\",\"limit\":9007199254740993}", "limit: 1 to 1000"},
	{"{\"topic\":\"\",\"limt\":5}", "only topic, after and limit are known, not limt"},
	{"{\"topic\":\"\",\"org\":\"c\"}", "only topic, after and limit are known, not org"},
	{"{\"topic\":\"\",\"\":5}", "only topic, after and limit are known, not "},
	{"{\"topic\":\"\",\"a\\nb\":5}", "only topic, after and limit are known, not a\nb"},
	/* state */
	{"{\"state\":\"\"}", "state: a string of 1 to 256 bytes"},
	{"{\"state\":1}", "state: a string of 1 to 256 bytes"},
	{"{\"state\":null}", "state: a string of 1 to 256 bytes"},
	{"{\"state\":[\"bc_1\"]}", "state: a string of 1 to 256 bytes"},
	{"{\"state\":\"bc_1\",\"after\":1}", "after: the `next` of a page"},
	{"{\"state\":\"bc_1\",\"after\":null}", "after: the `next` of a page"},
	{"{\"state\":\"bc_1\",\"limit\":1001}", "limit: 1 to 1000"},
	{"{\"state\":\"bc_1\",\"org\":\"\"}", "org: a string of 1 to 256 bytes"},
	{"{\"state\":\"bc_1\",\"org\":false}", "org: a string of 1 to 256 bytes"},
	{"{\"state\":\"bc_1\",\"prefix\":\"x\"}",
	 "only state, after, limit and org are known, not prefix"},
	{"{\"state\":\"bc_2\"}", "state: several organizations have"},
};

static void is_refused(const struct nng_world *w, const char *request, size_t len, const char *why)
{
	struct said s = ask_bytes(w, request, len);
	const char *error = json_string(json_get(s.root, "error"));

	if (!error || json_count(s.root) > 2 || strncmp(error, why, strlen(why)) != 0)
		fail_msg("%.80s: %.200s", request, s.text.data);
	said_release(&s);
}

static void a_bad_request_is_told_what_is_wrong(void **state)
{
	struct nng_world *w = *state;

	nng_world_commit(w, "t", 0);
	nng_world_commit(w, "t", 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		is_refused(w, bad[i].request, strlen(bad[i].request), bad[i].why);
	expect(w, "{\"topic\":\"\",\"after\":7}",
	       "{\"error\":\"after: 7 is beyond the journal's latest sequence, 2; is it another "
	       "journal?\",\"latest\":2}");
	is_refused(w, "{\"state\":\"a\0b\"}", 15, "not JSON");
	is_refused(w, "\0", 1, "not JSON");
	is_refused(w, "{\"topic\":\"\",\"after\":2}\0", 24, "not JSON");
}

/* Each of a length that is just too much, and the longest that are none. */
static void lengths_have_their_bounds(void **state)
{
	static const struct {
		const char *before, *behind;
		size_t max;
		const char *why; /* of one more */
	} cases[] = {
		{"{\"topic\":\"", "\"}", FRAME_TOPIC_MAX, "topic: a string"},
		{"{\"state\":\"", "\"}", FRAME_ID_MAX, "state: a string"},
		{"{\"state\":\"x\",\"after\":\"", "\"}", HISTORY_PLACE_MAX, "after: the `next`"},
		{"{\"state\":\"x\",\"org\":\"", "\"}", FRAME_ID_MAX, "org: a string"},
		{"{\"state\":\"x\"}", "", FRAME_REQUEST_MAX - 13, "the request is longer"},
	};
	const struct nng_world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char fill = *cases[i].behind ? 'x' : ' ';
		for (size_t over = 0; over < 2; over++) {
			size_t n = cases[i].max + over;
			char *middle = xcalloc(1, n + 1);
			memset(middle, fill, n);
			char *text = xasprintf("%s%s%s", cases[i].before, middle, cases[i].behind);
			if (over) {
				is_refused(w, text, strlen(text), cases[i].why);
			} else {
				struct said s = ask(w, text);
				assert_null(json_get(s.root, "error"));
				said_release(&s);
			}
			free(text);
			free(middle);
		}
	}
}

/* A name is shown, but not all of a long one, and no half of a character. */
static void an_unknown_member_is_named(void **state)
{
	struct nng_world *w = *state;
	char *name = xcalloc(1, 60001), *request;

	for (size_t i = 0; i < 60000; i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	request = xasprintf("{\"state\":\"bc_1\",\"x%s\":1}", name);
	struct said s = ask(w, request);
	const char *error = json_string(json_get(s.root, "error"));
	assert_non_null(strstr(error, "not x\xc3\xa4\xc3\xa4"));
	assert_null(strstr(error, "\xef\xbf\xbd")); /* what stands for a broken byte */
	assert_in_range(strlen(error), 200, 511);
	said_release(&s);
	free(request);
	free(name);
}

static void what_cannot_be_read_is_told_without_why(void **state)
{
	struct nng_world *w = *state;
	struct transport_history events = w->history;
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);

	w->broken = true;
	expect(w, "{\"state\":\"bc_1\"}", "{\"error\":\"the journal cannot be read now\"}");
	expect(w, "{\"topic\":\"\"}", "{\"error\":\"the journal cannot be read now\"}");
	refill_answer(NULL, 7, "{\"state\":\"bc_1\"}", 16, &text);
	assert_non_null(strstr(text.data, "{\"error\":\"there is no journal"));
	buf_clear(&text);
	events.rows = NULL;
	refill_answer(&events, 7, "{\"state\":\"bc_1\"}", 16, &text);
	assert_non_null(strstr(text.data, "{\"error\":\"state: it is switched off"));
	buf_release(&text);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(the_state_of_a_broadcast),
		IN_WORLD(one_that_is_unknown_is_not_an_empty_one),
		IN_WORLD(a_reply_of_rows_is_bounded),
		IN_WORLD(what_does_not_fit_is_an_error),
		IN_WORLD(a_bad_request_is_told_what_is_wrong),
		IN_WORLD(lengths_have_their_bounds),
		IN_WORLD(an_unknown_member_is_named),
		IN_WORLD(what_cannot_be_read_is_told_without_why),
	};

	return cmocka_run_group_tests_name("nng_state", tests, NULL, NULL);
}
