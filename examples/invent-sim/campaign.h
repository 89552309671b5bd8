/*
 * campaign — what will happen to each recipient of a broadcast, and when. Pure: a function of the
 * seed and the row's number. Integer arithmetic only, so that all machines agree.
 *
 * The shape is that of real campaigns: messages leave along a ramp; most are delivered within
 * seconds and a few within hours; half of the opens come in the first hour and the last after
 * days; failures come at once (refused by the provider) or late (reported by it), each channel
 * with its own rates and words.
 */
#ifndef INVENT_SIM_CAMPAIGN_H
#define INVENT_SIM_CAMPAIGN_H

#include "examples/invent-sim/model.h"

#define NEVER INT64_MAX

#define CHANNELS 11 /* the API's integration_id values */
extern const char *const channel_names[CHANNELS];

/* Shares of the channels, adding up to 1,000. */
struct mix {
	uint16_t share[CHANNELS];
};
/* "whatsapp_bot:60,twilio:40"; the weights may add up to anything. */
int mix_parse(struct mix *ret, const char *text, struct err *err);

struct campaign_kind {
	const char *name, *channels, *help;
	bool draft;	    /* is never sent */
	bool transactional; /* ACTIVE, never complete, rows along the ramp */
	bool doubled;	    /* two rows to a contact */
};
const struct campaign_kind *campaign_kind(const char *name); /* NULL: unknown */
extern const struct campaign_kind campaign_kinds[];	     /* ends with a NULL name */

struct campaign {
	uint64_t seed; /* this broadcast's own */
	const struct campaign_kind *kind;
	struct mix mix;
	uint32_t recipients;
	int64_t start_ms, ramp_ms; /* start_ms since 1970 */
	int64_t until_ms;	   /* nothing later happens; NEVER: no end */
	bool along_ramp;
};

/* The whole life of a row. */
struct life {
	int64_t at[SIM_WHATS]; /* NEVER: does not happen; at[SIM_REMOVED] is always NEVER */
	uint8_t channel;
	const char *why; /* error_message once skipped, failed or bounced; NULL: none */
};
void campaign_life(const struct campaign *c, uint32_t row, struct life *ret);
unsigned campaign_channel(const struct campaign *c, uint32_t row);
int64_t campaign_added_at(const struct campaign *c, uint32_t row); /* rises with the row */

/* The first change behind (at, what) in the order of time, then of life. SIM_WHATS: none. */
enum sim_what life_next(const struct life *l, int64_t at, enum sim_what what);

uint64_t sim_mix64(uint64_t x);	  /* splitmix64's finalizer: a bijection */
uint64_t sim_unmix64(uint64_t x); /* its inverse */

#endif
