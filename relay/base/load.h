/*
 * load — the bytes of a text as words, for hashing and comparing it a word at a time.
 */
#ifndef RELAY_LOAD_H
#define RELAY_LOAD_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first byte is the lowest. */
static inline uint64_t load8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return le64toh(word);
}

/* All of less than 8 bytes, and nothing beyond them: of one length, equal only if they are. */
static inline uint64_t load_short(const char *p, size_t len)
{
	uint32_t low, high;
	uint16_t a, b;

	if (len >= 4) {
		memcpy(&low, p, 4);
		memcpy(&high, p + len - 4, 4);
		return (uint64_t)high << 32 | low;
	}
	if (len >= 2) {
		memcpy(&a, p, 2);
		memcpy(&b, p + len - 2, 2);
		return (uint64_t)b << 16 | a;
	}
	return len ? (unsigned char)*p : 0;
}

#endif
