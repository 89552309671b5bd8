/*
 * hash — XXH3 (xxhash.com), the 128-bit form for identity and the 64-bit form for tables. Not
 * cryptographic: where somebody gains by a collision (signatures), OpenSSL is used instead.
 */
#ifndef RELAY_HASH_H
#define RELAY_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 {
	uint64_t low, high; /* as XXH128_hash_t; its canonical text is high then low, big endian */
};

uint64_t hash64(const void *bytes, size_t len);
struct hash128 hash128(const void *bytes, size_t len);
void hash128_hex(char ret[33], struct hash128 h); /* canonical, lower case, NUL-terminated */
bool hash128_unhex(const char hex[32], struct hash128 *ret);

static inline bool hash128_equal(struct hash128 a, struct hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

#endif
