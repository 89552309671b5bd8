/*
 * delivery_rig — a delivery on a real journal in a folder of its own, with a scripted receiver
 * instead of a transport and a clock that stands still until told to move.
 */
#ifndef RELAY_DELIVERY_RIG_H
#define RELAY_DELIVERY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "relay/delivery/delivery.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

/* One attempt as the receiver saw it. */
struct arrival {
	int64_t sequence, at_ms;
	uint64_t key;
	unsigned attempt;
	enum verdict verdict;
};

struct rig;

struct receiver {
	/* Fills the outcome, or returns false to hold the parcel until told otherwise. */
	bool (*judge)(struct rig *w, const struct parcel *p, struct outcome *ret);
	struct arrival *log;
	size_t n, cap;
	const struct parcel *held[4096];
	size_t nheld;
	unsigned opened, closed;
	const struct transport_env *env; /* of the newest outlet */
};

struct rig {
	char *folder, *path;
	struct mailbox *loop;
	struct journal *journal;
	struct store_head head;
	struct delivery *delivery;
	struct delivery_options options, replaced_options;
	struct instant now;
	struct receiver receiver;
	unsigned notices[4]; /* by enum delivery_notice */
	char why[256];	     /* of the last notice */
	struct prng random;
	int64_t latest;
};

extern atomic_bool rig_commits_fail, rig_reads_fail;

int rig_open(void **state);
int rig_close(void **state);

/* n events, event i with key keys[i % nkeys]; each has a route to the destination. */
void rig_commit(struct rig *w, int n, int nkeys);
/* Opens delivery on what the journal holds (rig_open did so, without events). */
void rig_start(struct rig *w);
/* As a kill does: what was not committed is lost. Then opens journal and delivery again. */
void rig_kill(struct rig *w);
/* As a reload does, with w->replaced_options. */
void rig_replace(struct rig *w);
/* The same where the destination's section has changed. */
void rig_enable(struct rig *w);
/* Ticks until nothing moves without time passing or the receiver answering. */
void rig_pump(struct rig *w);
/* Lets time pass, from tick to tick as delivery asks for. */
void rig_pass(struct rig *w, int64_t ms);
/* The receiver answers the held parcel i. */
void rig_answer(struct rig *w, size_t i, enum verdict verdict);
struct delivery_status rig_status(struct rig *w);
/* The exceptions that the journal holds; ends the journal's and delivery's present life. */
void rig_look(struct rig *w);
size_t rig_attempts(struct rig *w, int64_t sequence); /* rows of the journal */

bool judge_sent(struct rig *w, const struct parcel *p, struct outcome *ret);
bool judge_hold(struct rig *w, const struct parcel *p, struct outcome *ret);

#endif
