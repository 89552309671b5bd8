/* reader — reads for the loop, which never waits for a disk. Invariant: the store is used under
 * `turn` only, and a request is answered exactly once, on the loop thread. */
#include "relay/journal/reader.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

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
