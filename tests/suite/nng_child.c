/* nng_child — starts, reads and ends subscribers. Invariant: no child outlives its struct. */
#include "tests/suite/nng_child.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/supplemental/tls/tls.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"

#define ROLE	    "--nng-child"
#define DEADLINE_MS 20000
#define RECEIVE_MS  100

extern char **environ;

/* ---- the child ---- */

static nng_socket subscribe(const char *url, char **topics)
{
	nng_socket socket;
	nng_dialer dialer;

	if (nng_sub0_open(&socket) || nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, 20) ||
	    nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, 20) ||
	    nng_socket_set_int(socket, NNG_OPT_RECVBUF, 8192) ||
	    nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 1 << 20) ||
	    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, RECEIVE_MS))
		_exit(2);
	for (; *topics; topics++)
		if (nng_socket_set(socket, NNG_OPT_SUB_SUBSCRIBE, *topics, strlen(*topics)))
			_exit(2);
	if (nng_dialer_create(&dialer, socket, url))
		_exit(2);
	if (getenv(NNG_CHILD_CA) &&
	    nng_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, getenv(NNG_CHILD_CA)))
		_exit(2);
	if (nng_dialer_start(dialer, NNG_FLAG_NONBLOCK))
		_exit(2);
	return socket;
}

static void listen_to(const char *url, char **topics)
{
	nng_socket socket = subscribe(url, topics);
	nng_msg *msg;

	for (;;) { /* until it is killed */
		if (nng_recvmsg(socket, &msg, 0) == 0) {
			fwrite(nng_msg_body(msg), 1, nng_msg_len(msg), stdout);
			putchar('\n');
			nng_msg_free(msg);
		}
		if (fflush(stdout))
			_exit(0);
	}
}

static void say(const char *text, unsigned long n)
{
	printf("%s %lu\n", text, n);
	if (fflush(stdout))
		_exit(0);
}

/* Heartbeats, to which it says how many there were before, are none of them. */
static void count_from(const char *url)
{
	static const char beat[] = "relay.heartbeat ";
	nng_socket socket = subscribe(url, (char *[]){(char[]){""}, NULL});
	unsigned long n = 0;
	nng_msg *msg;

	for (;;) { /* until it is killed */
		if (nng_recvmsg(socket, &msg, 0) != 0)
			continue;
		if (memcmp(nng_msg_body(msg), beat, sizeof beat - 1) == 0)
			say("got", n);
		else
			n++;
		nng_msg_free(msg);
	}
}

void nng_child_main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], ROLE) != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails has no time to end it */
	if (!strcmp(argv[2], "listen"))
		listen_to(argv[3], argv + 4);
	if (!strcmp(argv[2], "count"))
		count_from(argv[3]);
	exit(cmd_main(argc - 2, argv + 2));
}

/* ---- its parent ---- */

static void spawn(struct nng_child *c, char **argv, int out, int err)
{
	posix_spawn_file_actions_t files;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	int failed = posix_spawn(&c->pid, "/proc/self/exe", &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	assert_int_equal(failed, 0);
}

struct nng_child *nng_child_start(const char *const *args)
{
	struct nng_child *c = xcalloc(1, sizeof *c);
	char *argv[40] = {(char[]){"child"}, (char[]){ROLE}};
	int out[2], err[2];
	size_t n = 2;

	for (; *args; args++) {
		assert_true(n < 39);
		argv[n++] = xstrdup(*args);
	}
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	spawn(c, argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	c->out.fd = out[0];
	c->err.fd = err[0];
	for (size_t i = 2; i < n; i++)
		free(argv[i]);
	return c;
}

static void take_lines(struct lines *l)
{
	char *end;
	size_t at = 0;

	while ((end = memchr(l->text + at, '\n', l->len - at))) {
		size_t len = (size_t)(end - l->text) - at;

		l->v = mem_grow(l->v, l->n, &l->vcap, sizeof *l->v);
		l->v[l->n++] = xstrndup(l->text + at, len);
		at += len + 1;
	}
	memmove(l->text, l->text + at, l->len - at);
	l->len -= at;
}

static void read_some(struct lines *l)
{
	if (l->cap - l->len < 65536) {
		l->cap = l->cap * 2 + 65536;
		l->text = xrealloc(l->text, l->cap, 1);
	}
	ssize_t n = read(l->fd, l->text + l->len, l->cap - l->len);
	if (n <= 0) {
		close(l->fd);
		l->fd = -1;
		return;
	}
	l->len += (size_t)n;
	take_lines(l);
}

/* False when both ends are closed. */
static bool read_once(struct nng_child *c, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = c->out.fd, .events = POLLIN},
				{.fd = c->err.fd, .events = POLLIN}};

	if (c->out.fd < 0 && c->err.fd < 0)
		return false;
	poll(fds, 2, timeout_ms > 0 ? timeout_ms : 0);
	if (fds[0].revents)
		read_some(&c->out);
	if (fds[1].revents)
		read_some(&c->err);
	return true;
}

static void show(const struct nng_child *c)
{
	for (size_t i = 0; i < c->err.n; i++)
		fprintf(stderr, "  child: %s\n", c->err.v[i]);
	fprintf(stderr, "  child: %zu lines on standard output, the last: %s\n", c->out.n,
		c->out.n ? c->out.v[c->out.n - 1] : "none");
}

void nng_child_lines(struct nng_child *c, size_t n)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (c->out.n < n && clock_now().mono_ms < end)
		if (!read_once(c, 100))
			break;
	if (c->out.n >= n)
		return;
	show(c);
	fail_msg("%zu lines came instead of %zu", c->out.n, n);
}

static size_t wait_text(struct nng_child *c, struct lines *l, const char *text)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	size_t i = 0;
	bool open;

	do {
		open = read_once(c, 100);
		for (; i < l->n; i++)
			if (strstr(l->v[i], text))
				return i;
	} while (open && clock_now().mono_ms < end);
	show(c);
	fail_msg("no line with %s came", text);
	return 0;
}

size_t nng_child_says(struct nng_child *c, const char *text)
{
	return wait_text(c, &c->out, text);
}

size_t nng_child_complains(struct nng_child *c, const char *text)
{
	return wait_text(c, &c->err, text);
}

void nng_child_read(struct nng_child *c, int ms)
{
	int64_t end = clock_now().mono_ms + ms, left;

	while ((left = end - clock_now().mono_ms) > 0 && read_once(c, (int)left)) {
	}
}

int nng_child_wait(struct nng_child *c)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	int status;

	while (clock_now().mono_ms < end && read_once(c, 100)) {
	}
	if (c->out.fd >= 0 || c->err.fd >= 0) {
		show(c);
		fail_msg("the child does not end");
	}
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void nng_child_kill(struct nng_child *c, int signal)
{
	if (c->pid)
		kill(c->pid, signal);
}

static void lines_release(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	free(l->text);
	if (l->fd >= 0)
		close(l->fd);
}

void nng_child_free(struct nng_child *c)
{
	if (c->pid) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	lines_release(&c->out);
	lines_release(&c->err);
	free(c);
}

void nng_child_got(struct nng_child *c, size_t n)
{
	char *text = xasprintf("got %zu", n);

	nng_child_says(c, text);
	assert_string_equal(c->out.v[c->out.n - 1], text);
	free(text);
}
