/* nng_bus — parcels in, messages out, a heartbeat each second. Invariant: only the bus thread sends
 * on the socket, so heartbeats and events go out in one order. */
#include "transports/nng_bus.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/supplemental/util/platform.h>

#include "relay/base/json.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/base/thread.h"
#include "transports/nng_address.h"
#include "transports/nng_endpoint.h"
#include "transports/nng_figures.h"
#include "transports/nng_frame.h"
#include "transports/nng_handover.h"
#include "transports/nng_hearers.h"
#include "transports/nng_message.h"
#include "transports/nng_pipes.h"
#include "transports/nng_refill.h"
#include "transports/nng_topics.h"

#define BEAT_MS	  1000
#define NAP_MS	  1    /* between looks at queues that are too full */
#define LINGER_MS 100  /* what is queued at the close is dropped: time for it to leave */
#define CLOSE_MS  900  /* of the second that a transport's close may take */
#define RECV_MAX  1024 /* subscribers send nothing */

struct bus {
	atomic_int users;
	struct transport_env env;
	struct hearers *hearers;
	bool has_socket; /* some address is nng's */
	nng_socket socket;
	nng_aio *aio; /* one for all sends: each of nng_sendmsg's own costs a system call */
	struct refill *refill;
	struct pipes *pipes;
	struct handover *handover;
	pthread_t thread;
	char source[64];
	_Atomic uint64_t published, heartbeats;

	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool at_rest; /* threads and sockets are gone */

	/* the bus thread's own */
	int64_t sent_ms; /* when something was sent last */
	int64_t now_us;	 /* when the last message was done with */
	int64_t beat_ms; /* when the next heartbeat is due */
	uint64_t room;	 /* messages that may go out before the next look at the pipes */
	struct topics *topics;
};

static void leave(struct bus *b)
{
	if (atomic_fetch_sub(&b->users, 1) > 1)
		return;
	handover_leave(b->handover);
	topics_free(b->topics);
	pipes_free(b->pipes);
	if (b->aio)
		nng_aio_free(b->aio);
	pthread_cond_destroy(&b->finished);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* ---- sending ---- */

/* Takes the message. */
static int put(struct bus *b, nng_msg *msg)
{
	hearers_publish(b->hearers, nng_msg_body(msg), nng_msg_len(msg));
	if (!b->has_socket) {
		nng_msg_free(msg);
		return 0;
	}
	nng_aio_set_msg(b->aio, msg);
	nng_send_aio(b->socket, b->aio);
	nng_aio_wait(b->aio); /* a PUB socket has taken it, or not, by now */
	int rv = nng_aio_result(b->aio);
	if (rv != 0)
		nng_msg_free(msg);
	return rv;
}

static void beat(struct bus *b, struct instant now)
{
	struct buf text = BUF_INIT(FRAME_MESSAGE_MAX);
	nng_msg *msg;

	topics_heartbeat(b->topics, b->source, now, &text);
	if (!text.full && nng_msg_alloc(&msg, text.len) == 0) {
		memcpy(nng_msg_body(msg), text.data, text.len);
		put(b, msg);
		b->sent_ms = now.mono_ms;
		b->heartbeats++;
	}
	buf_release(&text);
}

/* waited: publishing stands still since the last look. */
static void beat_when_due(struct bus *b, bool waited)
{
	struct instant now = clock_now();

	if (now.mono_ms < b->beat_ms)
		return;
	b->room = pipes_settle(b->pipes, waited);
	beat(b, now);
	b->beat_ms =
		now.mono_ms - b->beat_ms < BEAT_MS ? b->beat_ms + BEAT_MS : now.mono_ms + BEAT_MS;
}

/* Until the queues of those who take messages have room for one more. */
static void await_room(struct bus *b)
{
	bool waited = false;

	while (!b->room && !(b->room = pipes_room(b->pipes, waited)) &&
	       !handover_is_closed(b->handover)) {
		if (!waited)
			handover_post(b->handover);
		waited = true;
		nng_msleep(NAP_MS);
		beat_when_due(b, true);
	}
	b->room -= b->room > 0;
	if (waited)
		b->now_us = clock_mono_us();
}

/* Why it does not become a message; NULL: it does, or all is closed. */
static const char *make(struct bus *b, const struct given *g, nng_msg **ret)
{
	const char *why;

	if (!handover_begin(b->handover))
		return NULL;
	why = message_unfit(g->event);
	if (!why) {
		*ret = message_new(g->event, g->prevsequence);
		topics_note(b->topics, g->event->topic, g->event->sequence);
	}
	handover_end(b->handover);
	return why;
}

/* What it took is the handing over alone: a wait for queues is no reason to hand over less. */
static void send_one(struct bus *b, const struct given *g)
{
	nng_msg *msg = NULL;
	struct judgement j = {.id = g->id};

	await_room(b);
	j.why = make(b, g, &msg);
	j.refused = j.why != NULL;
	if (msg && put(b, msg) != 0)
		j.why = "nng takes no message";
	else if (!msg && !j.why)
		j.why = "no memory for a message"; /* or nobody hears it any more */
	else if (msg)
		b->published++;
	int64_t now_us = clock_mono_us();
	j.took_us = now_us - b->now_us;
	b->now_us = now_us;
	handover_judge(b->handover, &j);
}

/* So that the first heartbeats tell how far the journal is, before anything is sent. */
static void no_event(void *arg, const struct history_event *ev)
{
	(void)arg, (void)ev;
}

/* Once the loop has closed the handover, the history is gone. */
static void ask_latest(struct bus *b)
{
	const struct transport_history *h = b->env.history;
	struct history_query q = {.number = b->env.number,
				  .prefix = "",
				  .after = FRAME_SEQUENCE_MAX,
				  .limit = 1,
				  .scan = 1};
	struct history_end end = {0};
	struct err err = {0};

	if (!h || !handover_begin(b->handover))
		return;
	if (h->routes(h->arg, &q, no_event, NULL, &end, &err) == 0)
		topics_latest(b->topics, end.latest);
	handover_end(b->handover);
}

static void *run(void *arg)
{
	struct bus *b = arg;

	b->beat_ms = clock_now().mono_ms + BEAT_MS;
	ask_latest(b);
	while (!handover_is_closed(b->handover)) {
		const struct given *v;
		int64_t wait = b->beat_ms - clock_now().mono_ms;
		size_t n = handover_take(b->handover, wait > 0 ? (int)wait : 0, &v);

		b->now_us = clock_mono_us();
		for (size_t i = 0; i < n; i++)
			send_one(b, &v[i]);
		if (n)
			b->sent_ms = clock_now().mono_ms;
		handover_post(b->handover);
		beat_when_due(b, false);
	}
	if (b->has_socket && clock_now().mono_ms - b->sent_ms < LINGER_MS)
		nng_msleep(LINGER_MS);
	return NULL;
}

void bus_figures(struct bus *b, struct transport_figures *ret)
{
	struct bus_counts counts = {.published = b->published,
				    .heartbeats = b->heartbeats,
				    .refills = b->refill,
				    .now_ms = clock_now().mono_ms,
				    .files = address_listener_files()};

	pipes_tell(b->pipes, &counts.pipes, ret);
	if (b->refill)
		refill_count(b->refill, &counts.refill);
	figures_fill(ret, &counts);
}

void bus_send(struct bus *b, const struct parcel *parcel)
{
	handover_give(b->handover, parcel);
}

/* ---- start ---- */

/* Without an address of its own, nng's threads would be there for nothing. */
static int open_socket(struct bus *b, int64_t send_buffer, struct err *err)
{
	int rv = nng_aio_alloc(&b->aio, NULL, NULL);

	if (rv == 0)
		rv = nng_pub0_open(&b->socket);
	if (rv != 0)
		return err_set(err, ERR_NET, "nng: %s", nng_strerror(rv));
	b->has_socket = true;
	nng_socket_set_size(b->socket, NNG_OPT_RECVMAXSZ, RECV_MAX);
	rv = nng_socket_set_int(b->socket, NNG_OPT_SENDBUF, (int)send_buffer);
	if (rv != 0)
		return err_set(err, ERR_NET, "send_buffer %" PRId64 ": %s", send_buffer,
			       nng_strerror(rv));
	return pipes_watch(b->pipes, b->socket, err);
}

static bool is_nngs(const char *url)
{
	return nng_address_behind(url, "ws://") || nng_address_behind(url, "wss://") ||
	       nng_address_behind(url, "inproc://");
}

static int listen_on(struct bus *b, const struct nng_settings *s, const struct pem_files *files,
		     struct err *err)
{
	for (size_t i = 0; i < s->listen.n; i++) {
		const char *url = s->listen.v[i];
		bool nngs = is_nngs(url);

		if (nngs && !b->has_socket && open_socket(b, s->send_buffer, err) < 0)
			return -1;
		if ((nngs ? endpoint_listen(b->socket, url, files, err)
			  : hearers_listen(b->hearers, url, files, err)) < 0)
			return -1;
	}
	return hearers_start(b->hearers, err);
}

static struct bus *new_bus(const struct nng_settings *settings, const struct transport_env *env)
{
	struct bus *b = xcalloc(1, sizeof *b);

	atomic_init(&b->users, 1);
	b->env = *env;
	b->topics = topics_new();
	b->pipes = pipes_new((uint64_t)settings->send_buffer);
	b->hearers = hearers_new(b->pipes, (uint64_t)settings->send_buffer);
	b->handover = handover_new(env);
	b->sent_ms = -LINGER_MS;
	snprintf(b->source, sizeof b->source, "urn:relay:bus:%016" PRIx64, random_u64());
	pthread_mutex_init(&b->lock, NULL);
	thread_cond_init(&b->finished);
	return b;
}

static int start(struct bus *b, const struct nng_settings *s, struct err *err)
{
	struct pem_files files = {s->cert_file, s->key_file, s->ca_file};

	if (listen_on(b, s, &files, err) < 0)
		return -1;
	if (s->refill) {
		b->refill = refill_open(s->refill, &files, &b->env, err);
		if (!b->refill)
			return -1;
	}
	return thread_start(&b->thread, "bus", run, b, err);
}

struct bus *bus_open(const struct nng_settings *settings, const struct transport_env *env,
		     struct err *err)
{
	struct bus *b = new_bus(settings, env);

	if (start(b, settings, err) == 0)
		return b;
	refill_stop(b->refill);
	refill_close(b->refill);
	hearers_close(b->hearers, 0);
	if (b->has_socket)
		nng_close(b->socket); /* nobody has had time to connect, so it does not hang */
	leave(b);
	return NULL;
}

/* ---- end ---- */

static void *finish(void *arg)
{
	struct bus *b = arg;

	pthread_join(b->thread, NULL);
	refill_close(b->refill); /* before what may hang */
	hearers_close(b->hearers, LINGER_MS);
	if (b->has_socket)
		nng_close(b->socket);
	pthread_mutex_lock(&b->lock);
	b->at_rest = true;
	pthread_cond_signal(&b->finished);
	pthread_mutex_unlock(&b->lock);
	leave(b);
	return NULL;
}

void bus_close(struct bus *b)
{
	pthread_t closer;
	struct timespec until = thread_deadline(CLOSE_MS);
	struct err err = {0};

	if (!b)
		return;
	handover_close(b->handover);
	refill_stop(b->refill);
	atomic_fetch_add(&b->users, 1);
	if (thread_start(&closer, "bus-close", finish, b, &err) == 0) {
		pthread_detach(closer);
		pthread_mutex_lock(&b->lock);
		while (!b->at_rest && pthread_cond_timedwait(&b->finished, &b->lock, &until) == 0) {
		}
		if (!b->at_rest)
			log_debug("nng does not close its sockets; they are left behind");
		pthread_mutex_unlock(&b->lock);
	}
	leave(b);
}
