/*
 * Backtests over a real journal: events are routed by one list of rules as the relay does it, and
 * another list is tried on them. A table of pairs, and random pairs against a plain comparison.
 */
#include "relay/backtest.h"

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/router.h"
#include "tests/suite/sqlite_world.h"

#define EVENTS 30 /* a minute apart, so that `since` finds its place */

static const char *const names[] = {"bus", "crm", "log"};
#define DESTINATIONS 3

/* A list in YAML for so many of the destinations. */
struct list {
	struct yaml *yaml;
	struct rules *rules;
};

static struct list load(const char *text, size_t destinations)
{
	struct rules_destination d[DESTINATIONS];
	struct problems p = {0};
	struct list l;

	for (size_t i = 0; i < DESTINATIONS; i++)
		d[i] = (struct rules_destination){.name = names[i], .topical = i == 0};
	l.yaml = yaml_parse("rules.yaml", text, strlen(text), &p);
	if (!l.yaml)
		fail_msg("%s: %s", text, p.v[0]);
	l.rules = rules_load(node_get(yaml_root(l.yaml), "rules"), d, destinations, &p);
	if (!l.rules)
		fail_msg("%s: %s", text, p.v[0]);
	problems_release(&p);
	return l;
}

static void unload(struct list *l)
{
	rules_free(l->rules);
	yaml_free(l->yaml);
}

/* Event i: n is i, its type goes round, its subject too. Destination i has number i + 5. */
static void fill(struct world *w, const struct rules *rules)
{
	static const char *const types[] = {"recipient.sent", "recipient.failed",
					    "recipient.opened"};
	struct router_destination d[DESTINATIONS];
	struct router *r = router_new(NULL, 0);

	for (uint32_t i = 0; i < DESTINATIONS; i++)
		d[i] = (struct router_destination){i + 5, i == 0};
	router_use(r, rules, d, DESTINATIONS);
	for (int i = 0; i < EVENTS; i++) {
		struct batch *b = batch_new();

		for (uint32_t k = 0; i == 0 && k < DESTINATIONS; k++) {
			struct destination_record *record = batch_destination(b);
			record->number = k + 5;
			record->name = xstrdup(names[k]);
		}
		fixture_event(b, types[i % 3], i % 2 ? "r1" : "r0", i * 60000, 0);
		router_route(r, b, 0);
		PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
		router_committed(r, b);
		batch_free(b);
	}
	router_free(r);
}

static void describe(const struct backtest *b, struct buf *text)
{
	buf_clear(text);
	for (size_t i = 0; i < b->nrows; i++) {
		const struct backtest_row *r = &b->rows[i];

		buf_addf(text, "%s>%s %d %d +%d -%d; ", r->rule, r->destination, (int)r->was,
			 (int)r->would, (int)r->more, (int)r->less);
	}
	buf_addf(text, "all %d %d +%d -%d", (int)b->all.was, (int)b->all.would, (int)b->all.more,
		 (int)b->all.less);
}

static void run(struct world *w, const char *text, size_t destinations, int64_t since_ms,
		struct backtest *ret)
{
	struct list tried = load(text, destinations);
	const struct backtest_options o = {.rules = tried.rules,
					   .destinations = names,
					   .ndestinations = destinations,
					   .since_ms = since_ms};
	const struct journal_options journal = {&store_sqlite, w->options};

	PASS(w, backtest_run(&journal, &o, ret, &w->err));
	unload(&tried);
}

#define WAS                                                                                        \
	"rules:\n"                                                                                 \
	"- {name: everything, to: [bus]}\n"                                                        \
	"- {name: failures, when: {type: recipient.failed}, to: [crm]}\n"                          \
	"- {name: r1, when: {subject: r1}, to: [crm, log]}\n"

static void what_would_change_is_counted(void **state)
{
	static const struct {
		const char *rules;
		size_t destinations;
		const char *expected;
	} cases[] = {
		{WAS, 3,
		 "everything>bus 30 30 +0 -0; failures>crm 10 10 +0 -0; r1>crm 10 10 +0 -0;"
		 " r1>log 15 15 +0 -0; all 65 65 +0 -0"},
		/* nothing is left */
		{"rules: []", 3,
		 "everything>bus 30 0 +0 -30; failures>crm 10 0 +0 -10; r1>crm 10 0 +0 -10;"
		 " r1>log 15 0 +0 -15; all 65 0 +0 -65"},
		/* another rule sends the same: no more, no less */
		{"rules:\n- {name: all, to: [log, bus]}\n"
		 "- {name: r1, when: {subject: r1}, to: [crm]}\n"
		 "- {name: failures, when: {type: recipient.failed}, to: [crm]}",
		 3,
		 "all>bus 0 30 +0 -0; all>log 0 30 +15 -0; r1>crm 10 15 +0 -0;"
		 " r1>log 15 0 +0 -0; failures>crm 10 5 +0 -0; everything>bus 30 0 +0 -0;"
		 " all 65 80 +15 -0"},
		/* order and stop */
		{"rules:\n- {name: failures, when: {type: recipient.failed}, to: [crm], stop: "
		 "true}\n"
		 "- {name: everything, to: [bus]}",
		 3,
		 "failures>crm 10 10 +0 -0; everything>bus 30 20 +0 -10; r1>crm 10 0 +0 -10;"
		 " r1>log 15 0 +0 -15; all 65 30 +0 -35"},
		/* a destination that is not there any more */
		{"rules:\n- {name: everything, to: [bus, crm]}", 2,
		 "everything>bus 30 30 +0 -0; everything>crm 0 30 +10 -0; failures>crm 10 0 +0 -0;"
		 " r1>crm 10 0 +0 -0; r1>log 15 0 +0 -15; all 65 60 +10 -15"},
	};
	struct world *w = *state;
	struct list was = load(WAS, DESTINATIONS);
	struct buf text = BUF_INIT(10000);

	sqlite_world_open(w);
	fill(w, was.rules);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct backtest b;

		run(w, cases[i].rules, cases[i].destinations, 0, &b);
		describe(&b, &text);
		assert_string_equal(text.data, cases[i].expected);
		assert_int_equal(b.events, EVENTS);
		assert_int_equal(b.last_ms - b.first_ms, (EVENTS - 1) * 60000);
		backtest_release(&b);
	}
	unload(&was);
	buf_release(&text);
}

static void only_what_was_recorded_since_counts(void **state)
{
	struct world *w = *state;
	struct list was = load(WAS, DESTINATIONS);
	struct buf text = BUF_INIT(10000);
	struct backtest all, b;

	sqlite_world_open(w);
	fill(w, was.rules);
	run(w, WAS, DESTINATIONS, 0, &all);
	run(w, WAS, DESTINATIONS, all.first_ms + 20 * 60000, &b);
	describe(&b, &text);
	assert_string_equal(text.data,
			    "everything>bus 10 10 +0 -0; failures>crm 3 3 +0 -0; r1>crm 4 4 +0 -0;"
			    " r1>log 5 5 +0 -0; all 22 22 +0 -0");
	assert_int_equal(b.first_ms, all.first_ms + 20 * 60000);
	backtest_release(&b);
	run(w, WAS, DESTINATIONS, all.last_ms + 60000, &b);
	assert_int_equal(b.events, 0);
	assert_int_equal(b.nrows, 0);
	assert_true(b.first_ms == DATE_NONE);
	backtest_release(&b);
	backtest_release(&all);
	backtest_release(NULL);
	unload(&was);
	buf_release(&text);
}

/* ---- alerts ---- */

struct happened {
	const char *type, *recipient;
	int time_s, seen_s; /* from the beginning; seen_s 0: at once */
};

#define BEGINNING INT64_C(1764000000000)

/* An alert of before is an event as well: its recipient is the rule's name. */
static void commit_happened(struct world *w, struct router *router, const struct happened *h)
{
	struct batch *b = batch_new();
	char *data = xasprintf("{\"broadcast_id\":\"b1\",\"recipient_id\":\"%s\"}", h->recipient);
	const struct event_head head = {
		.id = "evt_1",
		.type = h->type,
		.source = "urn:x",
		.subject = h->recipient,
		.partitionkey = h->recipient,
		.broadcast_id = "b1",
		.time_ms = BEGINNING + h->time_s * 1000,
		.recorded_ms = BEGINNING + (h->seen_s ? h->seen_s : h->time_s) * 1000,
	};

	event_make(batch_event(b), &head, data, strlen(data));
	router_route(router, b, 0);
	for (uint32_t k = 0; k < DESTINATIONS; k++) {
		struct destination_record *d = batch_destination(b);
		d->number = k + 5;
		d->name = xstrdup(names[k]);
	}
	PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
	router_committed(router, b);
	batch_free(b);
	free(data);
}

static void commit_all(struct world *w, const char *rules, const struct happened *v, size_t n)
{
	struct list was = load(rules, DESTINATIONS);
	struct router_destination d[DESTINATIONS];
	struct router *r = router_new(NULL, 0);

	for (uint32_t i = 0; i < DESTINATIONS; i++)
		d[i] = (struct router_destination){i + 5, i == 0};
	router_use(r, was.rules, d, DESTINATIONS);
	for (size_t i = 0; i < n; i++)
		commit_happened(w, r, &v[i]);
	router_free(r);
	unload(&was);
}

static void alerts_are(struct world *w, const char *rules, const char *expected)
{
	struct buf text = BUF_INIT(10000);
	struct backtest b;

	run(w, rules, DESTINATIONS, 0, &b);
	describe(&b, &text);
	for (size_t i = 0; i < b.nalerts; i++)
		buf_addf(&text, "; %s fired %d would %d", b.alerts[i].rule, (int)b.alerts[i].was,
			 (int)b.alerts[i].would);
	assert_string_equal(text.data, expected);
	backtest_release(&b);
	buf_release(&text);
}

static void alerts_are_counted_beside_those_of_then(void **state)
{
	static const struct happened v[] = {
		{"recipient.sent", "r1", 0, 0},	    {"recipient.failed", "r1", 10, 0},
		{"recipient.failed", "r2", 20, 0},  {"recipient.failed", "r3", 30, 0},
		{"alert.firing", "storm", 30, 31},  {"alert.updated", "storm", 40, 41},
		{"recipient.failed", "r4", 300, 0}, {"recipient.failed", "r5", 310, 0},
		{"recipient.failed", "r6", 320, 0}, {"alert.resolved", "storm", 200, 330},
		{"alert.firing", "old", 330, 340},
	};
#define ALERT_RULES "rules:\n- {name: alerts, when: {type: [{prefix: alert.}]}, to: [log]}\n"
	struct world *w = *state;

	sqlite_world_open(w);
	commit_all(w, ALERT_RULES "- {name: old, when: {subject: old}, to: [bus]}", v,
		   sizeof v / sizeof *v);
	/* Each fires, and ends a minute later; the second time, nothing comes after it. */
	alerts_are(w,
		   ALERT_RULES "- {name: storm, when: {type: recipient.failed}, to: [crm],"
			       " alert: {within: 1m, count: 3}}\n",
		   "alerts>log 4 3 +0 -1; storm>crm 0 3 +3 -0; old>bus 1 0 +0 -1; all 5 6 +3 -2;"
		   " storm fired 1 would 2; old fired 1 would 0");
	/* Not one of them. */
	alerts_are(w,
		   ALERT_RULES "- {name: storm, when: {type: recipient.failed}, to: [crm],"
			       " alert: {within: 1m, count: 4}}\n",
		   "alerts>log 4 0 +0 -4; old>bus 1 0 +0 -1; all 5 0 +0 -5;"
		   " storm fired 1 would 0; old fired 1 would 0");
}

/* What is told of a destination never went there, whatever the rules said, and would not now. */
static void what_is_about_a_destination_does_not_go_there(void **state)
{
	static const struct happened v[] = {{"relay.parked", "crm", 0, 0},
					    {"relay.destination.up", "log", 1, 0},
					    {"relay.audit", "crm", 2, 0}};
	struct world *w = *state;

	sqlite_world_open(w);
	commit_all(w, "rules:\n- {name: none, enabled: false, to: [log]}\n", v,
		   sizeof v / sizeof *v);
	alerts_are(w, "rules:\n- {name: all, to: [log, crm]}\n",
		   "all>crm 0 2 +2 -0; all>log 0 2 +2 -0; all 0 4 +4 -0");
}

/* What came late was not absent; nor is what cannot be known at the end. */
static void what_was_seen_late_was_not_absent(void **state)
{
	static const struct happened v[] = {
		{"recipient.sent", "r0", 1, 0},
		{"recipient.sent", "r1", 1000, 0},
		{"recipient.sent", "r2", 1001, 0},
		{"recipient.sent", "r3", 1002, 0},
		{"recipient.delivered", "r1", 1010, 0},
		{"recipient.delivered", "r2", 1020, 20000}, /* five hours later */
		{"recipient.sent", "r4", 19990, 20001},
	};
	struct world *w = *state;

	sqlite_world_open(w);
	commit_all(w, "rules: []", v, sizeof v / sizeof *v);
	alerts_are(w,
		   "rules:\n- {name: silence, when: {type: recipient.sent}, to: [crm],"
		   " alert: {per: [data.recipient_id], within: 1m,"
		   " absent: {type: recipient.delivered}}}\n",
		   "silence>crm 0 2 +2 -0; all 0 2 +2 -0; silence fired 0 would 1");
}

/* So many that several threads take steps; the windows still see one thing after another. */
static void threads_count_what_one_would(void **state)
{
	enum { MANY = 4500, GROUP = 500, BURST_EVERY = 300 };
	struct world *w = *state;
	struct list was = load(WAS, DESTINATIONS);
	struct router_destination d[DESTINATIONS] = {{5, true}, {6, false}, {7, false}};
	struct router *r = router_new(NULL, 0);

	sqlite_world_open(w);
	router_use(r, was.rules, d, DESTINATIONS);
	for (int i = 0; i < MANY; i += GROUP) {
		struct batch *b = batch_new();

		for (uint32_t k = 0; i == 0 && k < DESTINATIONS; k++) {
			struct destination_record *record = batch_destination(b);
			record->number = k + 5;
			record->name = xstrdup(names[k]);
		}
		for (int k = i; k < i + GROUP; k++)
			fixture_event(b,
				      k % BURST_EVERY < 3 ? "recipient.failed" : "recipient.sent",
				      "r0", k * 1000, 0);
		router_route(r, b, 0);
		PASS(w, w->store->type->commit(w->store, &b, 1, &w->err));
		router_committed(r, b);
		batch_free(b);
	}
	for (int round = 0; round < 5; round++)
		alerts_are(w,
			   "rules:\n- {name: everything, to: [bus]}\n"
			   "- {name: storm, when: {type: recipient.failed}, to: [log],"
			   " alert: {within: 10s, count: 3}}\n",
			   "everything>bus 4500 4530 +30 -0; storm>log 0 30 +30 -0;"
			   " failures>crm 45 0 +0 -45; all 4545 4560 +60 -45;"
			   " storm fired 0 would 15");
	router_free(r);
	unload(&was);
}

/* ---- random lists ---- */

static char *random_list(struct prng *r)
{
	static const char *const whens[] = {
		"{type: [{exists: true}]}",
		"{type: recipient.failed}",
		"{type: [recipient.sent, recipient.opened]}",
		"{subject: r1}",
		"{data: {n: [{numeric: [\">=\", 600000]}]}}",
		"{type: [{suffix: ed}], subject: [{anything-but: r1}]}"};
	static const char *const rule_names[] = {"a", "b", "c", "d", "e"};
	struct buf text = BUF_INIT(10000);
	size_t first = prng_next(r) % 3;

	buf_adds(&text, "rules:\n");
	for (size_t i = first; i < first + 1 + prng_next(r) % 3 && i < 5; i++)
		buf_addf(&text, "- {name: %s, when: %s, to: [%s%s], stop: %s}\n", rule_names[i],
			 whens[prng_next(r) % 6], names[prng_next(r) % 2],
			 prng_next(r) % 2 ? ", log" : "", prng_next(r) % 4 ? "false" : "true");
	return buf_detach(&text);
}

/* Where the rules send an event, by hand: names of rules per destination. */
static void send(const struct list *l, const struct json *event, const char *ret[DESTINATIONS])
{
	const struct node *list = node_get(yaml_root(l->yaml), "rules");

	memset(ret, 0, DESTINATIONS * sizeof *ret);
	for (size_t i = 0; i < list->n; i++) {
		const struct node *to = node_get(list->items[i], "to");

		if (!pattern_match(rules_pattern(l->rules, i), event))
			continue;
		for (size_t k = 0; k < to->n; k++)
			for (size_t d = 0; d < DESTINATIONS; d++)
				if (!strcmp(names[d], to->items[k]->text) && !ret[d])
					ret[d] = rules_name(l->rules, i);
		if (rules_stop(l->rules, i))
			return;
	}
}

/* What the row of that rule and destination should be. */
static void expect_row(struct world *w, const struct backtest_row *row, const struct list *was,
		       const struct list *would)
{
	struct event_query q = {.limit = 1000};
	struct json_doc *doc = json_doc_new();
	struct backtest_row sum = {0};
	struct events events;
	size_t d = 0;

	while (strcmp(names[d], row->destination) != 0)
		d++;
	PASS(w, w->store->type->events(w->store, &q, &events, &w->err));
	for (size_t i = 0; i < events.n; i++) {
		const struct json *event =
			json_parse(doc, events.v[i].body, events.v[i].len, 64, &w->err);
		const char *before[DESTINATIONS], *after[DESTINATIONS];

		send(was, event, before);
		send(would, event, after);
		bool then = before[d] && !strcmp(before[d], row->rule);
		bool now = after[d] && !strcmp(after[d], row->rule);
		sum.was += then;
		sum.would += now;
		sum.less += then && !after[d];
		sum.more += now && !before[d];
	}
	assert_int_equal(row->was, sum.was);
	assert_int_equal(row->would, sum.would);
	assert_int_equal(row->more, sum.more);
	assert_int_equal(row->less, sum.less);
	events_release(&events);
	json_doc_free(doc);
}

static void random_lists_compare_as_by_hand(void **state)
{
	struct world *w = *state;
	struct prng r = {.state = random_u64()};
	size_t rows = 0;

	print_message("seed %llu\n", (unsigned long long)r.state);
	for (int i = 0; i < 15; i++) {
		char *before = random_list(&r), *after = random_list(&r);
		struct list was = load(before, DESTINATIONS), would = load(after, DESTINATIONS);
		struct backtest b;

		if (i)
			sqlite_world_renew(w);
		sqlite_world_open(w);
		fill(w, was.rules);
		run(w, after, DESTINATIONS, 0, &b);
		for (size_t k = 0; k < b.nrows; k++, rows++)
			expect_row(w, &b.rows[k], &was, &would);
		backtest_release(&b);
		unload(&was);
		unload(&would);
		free(before);
		free(after);
	}
	assert_true(rows > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SQLITE_WORLD(what_would_change_is_counted),
		IN_SQLITE_WORLD(only_what_was_recorded_since_counts),
		IN_SQLITE_WORLD(alerts_are_counted_beside_those_of_then),
		IN_SQLITE_WORLD(what_is_about_a_destination_does_not_go_there),
		IN_SQLITE_WORLD(what_was_seen_late_was_not_absent),
		IN_SQLITE_WORLD(threads_count_what_one_would),
		IN_SQLITE_WORLD(random_lists_compare_as_by_hand),
	};
	return cmocka_run_group_tests_name("backtest", tests, NULL, NULL);
}
