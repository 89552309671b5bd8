/*
 * places — the order of a list: each row, by its number, has a place. Pure; one thread.
 *
 * Rows lie in blocks of at most 256, blocks in the order of the list, and each row knows its block:
 * so a row is put anywhere, moved, or compared with another for the cost of a block. How many rows
 * of a block have a flag is counted when it is first asked for, and again after they were touched;
 * so the rank of a row among those with a flag is a sum over blocks. 6 to 10 bytes a row; where ids
 * of blocks pass 65,535, with 8 million rows at the earliest, 2 more.
 */
#ifndef RELAY_PLACES_H
#define RELAY_PLACES_H

#include "relay/source/planes.h"

#define NO_ROW UINT32_MAX

struct block;

struct places {
	struct block **blocks;	  /* by id */
	uint32_t *order;	  /* ids, in list order */
	uint16_t *home;		  /* by row: the id of its block, */
	uint16_t *home_high;	  /* … above 16 bits; NULL: no id is so high */
	uint16_t *counted[FLAGS]; /* by id: rows that have the flag; NULL: of none was it asked */
	uint64_t asked;		  /* the flags of which it was */
	uint32_t n, cap, room;	  /* blocks; room: rows in home */
	uint32_t rows;
};
void places_release(struct places *p); /* {0} is a valid empty one */

/* A row that has no place yet; behind: NO_ROW for the front. Rows are given places in any order of
 * their numbers. */
void places_insert(struct places *p, uint32_t row, uint32_t behind);
void places_append(struct places *p, uint32_t row);
void places_move(struct places *p, uint32_t row, uint32_t behind); /* another row */
/* What flags it has has changed. What is not told shows only in its sum over all rows. */
void places_touch(struct places *p, uint32_t row);

bool places_is_before(const struct places *p, uint32_t a, uint32_t b);
uint32_t places_first(const struct places *p);		    /* NO_ROW: there is none */
uint32_t places_last(const struct places *p);		    /* the same */
uint32_t places_prev(const struct places *p, uint32_t row); /* NO_ROW: it is the first */
uint32_t places_next(const struct places *p, uint32_t row); /* NO_ROW: it is the last */
/* The last row for which `is` is true, which it is for all rows before that one; NO_ROW: none. */
uint32_t places_bisect(const struct places *p, bool (*is)(void *arg, uint32_t row), void *arg);

/* Ranks among the rows with a flag, as planes has it now. Memory is reused. */
struct ranks {
	const struct places *places;
	const struct planes *planes;
	unsigned flag;
	uint32_t *before; /* by place of a block: rows of earlier blocks that have the flag */
	size_t cap;
};
void ranks_make(struct ranks *r, struct places *p, const struct planes *planes, unsigned flag);
uint32_t ranks_of(const struct ranks *r, uint32_t row);
void ranks_release(struct ranks *r); /* {0} is a valid empty one */

#endif
