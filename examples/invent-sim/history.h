/*
 * history — what happened to the few rows that were changed by hand, written down. All other rows'
 * past is computed (campaign.h). Entries are only added, in the order of time for each row.
 */
#ifndef INVENT_SIM_HISTORY_H
#define INVENT_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NO_ENTRY UINT32_MAX

struct entry {
	int64_t at;
	uint32_t earlier; /* the same row's entry before this one, or NO_ENTRY */
	uint8_t what;	  /* enum sim_what */
	bool rises;
	bool natural; /* the campaign's doing, not a hand's */
	bool shown;   /* a reply that was served shows the state it made */
};

struct history_row {
	uint64_t key;
	uint32_t last;
};

struct history {
	struct entry *v;
	size_t n, cap;
	struct history_row *rows; /* open addressing; last NO_ENTRY: empty */
	size_t nrows, slots;
};

/* key: any number that names the row. */
void history_add(struct history *h, uint64_t key, struct entry e); /* e.earlier is filled in */
uint32_t history_last(const struct history *h, uint64_t key);	   /* NO_ENTRY: none */
/* The row's last entry about `what` (rise or fall), or NULL. */
const struct entry *history_find(const struct history *h, uint64_t key, unsigned what);
void history_release(struct history *h);

/* A reply of that time shows `flags` (bits by what) for the row; `n` entries there were then. */
struct sighting {
	uint64_t key;
	uint32_t flags, n;
	int64_t at;
};
void history_shown(struct history *h, const struct sighting *s);

#endif
