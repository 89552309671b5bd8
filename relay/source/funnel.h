/*
 * funnel — how a broadcast went: how many of its rows are in which state, by channel, and when.
 * Pure: the rows go in one after the other, a report comes out.
 */
#ifndef RELAY_FUNNEL_H
#define RELAY_FUNNEL_H

#include "relay/source/causes.h"
#include "relay/source/diff.h"

#define CHANNELS_MAX   64  /* told apart; rows of further ones count in the whole only */
#define FUNNEL_BUCKETS 512 /* of delays; each 4.4 % wider than the one before */

struct funnel_counts {
	uint64_t rows, states[STATES_MAX];
};
struct funnel_channel {
	char *name; /* owned; ""; not given */
	struct funnel_counts counts;
};
struct funnel { /* {0} is valid */
	struct funnel_counts all;
	struct funnel_channel *channels;
	size_t nchannels, cap;
	int64_t first_sent_ms, last_sent_ms; /* 0: none was sent at a known time */
	uint64_t delays[FUNNEL_BUCKETS];     /* from sent to delivered */
	uint64_t ndelays;
};
void funnel_add(struct funnel *f, const struct recipient_record *r); /* who is gone counts not */
void funnel_release(struct funnel *f);
/* The upper edge of the bucket that holds the share's last entry, so up to 4.4 % too much; -1:
 * there is none. */
int64_t funnel_delay_ms(const struct funnel *f, double share);

/* A report; all borrowed. */
struct report {
	const struct funnel *funnel;
	struct causes *failures; /* gets sorted */
	const char *status;
	int64_t updated_ms; /* of the end it is about; DATE_NONE: not given */
	const char *past;   /* earlier reports of the organization; NULL: none */
};
/* broadcast.report. */
void report_add(struct events *out, const struct diff_place *at, const struct report *r);
/* The text that is `past` of the organization's next report: the last three. */
void report_remember(struct buf *out, const struct diff_place *at, const struct report *r);

#endif
