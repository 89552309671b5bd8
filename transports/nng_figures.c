/* nng_figures — names and what they mean. Invariant: all of them together are fewer than
 * TRANSPORT_FIGURES. */
#include "transports/nng_figures.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SHORT_MS 60000 /* so the log has it once a minute at most */

static void add(struct transport_figures *ret, const char *name, bool counter, const char *help,
		double value)
{
	assert(ret->n < TRANSPORT_FIGURES);
	ret->v[ret->n++] = (struct transport_figure){name, help, counter, value};
}

static void count(struct transport_figures *ret, const char *name, uint64_t value, const char *help)
{
	add(ret, name, true, help, (double)value);
}

static void gauge(struct transport_figures *ret, const char *name, uint64_t value, const char *help)
{
	add(ret, name, false, help, (double)value);
}

static void fill_pipes(struct transport_figures *ret, const struct pipes_totals *t)
{
	gauge(ret, "relay_bus_subscribers", t->now, "Subscribers connected.");
	count(ret, "relay_bus_subscribers_total", t->ever, "Connections of subscribers so far.");
	count(ret, "relay_bus_subscribers_left_total", t->left,
	      "Connections of subscribers that have ended.");
	count(ret, "relay_bus_subscribers_refused_total", t->refused,
	      "Connections closed at once, as there were too many, or too few files.");
	gauge(ret, "relay_bus_queued_messages", t->queued,
	      "Messages that wait for subscribers, of all together.");
	gauge(ret, "relay_bus_queued_messages_max", t->queued_max,
	      "The same of the subscriber with the most.");
	count(ret, "relay_bus_dropped_messages_total", t->dropped,
	      "Messages that subscribers lost by being slow, of all together.");
	count(ret, "relay_bus_slow_subscribers_total", t->slow,
	      "Times that a subscriber began to lose messages.");
	add(ret, "relay_bus_waited_seconds_total", true,
	    "Time that publishing stood still for subscribers' queues.",
	    (double)t->waited_us / 1e6);
}

static void tell_of_files(struct transport_figures *ret, const struct bus_counts *c)
{
	int64_t bus_ms = c->pipes.short_ms, refill_ms = c->refill.short_ms;
	int64_t last_ms = bus_ms > refill_ms ? bus_ms : refill_ms;

	ret->short_of_files = last_ms && c->now_ms - last_ms < SHORT_MS;
	if (ret->short_of_files)
		snprintf(ret->trouble, sizeof ret->trouble,
			 "who connects is turned away: three quarters of the %" PRIu64
			 " files that the relay may open are open; raise the limit (ulimit -n, "
			 "LimitNOFILE)",
			 c->files);
}

void figures_fill(struct transport_figures *ret, const struct bus_counts *c)
{
	tell_of_files(ret, c);
	count(ret, "relay_bus_published_messages_total", c->published, "Events published.");
	count(ret, "relay_bus_heartbeats_total", c->heartbeats, "Heartbeats published.");
	fill_pipes(ret, &c->pipes);
	if (!c->refills)
		return;
	count(ret, "relay_bus_refill_requests_total", c->refill.requests, "Refills asked for.");
	count(ret, "relay_bus_refill_events_total", c->refill.events, "Events given in refills.");
	count(ret, "relay_bus_refill_errors_total", c->refill.errors,
	      "Refills that were answered with an error.");
}
