/*
 * held — the last known rows of one broadcast, compact: what a new page is compared with.
 *
 * A million rows must fit: 48 bytes a row in chunks that never move, an index of 4-byte slots over
 * the id's hash, and a bit for each flag a row may have (planes.h). The id's text and all else is
 * in the journal, under the row's number.
 */
#ifndef RELAY_HELD_H
#define RELAY_HELD_H

#include "relay/base/hash.h"
#include "relay/base/record.h"
#include "relay/source/planes.h"

#define HELD_NONE UINT32_MAX

struct held_row {
	struct hash128 key;
	uint64_t identity, contact;
	uint32_t error;	  /* the low half of the fingerprint: enough to see that it changed */
	uint32_t created; /* held_date of created_at; 0: not given */
	uint64_t states : 41, status : 7, missed : 2, sweep : 13,
		gone : 1; /* sweep: of the last sight */
};

struct held;

struct held *held_new(void);
void held_free(struct held *h); /* NULL is allowed */

uint32_t held_find(const struct held *h, struct hash128 key); /* its number, or HELD_NONE */
/* Valid until held_free. To be changed there: sweep and missed only; the rest by held_replace. */
struct held_row *held_at(struct held *h, uint32_t number);
/* A created_at for held_row.created, so that rows can be compared: ms within 24 days of the first
 * that was asked for, else the nearest of them. */
uint32_t held_date(struct held *h, int64_t created_ms);
/* All but its key. */
void held_replace(struct held *h, uint32_t number, const struct held_row *row);
/* Numbers are given in order of insertion: 0, 1, 2 …; the key must be new. */
uint32_t held_add(struct held *h, const struct held_row *row);
/* Adds what the journal holds of a row, as its records come in ascending order. False: a number is
 * missing among them. */
bool held_hold(struct held *h, const struct recipient_record *record);
uint32_t held_count(const struct held *h); /* numbers given */
uint32_t held_live(const struct held *h);  /* of them not gone */
const struct planes *held_planes(const struct held *h);
void held_set_gone(struct held *h, uint32_t number, bool gone);
size_t held_bytes(const struct held *h); /* allocated */

#endif
