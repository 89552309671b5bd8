/* bench_backtest — other rules over the past, beside a program that only reads the past: one SELECT
 * of the same columns of events and routes. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/backtest.h"
#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"
#include "relay/router.h"
#include "tests/bench/bench.h"
#include "tests/bench/rule_mix.h"
#include "tests/suite/store_fixture.h"

#define EVENTS 100000
#define GROUP  1000 /* events a commit */
#define RULES  100
#define ROUNDS 7

/* Who tries rules waits for the disk and hardly for the rules. */
#define BAR 2.0

struct bench {
	struct sqlite_options options;
	struct yaml *yaml[2];
	struct rules *rules[2]; /* those of then, those that are tried */
	uint64_t changed;
};

static const char *const names[] = {"bus", "crm"};

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "bench_backtest: %s: %s\n", what, why);
	exit(2);
}

/* ---- rules and the past ---- */

/* Half of them are those of the other list. */
static void make_rules(struct bench *b, size_t i)
{
	static const struct rules_destination destinations[] = {{"bus", true, 0},
								{"crm", false, 0}};
	struct prng random = {.state = 1}, other = {.state = 2};
	struct buf text = BUF_INIT(1 << 20);
	struct problems p = {0};

	buf_adds(&text, "rules:\n- {name: everything, to: [bus]}\n");
	for (unsigned n = 0; n < RULES - 1; n++) {
		buf_addf(&text, "- {name: rule %u, to: [crm], when: ", n);
		mix_rule(&text, i && n % 2 ? &other : &random, MIX_RULES, n);
		buf_adds(&text, "}\n");
	}
	b->yaml[i] = yaml_parse("rules.yaml", text.data, text.len, &p);
	b->rules[i] = b->yaml[i] ? rules_load(node_get(yaml_root(b->yaml[i]), "rules"),
					      destinations, 2, &p)
				 : NULL;
	if (!b->rules[i])
		give_up("rules", p.v[0]);
	buf_release(&text);
}

static void make_event(struct event *ev, struct prng *random, int64_t n)
{
	struct buf body = BUF_INIT(EVENT_BODY_MAX);
	char number[24];

	mix_event(&body, random, false);
	snprintf(number, sizeof number, "%lld", (long long)n);
	*ev = (struct event){.time_ms = 1764000000000 + n, .order_key = hash64(&n, sizeof n)};
	event_id(ev->id, (struct id_part[]){ID_PART(number)}, 1);
	snprintf(ev->type, sizeof ev->type, "recipient.sent");
	ev->sequence_at = event_sequence_at(body.data, body.len);
	if (!ev->sequence_at)
		give_up("event", "has no sequence");
	ev->len = body.len;
	ev->body = buf_detach(&body);
	ev->topic = xasprintf("recipient.sent.twilio.bc_%lld", (long long)n / 1000);
}

static void fill(struct bench *b)
{
	static const struct router_destination destinations[] = {{1, true}, {2, false}};
	struct prng random = {.state = 3};
	struct router *router = router_new(NULL, 0);
	struct err err;
	struct store *s = store_sqlite.open(&b->options, STORE_WRITE, &err);

	if (!s)
		give_up("journal", err.msg);
	router_use(router, b->rules[0], destinations, 2);
	for (int64_t n = 0; n < EVENTS; n += GROUP) {
		struct batch *batch = batch_new();

		for (uint32_t i = 0; n == 0 && i < 2; i++) {
			struct destination_record *d = batch_destination(batch);
			d->number = i + 1;
			d->name = xstrdup(names[i]);
		}
		for (int64_t i = 0; i < GROUP; i++)
			make_event(batch_event(batch), &random, n + i);
		router_route(router, batch, 0);
		if (store_sqlite.commit(s, &batch, 1, &err) != 0)
			give_up("commit", err.msg);
		router_committed(router, batch);
		batch_free(batch);
	}
	store_sqlite.close(s);
	router_free(router);
}

/* ---- ours and the peer ---- */

static double ours(void *arg)
{
	struct bench *b = arg;
	const struct backtest_options o = {
		.rules = b->rules[1], .destinations = names, .ndestinations = 2};
	const struct journal_options journal = {&store_sqlite, &b->options};
	struct backtest result;
	struct err err;
	double start = bench_wall_s();

	if (backtest_run(&journal, &o, &result, &err) != 0)
		give_up("backtest", err.msg);
	double took = bench_wall_s() - start;
	if (result.events != EVENTS || !result.all.more || !result.all.less)
		give_up("backtest", "compared too little");
	b->changed = result.all.more + result.all.less;
	backtest_release(&result);
	return took;
}

static double select_all(const struct bench *b, const char *const *statements, size_t n)
{
	sqlite3 *db = NULL;
	double start = bench_wall_s();

	if (sqlite3_open_v2(b->options.path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		give_up("select", sqlite3_errmsg(db));
	for (size_t i = 0; i < n; i++) {
		sqlite3_stmt *st = NULL;
		size_t rows = 0, bytes = 0;

		if (sqlite3_prepare_v2(db, statements[i], -1, &st, NULL) != SQLITE_OK)
			give_up("select", sqlite3_errmsg(db));
		for (; sqlite3_step(st) == SQLITE_ROW; rows++) {
			for (int k = 0; k < sqlite3_column_count(st); k++) {
				if (sqlite3_column_type(st, k) == SQLITE_INTEGER)
					bytes += sqlite3_column_int64(st, k) != 0;
				else
					bytes += sqlite3_column_blob(st, k) != NULL;
			}
		}
		if (rows < EVENTS || bytes < rows)
			give_up("select", "too little was read");
		sqlite3_finalize(st);
	}
	sqlite3_close(db);
	return bench_wall_s() - start;
}

static double read_all(void *arg)
{
	static const char *const statements[] = {
		"SELECT seq, type, time, body FROM events ORDER BY seq",
		"SELECT seq, dest, rule FROM routes",
	};

	return select_all(arg, statements, 2);
}

int main(void)
{
	static struct bench b;
	struct bench_pair pair;
	char *folder = fixture_folder();

	b.options = (struct sqlite_options){.path = xasprintf("%s/relay.db", folder),
					    .keep_ms = INT64_MAX / 2};
	make_rules(&b, 0);
	make_rules(&b, 1);
	fill(&b);
	ours(&b); /* the file's pages are in memory from here on, for both */
	pair = bench_pairs(ROUNDS, ours, read_all, &b);
	bench_row("backtest, 100,000 events, 100 rules", pair.ours * 1e3, "ms", pair.ratio,
		  "one SELECT of events, one of routes", BAR, false);
	bench_row("routes that change", (double)b.changed, "of them", BENCH_NONE, NULL, BENCH_NONE,
		  false);
	for (size_t i = 0; i < 2; i++) {
		rules_free(b.rules[i]);
		yaml_free(b.yaml[i]);
	}
	free(b.options.path);
	fixture_remove(folder);
	return bench_write("backtest");
}
