/*
 * nats_courier — the thread that takes a destination's parcels to NATS: it keeps one connection to
 * one of the servers, publishes, and answers each parcel by what the stream said. The loop hands
 * parcels over; verdicts come back in batches.
 *
 * A parcel has `timeout` from hand-over to verdict. When a connection breaks, what was published
 * and not acknowledged is published again on the next, in the same order and under the same
 * Nats-Msg-Id, by which the stream drops what it had; so the move to another server of the cluster
 * costs no verdict. Nor does the choice of a stream's new leader. Only when no server takes a
 * connection, or the time is over, is it TRY_AGAIN.
 */
#ifndef RELAY_NATS_COURIER_H
#define RELAY_NATS_COURIER_H

#include "transports/nats_settings.h"
#include "transports/transport.h"

struct courier;

struct courier *courier_open(const struct nats_settings *settings, const struct transport_env *env,
			     struct err *err);
void courier_send(struct courier *c, const struct parcel *parcel);
void courier_close(struct courier *c); /* within a second; NULL is allowed */

#endif
