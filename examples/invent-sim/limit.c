/* limit — a sliding window per client. Invariant: a client's ring holds exactly its accepted
 * requests younger than the window, oldest first. */
#include "examples/invent-sim/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

/* A client more than there is room for shares the last place: stricter, never looser. */
static struct limit_client *find_client(struct limit *l, const char *name)
{
	for (size_t i = 0; i < l->nclients; i++)
		if (!strcmp(l->clients[i].name, name))
			return &l->clients[i];
	if (l->nclients == LIMIT_CLIENTS)
		return &l->clients[LIMIT_CLIENTS - 1];

	struct limit_client *c = &l->clients[l->nclients++];
	snprintf(c->name, sizeof c->name, "%s", name);
	return c;
}

static void grow(struct limit_client *c)
{
	size_t cap = c->cap ? c->cap * 2 : 512;
	int64_t *times = xmalloc(cap * sizeof *times);

	for (size_t i = 0; i < c->n; i++)
		times[i] = c->times[(c->first + i) % c->cap];
	free(c->times);
	c->times = times;
	c->first = 0;
	c->cap = cap;
}

bool limit_take(struct limit *l, const char *client, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct limit_client *c = find_client(l, client);

	while (c->n && c->times[c->first] <= now_ms - LIMIT_WINDOW_MS) {
		c->first = (c->first + 1) % c->cap;
		c->n--;
	}
	if (l->max && c->n >= l->max) {
		*ret_wait_ms = c->times[c->first] + LIMIT_WINDOW_MS - now_ms;
		return false;
	}
	if (c->n == c->cap)
		grow(c);
	c->times[(c->first + c->n++) % c->cap] = now_ms;
	if (c->n > l->peak)
		l->peak = c->n;
	return true;
}

void limit_release(struct limit *l)
{
	for (size_t i = 0; i < l->nclients; i++)
		free(l->clients[i].times);
	*l = (struct limit){0};
}
