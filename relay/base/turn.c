/* turn — see the header. Invariant: `served` goes up by one with each turn that ends, so that the
 * numbers are served as they were given. */
#include "relay/base/turn.h"

void turn_init(struct turn *ret)
{
	pthread_mutex_init(&ret->lock, NULL);
	pthread_cond_init(&ret->moved, NULL);
	ret->asked = ret->served = 0;
}

void turn_destroy(struct turn *t)
{
	pthread_cond_destroy(&t->moved);
	pthread_mutex_destroy(&t->lock);
}

void turn_take(struct turn *t)
{
	pthread_mutex_lock(&t->lock);
	uint64_t own = t->asked++;
	while (t->served != own)
		pthread_cond_wait(&t->moved, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

/* All are woken, for only one of them is next: they are few. */
void turn_leave(struct turn *t)
{
	pthread_mutex_lock(&t->lock);
	t->served++;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}
