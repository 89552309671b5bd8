/*
 * relay_bus — a subscriber of the bus (docs/bus.md) that loses nothing, with nng and cJSON. Made to
 * be copied: this file and relay_bus.c, link with -lnng -lcjson.
 *
 *	struct relay_bus *bus = relay_bus_open("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556",
 *					       "recipient.failed.", on_event, NULL);
 *	int got = bus ? relay_bus_load(bus, "failures.json") : -1;
 *	while (got >= 0 && !stopping)
 *		if ((got = relay_bus_poll(bus, 200)) > 0)
 *			got = relay_bus_save(bus, "failures.json");
 *
 * It notices what is missing by `prevsequence` and by heartbeats, asks the refill address for it,
 * page by page, and connects again whatever ends.
 *
 * Threads: one at a time. The handler is called from relay_bus_poll only, which waits as long as it
 * was told to, or up to 5 s for a refill; a signal ends that.
 */
#ifndef RELAY_BUS_H
#define RELAY_BUS_H

#include <cjson/cJSON.h>

struct relay_bus;

/*
 * Each event once, in the order of its topic. The arguments are lent until it returns. Return 0:
 * the event is held and does not come again. -1: it is not, and relay_bus_poll returns -1, too.
 */
typedef int relay_bus_handler(void *arg, const char *topic, const cJSON *event);

/*
 * `topic` is the beginning of topics, or one whole topic and a space; "" is all. It dials both
 * addresses, and need not reach them yet. The strings are copied. NULL: an address that is none,
 * or no memory.
 */
struct relay_bus *relay_bus_open(const char *url, const char *refill_url, const char *topic,
				 relay_bus_handler *handler, void *arg);

/*
 * How far it came: the position, and what is held above it. Save after relay_bus_poll returned 1,
 * and at the end: after a kill, what came since the last save comes again. Load goes before the
 * first poll; without a file everything comes that the relay holds. 0; -1: relay_bus_error.
 */
int relay_bus_save(struct relay_bus *bus, const char *path);
int relay_bus_load(struct relay_bus *bus, const char *path);

/*
 * Waits up to `ms` for what comes, and hands it out. 1: the position has moved. 0: it has not.
 * -1: relay_bus_error says why: the handler returned -1; or no heartbeat and no refill came for a
 * minute, whatever was tried. The relay may be down; but nng 1.5, which Debian 12 has, can also
 * stand still for good. So start the process anew, or poll on for another minute.
 */
int relay_bus_poll(struct relay_bus *bus, int ms);

const char *relay_bus_error(const struct relay_bus *bus);

/* What the last poll has to tell a log: a gap filled, a refill refused. NULL: nothing. */
const char *relay_bus_note(const struct relay_bus *bus);

/*
 * There is no close: nng 1.5 may never return from nng_close of a SUB socket on which messages
 * arrive. Keep one for the life of the process, and end that with _exit.
 */

#endif
