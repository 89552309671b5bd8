/* nng_world — see its header. Invariant: event n is at v[n - 1] and never changes. */
#include "tests/suite/nng_world.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/suite/tls_files.h"
#include "transports/nng_bus.h"

#define DEADLINE_MS 20000

static int routes(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		  struct history_end *ret, struct err *err)
{
	struct nng_world *w = arg;
	size_t found = 0, looked_at = 0, bytes = 0;
	size_t at = (size_t)(q->after < w->oldest - 1 ? w->oldest - 1 : q->after);

	pthread_mutex_lock(&w->lock);
	w->asked++;
	if (w->broken) {
		pthread_mutex_unlock(&w->lock);
		return err_set(err, ERR_STORE, "secret.db: broken");
	}
	*ret = (struct history_end){q->after, false, w->oldest, (int64_t)w->n};
	for (; at < w->n && !ret->more; at++) {
		const struct event *ev = &w->v[at].event;
		bool fits = !strncmp(ev->topic, q->prefix, strlen(q->prefix));
		bytes += fits ? ev->len : 0;
		if (found == q->limit || (q->scan && looked_at == q->scan) ||
		    (fits && found && q->max_bytes && bytes > q->max_bytes)) {
			ret->more = true;
			break;
		}
		looked_at++;
		ret->scanned = ev->sequence;
		if (!fits)
			continue;
		found++;
		each(each_arg, &(struct history_event){ev->sequence, w->v[at].prevsequence,
						       ev->topic, ev->body, ev->len});
	}
	if (!ret->more && ret->scanned < (int64_t)w->n)
		ret->scanned = (int64_t)w->n;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

/* Rows rcp_000000 …, each of the same length, at the places 000000-x …; the page says how far the
 * events are. */
static int rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		void *each_arg, struct history_rows_end *ret, struct err *err)
{
	struct nng_world *w = arg;
	bool known = !strcmp(q->broadcast, "bc_1") && (!q->org || !strcmp(q->org, "c"));
	size_t given = 0;

	pthread_mutex_lock(&w->lock);
	*ret = (struct history_rows_end){.sequence = (int64_t)w->n,
					 .ambiguous = !q->org && !strcmp(q->broadcast, "bc_2"),
					 .broadcast = known ? xstrdup(w->about) : NULL};
	bool broken = w->broken;
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; known && !broken && i < w->nrows && !ret->more; i++) {
		char *id = xasprintf("rcp_%06zu", i);
		char *body = xasprintf("{\"recipient_id\":\"%s\",\"p\":\"%0*d\"}", id,
				       (int)w->row_padding, 0);
		char *place = xasprintf("%06zu-x", i);
		bool behind = strcmp(place, q->after) > 0;
		ret->more = behind && given == q->limit;
		if (behind && !ret->more) {
			each(each_arg, &(struct history_row){place, body, strlen(body)});
			given++;
		}
		free(place);
		free(body);
		free(id);
	}
	if (broken)
		free(ret->broadcast);
	return broken ? err_set(err, ERR_STORE, "secret.db: broken") : 0;
}

static void take(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct nng_world *w = arg;

	(void)id;
	if (outcome->verdict == SENT)
		w->sent++;
	else
		w->refused++;
}

struct nng_world *nng_world_new(void)
{
	const char *tmp = getenv("TMPDIR");
	struct nng_world *w = xcalloc(1, sizeof *w);

	w->folder = xasprintf("%s/relay-bus-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	w->bus = xasprintf("ipc://%s/bus", w->folder);
	w->refill = xasprintf("ipc://%s/refill", w->folder);
	w->loop = mailbox_open(NULL, NULL);
	w->oldest = 1;
	w->about = "{\"broadcast_id\":\"bc_1\"}";
	pthread_mutex_init(&w->lock, NULL);
	w->history = (struct transport_history){w, routes, rows};
	w->env = (struct transport_env){.destination = "bus",
					.number = 7,
					.loop = w->loop,
					.done = take,
					.arg = w,
					.history = &w->history};
	return w;
}

void nng_world_refill_on_tcp(struct nng_world *w)
{
	free(w->refill);
	w->refill = xasprintf("tcp://127.0.0.1:%d", nng_world_port());
}

void nng_world_refill_on_tls(struct nng_world *w, bool mutual)
{
	free(w->refill);
	w->refill = xasprintf("tls+tcp://127.0.0.1:%d", nng_world_port());
	tls_files_make(w->folder, "bus", (struct tls_days){0, 0});
	w->cert = tls_files_path(w->folder, "bus", "cert");
	w->key = tls_files_path(w->folder, "bus", "key");
	w->ca = mutual ? tls_files_path(w->folder, "bus", "ca") : NULL;
}

void nng_world_open(struct nng_world *w, const char *listen)
{
	char *urls[] = {w->bus, (char *)(uintptr_t)listen};
	struct nng_settings settings = {.listen = {urls, listen ? 2 : 1},
					.refill = w->refill,
					.send_buffer = 8192,
					.cert_file = w->cert,
					.key_file = w->key,
					.ca_file = w->ca,
					.state = true};
	struct err err = {0};

	w->self = xcalloc(1, transport_nng.size);
	if (transport_nng.open(w->self, &settings, &w->env, &err) < 0)
		fail_msg("%s", err.msg);
}

void nng_world_close(struct nng_world *w)
{
	int64_t start = clock_now().mono_ms;

	transport_nng.close(w->self);
	assert_true(clock_now().mono_ms - start < 2000);
	free(w->self);
	w->self = NULL;
	mailbox_run(w->loop);
}

void nng_world_free(struct nng_world *w)
{
	if (w->self)
		nng_world_close(w);
	mailbox_close(w->loop);
	for (size_t i = 0; i < w->n; i++)
		event_release(&w->v[i].event);
	free(w->v);
	pthread_mutex_destroy(&w->lock);
	unlink(w->bus + strlen("ipc://"));
	if (w->cert)
		tls_files_remove(w->folder, "bus");
	assert_int_equal(rmdir(w->folder), 0); /* the refill's file went with its socket */
	free(w->folder);
	free(w->bus);
	free(w->refill);
	free(w->cert);
	free(w->key);
	free(w->ca);
	free(w);
}

static int64_t last_of(const struct nng_world *w, const char *topic)
{
	for (size_t i = w->n; i > 0; i--)
		if (!strcmp(w->v[i - 1].event.topic, topic))
			return (int64_t)i;
	return 0;
}

int64_t nng_world_commit(struct nng_world *w, const char *topic, size_t padding)
{
	char id[EVENT_ID_SIZE], *data = xmalloc(padding + 16);
	struct committed c = {.prevsequence = last_of(w, topic)};
	struct event_head head = {.id = id,
				  .type = "recipient.sent",
				  .source = "https://api.example.com/orgs/o/broadcasts/b",
				  .subject = "r",
				  .partitionkey = "r",
				  .time_ms = 1795000000000,
				  .recorded_ms = 1795000000000};

	snprintf(id, sizeof id, "evt_%032zx", w->n + 1);
	memset(data, 'x', padding + 16);
	memcpy(data, "{\"p\":\"", 6);
	memcpy(data + padding + 6, "\"}", 2);
	event_make(&c.event, &head, data, padding + 8);
	free(data);
	free(c.event.topic);
	c.event.topic = xstrdup(topic);
	event_number(&c.event, (int64_t)w->n + 1);
	pthread_mutex_lock(&w->lock);
	w->v = mem_grow(w->v, w->n, &w->cap, sizeof *w->v);
	w->v[w->n++] = c;
	pthread_mutex_unlock(&w->lock);
	return (int64_t)w->n;
}

void nng_world_give(struct nng_world *w, int64_t from, int64_t to)
{
	for (int64_t i = from; i <= to; i++) {
		struct committed *c = &w->v[i - 1];
		struct parcel parcel = {(uint64_t)i, &c->event, .prevsequence = c->prevsequence,
					.attempt = 1};
		transport_nng.send(w->self, &parcel);
	}
}

void nng_world_publish_all(struct nng_world *w, int64_t from, int64_t to)
{
	size_t want = w->sent + w->refused + (size_t)(to - from + 1);

	nng_world_give(w, from, to);
	for (int i = 0; i < 1000 && w->sent + w->refused < want; i++) {
		mailbox_wait(w->loop, 20);
		mailbox_run(w->loop);
	}
	assert_int_equal(w->sent + w->refused, want);
}

void nng_world_publish(struct nng_world *w, int64_t sequence)
{
	nng_world_publish_all(w, sequence, sequence);
}

/* Of those that the system gives to no outgoing connection, which would take one at any time. */
int nng_world_port(void)
{
	int port, taken;

	do {
		port = 20000 + (int)(random_u64() % 12000);
		struct sockaddr_in at = {.sin_family = AF_INET,
					 .sin_port = htons((uint16_t)port),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fd >= 0);
		taken = bind(fd, (struct sockaddr *)&at, sizeof at);
		close(fd);
	} while (taken);
	return port;
}

void nng_world_publish_new(struct nng_world *w, size_t n, size_t padding)
{
	int64_t from = (int64_t)w->n + 1;

	for (size_t i = 0; i < n; i++)
		nng_world_commit(w, NNG_WORLD_TOPIC, padding);
	nng_world_publish_all(w, from, from + (int64_t)n - 1);
}

const struct transport_figures *nng_world_figures(struct nng_world *w)
{
	w->figures = (struct transport_figures){0};
	transport_nng.figures(w->self, &w->figures);
	return &w->figures;
}

double nng_world_figure(struct nng_world *w, const char *name)
{
	const struct transport_figures *f = nng_world_figures(w);

	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].name, name))
			return f->v[i].value;
	fail_msg("there is no %s", name);
	return 0;
}

void nng_world_await(struct nng_world *w, const char *name, double least)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	while (nng_world_figure(w, name) < least) {
		if (clock_now().mono_ms > end)
			fail_msg("%s is %.0f", name, nng_world_figure(w, name));
		mailbox_wait(w->loop, 10);
		mailbox_run(w->loop);
	}
}
