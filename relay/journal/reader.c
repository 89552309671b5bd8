/* reader — reads for the loop, which never waits for a disk. Invariant: the store is used under
 * `turn` only, and a request is answered exactly once, on the loop thread. */
#include "relay/journal/reader.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "relay/base/turn.h"

struct reader {
	struct store *store;
	struct mailbox *loop;
	struct turn turn; /* whose holder uses the store */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t arrived;
	struct request *first, **last;
	bool closing;
	pthread_t thread;
};

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
		turn_take(&r->turn);
		q->read(r->store, q);
		turn_leave(&r->turn);
		mailbox_post(r->loop, q->answer, q);
	}
	return NULL;
}

/* The loop calls it, and closes: after that there is nobody to read. */
void reader_post(struct reader *r, struct request *q)
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
	turn_init(&r->turn);
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
	turn_destroy(&r->turn);
	free(r);
}

int reader_routes_now(struct reader *r, const struct route_query *q, struct delivery_routes *ret,
		      struct err *err)
{
	turn_take(&r->turn);
	int failed = r->store->type->routes(r->store, q, ret, err);
	turn_leave(&r->turn);
	return failed;
}

int reader_page_now(struct reader *r, const struct page_query *q, struct page *ret, struct err *err)
{
	turn_take(&r->turn);
	int failed = r->store->type->page(r->store, q, ret, err);
	turn_leave(&r->turn);
	return failed;
}

int reader_load_recipients(struct reader *r, uint32_t broadcast, store_recipient_fn *fn, void *arg,
			   struct err *err)
{
	turn_take(&r->turn);
	int failed = r->store->type->recipients(r->store, broadcast, fn, arg, err);
	turn_leave(&r->turn);
	return failed;
}
