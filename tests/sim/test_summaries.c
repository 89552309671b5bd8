/*
 * Contacts and reports over whole campaigns, whatever restarts there are in them: what is told of a
 * contact is what its rows say in the end, once.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/base/record.h"
#include "tests/sim/scene.h"

#define CONTACTS_MAX 4000

/* What a contact's rows say, and what was told of it. */
struct fate {
	char id[40];
	unsigned rows, delivered, failing;
	unsigned reached, unreached;
};
struct fates {
	struct fate *v;
	size_t n;
};

static struct fate *fate_of(struct fates *f, const char *contact)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].id, contact))
			return &f->v[i];
	assert_true(f->n < CONTACTS_MAX);
	struct fate *fresh = &f->v[f->n++];
	*fresh = (struct fate){0};
	snprintf(fresh->id, sizeof fresh->id, "%s", contact);
	return fresh;
}

static void count_row(void *arg, const struct json *row)
{
	static const char *const failing[] = {"is_failed", "is_bounced", "is_skipped"};
	const char *contact = json_string(json_get(json_get(row, "contact"), "id"));
	struct fate *fate = fate_of(arg, contact);
	bool fails = false;

	for (size_t i = 0; i < 3; i++)
		fails = fails || json_bool(json_get(row, failing[i]), false);
	fate->rows++;
	fate->failing += fails;
	fate->delivered += json_bool(json_get(row, "is_delivered"), false);
}

static void count_event(void *arg, const struct json *event)
{
	struct fate *fate =
		fate_of(arg, json_string(json_get(json_get(event, "data"), "contact_id")));
	const char *type = json_string(json_get(event, "type"));

	fate->reached += !strcmp(type, "contact.reached");
	fate->unreached += !strcmp(type, "contact.unreached");
}

struct totals {
	unsigned reached, unreached, doubled;
};

/* What was told is what the rows say in the end. */
static struct totals compare(const struct scene *s, const char *broadcast)
{
	struct fates f = {xcalloc(CONTACTS_MAX, sizeof *f.v), 0};
	struct totals t = {0};

	scene_rows(s->d, broadcast, count_row, &f);
	scene_events(s, "contact.", broadcast, count_event, &f);
	for (size_t i = 0; i < f.n; i++) {
		const struct fate *c = &f.v[i];
		unsigned unreached = !c->delivered && c->failing == c->rows;
		if (c->reached != (c->delivered > 0) || c->unreached != unreached)
			fail_msg("%s %s: %u rows, %u delivered, %u failing; reached told %u times, "
				 "unreached %u",
				 broadcast, c->id, c->rows, c->delivered, c->failing, c->reached,
				 c->unreached);
		t.reached += c->reached;
		t.unreached += c->unreached;
		t.doubled += c->unreached && c->rows > 1;
	}
	free(f.v);
	return t;
}

static struct scene two_channels(uint32_t recipients)
{
	static struct sim_broadcast v[2];
	struct scene s = scene_new(0);

	v[0] = (struct sim_broadcast){.recipients = recipients, .kind = "both"};
	v[1] = (struct sim_broadcast){.recipients = recipients / 4};
	s.o.model.broadcasts = v;
	s.o.model.channels = "telnyx:3,gmail:1"; /* of which many fail */
	return s;
}

static int64_t date_of(const struct json *object, const char *key)
{
	const char *text = json_string(json_get(object, key));
	int64_t ms;

	return text && date_parse(text, strlen(text), &ms) ? ms : 0;
}

static void note_delay(void *arg, const struct json *event)
{
	int64_t *most = arg, ms = date_of(event, "recordedtime") - date_of(event, "time");

	*most = ms > *most ? ms : *most;
}

/* Where the counters are right, nobody waits for the next full sweep to know. */
static void unreached_is_told_soon(void **state)
{
	int64_t most = 0;

	(void)state;
	struct scene s = two_channels(2400);
	s.o.source = "  since: all\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 15 * MINUTE_MS);
	assert_in_range(scene_count(&s, "contact.unreached", "bc_1", ""), 2, 100);
	scene_events(&s, "contact.unreached", "bc_1", note_delay, &most);
	assert_in_range(most, 1, MINUTE_MS);
	scene_finish(&s);
}

static void contacts_are_told_once(void **state)
{
	static const struct {
		enum sim_order order;
		enum sim_counters_mood counters;
		int restarts;
	} cases[] = {
		{SIM_ORDER_UPDATED, SIM_COUNTERS_EXACT, 0},
		{SIM_ORDER_ID, SIM_COUNTERS_EXACT, 25},
		{SIM_ORDER_CREATED, SIM_COUNTERS_EXACT, 25},
		{SIM_ORDER_NONE, SIM_COUNTERS_ABSENT, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct prng random = {i + 1};
		struct scene s = two_channels(2400);
		s.o.model.order = cases[i].order;
		s.o.model.counters.mood = cases[i].counters;
		struct drive *d = scene_begin(&s);
		for (int k = 0; k < cases[i].restarts; k++) {
			drive_run(d, (int64_t)(prng_unit(&random) * 30000));
			if (k % 2)
				drive_cut(d);
			else
				drive_restart(d);
		}
		drive_run(d, 10 * MINUTE_MS);
		scene_end(d, 40 * MINUTE_MS);
		struct totals t = compare(&s, "bc_1");
		assert_in_range(t.reached, 1100, 1201);
		assert_in_range(t.unreached, 3, 100);
		assert_in_range(t.doubled, 2, 100);
		compare(&s, "bc_2");
		scene_finish(&s);
	}
}

/* ---- reports ---- */

/* What the rows say, to be compared with what a report does. */
struct truth {
	int64_t rows, states[STATES_KNOWN];
	int64_t failed; /* failed or bounced */
	int64_t first_sent, last_sent;
	int64_t delays[4096];
	size_t ndelays;
};

static const char *const flags[STATES_KNOWN] = {
	[STATE_SKIPPED] = "is_skipped",
	[STATE_FAILED] = "is_failed",
	[STATE_SENT] = "is_sent",
	[STATE_DELIVERED] = "is_delivered",
	[STATE_COMPLAINED] = "is_complained",
	[STATE_UNSUBSCRIBED] = "is_unsubscribed",
	[STATE_OPENED] = "is_opened",
	[STATE_PLAYED] = "is_played",
	[STATE_BOUNCED] = "is_bounced",
};

static void note_row(void *arg, const struct json *row)
{
	struct truth *t = arg;
	int64_t sent = date_of(row, "is_sent_at"), delivered = date_of(row, "is_delivered_at");

	t->rows++;
	for (int i = 0; i < STATES_KNOWN; i++)
		t->states[i] += json_bool(json_get(row, flags[i]), false);
	t->failed += json_bool(json_get(row, "is_failed"), false) ||
		     json_bool(json_get(row, "is_bounced"), false);
	if (sent && (!t->first_sent || sent < t->first_sent))
		t->first_sent = sent;
	t->last_sent = sent > t->last_sent ? sent : t->last_sent;
	if (delivered)
		t->delays[t->ndelays++] = delivered - sent;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t number(const struct json *object, const char *key)
{
	int64_t n = -1;

	json_int(json_get(object, key), &n);
	return n;
}

static void expect_funnel(const struct json *part, const struct truth *t)
{
	const struct json *funnel = json_get(part, "funnel");

	assert_int_equal(number(part, "rows"), t->rows);
	for (int i = 0; i < STATES_KNOWN; i++) {
		const struct json *state = json_get(funnel, flags[i] + strlen("is_"));
		double share = (double)t->states[i] / (double)t->rows;
		assert_int_equal(number(state, "count"), t->states[i]);
		assert_true(fabs(json_number(json_get(state, "share"), -1) - share) < 0.00006);
	}
}

/* Of a list's members the sum of one number. */
static int64_t sum_of(const struct json *list, const char *key)
{
	int64_t sum = 0;

	for (const struct json *v = json_first(list); v; v = json_next(v))
		sum += number(v, key);
	return sum;
}

static void expect_delay(const struct json *times, const char *key, const struct truth *t,
			 double share)
{
	int64_t true_ms = t->delays[(size_t)(share * (double)t->ndelays)];
	double ms = json_number(json_get(json_get(times, "delivered_after"), key), -1) * 1000;

	assert_true(ms >= (double)true_ms * 0.95 - 50 && ms <= (double)true_ms * 1.1 + 50);
}

static void expect_truth(const struct json *data, const struct truth *t, bool first)
{
	const struct json *failures = json_get(data, "failures"), *times = json_get(data, "times");

	expect_funnel(data, t);
	assert_int_equal(sum_of(json_get(data, "channels"), "rows") +
				 number(data, "other_channels_rows"),
			 t->rows);
	/* of a second report: since the first */
	assert_int_equal(number(failures, "count"), first ? t->failed : 0);
	assert_int_equal(sum_of(json_get(failures, "causes"), "count") + number(failures, "other"),
			 number(failures, "count"));
	assert_int_equal(date_of(times, "first_sent"), t->first_sent);
	assert_int_equal(date_of(times, "last_sent"), t->last_sent);
	expect_delay(times, "median", t, 0.5);
	expect_delay(times, "p90", t, 0.9);
}

struct reports {
	const struct scene *scene;
	unsigned n, previous; /* reports; earlier ones named in the last */
	char id[40];	      /* of the last */
	bool early;	      /* they were made before nothing happened any more */
};

static void compare_report(void *arg, const struct json *event)
{
	struct reports *reports = arg;
	const struct json *data = json_get(event, "data");
	struct truth *t = xcalloc(1, sizeof *t);

	scene_rows(reports->scene->d, json_string(json_get(data, "broadcast_id")), note_row, t);
	qsort(t->delays, t->ndelays, sizeof *t->delays, by_size);
	reports->n++;
	reports->previous = (unsigned)json_count(json_get(data, "previous"));
	assert_string_not_equal(json_string(json_get(event, "id")), reports->id);
	snprintf(reports->id, sizeof reports->id, "%s", json_string(json_get(event, "id")));
	assert_string_equal(json_string(json_get(data, "status")), "SENT");
	assert_int_equal(number(data, "rows"), t->rows);
	if (!reports->early)
		expect_truth(data, t, reports->n == 1);
	free(t);
}

static unsigned expect_reports(const struct scene *s, const char *broadcast, unsigned n)
{
	bool early = strstr(s->o.source, "status:"); /* it is not followed to its last receipt */
	struct reports reports = {.scene = s, .early = early};

	scene_events(s, "broadcast.report", broadcast, compare_report, &reports);
	assert_int_equal(reports.n, n);
	return reports.previous;
}

static bool both_sent(void *arg)
{
	const struct scene *s = arg;

	return scene_count(s, "\"broadcast.sent\"", "", "") >= 2;
}

/* Until both are told to be sent; then nothing happens any more. */
static void send_both(struct scene *s, struct prng *random, int restarts)
{
	struct drive *d = s->d;

	while (!both_sent(s)) {
		drive_run(d, 5000);
		if (restarts-- > 0)
			drive_restart(d);
	}
	model_end(drive_model(d));
	for (; restarts > 0; restarts--) {
		drive_run(d, (int64_t)(prng_unit(random) * 20000));
		drive_restart(d);
	}
}

static void reports_say_what_the_rows_do(void **state)
{
	static const struct {
		enum sim_order order;
		enum sim_counters_mood counters;
		int restarts;
	} cases[] = {
		{SIM_ORDER_UPDATED, SIM_COUNTERS_EXACT, 0},
		{SIM_ORDER_CREATED, SIM_COUNTERS_EXACT, 110},
		{SIM_ORDER_ID, SIM_COUNTERS_ABSENT, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct prng random = {i + 1};
		struct scene s = two_channels(1200);
		s.o.model.order = cases[i].order;
		s.o.model.counters.mood = cases[i].counters;
		scene_begin(&s);
		send_both(&s, &random, cases[i].restarts);
		drive_run(s.d, 60 * MINUTE_MS);
		unsigned previous = expect_reports(&s, "bc_1", 1);
		previous += expect_reports(&s, "bc_2", 1);
		assert_int_equal(previous, 1); /* the second names the first */
		scene_finish(&s);
	}
}

/* One that leaves those that are asked for with its end is reported all the same; one that is sent
 * again, again. */
static void each_end_has_its_report(void **state)
{
	static const char *const sources[] = {
		"  since: all\n  full_sweep_every: 10m\n",
		"  since: all\n  broadcasts: { status: [SENDING] }\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct prng random = {1};
		struct scene s = two_channels(400);
		s.o.source = sources[i];
		struct drive *d = scene_begin(&s);
		send_both(&s, &random, 0);
		drive_run(d, 60 * MINUTE_MS);
		expect_reports(&s, "bc_1", 1);
		assert_true(model_change_status(drive_model(d), "bc_1", "SENDING"));
		drive_run(d, 10 * MINUTE_MS);
		drive_restart(d);
		expect_reports(&s, "bc_1", 1);
		assert_true(model_change_status(drive_model(d), "bc_1", "SENT"));
		drive_run(d, 60 * MINUTE_MS);
		assert_int_equal(expect_reports(&s, "bc_1", 2), 2);
		expect_reports(&s, "bc_2", 1);
		drive_restart(d);
		drive_run(d, 60 * MINUTE_MS);
		expect_reports(&s, "bc_1", 2);
		scene_finish(&s);
	}
}

/* What ended before `since` has no report, nor has a contact that was reached then an event. */
static void what_lies_before_since_is_not_told(void **state)
{
	(void)state;
	struct scene s = two_channels(400);
	s.o.source = "  since: now\n  full_sweep_every: 10m\n";
	s.o.start_ms = 60 * MINUTE_MS;
	struct drive *d = scene_begin(&s);
	model_end(drive_model(d));
	drive_run(d, 120 * MINUTE_MS);
	expect_reports(&s, "bc_1", 0);
	assert_int_equal(scene_count(&s, "contact.", "", ""), 0);
	scene_finish(&s);
}

/* Of rows that are shown by their state nobody knows what the others are. */
static void a_filter_by_state_tells_neither(void **state)
{
	(void)state;
	struct scene s = two_channels(400);
	s.o.source = "  since: all\n  filter: { is_failed: true }\n";
	struct drive *d = scene_begin(&s);
	drive_run(d, 30 * MINUTE_MS);
	model_end(drive_model(d));
	drive_run(d, 60 * MINUTE_MS);
	assert_in_range(scene_count(&s, "recipient.failed", "", ""), 1, 100);
	assert_int_equal(scene_count(&s, "contact.unreached", "", ""), 0);
	assert_int_equal(scene_count(&s, "broadcast.report", "", ""), 0);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreached_is_told_soon),
		cmocka_unit_test(contacts_are_told_once),
		cmocka_unit_test(reports_say_what_the_rows_do),
		cmocka_unit_test(each_end_has_its_report),
		cmocka_unit_test(what_lies_before_since_is_not_told),
		cmocka_unit_test(a_filter_by_state_tells_neither),
	};

	return cmocka_run_group_tests_name("summaries", tests, NULL, NULL);
}
