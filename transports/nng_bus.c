/* nng_bus — parcels in, messages out, a heartbeat each second. Invariants: only the bus thread
 * sends on the socket, so heartbeats and events go out in one order; after `closed` is set, under
 * the lock, neither a parcel nor the loop's mailbox is touched. */
#include "transports/nng_bus.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/supplemental/util/platform.h>

#include "relay/base/json.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"
#include "transports/nng_topics.h"

#define BEAT_MS	  1000
#define LINGER_MS 100  /* nng_close drops what is queued: time for the last messages to leave */
#define CLOSE_MS  900  /* of the second that a transport's close may take */
#define RECV_MAX  1024 /* subscribers send nothing */

struct bus {
	atomic_int users;
	struct transport_env env;
	nng_socket socket;
	bool has_socket;
	struct refill *refill;
	struct mailbox *inbox; /* of the thread */
	pthread_t thread;
	char source[64];

	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool closed;  /* written under the lock by the loop, which reads it without */
	bool at_rest; /* threads and sockets are gone */

	/* the bus thread's own */
	bool stop;
	int64_t sent_ms; /* when something was sent last */
	struct topics *topics;
	struct verdicts *verdicts; /* not yet posted */
};

/* What became of some parcels, on its way to the loop. */
struct verdicts {
	struct bus *bus;
	size_t n, cap;
	struct one {
		uint64_t id;
		const char *why; /* a constant; NULL: sent */
		bool refused;
		int64_t started_us;
	} * v;
};

/* A parcel on its way to the thread. */
struct sending {
	struct bus *bus;
	uint64_t id;
	const struct event *event; /* borrowed until the verdict or `closed` */
	int64_t prevsequence;
	int64_t started_us;
};

static void leave(struct bus *b)
{
	if (atomic_fetch_sub(&b->users, 1) > 1)
		return;
	mailbox_close(b->inbox);
	topics_free(b->topics);
	pthread_cond_destroy(&b->finished);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* ---- verdicts ---- */

/* On the loop thread. `done` may send more, and may close this transport. */
static void report(void *arg)
{
	struct verdicts *list = arg;
	struct bus *b = list->bus;

	for (size_t i = 0; i < list->n && !b->closed; i++) {
		const struct one *v = &list->v[i];
		struct outcome outcome = {
			.verdict = !v->why	? SENT
				   : v->refused ? REFUSED
						: TRY_AGAIN,
			.why = v->why,
			.wait_ms = -1,
			.took_ms = (clock_mono_us() - v->started_us) / 1000,
		};
		b->env.done(b->env.arg, v->id, &outcome);
	}
	free(list->v);
	free(list);
	leave(b);
}

static void post_verdicts(struct bus *b)
{
	struct verdicts *list = b->verdicts;

	if (!list)
		return;
	b->verdicts = NULL;
	pthread_mutex_lock(&b->lock);
	bool open = !b->closed;
	if (open) {
		atomic_fetch_add(&b->users, 1);
		mailbox_post(b->env.loop, report, list);
	}
	pthread_mutex_unlock(&b->lock);
	if (!open) {
		free(list->v);
		free(list);
	}
}

static void judge(struct bus *b, const struct sending *s, const char *why, bool refused)
{
	struct verdicts *list = b->verdicts;

	if (!list) {
		list = b->verdicts = xcalloc(1, sizeof *list);
		list->bus = b;
	}
	list->v = mem_grow(list->v, list->n, &list->cap, sizeof *list->v);
	list->v[list->n++] = (struct one){s->id, why, refused, s->started_us};
}

/* ---- sending ---- */

static nng_msg *compose(const struct sending *s, const char *topic)
{
	const struct event *ev = s->event;
	size_t topic_len = strlen(topic);
	nng_msg *msg;

	if (nng_msg_alloc(&msg, topic_len + 1 + ev->len + FRAME_PREVSEQUENCE) != 0)
		return NULL;
	char *at = nng_msg_body(msg);
	memcpy(at, topic, topic_len);
	at[topic_len] = ' ';
	frame_body(at + topic_len + 1, ev->body, ev->len, ev->sequence_at, s->prevsequence);
	return msg;
}

static const char *unfit(const struct event *ev)
{
	if (!ev->topic || !*ev->topic)
		return "the event has no topic";
	if (strchr(ev->topic, ' '))
		return "a topic with a space in it cannot be told from the message";
	if (!utf8_valid(ev->topic, strlen(ev->topic)))
		return "the topic is not UTF-8";
	if (strlen(ev->topic) > FRAME_TOPIC_MAX)
		return "the topic is too long";
	return NULL;
}

static int put(struct bus *b, nng_msg *msg)
{
	int rv = nng_sendmsg(b->socket, msg, 0);

	if (rv != 0)
		nng_msg_free(msg);
	b->sent_ms = clock_now().mono_ms;
	return rv;
}

static void send_one(void *arg)
{
	struct sending *s = arg;
	struct bus *b = s->bus;
	nng_msg *msg = NULL;
	const char *why = NULL;

	pthread_mutex_lock(&b->lock);
	bool closed = b->closed;
	if (!closed) {
		why = unfit(s->event);
		msg = why ? NULL : compose(s, s->event->topic);
		if (msg)
			topics_note(b->topics, s->event->topic, s->event->sequence);
	}
	pthread_mutex_unlock(&b->lock);
	if (why)
		judge(b, s, why, true);
	else if (msg)
		judge(b, s, put(b, msg) ? "nng takes no message" : NULL, false);
	else if (!closed)
		judge(b, s, "no memory for a message", false);
	free(s);
}

static void beat(struct bus *b, struct instant now)
{
	struct buf text = BUF_INIT(FRAME_MESSAGE_MAX);
	nng_msg *msg;

	topics_heartbeat(b->topics, b->source, now, &text);
	if (!text.full && nng_msg_alloc(&msg, text.len) == 0) {
		memcpy(nng_msg_body(msg), text.data, text.len);
		put(b, msg);
	}
	buf_release(&text);
}

/* So that the first heartbeats tell how far the journal is, before anything is sent. */
static void no_event(void *arg, const struct history_event *ev)
{
	(void)arg, (void)ev;
}

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

	if (h && h->routes(h->arg, &q, no_event, NULL, &end, &err) == 0)
		topics_latest(b->topics, end.latest);
}

static void *run(void *arg)
{
	struct bus *b = arg;
	int64_t next = clock_now().mono_ms + BEAT_MS;

	ask_latest(b);
	while (!b->stop) {
		int64_t wait = next - clock_now().mono_ms;
		mailbox_wait(b->inbox, wait > 0 ? (int)wait : 0);
		mailbox_run(b->inbox);
		post_verdicts(b);
		struct instant now = clock_now();
		if (now.mono_ms < next)
			continue;
		beat(b, now);
		next = now.mono_ms - next < BEAT_MS ? next + BEAT_MS : now.mono_ms + BEAT_MS;
	}
	if (clock_now().mono_ms - b->sent_ms < LINGER_MS)
		nng_msleep(LINGER_MS);
	return NULL;
}

void bus_send(struct bus *b, const struct parcel *parcel)
{
	struct sending *s = xmalloc(sizeof *s);

	*s = (struct sending){b, parcel->id, parcel->event, parcel->prevsequence, clock_mono_us()};
	mailbox_post(b->inbox, send_one, s);
}

/* ---- start ---- */

int bus_thread(pthread_t *ret, const char *name, void *(*run_it)(void *), void *arg,
	       struct err *err)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(ret, NULL, run_it, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		return err_set(err, ERR_IO, "%s thread: %s", name, strerror(failed));
	pthread_setname_np(*ret, name);
	return 0;
}

static int listen_on(struct bus *b, const struct nng_settings *s, struct err *err)
{
	int rv = nng_pub0_open(&b->socket);

	if (rv != 0)
		return err_set(err, ERR_NET, "nng: %s", nng_strerror(rv));
	b->has_socket = true;
	nng_socket_set_size(b->socket, NNG_OPT_RECVMAXSZ, RECV_MAX);
	rv = nng_socket_set_int(b->socket, NNG_OPT_SENDBUF, (int)s->send_buffer);
	if (rv != 0)
		return err_set(err, ERR_NET, "send_buffer %" PRId64 ": %s", s->send_buffer,
			       nng_strerror(rv));
	for (size_t i = 0; i < s->listen.n; i++) {
		rv = nng_listen(b->socket, s->listen.v[i], NULL, 0);
		if (rv != 0)
			return err_set(err, ERR_NET, "listen on %s: %s", s->listen.v[i],
				       nng_strerror(rv));
	}
	return 0;
}

static struct bus *new_bus(const struct transport_env *env)
{
	struct bus *b = xcalloc(1, sizeof *b);
	pthread_condattr_t monotonic;

	atomic_init(&b->users, 1);
	b->env = *env;
	b->topics = topics_new();
	b->inbox = mailbox_open(NULL, NULL);
	b->sent_ms = -LINGER_MS;
	snprintf(b->source, sizeof b->source, "urn:relay:bus:%016" PRIx64, random_u64());
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&b->finished, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return b;
}

static int start(struct bus *b, const struct nng_settings *s, struct err *err)
{
	if (listen_on(b, s, err) < 0)
		return -1;
	if (s->refill) {
		b->refill = refill_open(s->refill, &b->env, err);
		if (!b->refill)
			return -1;
	}
	return bus_thread(&b->thread, "bus", run, b, err);
}

struct bus *bus_open(const struct nng_settings *settings, const struct transport_env *env,
		     struct err *err)
{
	struct bus *b = new_bus(env);

	if (start(b, settings, err) == 0)
		return b;
	refill_stop(b->refill);
	refill_close(b->refill);
	if (b->has_socket)
		nng_close(b->socket); /* nobody has had time to connect, so it does not hang */
	leave(b);
	return NULL;
}

/* ---- end ---- */

static void stop_thread(void *arg)
{
	((struct bus *)arg)->stop = true;
}

static void *finish(void *arg)
{
	struct bus *b = arg;

	pthread_join(b->thread, NULL);
	refill_close(b->refill); /* before what may hang */
	nng_close(b->socket);
	pthread_mutex_lock(&b->lock);
	b->at_rest = true;
	pthread_cond_signal(&b->finished);
	pthread_mutex_unlock(&b->lock);
	leave(b);
	return NULL;
}

static struct timespec deadline(int ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ms * 1000000L;
	at.tv_sec += at.tv_nsec / 1000000000L;
	at.tv_nsec %= 1000000000L;
	return at;
}

void bus_close(struct bus *b)
{
	pthread_t closer;
	struct timespec until = deadline(CLOSE_MS);
	struct err err = {0};

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->closed = true;
	pthread_mutex_unlock(&b->lock);
	mailbox_post(b->inbox, stop_thread, b);
	refill_stop(b->refill);
	atomic_fetch_add(&b->users, 1);
	if (bus_thread(&closer, "bus-close", finish, b, &err) == 0) {
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
