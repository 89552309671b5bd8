/* reads — what the reading thread is asked for, each with its query copied. Invariant: whatever a
 * request holds is freed with its answer. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/journal/reader.h"

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

struct picks_request {
	struct request request; /* first */
	struct pick_query query;
	char *type, *why, *id;
	int64_t *sequences;
	struct picks found;
	journal_picks_done *done;
	void *arg;
};

struct owed_request {
	struct request request; /* first */
	struct owed_query query;
	struct owed found;
	journal_owed_done *done;
	void *arg;
};

struct before_request {
	struct request request; /* first */
	int64_t ms, found;
	journal_sequence_done *done;
	void *arg;
};

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
	reader_post(r, &q->request);
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
	reader_post(r, &q->request);
}

/* NULL for none. */
static int64_t *copy_of(const int64_t *sequences, size_t n)
{
	int64_t *ret = n ? xcalloc(n, sizeof *ret) : NULL;

	if (n)
		memcpy(ret, sequences, n * sizeof *ret);
	return ret;
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
	q->topic_prefix = xstrdup(query->topic_prefix);
	q->query.sequences = q->sequences = copy_of(query->sequences, query->nsequences);
	q->query.topic_prefix = q->topic_prefix;
	q->done = done;
	q->arg = arg;
	reader_post(r, &q->request);
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
	reader_post(r, &q->request);
}

static void read_picks(struct store *store, struct request *request)
{
	struct picks_request *q = (struct picks_request *)request;

	request->failed = store->type->picks(store, &q->query, &q->found, &request->err) != 0;
}

static void answer_picks(void *arg)
{
	struct picks_request *q = arg;

	q->done(q->arg, &q->found, q->request.failed ? &q->request.err : NULL);
	picks_release(&q->found);
	free(q->type);
	free(q->why);
	free(q->id);
	free(q->sequences);
	free(q);
}

void reader_picks(struct reader *r, const struct pick_query *query, journal_picks_done *done,
		  void *arg)
{
	struct picks_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_picks;
	q->request.answer = answer_picks;
	q->query = *query;
	q->query.type = q->type = xstrdup(query->type);
	q->query.why = q->why = xstrdup(query->why);
	q->query.id = q->id = xstrdup(query->id);
	q->query.sequences = q->sequences = copy_of(query->sequences, query->nsequences);
	q->done = done;
	q->arg = arg;
	reader_post(r, &q->request);
}

static void read_owed(struct store *store, struct request *request)
{
	struct owed_request *q = (struct owed_request *)request;

	request->failed = store->type->owed(store, &q->query, &q->found, &request->err) != 0;
}

static void answer_owed(void *arg)
{
	struct owed_request *q = arg;

	q->done(q->arg, &q->found, q->request.failed ? &q->request.err : NULL);
	free(q);
}

void reader_owed(struct reader *r, const struct owed_query *query, journal_owed_done *done,
		 void *arg)
{
	struct owed_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_owed;
	q->request.answer = answer_owed;
	q->query = *query;
	q->done = done;
	q->arg = arg;
	reader_post(r, &q->request);
}

static void read_before(struct store *store, struct request *request)
{
	struct before_request *q = (struct before_request *)request;

	request->failed = store->type->recorded_before(store, q->ms, &q->found, &request->err) != 0;
}

static void answer_before(void *arg)
{
	struct before_request *q = arg;

	q->done(q->arg, q->found, q->request.failed ? &q->request.err : NULL);
	free(q);
}

void reader_recorded_before(struct reader *r, int64_t ms, journal_sequence_done *done, void *arg)
{
	struct before_request *q = xcalloc(1, sizeof *q);

	q->request.read = read_before;
	q->request.answer = answer_before;
	q->ms = ms;
	q->done = done;
	q->arg = arg;
	reader_post(r, &q->request);
}
