/*
 * nng_rows — the answer to "how do the recipients of this broadcast stand?": a page of their rows,
 * and the sequence at which it holds.
 */
#ifndef RELAY_NNG_ROWS_H
#define RELAY_NNG_ROWS_H

#include "transports/nng_request.h"
#include "transports/transport.h"

/* Appends the reply, of at most FRAME_REPLY_MAX bytes. ERR_FORMAT: the request is to blame. */
int refill_rows(const struct transport_history *h, const struct refill_request *q, struct buf *out,
		struct err *err);

#endif
