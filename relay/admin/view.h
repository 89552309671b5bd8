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

/* What may be done to it; on the loop thread. On failure err says why: ERR_USAGE, the request is
 * wrong; ERR_MISSING, there is nothing of that name; ERR_DENIED, the state it is in forbids it;
 * ERR_LIMIT, there is too much already. */
struct admin_request; /* admin.h */
enum admin_act { ADMIN_ENABLE, ADMIN_DISABLE, ADMIN_DROP };
struct admin_acts {
	/* why: of a disabling; NULL: nobody says. */
	int (*destination)(void *arg, const char *name, enum admin_act act, const char *why,
			   struct err *err);
	/* A request's body (relay/job.h) and the name of its kind; *ret_job: as it was taken. */
	int (*job)(void *arg, const char *kind, const struct admin_request *q, struct buf *ret_job,
		   struct err *err);
	void (*jobs)(void *arg, struct buf *out); /* as a JSON array */
	int (*cancel)(void *arg, int64_t id, struct err *err);
	/* Events that were given up for a destination, since the start. */
	uint64_t (*dropped)(void *arg, uint32_t number);
	void *arg;
};

struct admin_view {
	const struct admin_acts *acts;
	struct instant now;
	const char *version;
	int64_t started_ms; /* mono */
	const struct source *source;
	const struct journal *journal;
	const struct delivery *delivery;
	const char *journal_file; /* NULL: none on this machine */
	const struct relay_loop *loop;
	size_t rules;
	size_t jobs;		      /* that are open */
	struct windows_status alerts; /* of all of them together */
	const uint64_t *events;	      /* committed since the start, by event_type_place */
	bool answered;		      /* the API has, since the start */
	bool journal_full;	      /* polling pauses for it */
	bool stopping;
	const char *down_why; /* while the source is down; else NULL */
};

#endif
