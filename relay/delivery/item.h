/*
 * item — one route that is in memory because it is not settled, or is an exception; and the two
 * orders items stand in: lanes (by key, in sequence order) and dues (by time).
 *
 * A lane holds all items of one key; only its head may be sent. Lanes exist for order by key only.
 */
#ifndef RELAY_ITEM_H
#define RELAY_ITEM_H

#include "relay/journal/store.h"

enum item_state {
	ITEM_READY,   /* has its body; is sent as soon as there is room */
	ITEM_BEHIND,  /* in the window; its predecessor is out */
	ITEM_FLYING,  /* out */
	ITEM_RETRY,   /* excepted; among the dues */
	ITEM_LOADING, /* excepted and due; its body was asked for */
	ITEM_WAITING, /* excepted; behind another of its key */
	ITEM_PARKED,  /* ended; leaves memory with the next settle */
	ITEM_SENT,    /* the same */
};

struct item {
	int64_t sequence;
	uint64_t key;
	int64_t due_ms;		      /* monotonic: RETRY: when; FLYING: since when */
	int64_t not_before_ms;	      /* the same: the receiver named it; 0: it did not */
	uint64_t group;		      /* of the call that failed; see struct outcome; 0: none */
	struct item *next;	      /* in its lane */
	struct item *follows;	      /* in the list of ready ones */
	struct delivery_route *route; /* owned; the body, when it is in memory */
	char *why;		      /* owned; to be written with the next settle */
	size_t place;		      /* among the destination's items */
	size_t due_place;	      /* in the heap of dues */
	uint64_t window_place;	      /* while in the window */
	uint32_t attempts;
	uint32_t probed; /* which probe of its destination it was last; 0: never */
	uint8_t state;	 /* enum item_state */
	bool excepted;	 /* the cursor has passed it; a row of its own stands for it */
	bool early;	 /* due before its time, as the destination came back: costs no attempt */
	uint8_t vain;	 /* how often it failed so, since it failed at its time */
	bool in_lane;
	bool stored; /* that row was handed to the journal */
	bool dirty;  /* the row must be written (or deleted) with the next settle */
};

struct lane {
	uint64_t key;
	struct item *head, *tail; /* head NULL: a free place */
};
struct lanes {
	struct lane *v; /* open addressing, linear probing */
	size_t n, cap;	/* cap: 0 or a power of two */
};
void lanes_release(struct lanes *l);
void lanes_append(struct lanes *l, struct item *x);
struct item *lanes_head(const struct lanes *l, uint64_t key); /* NULL: none of that key */
struct item *lanes_tail(const struct lanes *l, uint64_t key); /* the same */
/* Takes it out of its lane. The new head if it was the head and another follows, else NULL. */
struct item *lanes_remove(struct lanes *l, struct item *x);

struct dues {
	struct item **v; /* a heap, by due_ms, then sequence */
	size_t n, cap;
};
void dues_release(struct dues *d);
void dues_put(struct dues *d, struct item *x);
struct item *dues_first(const struct dues *d); /* NULL: none */
void dues_remove(struct dues *d, struct item *x);

#endif
