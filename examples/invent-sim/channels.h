/*
 * channels — how messages fare on each channel: rates, delays, and the words of failure.
 */
#ifndef INVENT_SIM_CHANNELS_H
#define INVENT_SIM_CHANNELS_H

#include "examples/invent-sim/campaign.h"

/* A delay's distribution: so many of a thousand come within so long; straight lines between. */
struct curve {
	uint16_t of_1000;
	int64_t ms;
};

/* Rates are of 100,000. */
struct profile {
	uint32_t skip, refuse, fail, bounce, deliver, open, play, complain, unsubscribe, click;
	const struct curve *delivery, *opening;
	const char *const *refused, *const *failed; /* NULL-terminated */
};

extern const struct profile channel_profiles[CHANNELS];
extern const struct curve after_failure[], after_opening[];
extern const char *const skip_reasons[]; /* NULL-terminated */

#endif
