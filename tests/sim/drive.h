/*
 * drive — the simulator's model and a whole relay in one process, on one virtual clock, without
 * sockets: a day passes in seconds. The relay's journal is a real one with its real threads; while
 * one of them has an answer outstanding, virtual time stands still.
 */
#ifndef RELAY_TEST_DRIVE_H
#define RELAY_TEST_DRIVE_H

#include "examples/invent-sim/model.h"
#include "relay/base/event.h"
#include "relay/relay.h"

struct drive;

/* Answers a request whose reply is due in place of the drive's own model: calls done once, before
 * it returns. */
typedef void drive_serve(void *arg, int64_t now_ms, const struct sim_request *rq, http_done *done,
			 void *done_arg);

struct drive_options {
	struct model_options model;
	const char *dir;     /* of the journal and of events.ndjson */
	const char *source;  /* further lines of the source: section, indented by two; "" */
	const char *rest;    /* destinations and rules; NULL: everything into events.ndjson */
	const char *journal; /* further members of the journal: section, ", keep: 1h"; NULL: none */
	int64_t latency_ms;  /* of each reply; 0: 50 */
	int64_t start_ms;    /* the relay starts so long after the model's epoch */
	bool forget_events;  /* the journal numbers them and does not write them */

	/* What is wrong; does not return. NULL: prints it and aborts. */
	void (*fail)(const char *why);
	/* The rest is called with arg; each may be NULL. */
	void *arg;
	/* A request begins; path without the query (NULL: none). */
	void (*asked)(void *arg, const char *path, const char *query);
	/* Events, each as it was committed. On the journal's thread, while the loop waits for it.
	 */
	void (*event)(void *arg, const struct event *ev);
	/* The same of whole batches. */
	void (*committed)(void *arg, const struct batch *b);
	drive_serve *serve;
};

/* Fails when something cannot be opened. */
struct drive *drive_open(const struct drive_options *o);
void drive_close(struct drive *d);

struct model *drive_model(const struct drive *d);
struct relay *drive_relay(const struct drive *d);
int64_t drive_now_ms(const struct drive *d); /* virtual, since 1970 */

/* Lets so much virtual time pass. */
void drive_run(struct drive *d, int64_t ms);
/* The same, but no longer than until done says true. Returns whether it did. */
bool drive_run_until(struct drive *d, int64_t ms, bool (*done)(void *arg), void *arg);
/* Ends the relay as a kill would (nothing in memory survives, replies under way are lost) and
 * starts another on its journal. */
void drive_restart(struct drive *d);

/* The same, and of what is not committed when it is called nothing will be. */
void drive_kill(struct drive *d);
/* From now on each commit fails with such an err_code (ERR_LIMIT: there is no room, and
 * housekeeping makes some); 0: none does. */
void drive_fail_commits(struct drive *d, int code);

/* What SIGHUP does, with other lines of the source: section (borrowed until the next call). */
void drive_reload(struct drive *d, const char *source);
/* The same with other destinations and rules. */
void drive_reload_rules(struct drive *d, const char *rest);

/* As drive_restart, at the moment when the next page is on its way through the journal. */
void drive_cut(struct drive *d);

/* Requests begun in any 60 s window, at most, so far. */
unsigned drive_peak_requests(const struct drive *d);

/* Waits, without letting virtual time pass, until all that the relay owes is in the file. */
void drive_drain(struct drive *d);

/* Does a file of events (NULL: events.ndjson) say what the ledger does? If not, `out` (NULL:
 * nobody) is told what is wrong. */
bool drive_agrees(struct drive *d, const char *events, FILE *out);
/* The same of events.ndjson; fails and prints what is wrong unless they agree. */
void drive_verify(struct drive *d);

#endif
