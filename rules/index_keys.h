/*
 * index_keys — the texts and values by which an index finds its entries, as they are gathered while
 * it is built: one open-addressing table for all fields and kinds. For index*.c only.
 */
#ifndef RELAY_INDEX_KEYS_H
#define RELAY_INDEX_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "relay/base/load.h"

#define KEY_BITS 59 /* values of a field that get a bit; the other five have a fixed meaning */

enum key_kind {
	KEY_PREFIX, /* these first: they come in several lengths */
	KEY_SUFFIX,
	KEY_PREFIX_NOCASE,
	KEY_SUFFIX_NOCASE,
	KEY_ENDS,		  /* how many those are */
	KEY_BLOCK = KEY_ENDS,	  /* a struct addresses: in several sizes */
	KEY_LENGTHS,		  /* how many those are */
	KEY_STRING = KEY_LENGTHS, /* a whole value … */
	KEY_NOCASE,		  /* … folded */
	KEY_NUMBER,		  /* the eight bytes of a double, never -0 */
	KEY_GRAM,		  /* a piece of literals; `list` is the first one's place */
	KEY_LITERAL,		  /* only while an index is built */
	KEY_KINDS,
};

struct key {
	const char *text; /* borrowed */
	uint32_t len, field;
	uint32_t list;
	uint32_t uses;	   /* by how many conditions; of a gram: how many literals */
	uint8_t kind, bit; /* bit KEY_BITS: it has none */
};

/* A slot is 0 when free, else the hash's upper half and the key's place + 1. */
struct keys {
	struct key *v; /* owned */
	size_t n, cap;
	uint64_t *slots; /* owned; 1 << bits, at most half of them taken */
	unsigned bits;
};

void keys_init(struct keys *k);
void keys_release(struct keys *k);
/* The place of the key, a new one (list 0, no uses, no bit) where there was none. */
uint32_t keys_add(struct keys *k, const struct key *wanted);

static inline uint64_t key_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Only the author of the rules chooses what lies in the table, so nobody gains by collisions. */
static inline uint64_t key_hash(const char *p, size_t len, uint32_t field, enum key_kind kind)
{
	uint64_t seed = (uint64_t)field << 4 | kind, a, b;
	size_t left = len;

	for (; left > 16; p += 16, left -= 16)
		seed = key_mix(load8(p) ^ 0x2d358dccaa6c78a5, load8(p + 8) ^ seed);
	if (len > 16 || left >= 8) {
		a = len > 16 && left < 8 ? load8(p + left - 16) : load8(p);
		b = load8(p + left - 8);
	} else {
		a = load_short(p, left);
		b = 0;
	}
	return key_mix(a ^ 0x8bb84b93962eacc9 ^ len, b ^ 0x4b33a62ed433d4a3 ^ seed);
}

static inline bool key_is(const struct key *k, const char *text, size_t len, uint32_t field,
			  enum key_kind kind)
{
	return k->len == len && k->field == field && k->kind == kind &&
	       memcmp(k->text, text, len) == 0;
}

/* NULL: there is none. */
static inline const struct key *keys_find(const struct keys *k, const char *text, size_t len,
					  uint32_t field, enum key_kind kind)
{
	uint64_t hash = key_hash(text, len, field, kind), slot;
	size_t mask = ((size_t)1 << k->bits) - 1;

	for (size_t i = hash;; i++) {
		slot = k->slots[i & mask];
		if (!slot)
			return NULL;
		if (slot >> 32 == hash >> 32 &&
		    key_is(&k->v[(uint32_t)slot - 1], text, len, field, kind))
			return &k->v[(uint32_t)slot - 1];
	}
}

#endif
