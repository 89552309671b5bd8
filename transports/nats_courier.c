/* nats_courier — the thread, its start and its end. Invariants: the thread alone touches what is
 * marked as its own; after `closed` is set, under the lock, neither a parcel nor the loop's mailbox
 * is touched. All that a thread may still touch lives in structs that count their users, so that
 * what hangs in libnats is left behind. */
#include "transports/nats_courier.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/base/thread.h"
#include "transports/nats_courier_parts.h"

#define CLOSE_MS 900 /* of the second that a transport's close may take */

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void courier_leave(struct courier *c)
{
	struct nats_setup *s = &c->setup;

	if (atomic_fetch_sub(&c->users, 1) > 1)
		return;
	mailbox_close(c->inbox);
	items_free(&c->waiting);
	items_free(&c->out);
	json_doc_free(c->doc);
	buf_release(&c->text);
	nats_subject_release(&c->subject);
	free(s->user);
	wipe(s->password);
	wipe(s->token);
	free(s->credentials_file);
	free(s->ca_file);
	free(s->cert_file);
	free(s->key_file);
	free(c->servers);
	free(c->name);
	free(c->stream);
	pthread_cond_destroy(&c->finished);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- the thread ---- */

/* Until the next thing is due; -1: until something comes. */
static int wait_ms(const struct courier *c, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	if (!c->link)
		next = c->dial_ms;
	for (const struct nats_item *i = c->waiting.first; c->link && i; i = i->next)
		if (i->not_before_ms < next)
			next = i->not_before_ms;
	if (c->waiting.first && c->waiting.first->deadline_ms < next)
		next = c->waiting.first->deadline_ms;
	if (c->out.first && c->out.first->deadline_ms < next)
		next = c->out.first->deadline_ms;
	if (next == INT64_MAX)
		return -1;
	return next <= now_ms ? 0 : next - now_ms < 60000 ? (int)(next - now_ms) : 60000;
}

static void *run(void *arg)
{
	struct courier *c = arg;

	while (!c->stop) {
		mailbox_wait(c->inbox, wait_ms(c, clock_now().mono_ms));
		mailbox_run(c->inbox);
		courier_keep_connected(c, clock_now().mono_ms);
		courier_publish(c);
		courier_expire(c, clock_now().mono_ms);
		courier_post_verdicts(c);
	}
	courier_hang_up(c);
	mailbox_run(c->inbox); /* what links had to say keeps them there until it is run */
	courier_post_verdicts(c);
	pthread_mutex_lock(&c->lock);
	c->threads--;
	pthread_cond_signal(&c->finished);
	pthread_mutex_unlock(&c->lock);
	courier_leave(c);
	return NULL;
}

static void take(void *arg)
{
	struct nats_item *i = arg;

	i->turn = ++i->courier->turn;
	items_insert(&i->courier->waiting, i);
}

void courier_send(struct courier *c, const struct parcel *parcel)
{
	struct nats_item *i = xcalloc(1, sizeof *i);

	i->courier = c;
	i->id = parcel->id;
	i->event = parcel->event;
	i->started_us = clock_mono_us();
	i->deadline_ms = clock_now().mono_ms + c->timeout_ms;
	mailbox_post(c->inbox, take, i);
}

/* ---- start ---- */

/* One of several relays asks the first server first, another the third. */
static int read_servers(struct courier *c, const struct strings *urls, struct err *err)
{
	const struct network_policy policy = {
		.kind = NETWORK_PRIVATE, .own = c->env.own, .nown = c->env.nown};

	c->servers = xcalloc(urls->n, sizeof *c->servers);
	for (size_t i = 0; i < urls->n; i++) {
		struct nats_server *s = &c->servers[c->nservers++];
		const char *why = nats_server_parse(s, urls->v[i]);
		if (!why && s->literal)
			why = network_refuses(&policy, (struct sockaddr *)&s->address);
		if (why)
			return err_set(err, ERR_DENIED, "%s:%u: this address is not allowed (%s)",
				       s->host, s->port, why);
	}
	c->server = random_u64() % c->nservers;
	return 0;
}

static struct courier *new_courier(const struct nats_settings *s, const struct transport_env *env)
{
	struct courier *c = xcalloc(1, sizeof *c);

	atomic_init(&c->users, 1);
	c->env = *env;
	c->name = xasprintf("relay %s", env->destination);
	c->stream = xstrdup(s->stream);
	c->timeout_ms = s->timeout_ms;
	c->setup = (struct nats_setup){
		.name = c->name,
		.user = xstrdup(s->user),
		.password = xstrdup(s->password),
		.token = xstrdup(s->token),
		.credentials_file = xstrdup(s->credentials_file),
		.ca_file = xstrdup(s->ca_file),
		.cert_file = xstrdup(s->cert_file),
		.key_file = xstrdup(s->key_file),
		.connect_timeout_ms = s->connect_timeout_ms,
	};
	c->inbox = mailbox_open(NULL, NULL);
	c->doc = json_doc_new();
	buf_init(&c->text, TEMPLATE_OUTPUT_MAX);
	pthread_mutex_init(&c->lock, NULL);
	thread_cond_init(&c->finished);
	return c;
}

static int start_thread(struct courier *c, struct err *err)
{
	pthread_t thread;

	c->threads = 1;
	atomic_fetch_add(&c->users, 1);
	if (thread_start(&thread, "nats", run, c, err) < 0) {
		courier_leave(c);
		return -1;
	}
	pthread_detach(thread);
	return 0;
}

struct courier *courier_open(const struct nats_settings *settings, const struct transport_env *env,
			     struct err *err)
{
	struct courier *c = new_courier(settings, env);

	if (nats_subject_read(&c->subject, settings->subject, err) == 0 &&
	    read_servers(c, &settings->servers, err) == 0 && start_thread(c, err) == 0)
		return c;
	courier_leave(c);
	return NULL;
}

/* ---- end ---- */

static void stop_thread(void *arg)
{
	((struct courier *)arg)->stop = true;
}

void courier_close(struct courier *c)
{
	struct timespec until = thread_deadline(CLOSE_MS);

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	pthread_mutex_unlock(&c->lock);
	mailbox_post(c->inbox, stop_thread, c);
	pthread_mutex_lock(&c->lock);
	while (c->threads && pthread_cond_timedwait(&c->finished, &c->lock, &until) == 0) {
	}
	if (c->threads)
		log_debug("libnats does not end its connections; they are left behind");
	pthread_mutex_unlock(&c->lock);
	courier_leave(c);
}
