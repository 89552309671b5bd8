/*
 * slow_listener — a subscriber that stood still while more was published than its queue holds, and
 * reads again: what the bus says it lost is what it misses.
 */
#ifndef RELAY_TESTS_SLOW_LISTENER_H
#define RELAY_TESTS_SLOW_LISTENER_H

#include "tests/suite/nng_world.h"
#include "tests/suite/sp_listener.h"

/* Reads all that is left for it, up to the world's last event; it has read from the first on, and
 * is the nth among the figures' peers. */
void slow_listener_catches_up(struct nng_world *w, struct sp_listener *l, size_t nth);

#endif
