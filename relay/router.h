/*
 * router — events of a batch → routes: asks the rules where each event goes and writes the answer
 * into the same batch. Routing decisions are history: they are taken once, when the event is
 * journaled, and kept with the rule's name and version.
 */
#ifndef RELAY_ROUTER_H
#define RELAY_ROUTER_H

#include "relay/journal/batch.h"
#include "rules/rules.h"

struct router;

/* A destination as the rules number it. */
struct router_destination {
	uint32_t number; /* the journal's */
	bool topical;
};

/* known: the rules the journal holds, ascending by number; copied. */
struct router *router_new(const struct rule_record *known, size_t n);
void router_free(struct router *r); /* NULL is allowed */

/* The rules in force from now on, borrowed until the next call; destinations in their numbering. */
void router_use(struct router *r, const struct rules *rules,
		const struct router_destination *destinations, size_t n);

/* Adds routes for the batch's events from the `first` on, and the rules' own records where the
 * journal may not have them yet. */
void router_route(struct router *r, struct batch *b, size_t first);
/* The same, but nothing to the destination of that number: the events are about it. 0: none. */
void router_route_but(struct router *r, struct batch *b, size_t first, uint32_t but);
/* One event, an alert of that rule (its place in the list): to the rule's destinations, then as for
 * any event. */
void router_route_alert(struct router *r, struct batch *b, size_t event, size_t rule);
/* An event that was committed earlier: where the rules in force send it to the destination of that
 * number, which is not topical, adds that route and the rule's record. False: they do not. */
bool router_add_late(struct router *r, struct batch *b, const struct event *ev,
		     uint32_t destination);
/* What the rule of that number says of a callback's body, under the rules in force: by its name,
 * so that mending a template mends what waits. NULL: nothing. */
const struct template *router_body(const struct router *r, uint32_t rule);
/* The batch was committed: its rule records are held. */
void router_committed(struct router *r, const struct batch *b);

#endif
