/*
 * fact — how a change that diff found, or what summary makes of several, is written down as an
 * event: its id from the parts that make the fact, its envelope, and members of `data`. For the
 * files of diff and summary only.
 */
#ifndef RELAY_FACT_H
#define RELAY_FACT_H

#include "relay/source/diff.h"

#define FACT_PARTS 4
#define FACT_TIME  24 /* room for fact_time's text */

struct fact { /* strings borrowed */
	char type[EVENT_TYPE_SIZE];
	const char *broadcast;
	const char *recipient;	       /* or contact: the subject; NULL: of a broadcast */
	const char *integration_id;    /* or NULL */
	const char *parts[FACT_PARTS]; /* of the id, behind broadcast, recipient and type */
	size_t nparts;
	int64_t time_ms; /* DATE_NONE: when it was recorded */
};

void fact_part(struct fact *f, const char *part);
/* The text of a time as a part: UTC ms, or for -n "nn", the n-th without a time. Returns ret. */
char *fact_time(char ret[FACT_TIME], int64_t at);
/* The same for an updated_at. Where the API gives none, when it was recorded stands for it: the
 * journal keeps the event together with the change, so that nobody derives it again later. */
char *fact_updated(char ret[FACT_TIME], const struct diff_place *at, int64_t ms);

/* Appends the event; `data` is the text of its object. */
void fact_add(struct events *out, const struct diff_place *at, const struct fact *f,
	      const struct buf *data);

/* Each appends `,"key":value`; the comma is left out at the start of an object or array. */
void fact_key(struct buf *data, const char *key);
void fact_text(struct buf *data, const char *key, const char *text); /* NULL: null */
void fact_date(struct buf *data, const char *key, int64_t ms);	     /* DATE_NONE: null */
void fact_comma(struct buf *data);

/* "previous": {"states": […], "status": …} */
void fact_previous(struct buf *data, const struct diff_place *at, uint64_t states, uint8_t status);
const char *fact_status(const struct diff_place *at, uint8_t status); /* NULL: none */

static inline bool is_true(uint64_t states, unsigned state)
{
	return states >> state & 1;
}

static inline int64_t time_or(int64_t ms, int64_t otherwise)
{
	return ms == DATE_NONE ? otherwise : ms;
}

#endif
