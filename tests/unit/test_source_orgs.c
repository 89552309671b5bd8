/* source_orgs: against an API that lists sub-organizations from a script, which lists are polled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/source/orgs.h"
#include "relay/source/source.h"
#include "tests/unit/fake_api.h"

#define MINUTE INT64_C(60000)

static char base_url[] = "http://127.0.0.1:1";
static char *two[] = {(char *)"c", (char *)"org_p"};

struct stage {
	struct fake_api api;
	struct source_options options;
	struct source *source;
	struct names states, statuses;
	struct instant now;
	/* what the API has: of c, and of org_p */
	const char *body[2];	    /* NULL: an empty list */
	int status[2];		    /* other than 200, when set */
	unsigned many;		    /* c has so many organizations in pages, m0, m1 … */
	unsigned lists[2], asked_x; /* requests for sub-organizations; for the list of org_x */
	/* what the owner got */
	unsigned found, gone, trouble, downs, rounds;
	char why[256]; /* of the last trouble */
};

static void on_page(void *arg, struct source_page *p)
{
	struct stage *t = arg;

	source_page_done(t->source, p, &(struct page_result){0});
}

static void on_listing(void *arg, const struct source_listing *l)
{
	(void)arg;
	(void)l;
}

static void on_orgs(void *arg)
{
	struct stage *t = arg;

	t->rounds++;
}

static void on_notice(void *arg, enum source_notice what, const struct followed *b, const char *why,
		      int64_t number)
{
	struct stage *t = arg;

	(void)b;
	(void)number;
	t->found += what == SOURCE_ORG_FOUND;
	t->gone += what == SOURCE_ORG_GONE;
	t->trouble += what == SOURCE_TROUBLE;
	t->downs += what == SOURCE_DOWN;
	if (what == SOURCE_TROUBLE)
		snprintf(t->why, sizeof t->why, "%s", why);
}

static struct source *opened(struct stage *t)
{
	struct err err = {0};
	struct source_env env = {.fetch = fake_fetch,
				 .fetch_arg = &t->api,
				 .states = &t->states,
				 .statuses = &t->statuses,
				 .seed = 1,
				 .page = on_page,
				 .listing = on_listing,
				 .orgs = on_orgs,
				 .notice = on_notice,
				 .arg = t};
	struct source *s = source_open(&t->options, &env, t->now, &err);

	assert_non_null(s);
	return s;
}

static struct stage *open_stage(size_t norgs)
{
	struct stage *t = calloc(1, sizeof *t);

	t->options = (struct source_options){.base_url = base_url,
					     .orgs = {two, norgs},
					     .sub_orgs = true,
					     .poll_every_ms = 5000,
					     .poll_every_max_ms = 300000,
					     .timeout_ms = 30000};
	t->now = (struct instant){.wall_ms = 1700000000000, .mono_ms = 1000};
	states_init(&t->states);
	t->source = opened(t);
	return t;
}

static void close_stage(struct stage *t)
{
	source_pause(t->source, true);
	while (t->api.n > 0)
		fake_answer(&t->api, &(struct fake_reply){.failure = HTTP_ABORTED});
	source_close(t->source);
	free(t);
}

static void write_many(const struct stage *t, struct buf *out)
{
	unsigned page = fake_number(&t->api, "page"), take = fake_number(&t->api, "take");

	buf_addc(out, '[');
	for (unsigned i = (page - 1) * take; i < t->many && i < page * take; i++)
		buf_addf(out, "%s{\"id\":\"m%u\"}", i % take ? "," : "", i);
	buf_addc(out, ']');
}

static void answer_orgs(struct stage *t, int which)
{
	struct buf body = BUF_INIT(1 << 20);

	t->lists[which]++;
	if (t->many && which == 0)
		write_many(t, &body);
	else
		buf_adds(&body, t->body[which] ? t->body[which] : "[]");
	fake_answer(&t->api,
		    &(struct fake_reply){.status = t->status[which] ? t->status[which] : 200,
					 .body = body.data});
	buf_release(&body);
}

static void answer(struct stage *t)
{
	const char *url = t->api.v[0].url;

	if (strstr(url, "/orgs/c/orgs?")) {
		answer_orgs(t, 0);
	} else if (strstr(url, "/orgs/org_p/orgs?")) {
		answer_orgs(t, 1);
	} else {
		t->asked_x += strstr(url, "/orgs/org_x/broadcasts?") != NULL;
		fake_answer(&t->api, &(struct fake_reply){.status = 200, .body = "[]"});
	}
}

static int settle(struct stage *t)
{
	int wait = source_tick(t->source, t->now);

	while (t->api.n > 0) {
		answer(t);
		wait = source_tick(t->source, t->now);
	}
	return wait;
}

static void run_for(struct stage *t, int64_t ms)
{
	int64_t end = t->now.mono_ms + ms;

	while (t->now.mono_ms < end) {
		int64_t wait = settle(t), left = end - t->now.mono_ms;
		t->now.mono_ms += wait < left ? wait : left;
		t->now.wall_ms += wait < left ? wait : left;
	}
	settle(t);
}

static void entries_are_read(void **state)
{
	static const char text[] =
		"[{\"id\":\"a\"},{\"id\":\"b\",\"features\":{\"broadcasts\":false}},"
		"{\"id\":\"d\",\"features\":{\"broadcasts\":true}},{\"id\":\"e\",\"features\":null}"
		","
		"{\"id\":\"f\",\"features\":{\"broadcasts\":\"no\"}},{\"id\":\"\"},{\"id\":7},"
		"{\"name\":\"x\"},null,[],{\"id\":\"g\",\"features\":[1]}]";
	static const char *const ids[] = {"a", "b", "d", "e", "f", "g"};
	struct orgs o = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(orgs_read(&o, text, strlen(text), &err), 0);
	assert_int_equal(o.n, 6);
	assert_int_equal(o.rows, 11);
	for (size_t i = 0; i < o.n; i++) {
		assert_string_equal(o.v[i].id, ids[i]);
		assert_int_equal(o.v[i].broadcasts, strcmp(ids[i], "b") != 0);
	}
	assert_int_equal(orgs_read(&o, "{}", 2, &err), -1);
	assert_int_equal(orgs_read(&o, "[", 1, &err), -1);
	assert_int_equal(o.n, 0);
	orgs_release(&o);
	orgs_release(&o);
	orgs_release(NULL);
}

static void a_found_one_is_polled(void **state)
{
	struct stage *t = open_stage(2);

	(void)state;
	t->body[1] = "[{\"id\":\"org_x\"},{\"id\":\"c\"},{\"id\":\"org_y\",\"features\":{"
		     "\"broadcasts\":false}}]";
	run_for(t, MINUTE);
	assert_true(source_polls(t->source, "org_x"));
	assert_false(source_polls(t->source, "org_y"));
	assert_in_range(t->asked_x, 10, 13);
	assert_int_equal(t->found, 1);
	assert_int_equal(t->lists[0], 1);
	assert_int_equal(t->lists[1], 1);
	run_for(t, 30 * MINUTE);
	assert_int_equal(t->lists[1], 4); /* every ten minutes */
	assert_int_equal(t->found, 1);
	close_stage(t);
}

/* Who is missing from one answer is not gone; a list that cannot be had says nothing. */
static void two_complete_rounds_without_it_end_it(void **state)
{
	static const char with[] = "[{\"id\":\"org_x\"}]";
	struct stage *t = open_stage(2);

	(void)state;
	t->body[0] = with;
	run_for(t, MINUTE);
	t->body[0] = NULL;
	run_for(t, 10 * MINUTE);
	assert_true(source_polls(t->source, "org_x"));
	t->body[0] = with;
	run_for(t, 10 * MINUTE);
	t->body[0] = NULL;
	t->status[1] = 404;
	run_for(t, 60 * MINUTE);
	assert_true(source_polls(t->source, "org_x"));
	assert_int_equal(t->gone, 0);
	t->status[1] = 0;
	run_for(t, 20 * MINUTE);
	assert_int_equal(t->gone, 1);
	assert_false(source_polls(t->source, "org_x"));
	unsigned asked = t->asked_x;
	run_for(t, 10 * MINUTE);
	assert_int_equal(t->asked_x, asked);
	t->body[0] = with;
	run_for(t, 11 * MINUTE);
	assert_true(t->asked_x > asked);
	assert_int_equal(t->found, 2);
	close_stage(t);
}

/* Whatever the endpoint answers, it is told once, tried again, and is no outage. */
static void a_refused_list_is_told_once(void **state)
{
	static const int statuses[] = {401, 403, 404, 400, 500};

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct stage *t = open_stage(1);
		t->status[0] = statuses[i];
		run_for(t, 31 * MINUTE);
		assert_int_equal(t->lists[0], statuses[i] == 500 ? 32 : 4);
		assert_int_equal(t->trouble, 1);
		assert_non_null(strstr(t->why, "sub-organizations of c: "));
		assert_int_equal(t->downs, 0);
		t->status[0] = 0;
		t->body[0] = "[{\"id\":\"org_x\"}]";
		run_for(t, 11 * MINUTE);
		assert_int_equal(t->found, 1);
		close_stage(t);
	}
}

/* All pages are read, up to the ceiling. */
static void many_are_found(void **state)
{
	struct stage *t = open_stage(1);

	(void)state;
	t->options.poll_every_ms = 3600000;
	source_close(t->source);
	t->source = opened(t);
	t->many = 250;
	run_for(t, MINUTE);
	assert_int_equal(t->found, 250);
	assert_int_equal(t->lists[0], 3);
	t->many = 1500;
	run_for(t, 21 * MINUTE);
	assert_int_equal(t->found, ORGS_MAX - 1);
	assert_int_equal(t->trouble, 1);
	close_stage(t);
}

/* What was followed before a start, and what another source found, is polled at once. */
static void they_outlive_restarts_and_reloads(void **state)
{
	struct stage *t = open_stage(1);
	struct broadcast_record record = {.org = strdup("org_x"), .id = strdup("bc_1")};

	(void)state;
	source_follow(t->source, &record, NULL);
	assert_true(source_polls(t->source, "org_x"));
	assert_true(source_names(&t->options, "org_x", "bc_1"));
	struct source *next = opened(t);
	assert_false(source_polls(next, "org_x"));
	source_hand_over(t->source, next);
	source_close(t->source);
	t->source = next;
	assert_true(source_polls(next, "org_x"));
	t->status[0] = 401;
	run_for(t, MINUTE);
	assert_in_range(t->asked_x, 10, 13);
	close_stage(t);
}

/* Its list may be under way when it goes. */
static void one_may_go_while_it_is_asked(void **state)
{
	struct stage *t = open_stage(1);

	(void)state;
	t->body[0] = "[{\"id\":\"org_x\"}]";
	run_for(t, MINUTE);
	t->body[0] = NULL;
	run_for(t, 10 * MINUTE);
	for (int i = 0; i < 200 && !t->gone; i++) { /* the list of org_x is answered last */
		t->now.mono_ms += 5000;
		source_tick(t->source, t->now);
		while (t->api.n > 1 || (t->api.n == 1 && !strstr(t->api.v[0].url, "org_x/b"))) {
			struct fake_call first = t->api.v[0];
			if (strstr(first.url, "org_x/b")) {
				memmove(t->api.v, t->api.v + 1, --t->api.n * sizeof first);
				t->api.v[t->api.n++] = first;
			}
			answer(t);
		}
		if (!t->gone)
			settle(t);
	}
	assert_int_equal(t->gone, 1);
	assert_int_equal(t->api.n, 1);
	settle(t);
	unsigned asked = t->asked_x;
	run_for(t, 5 * MINUTE);
	assert_int_equal(t->asked_x, asked);
	close_stage(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_read),
		cmocka_unit_test(a_found_one_is_polled),
		cmocka_unit_test(two_complete_rounds_without_it_end_it),
		cmocka_unit_test(a_refused_list_is_told_once),
		cmocka_unit_test(many_are_found),
		cmocka_unit_test(they_outlive_restarts_and_reloads),
		cmocka_unit_test(one_may_go_while_it_is_asked),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
