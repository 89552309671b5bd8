/*
 * Alerts of whole campaigns: whatever the order of lists, the mood of counters, outages, kills and
 * reloads, the alerts of shares and absences are those that a slow and obvious computation makes of
 * what happened, none of them twice. What happened is read from the events, which the ledger
 * confirms.
 *
 * RANDOM_RUNS / 1000 more campaigns than one, each of another mood, begin with RANDOM_SEED.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/sim/alert_truth.h"

static const struct rule rules[] = {
	{"rate", "failed", {"sent"}, 0.04, 4, 5 * MINUTE_MS, 2 * MINUTE_MS, NOTHING, BROADCAST},
	{"channels", "failed", {"sent"}, 0.05, 2, MINUTE_MS, MINUTE_MS, INTEGRATION, BROADCAST},
	{"silence",
	 "sent",
	 {"delivered", "failed", "bounced"},
	 0,
	 0,
	 MINUTE_MS,
	 3 * MINUTE_MS,
	 RECIPIENT,
	 BROADCAST},
	{"lost",
	 "sent",
	 {"delivered", "failed", "bounced"},
	 0,
	 0,
	 5 * MINUTE_MS,
	 5 * MINUTE_MS,
	 RECIPIENT,
	 RECIPIENT},
	{"lull", "sent", {"opened"}, 0, 0, 30 * SECOND_MS, MINUTE_MS, INTEGRATION, BROADCAST},
};
#define RULES (sizeof rules / sizeof *rules)

#define STEADY                                                                                     \
	"  - name: all\n"                                                                          \
	"    to: [file]\n"                                                                         \
	"  - name: rate\n"                                                                         \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id], within: 5m, resolve_after: 2m,\n"                  \
	"             ratio: { of: { type: [recipient.sent] }, above: 4%, min: 4 } }\n"            \
	"    to: [file]\n"                                                                         \
	"  - name: channels\n"                                                                     \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id, data.integration_id], within: 1m,\n"                \
	"             fold: [data.broadcast_id],\n"                                                \
	"             ratio: { of: { type: [recipient.sent] }, above: 5%, min: 2 } }\n"            \
	"    to: [file]\n"                                                                         \
	"  - name: silence\n"                                                                      \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 1m, resolve_after: 3m,\n"                  \
	"             fold: [data.broadcast_id],\n"                                                \
	"             absent: { type: [recipient.delivered, recipient.failed,\n"                   \
	"                              recipient.bounced] } }\n"                                   \
	"    to: [file]\n"                                                                         \
	"  - name: lost\n"                                                                         \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 5m,\n"                                     \
	"             absent: { type: [recipient.delivered, recipient.failed,\n"                   \
	"                              recipient.bounced] } }\n"                                   \
	"    to: [file]\n"                                                                         \
	"  - name: lull\n"                                                                         \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.broadcast_id, data.integration_id], within: 30s,\n"               \
	"             resolve_after: 1m, fold: [data.broadcast_id],\n"                             \
	"             absent: { type: [recipient.opened] } }\n"                                    \
	"    to: [file]\n"
#define HEAD                                                                                       \
	"destinations:\n"                                                                          \
	"  file: { stdout: { path: events.ndjson } }\n"                                            \
	"rules:\n" STEADY
#define STORM_COUNT 3
#define STORM_MS    (2 * MINUTE_MS)

static const char steady[] =
	HEAD "  - name: storm\n"
	     "    when: { type: [recipient.failed] }\n"
	     "    alert: { per: [data.broadcast_id], within: 2m, count: 3, repeat: 1m }\n"
	     "    to: [file]\n"
	     "  - name: changing\n"
	     "    when: { type: [recipient.failed] }\n"
	     "    alert: { per: [data.broadcast_id], within: 3m, count: 2 }\n"
	     "    to: [file]\n";
static const char changed[] =
	HEAD "  - name: storm\n"
	     "    when: { type: [recipient.failed] }\n"
	     "    alert: { per: [data.broadcast_id], within: 2m, count: 3, repeat: 2m,\n"
	     "             labels: { severity: page } }\n"
	     "    to: [file]\n"
	     "  - name: changing\n"
	     "    when: { type: [recipient.sent] }\n"
	     "    alert: { per: [data.broadcast_id], within: 3m,\n"
	     "             absent: { type: [recipient.played] } }\n"
	     "    to: [file]\n";

/* An occasion on which a rule's condition holds. */
/* ---- what was told ---- */

static bool is_steady(const char *rule)
{
	for (size_t i = 0; i < RULES; i++)
		if (!strcmp(rules[i].name, rule))
			return true;
	return false;
}

static bool waits(const char *rule)
{
	for (size_t i = 0; i < RULES; i++)
		if (!strcmp(rules[i].name, rule))
			return rules[i].above == 0;
	return false;
}

static void list_told(struct lines *to, const struct past *p)
{
	for (size_t i = 0; i < p->ntold; i++) {
		const struct told *t = &p->told[i];
		if (!is_steady(t->rule) || !strcmp(t->type, "updated"))
			continue;
		bool firing = !strcmp(t->type, "firing");
		if (firing)
			lines_add(to, xasprintf("%s %s firing +%lld", t->rule, t->key,
						(long long)t->time_ms));
		else
			lines_add(to, xasprintf("%s %s resolved +%lld %lld", t->rule, t->key,
						(long long)t->time_ms,
						waits(t->rule) ? (long long)t->count : 0));
	}
}

static int in_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns how many lines are in one list only. */
static unsigned compare(struct lines *wanted, struct lines *got)
{
	unsigned odd = 0;
	size_t i = 0, k = 0;

	if (wanted->n)
		qsort(wanted->v, wanted->n, sizeof *wanted->v, in_order);
	if (got->n)
		qsort(got->v, got->n, sizeof *got->v, in_order);
	while (i < wanted->n || k < got->n) {
		int order = i == wanted->n ? 1 : k == got->n ? -1 : strcmp(wanted->v[i], got->v[k]);
		if (order && odd++ < 20)
			print_message("%s %s\n", order < 0 ? "missing" : "false",
				      order < 0 ? wanted->v[i] : got->v[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return odd;
}

/* No id twice; each that fires ends, once, and is not told otherwise before or after. */
static void check_courses(const struct past *p)
{
	for (size_t i = 0; i < p->ntold; i++) {
		const struct told *t = &p->told[i];
		const struct told *before = NULL, *after = NULL;
		for (size_t k = 0; k < p->ntold; k++) {
			const struct told *o = &p->told[k];
			if (k != i && !strcmp(o->id, t->id))
				fail_msg("twice: %s %s %s", t->type, t->rule, t->key);
			if (strcmp(o->rule, t->rule) != 0 || strcmp(o->key, t->key) != 0)
				continue;
			before = k < i ? o : before;
			after = k > i && !after ? o : after;
		}
		bool open = before && strcmp(before->type, "resolved") != 0;
		if (open != (strcmp(t->type, "firing") != 0))
			fail_msg("%s %s is %s, and was it before", t->rule, t->key, t->type);
		if (strcmp(t->type, "resolved") != 0 && !after)
			fail_msg("%s %s does not end", t->rule, t->key);
		if (!strcmp(t->reason, "not known"))
			fail_msg("%s %s is not known", t->rule, t->key);
	}
}

/* Where there were so many within the window, it was told; where not, it was not. */
static void check_storm(const struct past *p, const char *broadcast)
{
	bool reached = false, told = false;

	for (size_t i = 0; i < p->nfacts; i++) {
		unsigned n = 0;
		for (size_t k = 0; k < p->nfacts; k++)
			n += !strcmp(p->facts[k].type, "failed") &&
			     !strcmp(p->facts[k].broadcast, broadcast) &&
			     p->facts[k].time_ms >= p->facts[i].time_ms &&
			     p->facts[k].time_ms < p->facts[i].time_ms + STORM_MS;
		reached = reached || n >= STORM_COUNT;
	}
	for (size_t i = 0; i < p->ntold; i++)
		told = told ||
		       (!strcmp(p->told[i].rule, "storm") && !strcmp(p->told[i].key, broadcast));
	assert_int_equal(told, reached);
}

/* How long after it happened each alert fired. */
static void print_delays(const struct past *p)
{
	for (size_t i = 0; i < RULES; i++) {
		int64_t most = 0, sum = 0, n = 0;
		for (size_t k = 0; k < p->ntold; k++) {
			const struct told *t = &p->told[k];
			if (strcmp(t->rule, rules[i].name) != 0 || strcmp(t->type, "firing") != 0)
				continue;
			int64_t delay = t->seen_ms - t->time_ms;
			most = delay > most ? delay : most;
			sum += delay;
			n++;
		}
		print_message("  %s: %lld alerts, %lld s late, %lld at most\n", rules[i].name,
			      (long long)n, (long long)(n ? sum / n / 1000 : 0),
			      (long long)(most / 1000));
	}
}

static void check(const struct scene *s)
{
	struct past p = {0};
	struct lines wanted = {0}, got = {0};

	past_read(&p, s);
	for (size_t i = 0; i < RULES; i++)
		alerts_expected(&wanted, &rules[i], &p);
	list_told(&got, &p);
	print_delays(&p);
	unsigned odd = compare(&wanted, &got);
	check_courses(&p);
	for (size_t i = 0; i < s->o.model.nbroadcasts; i++) {
		char id[32];
		snprintf(id, sizeof id, "bc_%zu", i + 1);
		check_storm(&p, id);
	}
	assert_int_equal(odd, 0);
	assert_true(wanted.n > 10);
	lines_clear(&wanted);
	lines_clear(&got);
	past_forget(&p);
}

/* ---- campaigns ---- */

struct mood {
	enum sim_order order;
	struct sim_counters counters;
	bool along_ramp, next_tokens;
	unsigned restarts; /* of a hundred pauses */
	unsigned reloads;
	const char *fault; /* for a while; NULL: none */
	int64_t fault_ms;
	uint32_t recipients;
};

static const struct mood moods[] = {
	{.order = SIM_ORDER_UPDATED},
	{.order = SIM_ORDER_CREATED, .restarts = 20, .reloads = 10},
	{.order = SIM_ORDER_ID, .along_ramp = true, .reloads = 30},
	{.order = SIM_ORDER_NONE, .restarts = 5},
	{.order = SIM_ORDER_UPDATED, .counters = {SIM_COUNTERS_LAG, 30000}, .restarts = 5},
	{.order = SIM_ORDER_CREATED, .counters = {SIM_COUNTERS_LAG, 90000}},
	{.order = SIM_ORDER_NONE, .counters = {SIM_COUNTERS_LAG, 90000}, .restarts = 10},
	{.order = SIM_ORDER_ID, .counters.mood = SIM_COUNTERS_ABSENT, .restarts = 5},
	{.order = SIM_ORDER_UPDATED, .counters.mood = SIM_COUNTERS_ABSENT, .along_ramp = true},
	{.order = SIM_ORDER_CREATED, .counters.mood = SIM_COUNTERS_STUCK},
	{.order = SIM_ORDER_UPDATED_OLDEST, .counters.mood = SIM_COUNTERS_WRONG},
	{.order = SIM_ORDER_CREATED, .fault = "500", .fault_ms = 60 * MINUTE_MS, .restarts = 10},
	{.order = SIM_ORDER_ID,
	 .fault = "404,on=recipients,broadcast=bc_2",
	 .fault_ms = 10 * MINUTE_MS},
	{.order = SIM_ORDER_UPDATED, .fault = "500,on=broadcasts", .fault_ms = 10 * MINUTE_MS},
	{.order = SIM_ORDER_NONE, .next_tokens = true, .recipients = 1500, .restarts = 10},
};
#define MOODS (sizeof moods / sizeof *moods)

static struct scene begin(const struct mood *m, uint64_t seed)
{
	static struct sim_broadcast three[3];
	struct scene s = scene_new(m->recipients ? m->recipients : 300);

	three[0] = s.o.model.broadcasts[0];
	three[1] = s.o.model.broadcasts[1];
	three[2] = (struct sim_broadcast){.recipients = 60, .kind = "transactional"};
	three[0].start_ms = 10 * MINUTE_MS;
	three[1].start_ms = 12 * MINUTE_MS;
	three[2].start_ms = 16 * MINUTE_MS;
	s.o.model.broadcasts = three;
	s.o.model.nbroadcasts = 3;
	s.o.model.channels = "telnyx:50,gmail:20,whatsapp_bot:30"; /* many fail */
	s.o.model.seed = seed;
	s.o.model.order = m->order;
	s.o.model.counters = m->counters;
	s.o.model.along_ramp = m->along_ramp;
	s.o.model.next_tokens = m->next_tokens;
	s.o.rest = steady;
	scene_begin(&s);
	return s;
}

static void disturb(struct scene *s, const struct mood *m, struct prng *random)
{
	double luck = prng_unit(random) * 100;

	if (luck < m->restarts / 2.0)
		drive_restart(s->d);
	else if (luck < m->restarts)
		drive_cut(s->d);
	else if (luck < m->restarts + m->reloads)
		drive_reload_rules(s->d, prng_unit(random) < 0.5 ? steady : changed);
}

static void run(const struct mood *m, uint64_t seed)
{
	struct prng random = {seed};
	struct scene s = begin(m, seed);
	int64_t end_ms = drive_now_ms(s.d) + 45 * MINUTE_MS, from_ms = 0;
	bool spoilt = false;

	if (m->fault)
		from_ms = drive_now_ms(s.d) +
			  (int64_t)((11 + 6 * prng_unit(&random)) * (double)MINUTE_MS);
	while (drive_now_ms(s.d) < end_ms + (m->fault ? m->fault_ms : 0)) {
		int64_t now = drive_now_ms(s.d);
		bool spoils = m->fault && now >= from_ms && now < from_ms + m->fault_ms;
		if (spoils != spoilt)
			scene_faults(s.d, &m->fault, spoils);
		spoilt = spoils;
		drive_run(s.d, 1 + (int64_t)(prng_unit(&random) * 20000));
		disturb(&s, m, &random);
	}
	model_end(drive_model(s.d));
	scene_end(s.d, 40 * MINUTE_MS);
	check(&s);
	scene_finish(&s);
}

/* Each told something false once, or crashed: late counters, stuck ones, a sweep that ended with
 * the relay, late ones again, bounces that no filter shows, wrong ones; and one with an outage. */
static const uint64_t seeds[] = {6, 9, 16, 19, 48, 145, 11};

static void alerts_are_those_of_the_ledger(void **state)
{
	const char *runs = getenv("RANDOM_RUNS"), *given = getenv("RANDOM_SEED");
	size_t n = runs ? 1 + strtoul(runs, NULL, 10) / 1000 : sizeof seeds / sizeof *seeds;
	uint64_t seed = given ? strtoull(given, NULL, 10) : 1;

	(void)state;
	for (size_t i = 0; i < n; i++, seed++) {
		uint64_t is = runs || given ? seed : seeds[i];
		print_message("seed %llu\n", (unsigned long long)is);
		run(&moods[is % MOODS], is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alerts_are_those_of_the_ledger),
	};

	return cmocka_run_group_tests_name("alerts", tests, NULL, NULL);
}
