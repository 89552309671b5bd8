/*
 * bench_source — what taking recipients in costs: in process beside a bare cJSON parse of the same
 * pages, and as real processes beside a careful Node script that polls the same simulator. And what
 * a start with a full journal costs beside a SELECT.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay.h"
#include "tests/bench/bench.h"
#include "tests/bench/api_pages.h"
#include "tests/bench/processes.h"
#include "tests/bench/restart.h"
#include "tests/suite/store_fixture.h"

#define RECIPIENTS 100000
#define MILLION	   1000000
#define ROUNDS	   5
#define BASE_URL   "http://127.0.0.1:1"
#define CALLS	   8

/* An unchanged page must cost next to nothing: most pages are. */
#define BAR_HASH 0.05
/* So that a million recipients fit in 72 MB. */
#define BAR_ROW_BYTES 72
#define BAR_BASE_MB   20
/* A longer one would show in every delivery's latency. Wall time: a busy machine adds to it. */
#define BAR_LOOP_MS 5
/* A start reads all rows once, and has them when it has read them. */
#define BAR_RESTART 3
/* What a program in C owes its user beside a script. */
#define BAR_NODE 0.25

static struct api_pages pages;

/* ---- a relay whose requests are answered at once from the pages ---- */

struct call {
	unsigned page; /* 0: the list */
	http_done *done;
	void *arg;
};

struct stage {
	char *dir;
	struct relay *relay;
	struct call v[CALLS];
	size_t n;
	int64_t now_ms;
};

static struct instant clock_of(void *arg)
{
	const struct stage *s = arg;
	return (struct instant){1700010000000 + s->now_ms, s->now_ms};
}

static int fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		 struct err *err)
{
	struct stage *s = arg;
	const char *page = strstr(call->url, "/recipients") ? strstr(call->url, "page=") : NULL;
	if (s->n == CALLS)
		return err_set(err, ERR_LIMIT, "too many calls");
	s->v[s->n++] =
		(struct call){page ? (unsigned)strtoul(page + 5, NULL, 10) : 0, done, done_arg};
	return 0;
}

static void answer(struct call c, bool abort_it)
{
	size_t page = c.page > pages.n ? pages.n : c.page - 1;
	const struct sim_reply *r = c.page ? &pages.v[page] : &pages.list;
	struct buf headers = BUF_INIT(4096);
	for (size_t i = 0; i < r->nheaders; i++) {
		buf_addf(&headers, "%s: %s", r->headers[i].name, r->headers[i].value);
		buf_addc(&headers, '\0');
	}
	c.done(c.arg, &(struct http_reply){
			      .failure = abort_it ? HTTP_ABORTED : HTTP_OK,
			      .why = abort_it ? "aborted" : NULL,
			      .status = 200,
			      .body = r->body.data,
			      .len = r->body.len,
			      .retry_after_ms = -1,
			      .date_ms = DATE_NONE,
			      .headers = &headers,
		      });
	buf_release(&headers);
}

static void turn(struct stage *s)
{
	int wait = relay_tick(s->relay, clock_of(s));
	if (s->n)
		answer(s->v[--s->n], false);
	else if (relay_settling(s->relay))
		relay_wait(s->relay, 10);
	else
		s->now_ms += wait > 0 && wait < 1000 ? wait : 1;
}

static void stage_open(struct stage *s)
{
	struct problems problems = {0};
	struct err err = {0};
	s->dir = fixture_folder();
	char *path = xasprintf("%s/relay.yaml", s->dir);
	FILE *f = fopen(path, "we");
	fprintf(f, "source: { base_url: \"" BASE_URL
		   "\", since: all, rate_limit: 0/s, poll_every: 100ms, "
		   "poll_every_max: 100ms }\njournal: { sqlite: { path: relay.db } }\n");
	fclose(f);
	struct settings *settings = settings_load(path, &problems);
	struct relay_env env = {fetch, s, clock_of, s, 1};
	problems.nwarnings = 0;
	problems_print(&problems, stderr);
	s->relay = settings ? relay_open(settings, &env, &err) : NULL;
	if (!s->relay) {
		fprintf(stderr, "bench_source: %s\n", err.msg);
		exit(2);
	}
	free(path);
}

static void stage_close(struct stage *s)
{
	while (s->n)
		answer(s->v[--s->n], true);
	relay_close(s->relay);
	fixture_remove(s->dir);
	*s = (struct stage){0};
}

static struct source_status status_of(const struct stage *s)
{
	struct source_status status;
	relay_source_status(s->relay, &status);
	return status;
}

/* ---- what is measured; each returns rows a second ---- */

static double parse_peer(void *arg)
{
	(void)arg;
	return RECIPIENTS / api_pages_parse(&pages);
}

static double decode(void *arg)
{
	static struct names states, statuses;
	struct snapshot snapshot = {0};
	struct err err = {0};
	(void)arg;
	if (!states.n)
		states_init(&states);
	double took = 0;
	for (size_t i = 0; i < pages.n; i++) {
		const struct buf *text = api_pages_receive(&pages, i);
		double start = bench_wall_s();
		if (snapshot_read(&snapshot, text->data, text->len, &states, &statuses, &err) < 0)
			exit(2);
		took += bench_wall_s() - start;
	}
	snapshot_release(&snapshot);
	return RECIPIENTS / took;
}

static double take_in(void *arg)
{
	struct stage *s = arg;
	if (s->relay)
		stage_close(s);
	stage_open(s);
	double start = bench_wall_s();
	while (status_of(s).rows_held < RECIPIENTS || relay_settling(s->relay))
		turn(s);
	return RECIPIENTS / (bench_wall_s() - start);
}

/* The time of its pages: a list is asked for between any two of them, as full sweeps have but a
 * share of the requests. */
static double sweep_again(void *arg)
{
	struct stage *s = arg;
	double took = 0;
	for (size_t read = 0; read < pages.n;) {
		uint64_t seen = status_of(s).unchanged_pages;
		double start = bench_wall_s();
		turn(s);
		double now = bench_wall_s();
		if (status_of(s).unchanged_pages == seen)
			continue;
		took += now - start;
		read++;
	}
	return RECIPIENTS / took;
}

/* Seconds, as the bar is one of cost. */
static double hash_pages(void *arg)
{
	uint64_t mix = 0;
	(void)arg;
	double took = 0;
	for (size_t i = 0; i < pages.n; i++) {
		const struct buf *text = api_pages_receive(&pages, i);
		double start = bench_wall_s();
		mix ^= hash128(text->data, text->len).low;
		took += bench_wall_s() - start;
	}
	return mix ? took : took + 1e-9;
}

static double parse_peer_s(void *arg)
{
	(void)arg;
	return api_pages_parse(&pages);
}

static void in_process(void)
{
	struct stage s = {0};
	static const char peer[] = "rows/s of a bare cJSON parse with an arena";
	api_pages_make(&pages, RECIPIENTS);
	struct bench_pair pair = bench_pairs(ROUNDS, decode, parse_peer, NULL);
	bench_row("decode (scan, parse, rows)", pair.ours, "rows/s", pair.ratio, peer, BENCH_NONE,
		  true);
	pair = bench_pairs(ROUNDS, take_in, parse_peer, &s);
	bench_row("take in: decode, diff, a durable commit a page", pair.ours, "rows/s", pair.ratio,
		  peer, BENCH_NONE, true);
	struct relay_loop loop;
	relay_loop(s.relay, &loop);
	bench_row("longest call on the loop while 100,000 rows come in",
		  (double)loop.longest_us / 1000, "ms", BENCH_NONE, NULL, BAR_LOOP_MS, false);
	printf("    calls on the loop by µs:");
	for (int i = 0; i < LOOP_BUCKETS; i++)
		if (loop.calls[i])
			printf(" <%d: %llu", 2 << i, (unsigned long long)loop.calls[i]);
	puts("");
	struct source_status status = status_of(&s);
	bench_row("bytes a row held, the store's own count",
		  (double)status.held_bytes / (double)status.rows_held, "B", BENCH_NONE, NULL,
		  BAR_ROW_BYTES, false);
	pair = bench_pairs(ROUNDS, sweep_again, parse_peer, &s);
	bench_row("a second sweep, nothing changed", pair.ours, "rows/s", pair.ratio, peer,
		  BENCH_NONE, true);
	pair = bench_pairs(ROUNDS, hash_pages, parse_peer_s, NULL);
	bench_row("an unchanged page, recognised by its hash", pair.ours / (double)pages.n * 1e6,
		  "us", pair.ratio, "time of a bare cJSON parse", BAR_HASH, false);
	stage_close(&s);
	api_pages_release(&pages);
}

/* ---- beside the script, process against process ---- */

struct contest {
	unsigned step_ms; /* of the campaign, between the two sweeps */
	double script_posts;
	struct process_cost relay[ROUNDS], script[ROUNDS];
	size_t relays, scripts;
};

static double script_cpu(void *arg)
{
	struct contest *c = arg;
	struct process_cost cost = processes_node(RECIPIENTS, c->step_ms);
	c->script_posts = cost.posts;
	c->script[c->scripts++] = cost;
	return cost.cpu_s;
}

static double relay_cpu(void *arg)
{
	struct contest *c = arg;
	struct process_cost cost = processes_relay(RECIPIENTS, c->step_ms, c->script_posts);
	c->relay[c->relays++] = cost;
	return cost.cpu_s;
}

static double median_peak_kb(const struct process_cost *v, size_t n)
{
	double kb[ROUNDS];
	for (size_t i = 0; i < n; i++)
		kb[i] = v[i].peak_kb;
	return bench_median(kb, n);
}

/* The script posts one change a request like the relay, but keeps nothing on disk. */
static void beside_script(size_t rounds, unsigned step_ms, const char *cpu, const char *memory)
{
	static const char peer[] = "a careful Node script";
	struct contest c = {.step_ms = step_ms};
	script_cpu(&c); /* how many posts there will be */
	c.scripts = 0;
	struct bench_pair pair = bench_pairs(rounds, relay_cpu, script_cpu, &c);
	double relay_kb = median_peak_kb(c.relay, rounds);
	double script_kb = median_peak_kb(c.script, rounds);
	bench_row(cpu, pair.ours, "CPU-s", pair.ratio, peer, BAR_NODE, false);
	bench_row(memory, relay_kb / 1000, "MB", relay_kb / script_kb, peer, BAR_NODE, false);
	printf("    posts: relay %.0f, script %.0f; the script took %.2f CPU-s and %.0f MB\n",
	       c.relay[0].posts, c.script_posts, pair.peer, script_kb / 1000);
}

static void as_processes(void)
{
	double small = processes_rss_kb(RECIPIENTS), large = processes_rss_kb(MILLION);
	double row = (large - small) * 1024 / (MILLION - RECIPIENTS);
	bench_row("bytes a row, by RSS of 1,000,000 and of 100,000 rows", row, "B", BENCH_NONE,
		  NULL, BAR_ROW_BYTES, false);
	bench_row("base: RSS without rows", (small * 1024 - row * RECIPIENTS) / 1e6, "MB",
		  BENCH_NONE, NULL, BAR_BASE_MB, false);
	beside_script(ROUNDS, 500, "two sweeps of 100,000 rows, few changes: CPU",
		      "the same: most memory");
	beside_script(1, 60000, "two sweeps, some 31,000 changes posted: CPU",
		      "the same: most memory");
}

static void as_restart(void)
{
	static const char peer[] = "time of a bare SELECT of the same columns";
	struct restart *r = restart_make(MILLION);
	restart_select(r); /* the file is in the system's memory for both */
	struct bench_pair pair = bench_pairs(ROUNDS, restart_rows, restart_select, r);
	bench_row("a restart with 1,000,000 rows: they are held again", pair.ours, "s", pair.ratio,
		  peer, BAR_RESTART, false);
	pair = bench_pairs(ROUNDS, restart_whole, restart_select, r);
	bench_row("the same: the whole start, its journal checked", pair.ours, "s", pair.ratio,
		  peer, BENCH_NONE, false);
	restart_release(r);
}

int main(void)
{
	log_set_level(LOG_ERROR);
	as_processes(); /* first: a child's peak begins with what its parent held */
	as_restart();
	in_process();
	return bench_write("source");
}
