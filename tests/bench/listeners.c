/* listeners — see the header. Invariant: a listener ends with its process alone, since nng 1.5 may
 * hang in nng_close of a SUB socket. */
#include "tests/bench/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>

#include "relay/base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "transports/nng_frame.h"

#define BUFFER	   8192
#define PATIENCE_S 20

struct one {
	const char *url;
	struct listener_seen *seen;
};

/* prevsequence stands behind it in every message. */
static void take(struct listener_seen *seen, const char *body, size_t len)
{
	static const char key[] = "\"sequence\":\"", next[] = "\",\"prevsequence\":\"";
	const char *at = memmem(body, len, key, sizeof key - 1);

	if (!at) {
		seen->heard = true;
		return;
	}
	uint64_t sequence = strtoull(at + sizeof key - 1, NULL, 10);
	uint64_t before = strtoull(at + sizeof key - 1 + 16 + sizeof next - 1, NULL, 10);
	int64_t now_us = clock_mono_us();
	if (before > seen->highest)
		seen->missed += before - seen->highest;
	if (sequence < LISTENERS_NOTES && !seen->at_us[sequence])
		seen->at_us[sequence] = now_us;
	if (sequence > seen->highest)
		seen->highest = sequence;
	seen->last_us = now_us;
	seen->got++;
}

static void run(void *arg)
{
	const struct one *one = arg;
	nng_socket socket;
	nng_msg *msg;

	if (nng_sub0_open(&socket) || nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, 20) ||
	    nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, 20) ||
	    nng_socket_set_int(socket, NNG_OPT_RECVBUF, BUFFER) ||
	    nng_socket_set(socket, NNG_OPT_SUB_SUBSCRIBE, "", 0) ||
	    nng_dial(socket, one->url, NULL, NNG_FLAG_NONBLOCK))
		child_give_up("a listener does not start");
	while (nng_recvmsg(socket, &msg, 0) == 0) { /* until it is ended */
		take(one->seen, nng_msg_body(msg), nng_msg_len(msg));
		nng_msg_free(msg);
	}
}

void listeners_start(struct listeners *l, const char *url, unsigned n)
{
	l->url = url;
	l->n = n;
	l->seen = mmap(NULL, LISTENERS_MAX * sizeof *l->seen, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->seen == MAP_FAILED)
		child_give_up(strerror(errno));
	for (unsigned i = 0; i < n; i++)
		l->pids[i] = child_fork(run, &(struct one){url, &l->seen[i]});
}

void listeners_end(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		child_end(l->pids[i]);
	munmap(l->seen, LISTENERS_MAX * sizeof *l->seen);
}

void listeners_connect(const struct listeners *l)
{
	double patience = bench_wall_s() + PATIENCE_S;

	for (unsigned i = 0; i < l->n; i++)
		while (!l->seen[i].heard) {
			if (bench_wall_s() > patience)
				child_give_up("listeners do not connect");
			child_nap();
		}
}

uint64_t listeners_least(const struct listeners *l)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < l->n; i++)
		if (l->seen[i].got < least)
			least = l->seen[i].got;
	return least;
}

int64_t listeners_last_us(const struct listeners *l)
{
	int64_t last = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (l->seen[i].last_us > last)
			last = l->seen[i].last_us;
	return last;
}
