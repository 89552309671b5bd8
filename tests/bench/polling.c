/* polling — see the header. Invariant: a job's process has no thread of another's, since all are
 * forked by a parent that has none. */
#include "tests/bench/polling.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/suite/store_fixture.h"

const struct polling_counters polling_counters[] = {
	{"exact", "exact"},
	{"lagging", "lag=60s"},
	{"absent", "absent"},
	{0},
};

struct sim_counters polling_counters_of(const struct polling_job *job)
{
	struct sim_counters counters;
	if (!sim_counters_parse(&counters, job->counters->option))
		child_give_up("the simulator knows no such counters");
	return counters;
}

const struct polling_order polling_orders[] = {
	{"created", SIM_ORDER_CREATED},
	{"updated", SIM_ORDER_UPDATED},
	{"id", SIM_ORDER_ID},
	{"none", SIM_ORDER_NONE},
	{0},
};

/* ---- counted and timed */

/* Does the query ask for more than a page of all? */
static bool is_filtered(const char *query)
{
	static const char *const paging[] = {"page=", "take=", "next=", "status=ALL"};
	for (const char *at = query; at && *at; at += *at == '&') {
		size_t len = strcspn(at, "&");
		bool plain = len == 0;
		for (size_t i = 0; i < sizeof paging / sizeof *paging; i++)
			plain |= strncmp(at, paging[i], strlen(paging[i])) == 0;
		if (!plain)
			return true;
		at += len;
	}
	return false;
}

void polling_asked(void *arg, const char *path, const char *query)
{
	struct polling_asked *a = arg;
	if (!strstr(path, "/recipients"))
		a->lists++;
	else if (is_filtered(query))
		a->filtered++;
	else
		a->pages++;
}

uint64_t polling_asked_all(const struct polling_asked *a)
{
	return a->lists + a->pages + a->filtered;
}

int polling_what(const struct event *ev)
{
	static const char prefix[] = "recipient.";
	if (strncmp(ev->type, prefix, sizeof prefix - 1) != 0)
		return -1;
	return sim_what_number(ev->type + sizeof prefix - 1);
}

/* ---- what a job's process says: lines of fields between tabs */

void polling_row(FILE *out, const struct polling_row *r)
{
	fprintf(out, "row\t%s\t%s\t%s\t%.9g\t%.9g\t%.9g\n", r->what, r->unit, r->of ? r->of : "",
		r->value, r->ratio, r->bar);
	fflush(out);
}

void polling_line(FILE *out, const char *title, const char *head, const char *fmt, ...)
{
	va_list args;
	fprintf(out, "line\t%s\t%s\t", title, head);
	va_start(args, fmt);
	vfprintf(out, fmt, args);
	va_end(args);
	fputc('\n', out);
	fflush(out);
}

void polling_progress(const char *fmt, ...)
{
	va_list args;
	if (!isatty(2))
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- processes */

#define AT_ONCE 2
#define FIELDS	7

struct running {
	pid_t pid;
	FILE *said;
};

/* Only so that wait() is left, and what runs is ended. */
static void interrupted(int signal_number)
{
	(void)signal_number;
}

static void on_signals(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static struct running start(const struct polling_job *job)
{
	struct running r = {.said = tmpfile()};
	if (!r.said)
		child_give_up("no temporary file can be made");
	fflush(stdout);
	r.pid = fork();
	if (r.pid < 0)
		child_give_up("no process can be made");
	if (r.pid == 0) {
		on_signals(SIG_DFL);
		log_set_level(LOG_ERROR);
		job->run(job, r.said);
		_exit(fclose(r.said) == 0 ? 0 : 2);
	}
	return r;
}

/* Ends those that run; their folders are in that of TMPDIR, which is removed. */
static _Noreturn void abandon(struct running *running, size_t n, char *folder)
{
	for (size_t i = 0; i < n; i++)
		if (running[i].pid)
			kill(running[i].pid, SIGTERM);
	while (wait(NULL) > 0)
		;
	fixture_remove(folder);
	child_give_up("a part of the bench failed");
}

/* One more of those that run has ended well. */
static void await_one(struct running *running, size_t n, char *folder)
{
	int status;
	pid_t pid = wait(&status);
	for (size_t i = 0; i < n; i++)
		if (running[i].pid == pid)
			running[i].pid = 0;
	if (pid < 0 || status != 0)
		abandon(running, n, folder);
}

static void split(char *line, char *fields[FIELDS])
{
	size_t n = 0;
	while (line && n < FIELDS)
		fields[n++] = strsep(&line, "\t");
}

struct said {
	char *v[FIELDS];
};

static void append(struct buf *text, FILE *f)
{
	char block[4096];
	size_t n;
	rewind(f);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_add(text, block, n);
	fclose(f);
}

/* The fields point into the text. */
static struct said *read_said(char *text, size_t *ret_n)
{
	struct said *all = NULL;
	size_t cap = 0;
	char *line;
	*ret_n = 0;
	while ((line = strsep(&text, "\n")) && *line) {
		all = mem_grow(all, *ret_n, &cap, sizeof *all);
		split(line, all[(*ret_n)++].v);
	}
	return all;
}

static void tell_rows(const struct said *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *const *v = all[i].v;
		if (strcmp(v[0], "row") == 0)
			bench_row(v[1], strtod(v[4], NULL), v[2], strtod(v[5], NULL),
				  *v[3] ? v[3] : NULL, strtod(v[6], NULL), false);
	}
}

/* Each table with all its lines, whoever said them. */
static void tell_tables(const struct said *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool told = strcmp(all[i].v[0], "line") != 0;
		for (size_t k = 0; k < i && !told; k++)
			told = !strcmp(all[k].v[0], "line") && !strcmp(all[k].v[1], all[i].v[1]);
		if (told)
			continue;
		bench_table(all[i].v[1], all[i].v[2]);
		for (size_t k = i; k < n; k++)
			if (!strcmp(all[k].v[0], "line") && !strcmp(all[k].v[1], all[i].v[1]))
				bench_table_line(all[k].v[3]);
	}
}

static void run_all(const struct polling_job *jobs, struct running *running, size_t n)
{
	char *folder = fixture_folder();
	setenv("TMPDIR", folder, 1);
	on_signals(interrupted);
	for (size_t i = 0; i < n; i++) {
		if (i >= AT_ONCE)
			await_one(running, i, folder);
		running[i] = start(&jobs[i]);
	}
	for (size_t i = 0; i < n && i < AT_ONCE; i++)
		await_one(running, n, folder);
	on_signals(SIG_DFL);
	fixture_remove(folder);
}

char *polling_run(const struct polling_job *jobs, size_t n)
{
	struct running *running = xcalloc(n + 1, sizeof *running);
	struct buf text = BUF_INIT(16 << 20);
	size_t nsaid;
	run_all(jobs, running, n);
	for (size_t i = 0; i < n; i++)
		append(&text, running[i].said);
	struct said *all = read_said(text.data, &nsaid);
	tell_rows(all, nsaid);
	tell_tables(all, nsaid);
	free(all);
	free(running);
	return buf_detach(&text);
}
