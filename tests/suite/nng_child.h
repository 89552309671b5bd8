/*
 * nng_child — subscribers for tests, each in a process of its own that ends with _exit, since
 * nng 1.5 may hang in nng_close of a subscriber's socket. A child is the test's own program,
 * started again: main calls nng_child_main first.
 */
#ifndef RELAY_NNG_CHILD_H
#define RELAY_NNG_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Does what a child does and exits, when the arguments say that this process is one. */
void nng_child_main(int argc, char **argv);

struct lines {
	char *text; /* what was read and is no whole line yet */
	size_t len, cap;
	char **v;
	size_t n, vcap;
	int fd; /* -1: it ended */
};

struct nng_child {
	pid_t pid;
	struct lines out, err;
};

/* In the environment of a test: the file of authorities that "listen" trusts. */
#define NNG_CHILD_CA "RELAY_TEST_CA"

/* "listen", URL, TOPIC …: plain nng; each message is a line of out. "count", URL: the same with one
 * line a heartbeat, "got N", the messages so far. "relay", "subscribe", …: that
 * command. The list ends in NULL. */
struct nng_child *nng_child_start(const char *const *args);

/* Reads until out (err) has n lines, or a line of it has `text` in it: the line's number. Fails
 * the test after 20 s. */
void nng_child_lines(struct nng_child *c, size_t n);
size_t nng_child_says(struct nng_child *c, const char *text);
size_t nng_child_complains(struct nng_child *c, const char *text);
/* Reads until one that counts says that it got n, which is what it said last. It loses none for
 * certain, also on a busy machine, when it is awaited each NNG_CHILD_HOLDS messages: neither its
 * queue nor the relay's holds less. */
#define NNG_CHILD_HOLDS 6000
void nng_child_got(struct nng_child *c, size_t n);
/* Reads what there is to read for so long. */
void nng_child_read(struct nng_child *c, int ms);

/* Waits for its end; its exit status, or 128 + the signal. */
int nng_child_wait(struct nng_child *c);
void nng_child_kill(struct nng_child *c, int signal);
void nng_child_free(struct nng_child *c); /* kills it when it is still there */

#endif
