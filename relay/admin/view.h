/*
 * view — what the admin API is shown of a running relay: borrowed pointers, made for one answer on
 * the loop thread and gone with it. relay.c fills it; nothing here owns anything.
 */
#ifndef RELAY_VIEW_H
#define RELAY_VIEW_H

#include "relay/base/clock.h"
#include "relay/base/event.h"
#include "relay/delivery/delivery.h"
#include "relay/source/report.h"
#include "rules/window.h"

/* How long single calls held the loop thread: counts per power of two from 1 µs. */
#define LOOP_BUCKETS 24
struct relay_loop {
	uint64_t calls[LOOP_BUCKETS], longest_us, total_us;
};

struct admin_view {
	struct instant now;
	const char *version;
	int64_t started_ms; /* mono */
	const struct source *source;
	const struct journal *journal;
	const struct delivery *delivery;
	const char *journal_file; /* NULL: none on this machine */
	const struct relay_loop *loop;
	size_t rules;
	struct windows_status alerts; /* of all of them together */
	const uint64_t *events;	      /* committed since the start, by event_type_place */
	bool answered;		      /* the API has, since the start */
	bool journal_full;	      /* polling pauses for it */
	bool stopping;
	const char *down_why; /* while the source is down; else NULL */
};

#endif
