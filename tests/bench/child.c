/* child — see the header. Invariant: one question at a time, on a connection of its own. */
#include "tests/bench/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/http.h"
#include "relay/base/mem.h"
#include "tests/bench/bench.h"

_Noreturn void child_give_up(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(2);
}

void child_nap(void)
{
	nanosleep(&(struct timespec){0, 20000000}, NULL);
}

char *child_binary(const char *name)
{
	const char *folder = getenv("O");
	return xasprintf("%s/%s", folder ? folder : "build", name);
}

pid_t child_start(const char *const *argv, const char *log)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* should the bench die, too */
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

pid_t child_fork(void (*run)(void *arg), void *arg)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	run(arg);
	_exit(0);
}

void child_end(pid_t pid)
{
	kill(pid, SIGTERM);
	if (waitpid(pid, NULL, 0) != pid)
		child_give_up("a process is gone");
}

double child_cpu_s(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, kernel = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	if (f)
		fclose(f);
	text[n] = '\0';
	const char *behind = strrchr(text, ')'); /* the name may hold anything */
	if (!behind || sscanf(behind, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			      &user, &kernel) != 2)
		child_give_up("a process is gone");
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

double child_rss_kb(pid_t pid)
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

char *child_url(const char *log)
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
		child_nap();
	}
	child_give_up("a server does not say where it listens");
}

static void keep(void *arg, const struct http_reply *reply)
{
	struct child_reply *got = arg;
	snprintf(got->body, sizeof got->body, "%s", reply->body);
	got->done = true;
}

void child_ask(const char *method, const char *url, const char *path, struct child_reply *ret)
{
	struct err err = {0};
	struct http *h = http_open(1, &err);
	char *whole = xasprintf("%s%s", url, path);
	struct http_call call = {.method = method,
				 .url = whole,
				 .body = "",
				 .max_reply = sizeof ret->body - 1,
				 .timeout_ms = 20000};
	*ret = (struct child_reply){.done = false};
	if (!h || http_start(h, &call, keep, ret, NULL, &err) < 0)
		child_give_up(err.msg);
	while (!ret->done)
		if (http_wait(h, 1000, -1, &err) < 0)
			child_give_up(err.msg);
	http_close(h);
	free(whole);
}

double child_number(const char *text, const char *name)
{
	char *key = xasprintf("\"%s\":", name);
	const char *at = strstr(text, key);
	double value = at ? strtod(at + strlen(key), NULL) : -1;
	free(key);
	return value;
}
