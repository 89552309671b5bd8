/* nng_pipes — a table of connections. Invariant: under the lock no function of nng's is called. */
#include "transports/nng_pipes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "transports/nng_address.h"

struct pipe {
	const void *connection; /* NULL: it is nng's */
	pipes_count *count;	/* the same */
	uint32_t id;		/* of nng's: its number; else 0 */
	struct queue_counts counts;
	struct flow_queue flow;
	bool started; /* it gets messages */
	bool losing;  /* and has not caught up since */
	int64_t since_ms;
	char address[sizeof((struct transport_peer *)0)->address];
};

struct pipes {
	uint64_t send_buffer;
	pthread_mutex_t lock; /* of all that follows */
	struct pipe v[PIPES_MAX];
	size_t n;
	struct pipes_totals totals; /* those that only grow; of dropped, by those who have left */
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

/* ---- who comes and goes; called under the lock ---- */

/* By one of both; the other is NULL, or 0. */
static struct pipe *find(struct pipes *p, const void *connection, uint32_t id)
{
	for (struct pipe *one = p->v; one < p->v + p->n; one++)
		if (one->connection == connection && one->id == id)
			return one;
	return NULL;
}

static struct pipe *add(struct pipes *p, const char *address)
{
	if (p->n == PIPES_MAX) {
		p->totals.refused++;
		return NULL;
	}
	struct pipe *one = &p->v[p->n++];
	*one = (struct pipe){0};
	snprintf(one->address, sizeof one->address, "%s", address);
	return one;
}

static void begin(struct pipes *p, struct pipe *one)
{
	one->started = true;
	one->since_ms = clock_now().wall_ms;
	flow_begin(&one->flow, p->send_buffer, clock_mono_us());
	p->totals.ever++;
}

static void recount(struct pipes *p, struct pipe *one)
{
	uint64_t before = one->counts.dropped;

	if (!one->count)
		return;
	one->count(one->connection, &one->counts);
	if (one->counts.dropped > before) {
		p->totals.slow += !one->losing;
		one->losing = true;
	}
}

static void drop_out(struct pipes *p, struct pipe *one)
{
	recount(p, one);
	p->totals.left += one->started;
	p->totals.dropped += one->counts.dropped;
	*one = p->v[--p->n];
}

/* ---- what nng tells, on its threads ---- */

static void write_address(nng_pipe pipe, char *ret, size_t size)
{
	nng_sockaddr at = {0};

	if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &at) != 0)
		at.s_family = NNG_AF_UNSPEC;
	if (at.s_family == NNG_AF_INET)
		address_write(AF_INET, &at.s_in.sa_addr, at.s_in.sa_port, ret, size);
	else if (at.s_family == NNG_AF_INET6)
		address_write(AF_INET6, at.s_in6.sa_addr, at.s_in6.sa_port, ret, size);
	else
		snprintf(ret, size, "%s", at.s_family == NNG_AF_INPROC ? "inproc" : "unknown");
}

static void comes(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct pipes *p = arg;
	uint32_t id = (uint32_t)nng_pipe_id(pipe);
	char address[sizeof((struct pipe *)0)->address];

	(void)event;
	write_address(pipe, address, sizeof address);
	pthread_mutex_lock(&p->lock);
	struct pipe *one = add(p, address);
	if (one)
		one->id = id;
	pthread_mutex_unlock(&p->lock);
	if (!one)
		nng_pipe_close(pipe);
}

/* One that was closed at once is not in the table. */
static void meet(struct pipes *p, nng_pipe pipe, void (*act)(struct pipes *p, struct pipe *one))
{
	uint32_t id = (uint32_t)nng_pipe_id(pipe);

	pthread_mutex_lock(&p->lock);
	struct pipe *one = find(p, NULL, id);
	if (one)
		act(p, one);
	pthread_mutex_unlock(&p->lock);
}

static void starts(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	(void)event;
	meet(arg, pipe, begin);
}

static void leaves(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	(void)event;
	meet(arg, pipe, drop_out);
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

/* ---- those that are not nng's ---- */

bool pipes_enter(struct pipes *p, const char *address, pipes_count *count, const void *connection)
{
	pthread_mutex_lock(&p->lock);
	struct pipe *one = add(p, address);
	if (one) {
		one->connection = connection;
		one->count = count;
		begin(p, one);
	}
	pthread_mutex_unlock(&p->lock);
	return one != NULL;
}

void pipes_leave(struct pipes *p, const void *connection)
{
	pthread_mutex_lock(&p->lock);
	drop_out(p, find(p, connection, 0));
	pthread_mutex_unlock(&p->lock);
}

void pipes_lack_files(struct pipes *p, bool refused, int64_t now_ms)
{
	pthread_mutex_lock(&p->lock);
	p->totals.refused += refused;
	p->totals.short_ms = now_ms;
	pthread_mutex_unlock(&p->lock);
}

/* ---- what the bus thread sees ---- */

/* Called under the lock. */
static uint64_t look(struct pipes *p, bool waited)
{
	const struct flow_queue *queues[PIPES_MAX];
	int64_t now_us = clock_mono_us();
	size_t n = 0;

	if (waited)
		p->totals.waited_us += now_us - p->looked_us;
	p->looked_us = now_us;
	for (struct pipe *one = p->v; one < p->v + p->n; one++) {
		if (!one->count)
			continue;
		recount(p, one);
		flow_look(&one->flow, &one->counts, waited, now_us);
		queues[n++] = &one->flow;
	}
	return flow_room(queues, n, now_us);
}

uint64_t pipes_room(struct pipes *p, bool waited)
{
	pthread_mutex_lock(&p->lock);
	uint64_t room = look(p, waited);
	pthread_mutex_unlock(&p->lock);
	return room;
}

uint64_t pipes_settle(struct pipes *p, bool waited)
{
	pthread_mutex_lock(&p->lock);
	uint64_t room = look(p, waited);
	for (size_t i = 0; i < p->n; i++)
		if (!queue_held(&p->v[i].counts))
			p->v[i].losing = false;
	pthread_mutex_unlock(&p->lock);
	return room;
}

/* ---- what is told ---- */

static void name_peer(struct transport_peer *ret, const struct pipe *one)
{
	*ret = (struct transport_peer){
		.since_ms = one->since_ms,
		.sent = one->counts.left,
		.queued = queue_held(&one->counts),
		.dropped = one->counts.dropped,
	};
	memcpy(ret->address, one->address, sizeof ret->address);
}

/* Those with the most trouble come first. */
static int by_trouble(const void *a, const void *b)
{
	const struct pipe *x = *(struct pipe *const *)a, *y = *(struct pipe *const *)b;
	uint64_t x_held = queue_held(&x->counts), y_held = queue_held(&y->counts);

	if (x->counts.dropped != y->counts.dropped)
		return x->counts.dropped > y->counts.dropped ? -1 : 1;
	if (x_held != y_held)
		return x_held > y_held ? -1 : 1;
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
				 "subscriber %s is too slow; it has lost %" PRIu64
				 " messages and can fetch them",
				 sorted[i]->address, sorted[i]->counts.dropped);
			break;
		}
}

static void add_up(const struct pipes *p, struct pipes_totals *ret)
{
	for (const struct pipe *one = p->v; one < p->v + p->n; one++) {
		uint64_t held = queue_held(&one->counts);

		ret->now += one->started;
		ret->dropped += one->counts.dropped;
		ret->queued += held;
		ret->queued_max = held > ret->queued_max ? held : ret->queued_max;
	}
}

void pipes_tell(struct pipes *p, struct pipes_totals *ret_totals, struct transport_figures *ret)
{
	pthread_mutex_lock(&p->lock);
	for (struct pipe *one = p->v; one < p->v + p->n; one++)
		recount(p, one);
	struct pipes_totals t = p->totals;
	add_up(p, &t);
	name_peers(p, ret);
	pthread_mutex_unlock(&p->lock);
	*ret_totals = t;
}
