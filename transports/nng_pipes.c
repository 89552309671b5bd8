/* nng_pipes — a table of connections, sorted by nng's number of them. Invariant: under the lock no
 * function of nng's is called. */
#include "transports/nng_pipes.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "transports/nng_flow.h"

#define OWN_IDS 0x80000000U /* nng's numbers are below */

struct pipe {
	uint32_t id;
	bool started;  /* it gets messages */
	bool losing;   /* and has not caught up since */
	uint64_t base; /* messages offered to others before it came */
	int64_t since_ms;
	char address[sizeof((struct transport_peer *)0)->address];
	struct flow_queue flow;
	pipes_count *count; /* of one that is not nng's; else NULL */
	const void *connection;
};

struct pipes {
	uint64_t send_buffer;
	pthread_mutex_t lock; /* of all that follows */
	_Atomic uint64_t offered;
	struct pipe v[PIPES_MAX]; /* ascending by id */
	size_t n;
	uint32_t own_ids;	    /* given so far */
	struct pipes_totals totals; /* those that only grow */
	uint64_t dropped_left;	    /* by those who have left */
	int64_t looked_us;
};

struct pipes *pipes_new(uint64_t send_buffer)
{
	struct pipes *p = xcalloc(1, sizeof *p);

	p->send_buffer = send_buffer;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pipes_free(struct pipes *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Where it is, or would be. */
static size_t place_of(const struct pipes *p, uint32_t id)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->v[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pipe *find(struct pipes *p, uint32_t id)
{
	size_t i = place_of(p, id);

	return i < p->n && p->v[i].id == id ? &p->v[i] : NULL;
}

/* Of one of nng's over which nothing ever left, nothing is known: some of nng's transports keep no
 * count. */
static bool is_known(const struct pipe *one)
{
	return one->count || one->flow.queue.left;
}

static uint64_t dropped_of(const struct pipe *one)
{
	return is_known(one) ? queue_dropped(&one->flow.queue) : 0;
}

static uint64_t queued_of(const struct pipe *one)
{
	return is_known(one) ? queue_held_most(&one->flow.queue) : 0;
}

/* ---- who comes and goes; called under the lock ---- */

static bool add(struct pipes *p, const struct pipe *fresh)
{
	size_t i = place_of(p, fresh->id);

	if (p->n == PIPES_MAX) {
		p->totals.refused++;
		return false;
	}
	memmove(&p->v[i + 1], &p->v[i], (p->n - i) * sizeof *p->v);
	p->v[i] = *fresh;
	p->n++;
	return true;
}

static void begin(struct pipes *p, struct pipe *one)
{
	one->started = true;
	one->since_ms = clock_now().wall_ms;
	one->base = p->offered;
	flow_begin(&one->flow, p->send_buffer, clock_mono_us());
	p->totals.ever++;
}

static void drop_out(struct pipes *p, struct pipe *one)
{
	size_t i = (size_t)(one - p->v);

	p->totals.left += one->started;
	p->dropped_left += dropped_of(one);
	memmove(one, one + 1, (--p->n - i) * sizeof *p->v);
}

/* ---- what nng tells, on its threads ---- */

static void write_address(nng_pipe pipe, char *ret, size_t size)
{
	nng_sockaddr at = {0};
	char text[INET6_ADDRSTRLEN];
	uint64_t process;

	if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &at) != 0)
		at.s_family = NNG_AF_UNSPEC;
	if (at.s_family == NNG_AF_INET)
		snprintf(ret, size, "%s:%u",
			 inet_ntop(AF_INET, &at.s_in.sa_addr, text, sizeof text),
			 (unsigned)ntohs(at.s_in.sa_port));
	else if (at.s_family == NNG_AF_INET6)
		snprintf(ret, size, "[%s]:%u",
			 inet_ntop(AF_INET6, at.s_in6.sa_addr, text, sizeof text),
			 (unsigned)ntohs(at.s_in6.sa_port));
	else if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &process) == 0)
		snprintf(ret, size, "process %" PRIu64, process);
	else
		snprintf(ret, size, "%s", at.s_family == NNG_AF_INPROC ? "inproc" : "unknown");
}

static void comes(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct pipes *p = arg;
	struct pipe fresh = {.id = (uint32_t)nng_pipe_id(pipe)};

	(void)event;
	write_address(pipe, fresh.address, sizeof fresh.address);
	pthread_mutex_lock(&p->lock);
	bool added = add(p, &fresh);
	pthread_mutex_unlock(&p->lock);
	if (!added)
		nng_pipe_close(pipe);
}

static void starts(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct pipes *p = arg;

	(void)event;
	pthread_mutex_lock(&p->lock);
	struct pipe *one = find(p, (uint32_t)nng_pipe_id(pipe));
	/* Those sent since it really began are not counted as offered: at worst, too few are
	 * thought to wait, until the count of those that left tells better. */
	if (one)
		begin(p, one);
	pthread_mutex_unlock(&p->lock);
}

static void leaves(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct pipes *p = arg;

	(void)event;
	pthread_mutex_lock(&p->lock);
	struct pipe *one = find(p, (uint32_t)nng_pipe_id(pipe));
	if (one)
		drop_out(p, one);
	pthread_mutex_unlock(&p->lock);
}

int pipes_watch(struct pipes *p, nng_socket socket, struct err *err)
{
	static const struct {
		nng_pipe_ev event;
		nng_pipe_cb tell;
	} events[] = {
		{NNG_PIPE_EV_ADD_PRE, comes},
		{NNG_PIPE_EV_ADD_POST, starts},
		{NNG_PIPE_EV_REM_POST, leaves},
	};
	int rv = 0;

	for (size_t i = 0; i < sizeof events / sizeof *events && rv == 0; i++)
		rv = nng_pipe_notify(socket, events[i].event, events[i].tell, p);
	return rv ? err_set(err, ERR_NET, "nng: %s", nng_strerror(rv)) : 0;
}

/* ---- what the bus thread sees ---- */

void pipes_offer(struct pipes *p)
{
	p->offered++;
}

/* left: what nng has counted; of another's connection, all is asked. */
static void look_at(struct pipes *p, struct pipe *one, uint64_t left, bool waited)
{
	uint64_t before = dropped_of(one);
	struct queue_counts counts;

	if (one->count) {
		one->count(one->connection, &counts);
		flow_know(&one->flow, &counts, waited, p->looked_us);
	} else {
		flow_look(&one->flow, p->offered - one->base, left, waited, p->looked_us);
	}
	if (dropped_of(one) > before) {
		p->totals.suspected += !one->losing;
		one->losing = true;
	}
}

/* The connection of that number, and how many messages have left for it. */
static void read_pipe(nng_stat *stat, uint32_t *ret_id, uint64_t *ret_left)
{
	for (nng_stat *s = nng_stat_child(stat); s; s = nng_stat_next(s)) {
		const char *name = nng_stat_name(s);

		if (!strcmp(name, "id"))
			*ret_id = (uint32_t)nng_stat_value(s);
		else if (!strcmp(name, "tx_msgs"))
			*ret_left = nng_stat_value(s);
	}
}

/* nng's numbers of connections are unique in the process, so those of other sockets are not
 * found. */
static void look(struct pipes *p, nng_stat *all, bool waited)
{
	for (nng_stat *s = nng_stat_child(all); s; s = nng_stat_next(s)) {
		uint32_t id = 0;
		uint64_t left = 0;

		if (strcmp(nng_stat_name(s), "pipe") != 0)
			continue;
		read_pipe(s, &id, &left);
		struct pipe *one = find(p, id);
		if (one && one->started)
			look_at(p, one, left, waited);
	}
}

uint64_t pipes_room(struct pipes *p, bool waited)
{
	nng_stat *all;
	bool failed = nng_stats_get(&all) != 0;
	int64_t now_us = clock_mono_us();

	pthread_mutex_lock(&p->lock);
	if (waited)
		p->totals.waited_us += now_us - p->looked_us;
	p->looked_us = now_us;
	if (!failed)
		look(p, all, waited);
	for (size_t i = place_of(p, OWN_IDS); i < p->n; i++)
		look_at(p, &p->v[i], 0, waited);
	uint64_t room = flow_room(&p->v[0].flow, p->n, sizeof *p->v, now_us);
	pthread_mutex_unlock(&p->lock);
	if (!failed)
		nng_stats_free(all);
	return room;
}

/* ---- those that are not nng's ---- */

uint32_t pipes_enter(struct pipes *p, const char *address, pipes_count *count,
		     const void *connection)
{
	struct pipe fresh = {.count = count, .connection = connection};

	snprintf(fresh.address, sizeof fresh.address, "%s", address);
	pthread_mutex_lock(&p->lock);
	do
		fresh.id = OWN_IDS | p->own_ids++;
	while (find(p, fresh.id));
	bool added = add(p, &fresh);
	if (added)
		begin(p, find(p, fresh.id));
	pthread_mutex_unlock(&p->lock);
	return added ? fresh.id : 0;
}

void pipes_leave(struct pipes *p, uint32_t id)
{
	pthread_mutex_lock(&p->lock);
	struct pipe *one = find(p, id);
	if (one) {
		look_at(p, one, 0, false);
		drop_out(p, one);
	}
	pthread_mutex_unlock(&p->lock);
}

uint64_t pipes_settle(struct pipes *p)
{
	uint64_t room = pipes_room(p, false);

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++) {
		queue_settle(&p->v[i].flow.queue);
		if (!queued_of(&p->v[i]))
			p->v[i].losing = false;
	}
	pthread_mutex_unlock(&p->lock);
	return room;
}

/* ---- what is told ---- */

static void name_peer(struct transport_peer *ret, const struct pipe *one)
{
	*ret = (struct transport_peer){
		.since_ms = one->since_ms,
		.sent = one->flow.queue.left,
		.queued = queued_of(one),
		.dropped = dropped_of(one),
	};
	memcpy(ret->address, one->address, sizeof ret->address);
}

/* Those with the most trouble come first. */
static int by_trouble(const void *a, const void *b)
{
	const struct pipe *x = *(struct pipe *const *)a, *y = *(struct pipe *const *)b;

	if (dropped_of(x) != dropped_of(y))
		return dropped_of(x) > dropped_of(y) ? -1 : 1;
	if (queued_of(x) != queued_of(y))
		return queued_of(x) > queued_of(y) ? -1 : 1;
	return x->since_ms < y->since_ms ? -1 : x->since_ms > y->since_ms;
}

static void name_peers(struct pipes *p, struct transport_figures *ret)
{
	struct pipe *sorted[PIPES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].started)
			sorted[n++] = &p->v[i];
	qsort(sorted, n, sizeof *sorted, by_trouble);
	ret->npeers = n < TRANSPORT_PEERS ? n : TRANSPORT_PEERS;
	ret->peers_left_out = n - ret->npeers;
	for (size_t i = 0; i < ret->npeers; i++)
		name_peer(&ret->peers[i], sorted[i]);
	for (size_t i = 0; i < n; i++)
		if (sorted[i]->losing) {
			snprintf(ret->trouble, sizeof ret->trouble,
				 "subscriber %s is too slow; it has lost at least %" PRIu64
				 " messages and can fetch them",
				 sorted[i]->address, dropped_of(sorted[i]));
			break;
		}
}

void pipes_tell(struct pipes *p, struct pipes_totals *ret_totals, struct transport_figures *ret)
{
	pthread_mutex_lock(&p->lock);
	struct pipes_totals t = p->totals;
	t.dropped = p->dropped_left;
	for (size_t i = 0; i < p->n; i++) {
		uint64_t queued = queued_of(&p->v[i]);

		t.now += p->v[i].started;
		t.dropped += dropped_of(&p->v[i]);
		t.queued += queued;
		t.queued_max = queued > t.queued_max ? queued : t.queued_max;
	}
	name_peers(p, ret);
	pthread_mutex_unlock(&p->lock);
	*ret_totals = t;
}
