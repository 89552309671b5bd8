/* nats_courier_dial — one connection, to one server after the other. Invariant: at most one link is
 * up and at most one is dialled; those that were ended may hang, LINKS_MAX of all together. */
#include <stdio.h>

#include "relay/base/log.h"
#include "relay/base/random.h"
#include "transports/nats_courier_parts.h"

#define AGAIN_MS  1000 /* between rounds over all servers, and up to half of it more */
#define LINKS_MAX 4    /* threads of links */

static void set_why(struct courier *c, const char *why)
{
	snprintf(c->why, sizeof c->why, "%s", why);
	log_debug("nats", log_str("destination", c->name), log_str("why", why));
}

/* Nobody takes a connection: what waits for one is tried again later. */
static void give_back(struct courier *c)
{
	const struct outcome out = {.verdict = TRY_AGAIN, .why = c->why, .no_connection = true};

	while (c->waiting.first)
		courier_judge(c, &c->waiting, c->waiting.first, &out);
}

static void put_off(struct courier *c, int64_t now_ms)
{
	c->dial_ms = now_ms + AGAIN_MS + (int64_t)(random_u64() % (AGAIN_MS / 2));
}

/* The next server is asked at once, the first again after a while. */
static void failed(struct courier *c, const char *why, int64_t now_ms)
{
	set_why(c, why);
	c->dial_ms = now_ms;
	if (++c->failed < c->nservers)
		return;
	c->failed = 0;
	put_off(c, now_ms);
	give_back(c);
}

static void on_up(void *arg)
{
	struct courier *c = arg;

	c->link = c->dialled;
	c->dialled = NULL;
	c->failed = 0;
	c->up_ms = clock_now().mono_ms;
}

static void on_down(void *arg, const char *why)
{
	struct courier *c = arg;
	int64_t now_ms = clock_now().mono_ms;

	if (c->link) {
		courier_broken(c, why, now_ms);
		return;
	}
	nats_link_end(c->dialled);
	c->dialled = NULL;
	failed(c, why, now_ms);
}

/* What was not acknowledged goes out again, in its old place. A server that breaks each connection
 * is not dialled without a pause. */
void courier_broken(struct courier *c, const char *why, int64_t now_ms)
{
	nats_link_end(c->link);
	c->link = NULL;
	while (c->out.first) {
		struct nats_item *i = c->out.first;
		items_remove(&c->out, i);
		items_insert(&c->waiting, i);
	}
	set_why(c, why);
	c->dial_ms = now_ms;
	if (now_ms - c->up_ms < AGAIN_MS)
		put_off(c, now_ms);
}

static void on_gone(void *arg)
{
	struct courier *c = arg;

	pthread_mutex_lock(&c->lock);
	c->threads--;
	pthread_cond_signal(&c->finished);
	pthread_mutex_unlock(&c->lock);
	courier_leave(c);
}

static bool may_dial(struct courier *c)
{
	pthread_mutex_lock(&c->lock);
	bool may = c->threads <= LINKS_MAX; /* one is the courier's */
	c->threads += may;
	pthread_mutex_unlock(&c->lock);
	return may;
}

static void dial(struct courier *c, int64_t now_ms)
{
	const struct nats_link_hooks hooks = {c->inbox,		on_up,	 on_down,
					      courier_answered, on_gone, c};
	struct err err = {0};

	if (!may_dial(c)) {
		failed(c, "earlier connections do not come to an end", now_ms);
		return;
	}
	atomic_fetch_add(&c->users, 1);
	c->dialled = nats_link_dial(&c->setup, &c->servers[c->server], &hooks, &err);
	c->server = (c->server + 1) % c->nservers;
	c->dial_ms = now_ms + 2 * c->setup.connect_timeout_ms;
	if (c->dialled)
		return;
	on_gone(c);
	failed(c, err.msg, now_ms);
}

void courier_keep_connected(struct courier *c, int64_t now_ms)
{
	char why[sizeof c->why];

	if (c->link || now_ms < c->dial_ms)
		return;
	if (c->dialled) {
		const struct nats_server *s = nats_link_server(c->dialled);
		snprintf(why, sizeof why, "%s:%u: no end to the connecting", s->host, s->port);
		nats_link_end(c->dialled);
		c->dialled = NULL;
		failed(c, why, now_ms);
	} else {
		dial(c, now_ms);
	}
}

void courier_hang_up(struct courier *c)
{
	if (c->link)
		nats_link_end(c->link);
	if (c->dialled)
		nats_link_end(c->dialled);
	c->link = c->dialled = NULL;
}
