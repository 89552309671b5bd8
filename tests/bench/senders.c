/* senders — see the header. Every process started here is ended here, by its id; all that it
 * writes lies in the bench's folder. */
#include "tests/bench/senders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/bench/fed.h"
#include "tests/bench/filled.h"

/* More than anybody here sends while it is looked at. */
#define EVENTS	   200000
#define UNDER_WAY  4000 /* sent before it is looked at: connections, caches, threads are there */
#define WINDOW_S   2.0
#define PATIENCE_S 30

struct senders {
	const struct receiver *receiver;
	char *folder; /* and in it one for each that keeps something */
	char *filled; /* the folder of the relay with a filled journal */
	char *api;
	pid_t sim;
};

/* ---- how each is started ---- */

static char *log_of(const struct senders *s, const char *name)
{
	return xasprintf("%s/%s.log", s->folder, name);
}

static pid_t start(const struct senders *s, const char *const *argv)
{
	const char *slash = strrchr(argv[0], '/');
	char *log = log_of(s, slash ? slash + 1 : argv[0]);
	pid_t pid = child_start(argv, log);

	free(log);
	return pid;
}

static pid_t start_wrk(struct senders *s)
{
	/* One thread: two beside the receiver's on two cores only take turns. */
	return start(s, (const char *const[]){"wrk", "-t1", "-c16", "-d60s", "-s",
					      "tests/bench/post.lua", s->receiver->url, NULL});
}

static pid_t start_bare(struct senders *s)
{
	return bare_start(s->receiver->url);
}

static pid_t start_node(struct senders *s)
{
	return start(s,
		     (const char *const[]){"node", "tests/bench/post.mjs", s->receiver->url, NULL});
}

/* A new folder that is the sender's alone; its last round's is gone. */
static char *new_folder(const struct senders *s, const char *name)
{
	char *path = xasprintf("%s/%s", s->folder, name);

	if (access(path, F_OK) == 0)
		filled_remove(xstrdup(path));
	if (mkdir(path, 0777) != 0)
		child_give_up(strerror(errno));
	return path;
}

static void configure(const struct senders *s, const char *folder)
{
	char *destinations =
		xasprintf("  sink: { http: { url: \"%s/\" }, order: none }\n", s->receiver->url);

	filled_configure(folder, s->api, destinations);
	free(destinations);
}

static pid_t start_relay(struct senders *s)
{
	char *relay = child_binary("relay"), *config = xasprintf("%s/relay.yaml", s->filled);

	configure(s, s->filled);
	filled_rewind(s->filled);
	pid_t pid = start(s, (const char *const[]){relay, "run", "-c", config, NULL});
	free(relay);
	free(config);
	return pid;
}

static pid_t start_relay_fed(struct senders *s)
{
	char *folder = new_folder(s, "fed");

	configure(s, folder);
	pid_t pid = fed_start(&(struct fed_settings){
		.folder = folder, .what = {.body = FILLED_BODY}, .at_full_speed = true});
	free(folder);
	return pid;
}

/* It reads a file of lines as fast as its queue takes them. Its connections are kept by preset. */
static pid_t start_syslog(struct senders *s, const char *queue)
{
	char *folder = new_folder(s, "syslog"), *config = xasprintf("%s/conf", folder);
	char *persist = xasprintf("%s/persist", folder), *control = xasprintf("%s/ctl", folder);
	char *pid_file = xasprintf("%s/pid", folder);
	FILE *f = fopen(config, "we");

	if (!f)
		child_give_up(strerror(errno));
	fprintf(f,
		"@version: 3.35\n"
		"options { stats-freq(0); keep-hostname(yes); };\n"
		"source lines { file(\"%s/lines\" flags(no-parse) log-fetch-limit(1000)\n"
		"\tlog-iw-size(40000)); };\n"
		"destination post { http(url(\"%s/\") method(\"POST\") workers(8)\n"
		"\theaders(\"Content-Type: application/cloudevents+json\") body(\"$MSG\")\n"
		"\tlog-fifo-size(50000) ",
		s->folder, s->receiver->url);
	fprintf(f, queue, folder);
	fputs("); };\nlog { source(lines); destination(post); flags(flow-control); };\n", f);
	fclose(f);
	/* The whole of it in the foreground: no supervisor, no file of the system's. */
	pid_t pid =
		start(s, (const char *const[]){"syslog-ng", "-F", "--no-caps", "-f", config, "-R",
					       persist, "-c", control, "-p", pid_file, NULL});
	free(folder);
	free(config);
	free(persist);
	free(control);
	free(pid_file);
	return pid;
}

static pid_t start_syslog_memory(struct senders *s)
{
	return start_syslog(s, "");
}

static pid_t start_syslog_disk(struct senders *s)
{
	return start_syslog(s, "disk-buffer(reliable(yes) disk-buf-size(1073741824)\n"
			       "\tmem-buf-size(16777216) dir(\"%s\"))");
}

static pid_t (*const starts[SENDERS])(struct senders *) = {
	[SENDER_WRK] = start_wrk,
	[SENDER_BARE] = start_bare,
	[SENDER_RELAY] = start_relay,
	[SENDER_RELAY_FED] = start_relay_fed,
	[SENDER_SYSLOG_MEMORY] = start_syslog_memory,
	[SENDER_SYSLOG_DISK] = start_syslog_disk,
	[SENDER_NODE] = start_node,
};

/* ---- what is measured ---- */

struct sending senders_measure(struct senders *s, enum sender which)
{
	const struct receiver_seen *seen = s->receiver->seen;
	uint64_t before = seen->requests;
	pid_t pid = starts[which](s);
	double patience = bench_wall_s() + PATIENCE_S;

	while (seen->requests < before + UNDER_WAY) {
		if (bench_wall_s() > patience)
			child_give_up("a sender does not send; see its log in build/bench");
		child_nap();
	}
	double cpu = child_cpu_s(pid), started = bench_wall_s();
	uint64_t first = seen->requests;
	while (bench_wall_s() < started + WINDOW_S)
		child_nap();
	double sent = (double)(seen->requests - first), took = bench_wall_s() - started;
	cpu = child_cpu_s(pid) - cpu;
	if (which != SENDER_WRK && which != SENDER_BARE && seen->requests - before >= EVENTS)
		child_give_up("a sender ran out of events");
	child_end(pid);
	return (struct sending){.rate = sent / took, .cpu_s = cpu * 1e5 / sent};
}

/* ---- the scene ---- */

static void need(const char *program)
{
	char *path = xasprintf("command -v %s >/dev/null", program);

	if (system(path) != 0) {
		fprintf(stderr, "bench: %s is missing: run .ci/install bench\n", program);
		exit(2);
	}
	free(path);
}

static void write_lines(const struct senders *s)
{
	char *path = xasprintf("%s/lines", s->folder);
	FILE *f = fopen(path, "we");

	if (!f)
		child_give_up(strerror(errno));
	for (int i = 0; i < EVENTS; i++)
		fprintf(f, "%0*d\n", FILLED_BODY, i);
	if (fclose(f) != 0)
		child_give_up(strerror(errno));
	free(path);
}

/* An API without broadcasts: what is asked of it costs nothing that is measured. */
static void start_api(struct senders *s)
{
	char *sim = child_binary("invent-sim"), *log = log_of(s, "invent-sim");

	s->sim = start(s, (const char *const[]){sim, "--no-key", "--broadcasts", "0", NULL});
	s->api = child_url(log);
	free(sim);
	free(log);
}

struct senders *senders_open(const struct receiver *r)
{
	struct senders *s = xcalloc(1, sizeof *s);

	need("wrk");
	need("syslog-ng");
	need("node");
	s->receiver = r;
	s->folder = filled_folder();
	write_lines(s);
	start_api(s);
	s->filled = new_folder(s, "filled");
	filled_make(s->filled, "sink", &(struct filled){.events = EVENTS, .body = FILLED_BODY});
	return s;
}

void senders_close(struct senders *s)
{
	child_end(s->sim);
	filled_remove(s->folder);
	free(s->filled);
	free(s->api);
	free(s);
}
