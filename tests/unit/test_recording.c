/* Recordings: nothing personal survives in them, and served again they say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/source/made_ids.h"
#include "tests/unit/probe_rig.h"
#include "tests/unit/sim_client.h"

#define LATER	 (SIM_EPOCH + 50000)
#define TEXT_MAX RECORDING_MAX

static struct model *make(enum sim_order order, const char *fault, bool tokens)
{
	static const struct sim_broadcast b[] = {{.recipients = 900}, {.recipients = 60}};
	struct model_options o = sim_options(b, order);
	struct err err = {0};

	o.nbroadcasts = 2;
	o.next_tokens = tokens;
	o.along_ramp = true;
	o.times.null = 10;
	struct model *m = sim_make_with(&o);
	if (fault && model_set_faults(m, &fault, 1, &err))
		fail_msg("%s", err.msg);
	return m;
}

/* ---- what survives ---- */

static bool may_survive(const char *key, const char *text)
{
	size_t len = strlen(key);

	return strcmp(key, "status") == 0 || strcmp(key, "integration_id") == 0 ||
	       strcmp(key, "type") == 0 || (len > 3 && strcmp(key + len - 3, "_at") == 0) ||
	       strlen(text) < 3;
}

static void look_for(const struct json *v, const char *key, const char *recording, size_t *looked)
{
	const char *text = json_string(v);

	for (const struct json *m = json_first(v); m; m = json_next(m))
		look_for(m, json_key(m) ? json_key(m) : key, recording, looked);
	if (!text || may_survive(key, text))
		return;
	++*looked;
	if (strlen(text) > 5 && strstr(recording, text))
		fail_msg("%s: %s survives", key, text);
	char *quoted = xasprintf("\"%s\"", text);
	if (strstr(recording, quoted))
		fail_msg("%s: %s survives", key, quoted);
	free(quoted);
}

static void look_for_all(struct model *m, const char *path, const char *recording, size_t *looked)
{
	struct json_doc *doc = json_doc_new();

	for (unsigned page = 1; page <= 9; page++) {
		char query[64];
		snprintf(query, sizeof query, "page=%u&take=100", page);
		look_for(sim_read(m, model_now(m), path, query, doc), "", recording, looked);
	}
	json_doc_free(doc);
}

static void test_nothing_personal_survives(void **state)
{
	static const char *const faults[] = {NULL,  "types", "words", "utf8",
					     "nul", "flag",  "double"};

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct probe_rig rig = {.model = make(SIM_ORDER_CREATED, faults[i], i % 2),
					.recording = recording_new()};
		struct probe_report r;
		struct buf text = BUF_INIT(TEXT_MAX);
		size_t looked = 0;
		probe_rig_run(&rig, LATER, &r);
		recording_write(rig.recording, &text);
		model_set_faults(rig.model, NULL, 0, &(struct err){0});
		look_for_all(rig.model, SIM_PATH, text.data, &looked);
		look_for_all(rig.model, "/orgs/c/broadcasts", text.data, &looked);
		assert_true(looked > 9000);
		buf_release(&text);
		probe_report_release(&r);
		probe_rig_release(&rig);
	}
}

/* A reply as no simulator gives it, and what is written of it. */
static void becomes(const char *path, int status, const char *headers, size_t headers_len,
		    const char *body, const char *line)
{
	struct recording *r = recording_new();
	struct buf head = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX);

	buf_add(&head, headers, headers_len);
	recording_add(
		r, path,
		&(struct http_reply){
			.status = status, .body = body, .len = strlen(body), .headers = &head});
	recording_write(r, &text);
	assert_string_equal(text.data, line);
	buf_release(&text);
	buf_release(&head);
	recording_free(r);
}

#define HEADERS(...) __VA_ARGS__, sizeof(__VA_ARGS__)

static void test_what_is_written(void **state)
{
	(void)state;
	becomes("/orgs/c/broadcasts?page=1", 200,
		HEADERS("Set-Cookie: a=b\0X-User: Ana\0pagination-count: 12\0"
			"Date: Thu, 26 Nov 2026 08:00:00 GMT\0content-type: text/html"),
		"[{\"name\":\"Ana\",\"error_message\":\"131026: no WhatsApp\",\"age\":41,"
		"\"sent_count\":7,\"status\":\"SENT OUT\",\"created_at\":\"Ana\",\"ok\":true,"
		"\"+351912345678\":1,\"config\":{\"to\":\"Ana\"},\"channels\":[\"Ana\"],\"note\":"
		"null}]",
		"{\"request\":\"/orgs/c/broadcasts?page=1\",\"status\":200,\"headers\":{"
		"\"pagination-count\":\"12\",\"Date\":\"Thu, 26 Nov 2026 08:00:00 GMT\","
		"\"content-type\":\"text/plain\"},\"body\":[{\"name\":\"x\","
		"\"error_message\":\"error 131026\",\"age\":0,\"sent_count\":7,\"status\":\"x\","
		"\"created_at\":\"x\",\"ok\":true,\"config\":{},\"channels\":[],\"note\":null}]}"
		"\n");
	becomes("/orgs/Ana%20SA/broadcasts", 400, HEADERS("x-ratelimit-limit: 500"),
		"{\"statusCode\":400,\"message\":\"Ana\"}",
		"{\"request\":\"/orgs/c/broadcasts\",\"status\":400,\"headers\":{"
		"\"x-ratelimit-limit\":\"500\"},\"body\":{\"statusCode\":400,\"message\":\"x\"}}"
		"\n");
	becomes("/orgs/c/broadcasts", 502, HEADERS("retry-after: 7"), "<p>Ana</p>",
		"{\"request\":\"/orgs/c/broadcasts\",\"status\":502,\"headers\":{"
		"\"retry-after\":\"7\"},\"body\":\"no JSON\"}\n");
	becomes("/orgs/c/broadcasts?next=Ana%2B1&take=5", 200, HEADERS("pagination-next: Ana+1"),
		"[]",
		"{\"request\":\"/orgs/c/broadcasts?next=t1&take=5\",\"status\":200,\"headers\":{"
		"\"pagination-next\":\"t1\"},\"body\":[]}\n");
}

/* Part of a number to call is no code. */
static void test_error_texts(void **state)
{
	static const struct {
		const char *text, *becomes;
	} cases[] = {
		{"131026: no WhatsApp on the number", "error 131026"},
		{"+351 912 345 678 is not on WhatsApp", "error"},
		{"+351912345678 refused", "error"},
		{"131026 for +351912345678", "error"},
		{"Ana blocked us", "error"},
		{"12", "error"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *body = xasprintf("[{\"error_message\":\"%s\"}]", cases[i].text);
		char *line = xasprintf("{\"request\":\"/orgs/c\",\"status\":200,\"headers\":{},"
				       "\"body\":[{\"error_message\":\"%s\"}]}\n",
				       cases[i].becomes);
		becomes("/orgs/c", 200, "", 0, body, line);
		free(body);
		free(line);
	}
}

/* ---- ids ---- */

static void shaped_alike(const char *a, const char *b)
{
	assert_int_equal(strlen(a), strlen(b));
	for (size_t i = 0; a[i]; i++)
		assert_int_equal(a[i] == '-' || a[i] == '_', b[i] == '-' || b[i] == '_');
}

static void test_ids_keep_order_and_shape(void **state)
{
	struct made_ids m = {0};
	struct prng random = {3};
	char id[64];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		unsigned long long a = prng_next(&random), b = prng_next(&random);
		snprintf(id, sizeof id, "%08llx-%04llx-%04llx-%04llx-%012llx", a >> 32, a & 0xffff,
			 a >> 16 & 0xffff, b & 0xffff, b >> 16);
		made_ids_add(&m, id);
		made_ids_add(&m, id);
		snprintf(id, sizeof id, "rcp_%d", i);
		made_ids_add(&m, id);
	}
	made_ids_make(&m);
	assert_int_equal(m.n, 4000);
	for (size_t i = 0; i < m.n; i++) {
		const char *made = made_ids_of(&m, m.v[i].id);
		bool short_one = strncmp(m.v[i].id, "rcp_", 4) == 0;
		assert_string_not_equal(made, m.v[i].id);
		assert_null(made_ids_of(&m, made));
		if (short_one)
			assert_memory_equal(made, "rcp_", 4);
		else
			shaped_alike(made, m.v[i].id);
		if (i > 0 && short_one == (strncmp(m.v[i - 1].id, "rcp_", 4) == 0))
			assert_true(strcmp(made_ids_of(&m, m.v[i - 1].id), made) < 0);
	}
	assert_null(made_ids_of(&m, "rcp_"));
	made_ids_release(&m);
	made_ids_release(&m);
}

/* ---- served again ---- */

static struct replay *serve(const struct recording *r)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/recording-XXXXXX", tmp ? tmp : "/tmp");
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err err = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	recording_write(r, &text);
	assert_false(text.full);
	assert_int_equal(write(fd, text.data, text.len), text.len);
	close(fd);
	struct replay *replay = replay_open(path, &err);
	unlink(path);
	free(path);
	if (!replay)
		fail_msg("%s", err.msg);
	buf_release(&text);
	return replay;
}

static void same_report(const struct probe_report *a, const struct probe_report *b)
{
	assert_int_equal(a->requests, b->requests);
	assert_int_equal(a->rows, b->rows);
	assert_string_equal(a->status, b->status);
	assert_memory_equal(&a->seed, &b->seed, sizeof a->seed);
	for (unsigned q = 0; q < QUESTIONS; q++) {
		assert_string_equal(a->v[q].answer, b->v[q].answer);
		assert_string_equal(a->v[q].evidence, b->v[q].evidence);
	}
}

static void test_a_replay_gives_the_same_report(void **state)
{
	static const char *const faults[] = {
		NULL, "types", "words", "headers", "overlap=3", "take=50", "429=7,after=9,count=1"};

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		for (int order = SIM_ORDER_NONE; order <= SIM_ORDER_UPDATED_OLDEST; order++) {
			struct probe_rig rig = {
				.model = make((enum sim_order)order, faults[i], i == 0),
				.recording = recording_new()};
			struct probe_rig again = {0};
			struct probe_report r, same;
			probe_rig_run(&rig, LATER, &r);
			again.replay = serve(rig.recording);
			probe_rig_run(&again, LATER, &same);
			same_report(&r, &same);
			probe_report_release(&r);
			probe_report_release(&same);
			probe_rig_release(&rig);
			probe_rig_release(&again);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_personal_survives),
		cmocka_unit_test(test_what_is_written),
		cmocka_unit_test(test_error_texts),
		cmocka_unit_test(test_ids_keep_order_and_shape),
		cmocka_unit_test(test_a_replay_gives_the_same_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
