/*
 * nng_opening — how a connection that was accepted begins: the TLS handshake, where there is TLS,
 * then a greeting each way. For those who serve many of them and say how long that may take.
 */
#ifndef RELAY_NNG_OPENING_H
#define RELAY_NNG_OPENING_H

#include "transports/nng_channel.h"
#include "transports/nng_sp.h"

struct opening {
	enum sp_protocol own, peer;
	bool shaken; /* and our greeting is sent */
	unsigned char greeting[SP_GREETING];
	size_t got; /* bytes of it */
};

/* Goes on as far as it can without waiting. 1: it is open, and nothing behind the greeting was
 * read; CHANNEL_LATER; CHANNEL_GONE: it is to be ended, and *ret_why, a constant, says why. */
int opening_go_on(struct opening *o, struct channel *channel, const char **ret_why);

#endif
