/*
 * nng_topics — which topics were used lately, and the last sequence of each: what a heartbeat says.
 *
 * Time is counted in heartbeats. A heartbeat names every topic used since FRAME_HEARTBEAT_GAP
 * heartbeats ago, or says that there were more; so a subscriber that got one heartbeat and a later
 * one not further away than that has heard of every topic in between. Bus thread only.
 */
#ifndef RELAY_NNG_TOPICS_H
#define RELAY_NNG_TOPICS_H

#include "relay/base/buf.h"
#include "relay/base/clock.h"
#include "transports/nng_frame.h"

struct topics;

struct topics *topics_new(void);
void topics_free(struct topics *t); /* NULL is allowed */

void topics_note(struct topics *t, const char *topic, int64_t sequence);

/* The highest sequence that went out; at the start, that of the journal. */
void topics_latest(struct topics *t, int64_t sequence);

/* Appends the next heartbeat's message, topic and all. `source` names this bus. */
void topics_heartbeat(struct topics *t, const char *source, struct instant now, struct buf *out);

#endif
