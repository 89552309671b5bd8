/* json_path — builds the trie of paths. Invariant: at least half of the edges' slots are free, so
 * that every probe ends. */
#include "relay/base/json_path.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define BITS_FIRST 6 /* an event of today has some fifty members */

static struct json_edge *new_edges(unsigned bits)
{
	size_t n = (size_t)1 << bits;
	struct json_edge *edges = xcalloc(n, sizeof *edges);

	for (size_t i = 0; i < n; i++)
		edges[i].child = JSON_PATH_NONE;
	return edges;
}

static uint32_t add_node(struct json_paths *p, const char *key)
{
	p->nodes = mem_grow(p->nodes, p->n, &p->cap, sizeof *p->nodes);
	p->nodes[p->n] = (struct json_path){.key = key};
	return (uint32_t)p->n++;
}

struct json_paths *json_paths_new(void)
{
	struct json_paths *p = xcalloc(1, sizeof *p);

	p->bits = BITS_FIRST;
	p->edges = new_edges(p->bits);
	add_node(p, NULL);
	return p;
}

void json_paths_free(struct json_paths *p)
{
	if (!p)
		return;
	free(p->nodes);
	free(p->edges);
	free(p);
}

static void put_edge(struct json_paths *p, const struct json_edge *e)
{
	size_t mask = ((size_t)1 << p->bits) - 1, i = json_edge_slot(e, p->bits);

	while (p->edges[i & mask].child != JSON_PATH_NONE)
		i++;
	p->edges[i & mask] = *e;
}

static void grow_edges(struct json_paths *p)
{
	struct json_edge *old = p->edges;
	size_t n = (size_t)1 << p->bits;

	p->bits++;
	p->edges = new_edges(p->bits);
	for (size_t i = 0; i < n; i++)
		if (old[i].child != JSON_PATH_NONE)
			put_edge(p, &old[i]);
	free(old);
}

uint32_t json_paths_add(struct json_paths *p, const char *const *keys, size_t n)
{
	uint32_t at = JSON_PATH_ROOT;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(keys[i]);
		uint32_t child = json_path_step(p, at, keys[i], len);

		if (child == JSON_PATH_NONE) {
			struct json_edge e = json_edge_of(at, keys[i], len);

			if (p->n * 2 > (size_t)1 << p->bits)
				grow_edges(p);
			child = e.child = add_node(p, keys[i]);
			p->nodes[at].children++;
			put_edge(p, &e);
		}
		at = child;
	}
	p->nodes[at].wanted = true;
	return at;
}

uint32_t json_paths_find(const struct json_paths *p, const char *const *keys, size_t n)
{
	uint32_t at = JSON_PATH_ROOT;

	for (size_t i = 0; i < n && at != JSON_PATH_NONE; i++)
		at = json_path_step(p, at, keys[i], strlen(keys[i]));
	return at;
}

uint32_t json_paths_count(const struct json_paths *p)
{
	return (uint32_t)p->n;
}

size_t json_paths_bytes(const struct json_paths *p)
{
	return sizeof *p + p->cap * sizeof *p->nodes + ((size_t)1 << p->bits) * sizeof *p->edges;
}
