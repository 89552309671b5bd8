/* processes — see the header. Every process started here is ended here, by its id. */
#include "tests/bench/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/suite/store_fixture.h"

/* And a second more for so many rows, twice taken in: some 12,000 come in a second. */
#define PATIENCE_S    100
#define PATIENCE_ROWS 2500

/* Recipient pages that the simulator was asked for. */
static double pages_served(const char *url)
{
	struct child_reply got;
	child_ask("GET", url, "/sim/status", &got);
	const char *requests = strstr(got.body, "\"requests\"");
	return requests ? child_number(requests, "recipients") : -1;
}

/* ---- a scene: simulator, sink, and a folder ---- */

struct scene {
	char *dir, *log, *api, *sink_url;
	pid_t sim, sink;
	uint32_t recipients;
};

static void open_scene(struct scene *s, uint32_t recipients)
{
	char *sim = child_binary("invent-sim"), *relay = child_binary("relay"), count[16];
	s->recipients = recipients;
	s->dir = fixture_folder();
	s->log = xasprintf("%s/log", s->dir);
	snprintf(count, sizeof count, "%u", recipients);
	s->sim = child_start((const char *const[]){sim, "--hold", "--no-key", "--rate-limit", "0",
						   "--ramp", "10m", "--order", "id", "--recipients",
						   count, NULL},
			     s->log);
	s->api = child_url(s->log);
	char *log = xasprintf("%s/sink", s->dir);
	s->sink = child_start(
		(const char *const[]){relay, "receive", "--listen", "127.0.0.1:0", NULL}, log);
	s->sink_url = child_url(log);
	struct child_reply got;
	child_ask("POST", s->api, "/sim/step?ms=300000", &got);
	free(log);
	free(sim);
	free(relay);
}

static struct process_cost cost_of(const struct rusage *u)
{
	return (struct process_cost){
		.cpu_s = (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
			 (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6,
		.peak_kb = (double)u->ru_maxrss,
	};
}

static void end(pid_t pid, struct process_cost *ret)
{
	struct rusage used;
	int status;
	kill(pid, SIGTERM);
	if (wait4(pid, &status, 0, &used) != pid)
		child_give_up("a process is gone");
	if (ret)
		*ret = cost_of(&used);
}

static void close_scene(struct scene *s)
{
	end(s->sim, NULL);
	end(s->sink, NULL);
	fixture_remove(s->dir);
	free(s->log);
	free(s->api);
	free(s->sink_url);
}

static pid_t start_relay(const struct scene *s, const char *since, const char *every)
{
	char *path = xasprintf("%s/relay.yaml", s->dir), *relay = child_binary("relay");
	char *log = xasprintf("%s/relay.log", s->dir);
	FILE *f = fopen(path, "we");
	if (!f)
		child_give_up(strerror(errno));
	fprintf(f,
		"source: { base_url: \"%s\", since: %s, rate_limit: 0/s, poll_every: %s, "
		"poll_every_max: %s, full_sweep_every: %s }\njournal: { sqlite: { path: relay.db } "
		"}\n"
		"destinations: { sink: { http: { url: \"%s/\" } } }\n"
		"rules: [{ name: all, to: [sink] }]\n",
		s->api, since, every, every, every, s->sink_url);
	fclose(f);
	pid_t pid = child_start((const char *const[]){relay, "run", "-c", path, NULL}, log);
	free(path);
	free(relay);
	free(log);
	return pid;
}

static void await_pages(const struct scene *s, double pages)
{
	double patience = bench_wall_s() + PATIENCE_S + s->recipients / PATIENCE_ROWS;
	while (pages_served(s->api) < pages) {
		if (bench_wall_s() > patience)
			child_give_up("the pages are not asked for");
		child_nap();
	}
}

double processes_rss_kb(uint32_t recipients)
{
	struct scene s;
	open_scene(&s, recipients);
	pid_t relay = start_relay(&s, "now", "1s");
	await_pages(&s, 2.0 * (recipients + 99) / 100); /* taken in, and seen again */
	double least = 1e12, until = bench_wall_s() + 4;
	while (bench_wall_s() < until) {
		double kb = child_rss_kb(relay);
		least = kb < least ? kb : least;
		child_nap();
	}
	end(relay, NULL);
	close_scene(&s);
	return least;
}

static double lines_in(const char *path)
{
	char block[65536];
	double lines = 0;
	size_t n;
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		for (size_t i = 0; i < n; i++)
			lines += block[i] == '\n';
	fclose(f);
	return lines;
}

/* The receiver prints its address and then a line for each post. */
static double posts_of(const struct scene *s)
{
	char *log = xasprintf("%s/sink", s->dir);
	double posts = lines_in(log) - 1;
	free(log);
	return posts;
}

static void await_posts(const struct scene *s, double posts)
{
	double patience = bench_wall_s() + PATIENCE_S;
	while (posts_of(s) < posts) {
		if (bench_wall_s() > patience)
			child_give_up("the changes are not posted");
		child_nap();
	}
}

static void step(const struct scene *s, unsigned ms)
{
	struct child_reply got;
	char *path = xasprintf("/sim/step?ms=%u", ms);
	child_ask("POST", s->api, path, &got);
	free(path);
}

struct process_cost processes_relay(uint32_t recipients, unsigned step_ms, double posts)
{
	struct scene s;
	struct process_cost cost;
	open_scene(&s, recipients);
	pid_t relay = start_relay(&s, "now", "3s"); /* no third sweep before the second is posted */
	await_pages(&s, (recipients + 99) / 100);
	step(&s, step_ms);
	await_pages(&s, 2.0 * (recipients + 99) / 100);
	await_posts(&s, posts);
	end(relay, &cost);
	cost.posts = posts_of(&s);
	close_scene(&s);
	return cost;
}

struct process_cost processes_node(uint32_t recipients, unsigned step_ms)
{
	struct scene s;
	struct rusage used;
	int status;
	open_scene(&s, recipients);
	char *log = xasprintf("%s/node.log", s.dir), ms[16];
	snprintf(ms, sizeof ms, "%u", step_ms);
	pid_t node = child_start(
		(const char *const[]){"node", "tests/bench/poll.mjs", s.api, s.sink_url, ms, NULL},
		log);
	if (wait4(node, &status, 0, &used) != node || status != 0)
		child_give_up("the Node script failed");
	struct process_cost cost = cost_of(&used);
	cost.posts = posts_of(&s);
	close_scene(&s);
	free(log);
	return cost;
}
