/* mailbox — functions posted by any thread, run by the owner in the order of arrival. The lock is
 * held for a few pointer moves only: never while a message runs or the owner is woken. */
#include "relay/base/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/thread.h"

struct message {
	struct message *next;
	void (*run)(void *arg);
	void *arg;
};

struct mailbox {
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* on the monotonic clock */
	struct message *first;	/* both under the lock; last counts only while first is set */
	struct message *last;
	void (*wake)(void *);
	void *wake_arg;
};

struct mailbox *mailbox_open(void (*wake)(void *), void *wake_arg)
{
	struct mailbox *m = xcalloc(1, sizeof *m);

	pthread_mutex_init(&m->lock, NULL);
	thread_cond_init(&m->arrived);
	m->wake = wake;
	m->wake_arg = wake_arg;
	return m;
}

void mailbox_close(struct mailbox *m)
{
	if (!m)
		return;
	while (mailbox_run(m)) { /* a message may post the next */
	}
	pthread_cond_destroy(&m->arrived);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void mailbox_post(struct mailbox *m, void (*run)(void *arg), void *arg)
{
	struct message *msg = xmalloc(sizeof *msg);

	*msg = (struct message){.run = run, .arg = arg};
	pthread_mutex_lock(&m->lock);
	bool was_empty = !m->first;
	if (was_empty)
		m->first = msg;
	else
		m->last->next = msg;
	m->last = msg;
	if (was_empty)
		pthread_cond_signal(&m->arrived);
	pthread_mutex_unlock(&m->lock);
	if (was_empty && m->wake)
		m->wake(m->wake_arg);
}

bool mailbox_run(struct mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	struct message *msg = m->first;
	m->first = NULL;
	pthread_mutex_unlock(&m->lock);
	if (!msg)
		return false;

	while (msg) {
		struct message *next = msg->next;
		msg->run(msg->arg);
		free(msg);
		msg = next;
	}
	return true;
}

void mailbox_wait(struct mailbox *m, int timeout_ms)
{
	struct timespec end = timeout_ms > 0 ? thread_deadline(timeout_ms) : (struct timespec){0};
	int late = timeout_ms == 0;

	assert(!m->wake); /* who has a wake of its own waits elsewhere */
	pthread_mutex_lock(&m->lock);
	while (!m->first && !late) {
		if (timeout_ms < 0)
			pthread_cond_wait(&m->arrived, &m->lock);
		else
			late = pthread_cond_timedwait(&m->arrived, &m->lock, &end) != 0;
	}
	pthread_mutex_unlock(&m->lock);
}
