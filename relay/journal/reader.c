/* reader — reads for the loop, which never waits for a disk. Invariant: the store is used under
 * `turn` only, and a request is answered exactly once, on the loop thread. */
#include "relay/journal/reader.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct request {
	struct request *next;
	void (*read)(struct store *store, struct request *q);
	void (*answer)(void *q); /* on the loop; frees it */
	struct err err;
	bool failed;
};

struct recipients_request {
	struct request request; /* first */
	uint32_t broadcast;
	uint32_t *numbers;
	size_t n;
	struct recipient_record *v;
	journal_recipients_done *done;
	void *arg;
};

struct rows_request {
	struct request request; /* first */
	struct row_query query;
	char **contacts;
	struct recipient_records found;
	journal_rows_done *done;
	void *arg;
};

struct routes_request {
	struct request request; /* first */
	struct route_query query;
	int64_t *sequences;
	char *topic_prefix;
	struct delivery_routes found;
	journal_routes_done *done;
	void *arg;
};

struct events_request {
	struct request request; /* first */
	struct event_query query;
	char *type, *id, *subject;
	struct events found;
	journal_events_done *done;
	void *arg;
};

struct reader {
	struct store *store;
	struct mailbox *loop;
	pthread_mutex_t turn; /* whose holder uses the store */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t arrived;
	struct request *first, **last;
	bool closing;
	pthread_t thread;
};

int thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *arg, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(ret, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return err_set(err, ERR_IO, "%s thread: %s", name, strerror(code));
	pthread_setname_np(*ret, name);
	return 0;
}

/* Waits for the next request; NULL: closing, and none is left. */
static struct request *next_request(struct reader *r)
{
	struct request *q;

	pthread_mutex_lock(&r->lock);
	while (!r->first && !r->closing)
		pthread_cond_wait(&r->arrived, &r->lock);
	q = r->first;
	if (q) {
		r->first = q->next;
		if (!r->first)
			r->last = &r->first;
	}
	pthread_mutex_unlock(&r->lock);
	return q;
}

static void *run(void *arg)
{
	struct reader *r = arg;
	struct request *q;

	while ((q = next_request(r)) != NULL) {
		pthread_mutex_lock(&r->turn);
		q->read(r->store, q);
		pthread_mutex_unlock(&r->turn);
		mailbox_post(r->loop, q->answer, q);
	}
	return NULL;
}

/* The loop calls it, and closes: after that there is nobody to read. */
static void post(struct reader *r, struct request *q)
{
	q->next = NULL;
	if (!r->store) {
		q->failed = true;
		err_set(&q->err, ERR_STORE, "the journal is closed");
		mailbox_post(r->loop, q->answer, q);
		return;
	}
	pthread_mutex_lock(&r->lock);
	*r->last = q;
	r->last = &q->next;
	pthread_cond_signal(&r->arrived);
	pthread_mutex_unlock(&r->lock);
}

struct reader *reader_open(struct store *store, struct mailbox *loop, struct err *err)
{
	struct reader *r = xcalloc(1, sizeof *r);

	r->store = store;
	r->loop = loop;
	r->last = &r->first;
	pthread_mutex_init(&r->turn, NULL);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->arrived, NULL);
	if (thread_start(&r->thread, "reader", run, r, err) == 0)
		return r;
	store->type->close(store);
	reader_free(r);
	return NULL;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->closing = true;
	pthread_cond_signal(&r->arrived);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	r->store->type->close(r->store);
	r->store = NULL;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	pthread_cond_destroy(&r->arrived);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->turn);
	free(r);
}

static void read_recipients(struct store *store, struct request *request)
{
	struct recipients_request *q = (struct recipients_request *)request;

	q->v = xcalloc(q->n, sizeof *q->v);
	request->failed = store->type->recipients_at(store, q->broadcast, q->numbers, q->n, q->v,
						     &request->err) != 0;
}

static void answer_recipients(void *arg)
{
	struct recipients_request *q = arg;
	size_t n = q->request.failed ? 0 : q->n;

	q->done(q->arg, q->v, n, q->request.failed ? &q->request.err : NULL);
	for (size_t i = 0; i < n; i++)
		recipient_record_release(&q->v[i]);
	free(q->v);
	free(q->numbers);
	free(q);
}

void reader_recipients(struct reader *r, uint32_t broadcast, const uint32_t *numbers, size_t n,
		       journal_recipients_done *done, void *arg)
{
	struct recipients_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_recipients;
	q->request.answer = answer_recipients;
	q->broadcast = broadcast;
	q->numbers = xcalloc(n, sizeof *q->numbers);
	if (n)
		memcpy(q->numbers, numbers, n * sizeof *numbers);
	q->n = n;
	q->done = done;
	q->arg = arg;
	post(r, &q->request);
}

static void read_rows(struct store *store, struct request *request)
{
	struct rows_request *q = (struct rows_request *)request;

	request->failed = store->type->rows(store, &q->query, &q->found, &request->err) != 0;
}

static void answer_rows(void *arg)
{
	struct rows_request *q = arg;

	q->done(q->arg, &q->found, q->request.failed ? &q->request.err : NULL);
	recipient_records_release(&q->found);
	for (size_t i = 0; i < q->query.ncontacts; i++)
		free(q->contacts[i]);
	free(q->contacts);
	free(q);
}

void reader_rows(struct reader *r, const struct row_query *query, journal_rows_done *done,
		 void *arg)
{
	struct rows_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_rows;
	q->request.answer = answer_rows;
	q->query = *query;
	q->contacts = xcalloc(query->ncontacts, sizeof *q->contacts);
	for (size_t i = 0; i < query->ncontacts; i++)
		q->contacts[i] = xstrdup(query->contacts[i]);
	q->query.contacts = (const char *const *)q->contacts;
	q->done = done;
	q->arg = arg;
	post(r, &q->request);
}

static void read_routes(struct store *store, struct request *request)
{
	struct routes_request *q = (struct routes_request *)request;

	request->failed = store->type->routes(store, &q->query, &q->found, &request->err) != 0;
}

static void answer_routes(void *arg)
{
	struct routes_request *q = arg;

	q->done(q->arg, &q->found, q->request.failed ? &q->request.err : NULL);
	delivery_routes_release(&q->found);
	free(q->sequences);
	free(q->topic_prefix);
	free(q);
}

void reader_routes(struct reader *r, const struct route_query *query, journal_routes_done *done,
		   void *arg)
{
	struct routes_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_routes;
	q->request.answer = answer_routes;
	q->query = *query;
	if (query->nsequences) {
		q->sequences = xcalloc(query->nsequences, sizeof *q->sequences);
		memcpy(q->sequences, query->sequences, query->nsequences * sizeof *q->sequences);
	}
	q->topic_prefix = xstrdup(query->topic_prefix);
	q->query.sequences = q->sequences;
	q->query.topic_prefix = q->topic_prefix;
	q->done = done;
	q->arg = arg;
	post(r, &q->request);
}

static void read_events(struct store *store, struct request *request)
{
	struct events_request *q = (struct events_request *)request;

	request->failed = store->type->events(store, &q->query, &q->found, &request->err) != 0;
}

static void answer_events(void *arg)
{
	struct events_request *q = arg;

	q->done(q->arg, &q->found, q->request.failed ? &q->request.err : NULL);
	events_release(&q->found);
	free(q->type);
	free(q->id);
	free(q->subject);
	free(q);
}

void reader_events(struct reader *r, const struct event_query *query, journal_events_done *done,
		   void *arg)
{
	struct events_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_events;
	q->request.answer = answer_events;
	q->query = *query;
	q->query.type = q->type = xstrdup(query->type);
	q->query.id = q->id = xstrdup(query->id);
	q->query.subject = q->subject = xstrdup(query->subject);
	q->done = done;
	q->arg = arg;
	post(r, &q->request);
}

int reader_routes_now(struct reader *r, const struct route_query *q, struct delivery_routes *ret,
		      struct err *err)
{
	pthread_mutex_lock(&r->turn);
	int failed = r->store->type->routes(r->store, q, ret, err);
	pthread_mutex_unlock(&r->turn);
	return failed;
}

int reader_load_recipients(struct reader *r, uint32_t broadcast, store_recipient_fn *fn, void *arg,
			   struct err *err)
{
	pthread_mutex_lock(&r->turn);
	int failed = r->store->type->recipients(r->store, broadcast, fn, arg, err);
	pthread_mutex_unlock(&r->turn);
	return failed;
}
