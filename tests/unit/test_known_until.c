/* report: how far the source knows the truth, by broadcast and state, and when a broadcast is
 * finished. The counts are set here as lists and sweeps would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/source/planner_parts.h"
#include "relay/source/report.h"
#include "relay/source/source_state.h"
#include "tests/unit/fake_api.h"

#define NOW   INT64_C(1700000000000)
#define ENDED (NOW - 60000) /* what the API says of when a broadcast last changed */

static char base_url[] = "http://127.0.0.1:1", org[] = "c";
static char *orgs[] = {org};

struct stage {
	struct fake_api api;
	struct source_options options;
	struct names states, statuses;
	struct source *source;
};

static void on_page(void *arg, struct source_page *p)
{
	(void)arg;
	(void)p;
}

static void on_listing(void *arg, const struct source_listing *l)
{
	(void)arg;
	(void)l;
}

static void on_notice(void *arg, enum source_notice what, const struct followed *b, const char *why,
		      int64_t number)
{
	(void)arg;
	(void)what;
	(void)b;
	(void)why;
	(void)number;
}

static void open_stage(struct stage *t)
{
	struct err err = {0};

	*t = (struct stage){.options = {.base_url = base_url,
					.orgs = {orgs, 1},
					.poll_every_ms = 5000,
					.poll_every_max_ms = 300000,
					.full_sweep_every_ms = 6 * 3600000,
					.timeout_ms = 30000}};
	states_init(&t->states);
	struct source_env env = {.fetch = fake_fetch,
				 .fetch_arg = &t->api,
				 .states = &t->states,
				 .statuses = &t->statuses,
				 .seed = 1,
				 .page = on_page,
				 .listing = on_listing,
				 .notice = on_notice,
				 .arg = t};
	t->source = source_open(&t->options, &env, (struct instant){NOW, 1000}, &err);
	assert_non_null(t->source);
}

static void close_stage(struct stage *t)
{
	source_close(t->source);
}

static void know(struct followed *b, unsigned ask, int64_t ms)
{
	b->track->chase.counts.v[ask].known_ms = b->track->chase.counts.v[ask].told_ms = ms;
}

/* Known until ENDED by each state. */
static struct followed *follow(struct stage *t, const char *id, const char *status)
{
	struct broadcast_record record = {.org = strdup(org),
					  .id = strdup(id),
					  .status = strdup(status),
					  .created_ms = ENDED - 60000,
					  .updated_ms = ENDED,
					  .baseline_done = true};
	struct followed *b = source_follow(t->source, &record, NULL);

	for (unsigned i = 0; i < ASKS; i++) {
		know(b, i, ENDED);
		b->track->chase.counts.v[i].listed = 0;
	}
	return b;
}

static void test_states(void **state)
{
	static const struct {
		const char *name;
		int64_t until;
	} cases[] = {
		{"failed", ENDED + 1},	{"delivered", ENDED + 2}, {"recipient", ENDED + 3},
		{"bounced", ENDED - 2}, {NULL, ENDED - 2},	  {"is_failed", ENDED - 2},
		{"played", ENDED - 1},	{"", ENDED - 2},
	};
	struct stage t;

	(void)state;
	open_stage(&t);
	list_of(t.source->planner, org)->complete2_ms = NOW;
	struct followed *b = follow(&t, "bc_1", "SENDING");
	know(b, ASK_FAILED, ENDED + 1);
	know(b, ASK_DELIVERED, ENDED + 2);
	know(b, ASK_ALL, ENDED + 3);
	know(b, ASK_PLAYED, ENDED - 1);
	b->track->chase.counts.swept_ms = ENDED - 2;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(source_known_until(t.source, "bc_1", cases[i].name),
				 cases[i].until);
		assert_int_equal(source_known_until(t.source, NULL, cases[i].name), cases[i].until);
	}
	close_stage(&t);
}

static void test_broadcasts(void **state)
{
	struct stage t;

	(void)state;
	open_stage(&t);
	struct round *list = list_of(t.source->planner, org);
	assert_true(source_known_until(t.source, NULL, NULL) == DATE_NONE); /* no list came */
	assert_true(source_known_until(t.source, "bc_1", NULL) == DATE_NONE);
	list->complete2_ms = NOW;
	assert_int_equal(source_known_until(t.source, NULL, NULL), NOW);
	know(follow(&t, "bc_1", "SENDING"), ASK_FAILED, ENDED + 5);
	struct followed *fresh = follow(&t, "bc_2", "SENDING");
	know(fresh, ASK_FAILED, DATE_NONE);
	know(follow(&t, "bc_3", "SENT"), ASK_FAILED, ENDED + 6);

	assert_int_equal(source_known_until(t.source, "bc_1", "failed"), ENDED + 5);
	assert_int_equal(source_known_until(t.source, "bc_2", "failed"), DATE_NONE);
	assert_int_equal(source_known_until(t.source, "bc_3", "failed"), ENDED + 6);
	assert_true(source_known_until(t.source, "bc_4", "failed") == DATE_NONE);
	assert_int_equal(source_known_until(t.source, NULL, "failed"), DATE_NONE);
	know(fresh, ASK_FAILED, ENDED + 7);
	assert_int_equal(source_known_until(t.source, NULL, "failed"), ENDED + 5);
	list->complete2_ms = ENDED; /* a broadcast may have begun since that no list has named */
	assert_int_equal(source_known_until(t.source, NULL, "failed"), ENDED);
	close_stage(&t);
}

/* What is changed in a broadcast that is finished, and whether it is then. */
enum change {
	NOTHING,
	LIVE,
	NEW_STATUS,
	NO_BASELINE,
	DUE,
	SETTLED,
	LAGS,
	LAGS_CAUGHT_UP,
	BEFORE_END,
	UNDATED,
	UNLISTED,
	UNLISTED_CAUGHT_UP,
	UNSEEN
};

static void change(struct followed *b, enum change what)
{
	struct counts *c = &b->track->chase.counts;
	char *status = b->record.status;

	b->record.status = strdup(what == LIVE	       ? "SENDING"
				  : what == NEW_STATUS ? "PAUSED"
						       : "SENT");
	free(status);
	if (what == NO_BASELINE)
		b->record.baseline_done = false;
	if (what == DUE || what == SETTLED)
		c->v[ASK_FAILED].listed = 2;
	if (what == SETTLED)
		counts_settle(c, ASK_FAILED, planes_of(b), 1000);
	if (what == LAGS || what == LAGS_CAUGHT_UP)
		counts_distrust(c);
	if (what == BEFORE_END)
		know(b, ASK_OPENED, ENDED - 1);
	if (what == UNDATED)
		b->record.updated_ms = DATE_NONE;
	for (unsigned i = 0; i < ASKS && (what == UNLISTED || what == UNLISTED_CAUGHT_UP); i++)
		c->v[i].listed = -1;
	for (unsigned i = 0; i < ASKS && what == UNSEEN; i++)
		know(b, i, DATE_NONE);
	b->caught_up = what == LAGS_CAUGHT_UP || what == UNLISTED_CAUGHT_UP || what == UNSEEN;
}

static void test_finished(void **state)
{
	static const struct {
		enum change what;
		bool finished;
	} cases[] = {
		{NOTHING, true},      {LIVE, false},	      {NEW_STATUS, false},
		{NO_BASELINE, false}, {DUE, false},	      {SETTLED, true},
		{LAGS, false},	      {LAGS_CAUGHT_UP, true}, {BEFORE_END, false},
		{UNDATED, false},     {UNLISTED, false},      {UNLISTED_CAUGHT_UP, true},
		{UNSEEN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stage t;
		open_stage(&t);
		struct followed *b = follow(&t, "bc_1", "SENT");
		change(b, cases[i].what);
		if (source_finished(b) != cases[i].finished)
			fail_msg("case %d", (int)cases[i].what);
		assert_int_equal(source_knows(t.source, b, "recipient") == NOW, cases[i].finished);
		close_stage(&t);
	}
}

/* Receipts of what is finished still come: a silence is one only when they would have been seen. */
static void test_receipts(void **state)
{
	struct stage t;

	(void)state;
	open_stage(&t);
	list_of(t.source->planner, org)->complete2_ms = NOW;
	struct followed *b = follow(&t, "bc_1", "SENT");
	assert_true(source_finished(b));
	assert_int_equal(source_known_until(t.source, "bc_1", "delivered"), ENDED);
	b->record.updated_ms = NOW - 86400000;
	know(b, ASK_DELIVERED, NOW - 5);
	assert_int_equal(source_known_until(t.source, NULL, "delivered"), NOW - 5);
	b->record.updated_ms = NOW - 86400001;
	assert_int_equal(source_known_until(t.source, NULL, "delivered"), NOW);
	assert_int_equal(source_known_until(t.source, "bc_1", "delivered"), NOW - 5);
	close_stage(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_broadcasts),
		cmocka_unit_test(test_finished),
		cmocka_unit_test(test_receipts),
	};

	return cmocka_run_group_tests_name("known until", tests, NULL, NULL);
}
