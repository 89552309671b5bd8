/* nng_spool — a ring of the last messages, by number, under a lock. Invariants: first <= next <=
 * first + cap; a reader behind `first` has lost what lies between. */
#include "transports/nng_spool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "transports/nng_sp.h"

struct spool {
	pthread_mutex_t lock; /* of all that follows, and of letters' refs */
	struct letter **ring;
	size_t cap;
	uint64_t first, next; /* the oldest that is there, and the one to come */
	struct spool_reader *readers;
	_Atomic size_t nreaders;
};

struct spool *spool_new(size_t cap)
{
	struct spool *s = xcalloc(1, sizeof *s);

	s->ring = xcalloc(cap, sizeof(struct letter *));
	s->cap = cap;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

static struct letter **place(struct spool *s, uint64_t number)
{
	return &s->ring[number % s->cap];
}

static void release(struct letter *l)
{
	if (--l->refs == 0)
		free(l);
}

static void drop_until(struct spool *s, uint64_t number)
{
	while (s->first < number)
		release(*place(s, s->first++));
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	drop_until(s, s->next);
	pthread_mutex_destroy(&s->lock);
	free(s->ring);
	free(s);
}

void spool_add(struct spool *s, const void *message, size_t len)
{
	size_t head = sp_head_size(true);

	if (!s->nreaders)
		return;
	struct letter *l = xmalloc(sizeof *l + head + len);
	l->refs = 1;
	l->len = head + len;
	sp_head(l->bytes, true, len);
	memcpy(l->bytes + head, message, len);
	pthread_mutex_lock(&s->lock);
	if (s->next - s->first == s->cap)
		drop_until(s, s->first + 1);
	*place(s, s->next++) = l;
	pthread_mutex_unlock(&s->lock);
}

void spool_enter(struct spool *s, struct spool_reader *r)
{
	pthread_mutex_lock(&s->lock);
	*r = (struct spool_reader){.next = s->readers, .from = s->next, .at = s->next};
	s->readers = r;
	s->nreaders++;
	pthread_mutex_unlock(&s->lock);
}

void spool_leave(struct spool *s, struct spool_reader *r)
{
	struct spool_reader **at = &s->readers;

	pthread_mutex_lock(&s->lock);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	s->nreaders--;
	pthread_mutex_unlock(&s->lock);
}

/* Where it goes on. */
static uint64_t goes_on(const struct spool *s, const struct spool_reader *r)
{
	return r->at < s->first ? s->first : r->at;
}

static void catch_up(struct spool *s, struct spool_reader *r)
{
	uint64_t at = goes_on(s, r);

	r->dropped += at - r->at;
	r->at = at;
}

size_t spool_take(struct spool *s, struct spool_reader *r, struct letter **ret, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (catch_up(s, r); n < max && r->at < s->next; r->at++) {
		ret[n] = *place(s, r->at);
		ret[n++]->refs++;
	}
	r->taken += n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void spool_give_back(struct spool *s, struct spool_reader *r, struct letter *const *letters,
		     size_t went, size_t kept)
{
	pthread_mutex_lock(&s->lock);
	r->at -= r->taken - went - kept;
	r->left += went;
	for (size_t i = 0; i < r->taken; i++)
		if (i < went || i >= went + kept)
			release(letters[i]);
	r->taken = kept;
	catch_up(s, r);
	pthread_mutex_unlock(&s->lock);
}

void spool_count(struct spool *s, const struct spool_reader *r, struct queue_counts *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = (struct queue_counts){.offered = s->next - r->from,
				     .left = r->left,
				     .dropped = r->dropped + goes_on(s, r) - r->at};
	pthread_mutex_unlock(&s->lock);
}

bool spool_is_ready(struct spool *s)
{
	bool ready = false;

	pthread_mutex_lock(&s->lock);
	for (const struct spool_reader *r = s->readers; r && !ready; r = r->next)
		ready = !r->blocked && (r->taken || r->at < s->next);
	pthread_mutex_unlock(&s->lock);
	return ready;
}

bool spool_is_empty(struct spool *s)
{
	bool empty = true;

	pthread_mutex_lock(&s->lock);
	for (const struct spool_reader *r = s->readers; r && empty; r = r->next)
		empty = !r->taken && r->at == s->next;
	pthread_mutex_unlock(&s->lock);
	return empty;
}

void spool_trim(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t least = s->next;
	for (const struct spool_reader *r = s->readers; r; r = r->next)
		least = r->at < least ? r->at : least;
	drop_until(s, least);
	pthread_mutex_unlock(&s->lock);
}
