/* hold — a lock, three facts, and who is told. Invariants: no pass begins to take events while the
 * hold is there, and the hold is not given while one does; neither keeps the other away for good,
 * as a pass that was put off comes before the next hold, and that at the end of the pass. */
#include "relay/journal/hold.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "relay/base/mem.h"

struct hold {
	struct mailbox *loop;
	pthread_mutex_t lock; /* what follows */
	void (*given)(void *arg);
	void *arg;
	bool asked, held; /* never both */
	bool passing;	  /* a pass that takes events is under way */
	bool put_off;	  /* one that was not to take any may have found some */
};

struct hold *hold_new(struct mailbox *loop)
{
	struct hold *h = xcalloc(1, sizeof *h);

	h->loop = loop;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void hold_free(struct hold *h)
{
	if (!h)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* With the lock, which it lets go. */
static void give_and_unlock(struct hold *h)
{
	bool give = h->asked && !h->passing && !h->put_off;
	void (*given)(void *) = h->given;
	void *arg = h->arg;

	if (give) {
		h->asked = false;
		h->held = true;
	}
	pthread_mutex_unlock(&h->lock);
	if (give)
		mailbox_post(h->loop, given, arg);
}

void hold_ask(struct hold *h, void (*given)(void *arg), void *arg)
{
	pthread_mutex_lock(&h->lock);
	assert(!h->asked && !h->held);
	h->asked = true;
	h->given = given;
	h->arg = arg;
	give_and_unlock(h);
}

void hold_end(struct hold *h)
{
	pthread_mutex_lock(&h->lock);
	assert(h->held);
	h->held = false;
	pthread_mutex_unlock(&h->lock);
}

bool hold_begin_pass(struct hold *h)
{
	pthread_mutex_lock(&h->lock);
	bool may = !h->held;
	h->passing = may;
	pthread_mutex_unlock(&h->lock);
	return may;
}

void hold_end_pass(struct hold *h, bool more)
{
	pthread_mutex_lock(&h->lock);
	h->put_off = more && !h->passing;
	h->passing = false;
	give_and_unlock(h);
}

void hold_end_passes(struct hold *h)
{
	hold_end_pass(h, false);
}
