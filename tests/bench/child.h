/*
 * child — programs of ours as processes of a bench, and what is asked of them over HTTP. All of
 * them give up (message, exit status 2) when something does not work.
 */
#ifndef RELAY_BENCH_CHILD_H
#define RELAY_BENCH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

_Noreturn void child_give_up(const char *what);
void child_nap(void); /* 20 ms */

/* The path of a program in the folder $O (preset: build); yours. */
char *child_binary(const char *name);
/* Standard output and error go to the file. Whoever starts it ends it, by its id. */
pid_t child_start(const char *const *argv, const char *log);
/* The same for a function of ours, in a copy of this process. */
pid_t child_fork(void (*run)(void *arg), void *arg);
void child_end(pid_t pid);	/* asks it to, and waits */
double child_cpu_s(pid_t pid);	/* so far; in steps of 10 ms */
double child_rss_kb(pid_t pid); /* now; -1: it is gone */
/* The first http://ADDRESS:PORT in the file, as soon as it is there; yours. */
char *child_url(const char *log);

struct child_reply {
	char body[4096];
	bool done;
};

void child_ask(const char *method, const char *url, const char *path, struct child_reply *ret);
/* The number behind "name": in a JSON text; -1: there is none. */
double child_number(const char *text, const char *name);

#endif
