/* nng_opening — handshake, greeting, greeting. Invariant: we greet without waiting for the peer's
 * greeting, as SP wants it. */
#include "transports/nng_opening.h"

static int greet(struct opening *o, struct channel *channel, const char **ret_why)
{
	unsigned char own[SP_GREETING];
	struct iovec part = {own, sizeof own};

	sp_greeting(own, o->own);
	/* Whoever is there has taken all that came before, so there is room. */
	if (channel_write(channel, &part, 1) != sizeof own) {
		*ret_why = CHANNEL_ENDED;
		return CHANNEL_GONE;
	}
	o->shaken = true;
	return 1;
}

static int shake(struct opening *o, struct channel *channel, const char **ret_why)
{
	int done = channel_shake(channel, ret_why);

	return done == 1 ? greet(o, channel, ret_why) : done;
}

static int hear(struct opening *o, struct channel *channel, const char **ret_why)
{
	while (o->got < SP_GREETING) {
		ssize_t n = channel_read(channel, o->greeting + o->got, SP_GREETING - o->got);

		if (n == CHANNEL_GONE)
			*ret_why = CHANNEL_ENDED;
		if (n <= 0)
			return (int)n;
		o->got += (size_t)n;
	}
	if (sp_greeting_is(o->greeting, o->peer))
		return 1;
	*ret_why = "it is another kind of socket";
	return CHANNEL_GONE;
}

int opening_go_on(struct opening *o, struct channel *channel, const char **ret_why)
{
	int done = o->shaken ? 1 : shake(o, channel, ret_why);

	return done == 1 ? hear(o, channel, ret_why) : done;
}
