/* reader — reads for the loop, which never waits for a disk. Invariant: the store is used under
 * `turn` only, and a request is answered exactly once, on the loop thread. */
#include "relay/journal/reader.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define LOOK_MS	 60000	/* between two looks whether memory can be given back */
#define PAGES_MS 300000 /* without a page being asked for, until it is */

struct reader {
	struct store *store;
	struct mailbox *loop;
	pthread_mutex_t turn; /* whose holder uses the store */
	int64_t paged_ms;     /* under it: when it was asked for a page last; 0: nothing is kept */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t arrived;
	struct request *first, **last;
	bool closing;
	pthread_t thread;
};

/* Waits for the next request; *ret NULL: none came for a while. False: closing, and none is left.
 */
static bool next_request(struct reader *r, struct request **ret)
{
	struct timespec until = thread_deadline(LOOK_MS);
	int waited = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->first && !r->closing && !waited)
		waited = pthread_cond_timedwait(&r->arrived, &r->lock, &until);
	*ret = r->first;
	if (*ret) {
		r->first = r->first->next;
		if (!r->first)
			r->last = &r->first;
	}
	bool closing = r->closing;
	pthread_mutex_unlock(&r->lock);
	return *ret || !closing;
}

/* Has the turn. What pages are read by is large, and who joins a broadcast late does so once. */
static void forget_pages(struct reader *r)
{
	if (!r->paged_ms || clock_now().mono_ms - r->paged_ms < PAGES_MS)
		return;
	r->paged_ms = 0;
	if (r->store->type->rest)
		r->store->type->rest(r->store);
}

static void *run(void *arg)
{
	struct reader *r = arg;
	struct request *q;

	while (next_request(r, &q)) {
		pthread_mutex_lock(&r->turn);
		if (q)
			q->read(r->store, q);
		forget_pages(r);
		pthread_mutex_unlock(&r->turn);
		if (q)
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
	pthread_mutex_init(&r->turn, NULL);
	pthread_mutex_init(&r->lock, NULL);
	thread_cond_init(&r->arrived);
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

int reader_routes_now(struct reader *r, const struct route_query *q, struct delivery_routes *ret,
		      struct err *err)
{
	pthread_mutex_lock(&r->turn);
	int failed = r->store->type->routes(r->store, q, ret, err);
	pthread_mutex_unlock(&r->turn);
	return failed;
}

int reader_page_now(struct reader *r, const struct page_query *q, struct page *ret, struct err *err)
{
	pthread_mutex_lock(&r->turn);
	int failed = r->store->type->page(r->store, q, ret, err);
	r->paged_ms = clock_now().mono_ms;
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
