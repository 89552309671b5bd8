/*
 * What relay.c (life and loop), relay_open.c (start) and relay_reload.c (change) share.
 */
#ifndef RELAY_RELAY_STATE_H
#define RELAY_RELAY_STATE_H

#include "relay/base/http.h"
#include "relay/intake.h"
#include "relay/relay.h"
#include "transports/wire.h"

/* A destination the journal knows, with settings or (detached) without. */
struct known_destination {
	struct destination_record record;
	bool open;    /* delivery has it */
	bool taken;   /* not only named by a reload that may still fail */
	bool written; /* the journal has its record as it is; else each batch carries it */
};

struct relay {
	struct relay_env env;
	struct settings *settings;
	struct settings *next;	    /* a reload that waits for the source to fall quiet … */
	struct source *next_source; /* … and its source, where that section changed */
	struct http *http;	    /* the loop's; NULL in simulations */
	struct mailbox *mailbox;
	struct journal *journal;
	struct transport_history history;
	struct names states, statuses;
	struct router *router;
	struct intake *intake;
	struct source *source;
	struct wire *wire;
	struct delivery *delivery;
	struct known_destination *destinations;
	size_t ndestinations, destinations_cap;
	struct exception *exceptions; /* as the journal held them at the start, for destinations
					 that come back by a reload */
	size_t nexceptions;
	struct sockaddr_storage own[64]; /* where we listen: never called; fixed at the start */
	size_t nown;
	int64_t full_until_ms; /* mono: polling pauses because the journal is full; 0: it does not
				*/
	int64_t parked,
		parked_told_ms; /* events parked since the start; when the log said so last */
	bool refusing;		/* the journal refused the last commit of rows */
	bool reload_again;	/* it was asked for while another waited */
	bool stopping;
	char *last_trouble; /* what was logged last, so that repetition is not */
	struct relay_loop loop;
};

struct instant relay_now(const struct relay *r);
void relay_note_call(struct relay *r, int64_t started_us);

/* relay_reload.c; also the last step of a start. Opens what the settings name, aside; on failure
 * nothing has changed. Then: makes it current, detaches the others, gives the rules to the router.
 */
int relay_prepare_destinations(struct relay *r, struct settings *s, struct err *err);
void relay_take_destinations(struct relay *r, struct settings *s);
/* Adds the records of destinations that the journal may not have. */
void relay_add_destinations(const struct relay *r, struct batch *b);
void relay_destinations_committed(struct relay *r, const struct batch *b);
struct source *relay_open_source(struct relay *r, struct settings *s, struct err *err);
/* The waiting reload, once the source is quiet. */
void relay_finish_reload(struct relay *r);

#endif
