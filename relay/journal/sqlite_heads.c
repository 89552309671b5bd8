/* sqlite_heads — the last sequence of each topic, from which prevsequence comes. Within a commit
 * they are kept here and written once at its end. Invariant: a head here is what the file will say
 * after the commit. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

struct head {
	int64_t topic; /* 0: an empty place */
	int64_t last;
	uint32_t destination;
};

struct heads { /* open addressing, at most half full */
	struct head *v;
	size_t n, cap; /* cap is a power of two */
};

#define FIRST_CAP 64

struct heads *heads_new(void)
{
	struct heads *h = xcalloc(1, sizeof *h);

	h->cap = FIRST_CAP;
	h->v = xcalloc(h->cap, sizeof *h->v);
	return h;
}

void heads_free(struct heads *h)
{
	if (!h)
		return;
	free(h->v);
	free(h);
}

void heads_clear(struct heads *h)
{
	if (h->n)
		memset(h->v, 0, h->cap * sizeof *h->v);
	h->n = 0;
}

static struct head *place_of(const struct heads *h, uint32_t destination, int64_t topic)
{
	int64_t key[2] = {destination, topic};
	size_t i = hash64(key, sizeof key) & (h->cap - 1);

	while (h->v[i].topic && (h->v[i].topic != topic || h->v[i].destination != destination))
		i = (i + 1) & (h->cap - 1);
	return &h->v[i];
}

static void grow(struct heads *h)
{
	struct heads old = *h;

	h->cap *= 2;
	h->v = xcalloc(h->cap, sizeof *h->v);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.v[i].topic)
			*place_of(h, old.v[i].destination, old.v[i].topic) = old.v[i];
	}
	free(old.v);
}

static int stored_head(struct sqlite_store *s, uint32_t destination, int64_t topic, int64_t *ret,
		       struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_TOPIC_HEAD, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, destination);
	sqlite_bind_int(st, 2, topic);
	return sqlite_number(s, st, ret, err);
}

int sqlite_head_move(struct sqlite_store *s, uint32_t destination, int64_t topic, int64_t sequence,
		     int64_t *ret, struct err *err)
{
	struct heads *h = s->heads;
	struct head *place = place_of(h, destination, topic);
	int64_t last = place->last;

	if (!place->topic) {
		if (stored_head(s, destination, topic, &last, err) != 0)
			return -1;
		if (++h->n > h->cap / 2) {
			grow(h);
			place = place_of(h, destination, topic);
		}
	}
	*place = (struct head){.topic = topic, .last = sequence, .destination = destination};
	*ret = last;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct head *x = a, *y = b;

	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return x->topic < y->topic ? -1 : x->topic > y->topic;
}

static int write_head(struct sqlite_store *s, const struct head *head, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_PUT_TOPIC_HEAD, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, head->destination);
	sqlite_bind_int(st, 2, head->topic);
	sqlite_bind_int(st, 3, head->last);
	return sqlite_run(s, st, err);
}

int sqlite_heads_write(struct sqlite_store *s, struct err *err)
{
	struct heads *h = s->heads;

	if (h->n == 0)
		return 0;
	/* In key order, so that neighbours share a page; empty places come first, the table is
	 * cleared before its next use. */
	qsort(h->v, h->cap, sizeof *h->v, by_key);
	for (size_t i = h->cap - h->n; i < h->cap; i++) {
		if (write_head(s, &h->v[i], err) != 0)
			return -1;
	}
	return 0;
}
