/*
 * json_path — the paths that a skim looks for: a trie whose edges lie in one open-addressing table,
 * so that a member of an event costs one probe. Shared by json_path.c and json_skim.c only.
 */
#ifndef RELAY_JSON_PATH_H
#define RELAY_JSON_PATH_H

#include <string.h>

#include "relay/base/json_skim.h"
#include "relay/base/load.h"

#define JSON_PATH_ROOT 0 /* the event itself; never given out */

struct json_path {
	const char *key; /* borrowed; NULL at the root */
	uint32_t children;
	bool wanted;
};

/* An edge. head and tail are the key's ends and, up to 16 bytes, all of it. */
struct json_edge {
	uint64_t head, tail;
	uint32_t parent, child; /* child JSON_PATH_NONE: a free slot */
	size_t len;
};

struct json_paths {
	struct json_path *nodes;
	size_t n, cap;
	struct json_edge *edges; /* 1 << bits, at most half of them taken */
	unsigned bits;
};

static inline size_t json_edge_slot(const struct json_edge *e, unsigned bits)
{
	uint64_t mixed = (e->head ^ (e->tail << 29 | e->tail >> 35)) + e->len * 0x9e3779b97f4a7c15;

	mixed ^= (uint64_t)e->parent * 0xc2b2ae3d27d4eb4f;
	return (size_t)((mixed ^ mixed >> 31) * 0x9fb21c651e98df25 >> (64 - bits));
}

static inline struct json_edge json_edge_of(uint32_t parent, const char *key, size_t len)
{
	bool is_short = len < 8;

	return (struct json_edge){
		.head = is_short ? load_short(key, len) : load8(key),
		.tail = is_short ? 0 : load8(key + len - 8),
		.parent = parent,
		.len = len,
	};
}

/* The path of a member, JSON_PATH_NONE when none goes on there. */
static inline uint32_t json_path_step(const struct json_paths *p, uint32_t parent, const char *key,
				      size_t len)
{
	struct json_edge wanted = json_edge_of(parent, key, len);
	size_t mask = ((size_t)1 << p->bits) - 1;

	for (size_t i = json_edge_slot(&wanted, p->bits);; i++) {
		const struct json_edge *e = &p->edges[i & mask];

		if (e->child == JSON_PATH_NONE)
			return JSON_PATH_NONE;
		if (e->head == wanted.head && e->tail == wanted.tail && e->parent == parent &&
		    e->len == len && (len <= 16 || memcmp(p->nodes[e->child].key, key, len) == 0))
			return e->child;
	}
}

#endif
