/*
 * wire — one thread, one CURLM, for the deliveries' HTTP calls. Invariant: each call goes to the
 * thread once and comes back once, through the loop's mailbox; its struct lives until it is back,
 * whatever became of the wire, its owner or the thread in between. Calls travel in lists, both
 * ways: what ended in one pass of libcurl wakes the loop once.
 */
#include "transports/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define WAIT_MS 60000 /* all that matters wakes the thread; this is a belt */

struct wire_call {
	struct wire_call *next, *prev; /* among the wire's; loop thread only */
	struct wire *wire;
	const void *owner;
	wire_prepare *prepare;
	http_done *done;
	void *arg;
	void (*release)(void *arg);
	atomic_bool forgotten; /* set by the loop: the owner is gone or going */

	struct wire_call *after; /* on its way: who went before it, or comes back behind it */

	/* the thread's, until the call is back */
	struct wire_call *flying, *flew; /* among the started ones */
	uint64_t id;
	struct http_reply reply;
	char *body; /* owned; of the reply; NULL: it has none */
	char why[sizeof((struct err *)NULL)->msg];
};

struct wire {
	struct mailbox *loop, *inbox; /* inbox: errands */
	struct http *http;
	struct wire_call *calls; /* loop thread only */
	pthread_t thread;
	atomic_bool stop;
	_Atomic(struct wire_call *) sent; /* on their way to the thread, the last one first */

	/* the thread's */
	struct wire_call *started;
	struct wire_call *over, **over_end; /* on their way back, in the order of their ends */
};

/* --- back on the loop --- */

static void take_back(struct wire_call *c)
{
	if (!atomic_load(&c->forgotten)) { /* else it was unlinked and released, and the wire may be
					      gone */
		if (c->next)
			c->next->prev = c->prev;
		if (c->prev)
			c->prev->next = c->next;
		else
			c->wire->calls = c->next;
		c->done(c->arg, &c->reply);
		if (c->release)
			c->release(c->arg);
	}
	free(c->body);
	free(c);
}

/* The wire may be closed by any done function. */
static void take_back_all(void *arg)
{
	for (struct wire_call *c = arg, *next; c; c = next) {
		next = c->after;
		take_back(c);
	}
}

/* --- on the thread --- */

static void put_over(struct wire_call *c)
{
	struct wire *w = c->wire;

	c->after = NULL;
	*w->over_end = c;
	w->over_end = &c->after;
}

static void hand_back(struct wire *w)
{
	if (!w->over)
		return;
	mailbox_post(w->loop, take_back_all, w->over);
	w->over = NULL;
	w->over_end = &w->over;
}

/* The reply ends with libcurl's call, so what the loop needs of it is copied. */
static void finish(void *arg, const struct http_reply *reply)
{
	struct wire_call *c = arg;

	if (c->flying)
		c->flying->flew = c->flew;
	if (c->flew)
		c->flew->flying = c->flying;
	else
		c->wire->started = c->flying;
	c->reply = *reply;
	c->body = reply->len ? xstrndup(reply->body, reply->len) : NULL;
	c->reply.body = c->body ? c->body : "";
	c->reply.headers = NULL;
	if (reply->why) {
		snprintf(c->why, sizeof c->why, "%s", reply->why);
		c->reply.why = c->why;
	}
	put_over(c);
}

static void give_up(struct wire_call *c, enum http_failure failure, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
	c->reply = (struct http_reply){
		.failure = failure,
		.why = c->why,
		.body = "",
		.retry_after_ms = -1,
		.date_ms = DATE_NONE,
	};
	put_over(c);
}

static void start(struct wire_call *c)
{
	struct wire *w = c->wire;
	struct http_call call = {0};
	struct err err = {0};

	if (atomic_load(&c->forgotten) || atomic_load(&w->stop)) {
		give_up(c, HTTP_ABORTED, "the call was given up");
	} else if (c->prepare(c->arg, &call, &err) < 0 ||
		   http_start(w->http, &call, finish, c, &c->id, &err) < 0) {
		give_up(c, HTTP_BROKEN, err.msg);
	} else {
		c->flying = w->started;
		if (w->started)
			w->started->flew = c;
		w->started = c;
	}
}

static void start_sent(struct wire *w)
{
	struct wire_call *first = NULL;

	for (struct wire_call *c = atomic_exchange(&w->sent, NULL), *before; c; c = before) {
		before = c->after;
		c->after = first;
		first = c;
	}
	for (struct wire_call *c = first, *next; c; c = next) {
		next = c->after;
		start(c);
	}
}

static void *run(void *arg)
{
	struct wire *w = arg;
	struct err err;

	while (!atomic_load(&w->stop)) {
		mailbox_run(w->inbox);
		start_sent(w);
		hand_back(w);
		if (http_wait(w->http, WAIT_MS, -1, &err) < 0)
			abort(); /* no memory, or not our handle */
		hand_back(w);
	}
	return NULL;
}

/* A question to the thread that the loop waits for. */
struct errand {
	struct wire *wire;
	const void *owner;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
};

static void forget(void *arg)
{
	struct errand *e = arg;
	struct wire_call *next;

	for (struct wire_call *c = e->wire->started; c; c = next) {
		next = c->flying;
		if (c->owner == e->owner)
			http_abort(e->wire->http, c->id);
	}
	pthread_mutex_lock(&e->lock);
	e->done = true;
	pthread_cond_signal(&e->over);
	pthread_mutex_unlock(&e->lock);
}

static void renew(void *arg)
{
	http_forget_connections(arg);
}

/* --- called by the loop --- */

struct wire *wire_open(struct mailbox *loop, size_t max_connections, struct err *err)
{
	struct wire *w = xcalloc(1, sizeof *w);

	w->loop = loop;
	w->over_end = &w->over;
	w->http = http_open(max_connections, err);
	if (!w->http) {
		free(w);
		return NULL;
	}
	w->inbox = mailbox_open(http_wake, w->http);
	if (thread_start(&w->thread, "wire", run, w, err) < 0) {
		mailbox_close(w->inbox);
		http_close(w->http);
		free(w);
		return NULL;
	}
	return w;
}

/* The caller of `send` gets its memory back; the call itself follows when the thread is done. */
static void disown(struct wire_call *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->wire->calls = c->next;
	if (c->release)
		c->release(c->arg);
}

void wire_close(struct wire *w)
{
	if (!w)
		return;
	for (struct wire_call *c = w->calls; c; c = c->next)
		atomic_store(&c->forgotten, true);
	atomic_store(&w->stop, true);
	http_wake(w->http);
	pthread_join(w->thread, NULL);
	mailbox_close(w->inbox);
	start_sent(w);	     /* which gives up what was not started */
	http_close(w->http); /* and this what was */
	hand_back(w);
	while (w->calls)
		disown(w->calls);
	free(w);
}

void wire_send(struct wire *w, const void *owner, wire_prepare *prepare, http_done *done, void *arg,
	       void (*release)(void *arg))
{
	struct wire_call *c = xcalloc(1, sizeof *c);

	c->wire = w;
	c->owner = owner;
	c->prepare = prepare;
	c->done = done;
	c->arg = arg;
	c->release = release;
	c->next = w->calls;
	if (w->calls)
		w->calls->prev = c;
	w->calls = c;
	struct wire_call *before = atomic_load(&w->sent);
	do
		c->after = before;
	while (!atomic_compare_exchange_weak(&w->sent, &before, c));
	if (!before) /* else somebody woke it for that one */
		http_wake(w->http);
}

void wire_forget(struct wire *w, const void *owner)
{
	struct errand e = {.wire = w, .owner = owner};
	struct wire_call *next;

	for (struct wire_call *c = w->calls; c; c = c->next)
		if (c->owner == owner)
			atomic_store(&c->forgotten, true);
	pthread_mutex_init(&e.lock, NULL);
	pthread_cond_init(&e.over, NULL);
	mailbox_post(w->inbox, forget, &e);
	pthread_mutex_lock(&e.lock);
	while (!e.done)
		pthread_cond_wait(&e.over, &e.lock);
	pthread_mutex_unlock(&e.lock);
	pthread_cond_destroy(&e.over);
	pthread_mutex_destroy(&e.lock);
	for (struct wire_call *c = w->calls; c; c = next) {
		next = c->next;
		if (c->owner == owner)
			disown(c);
	}
}

void wire_renew(struct wire *w)
{
	mailbox_post(w->inbox, renew, w->http);
}
