/* limit — a sliding window per client. Invariant: a client's ring holds exactly the accepted
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
	struct limit_entry *v = xmalloc(cap * sizeof *v);

	for (size_t i = 0; i < c->n; i++)
		v[i] = c->v[(c->first + i) % c->cap];
	free(c->v);
	c->v = v;
	c->first = 0;
	c->cap = cap;
}

/* False: there is no room in the window that ends then. */
static bool take(const struct limit *l, struct limit_client *c, struct limit_entry e)
{
	while (c->n && c->v[c->first].at <= e.at - LIMIT_WINDOW_MS) {
		c->own -= !c->v[c->first].strange;
		c->first = (c->first + 1) % c->cap;
		c->n--;
	}
	if (l->max && c->n >= l->max)
		return false;
	if (c->n == c->cap)
		grow(c);
	c->v[(c->first + c->n++) % c->cap] = e;
	c->own += !e.strange;
	return true;
}

/* The stranger's requests since the last time; of a longer pause only those in the window. */
static void let_stranger(const struct limit *l, struct limit_client *c, int64_t now_ms)
{
	if (!l->max || !l->stranger)
		return;
	if (c->stranger_ms <= now_ms - LIMIT_WINDOW_MS)
		c->stranger_ms = now_ms - LIMIT_WINDOW_MS + 1;
	while (c->stranger_ms <= now_ms) {
		take(l, c, (struct limit_entry){c->stranger_ms, true});
		uint64_t sum = 3600000ULL + c->stranger_rest;
		c->stranger_ms += (int64_t)(sum / l->stranger);
		c->stranger_rest = (uint32_t)(sum % l->stranger);
	}
}

bool limit_take(struct limit *l, const char *client, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct limit_client *c = find_client(l, client);

	let_stranger(l, c, now_ms);
	if (!take(l, c, (struct limit_entry){now_ms, false})) {
		*ret_wait_ms = c->v[c->first].at + LIMIT_WINDOW_MS - now_ms;
		return false;
	}
	if (c->own > l->peak)
		l->peak = c->own;
	return true;
}

void limit_release(struct limit *l)
{
	for (size_t i = 0; i < l->nclients; i++)
		free(l->clients[i].v);
	*l = (struct limit){0};
}
