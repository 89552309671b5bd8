/*
 * catchup — a refill from a stream's position to the journal's end, over all subscriptions at once,
 * page by page, given out in ascending order of sequence.
 */
#ifndef RELAY_CATCHUP_H
#define RELAY_CATCHUP_H

#include "relay/cmd/follow.h"

struct caught_up {
	size_t given;	/* events that were missing */
	bool last;	/* give said that it wants no more */
	bool cut_short; /* *stop was set */
};

/* 0, also when it was cut short; -1 with err when no answer came (ERR_NET), for good otherwise:
 * also when the journal is not the one of which the stream's events were. *ret tells what was done
 * until then, too. */
int catch_up(struct follow *f, struct caught_up *ret, struct err *err);

#endif
