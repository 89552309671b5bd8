/* processes — see the header. Every process started here is ended here, by its id. */
#include "tests/bench/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/http.h"
#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/suite/store_fixture.h"

#define PATIENCE_S 100

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "bench_source: %s\n", what);
	exit(2);
}

static void nap(void)
{
	nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static char *binary(const char *name)
{
	const char *folder = getenv("O");
	return xasprintf("%s/%s", folder ? folder : "build", name);
}

/* Standard output and error go to the file. */
static pid_t start(const char *const *argv, const char *log)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* The first http://ADDRESS:PORT in the file. */
static char *url_in(const char *log)
{
	char text[4096];
	double end = bench_wall_s() + 10;
	while (bench_wall_s() < end) {
		FILE *f = fopen(log, "re");
		size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
		if (f)
			fclose(f);
		text[n] = '\0';
		char *url = strstr(text, "http://");
		if (url && strpbrk(url, "/\n") && strchr(url, '\n'))
			return xstrndup(
				url, strspn(url, "htp:/.0123456789[]") -
					     (url[strspn(url, "htp:/.0123456789[]") - 1] == '/'));
		nap();
	}
	give_up("a server does not say where it listens");
}

struct got {
	char body[4096];
	bool done;
};

static void keep(void *arg, const struct http_reply *reply)
{
	struct got *got = arg;
	snprintf(got->body, sizeof got->body, "%s", reply->body);
	got->done = true;
}

static void ask(const char *method, const char *url, const char *path, struct got *ret)
{
	struct err err = {0};
	struct http *h = http_open(1, &err);
	char *whole = xasprintf("%s%s", url, path);
	struct http_call call = {.method = method,
				 .url = whole,
				 .body = "",
				 .max_reply = sizeof ret->body - 1,
				 .timeout_ms = 20000};
	*ret = (struct got){.done = false};
	if (!h || http_start(h, &call, keep, ret, NULL, &err) < 0)
		give_up(err.msg);
	while (!ret->done)
		if (http_wait(h, 1000, -1, &err) < 0)
			give_up(err.msg);
	http_close(h);
	free(whole);
}

static double number_in(const char *text, const char *name)
{
	char *key = xasprintf("\"%s\":", name);
	const char *at = strstr(text, key);
	double value = at ? strtod(at + strlen(key), NULL) : -1;
	free(key);
	return value;
}

/* Recipient pages that the simulator was asked for. */
static double pages_served(const char *url)
{
	struct got got;
	ask("GET", url, "/sim/status", &got);
	const char *requests = strstr(got.body, "\"requests\"");
	return requests ? number_in(requests, "recipients") : -1;
}

/* ---- a scene: simulator, sink, and a folder ---- */

struct scene {
	char *dir, *log, *api, *sink_url;
	pid_t sim, sink;
	uint32_t recipients;
};

static void open_scene(struct scene *s, uint32_t recipients)
{
	char *sim = binary("invent-sim"), *relay = binary("relay"), count[16];
	s->recipients = recipients;
	s->dir = fixture_folder();
	s->log = xasprintf("%s/log", s->dir);
	snprintf(count, sizeof count, "%u", recipients);
	s->sim = start((const char *const[]){sim, "--hold", "--no-key", "--rate-limit", "0",
					     "--ramp", "10m", "--order", "id", "--recipients",
					     count, NULL},
		       s->log);
	s->api = url_in(s->log);
	char *log = xasprintf("%s/sink", s->dir);
	s->sink = start((const char *const[]){relay, "receive", "--listen", "127.0.0.1:0", NULL},
			log);
	s->sink_url = url_in(log);
	struct got got;
	ask("POST", s->api, "/sim/step?ms=300000", &got);
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
		give_up("a process is gone");
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
	char *path = xasprintf("%s/relay.yaml", s->dir), *relay = binary("relay");
	char *log = xasprintf("%s/relay.log", s->dir);
	FILE *f = fopen(path, "we");
	if (!f)
		give_up(strerror(errno));
	fprintf(f,
		"source: { base_url: \"%s\", since: %s, rate_limit: 0/s, poll_every: %s, "
		"poll_every_max: %s }\njournal: { sqlite: { path: relay.db } }\n"
		"destinations: { sink: { http: { url: \"%s/\" } } }\n"
		"rules: [{ name: all, to: [sink] }]\n",
		s->api, since, every, every, s->sink_url);
	fclose(f);
	pid_t pid = start((const char *const[]){relay, "run", "-c", path, NULL}, log);
	free(path);
	free(relay);
	free(log);
	return pid;
}

static void await_pages(const struct scene *s, double pages)
{
	double patience = bench_wall_s() + PATIENCE_S;
	while (pages_served(s->api) < pages) {
		if (bench_wall_s() > patience)
			give_up("the pages are not asked for");
		nap();
	}
}

static double rss_kb(pid_t pid)
{
	char path[64], line[256];
	double kb = -1;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "VmRSS:", 6))
			kb = strtod(line + 6, NULL);
	if (f)
		fclose(f);
	return kb;
}

double processes_rss_kb(uint32_t recipients)
{
	struct scene s;
	open_scene(&s, recipients);
	pid_t relay = start_relay(&s, "now", "1s");
	await_pages(&s, 2.0 * (recipients + 99) / 100); /* taken in, and seen again */
	double least = 1e12, until = bench_wall_s() + 4;
	while (bench_wall_s() < until) {
		double kb = rss_kb(relay);
		least = kb < least ? kb : least;
		nap();
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
			give_up("the changes are not posted");
		nap();
	}
}

static void step(const struct scene *s, unsigned ms)
{
	struct got got;
	char *path = xasprintf("/sim/step?ms=%u", ms);
	ask("POST", s->api, path, &got);
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
	pid_t node = start(
		(const char *const[]){"node", "tests/bench/poll.mjs", s.api, s.sink_url, ms, NULL},
		log);
	if (wait4(node, &status, 0, &used) != node || status != 0)
		give_up("the Node script failed");
	struct process_cost cost = cost_of(&used);
	cost.posts = posts_of(&s);
	close_scene(&s);
	free(log);
	return cost;
}
