/*
 * delivery_rig — a delivery on a real journal in a folder of its own, with scripted receivers
 * instead of transports and a clock that stands still until told to move. There is one destination
 * (number 1, "crm"), and with rig_open_two another (number 2, "erp").
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
	uint64_t group;
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
	unsigned opened, closed, ticks;
	const struct transport_env *env; /* of the newest outlet */
};

struct rig {
	char *folder, *path;
	struct mailbox *loop;
	struct journal *journal;
	struct store_head head;
	struct delivery *delivery;
	struct delivery_options options, replaced_options;
	int first_key;
	bool away; /* not in the configuration: rig_start makes it known only */
	struct instant now;
	struct receiver receiver, other; /* of crm and erp */
	const struct transport_type *type;
	unsigned notices[DELIVERY_WHATS]; /* of crm */
	char why[256];			  /* of the last one */
	struct prng random;
	const char *data; /* of the events that are committed; NULL: {} */
	int64_t latest;
};

extern atomic_bool rig_commits_fail, rig_reads_fail;

int rig_open(void **state);
int rig_open_two(void **state);
int rig_close(void **state);

/* n events, event i with key (w->first_key + i) % nkeys; each has a route to the destination. */
void rig_commit(struct rig *w, int n, int nkeys);
void rig_commit_to(struct rig *w, uint32_t destination, int n, int nkeys); /* 0: no routes */
/* Routes one to the first destination after all. */
void rig_route_late(struct rig *w, int64_t sequence);
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
void rig_answer_as(struct rig *w, size_t i, const struct outcome *outcome);
struct delivery_status rig_status(struct rig *w);
/* The exceptions that the journal holds; ends the journal's and delivery's present life. */
void rig_look(struct rig *w);
size_t rig_attempts(struct rig *w, int64_t sequence); /* rows of the journal */
size_t rig_all_attempts(struct rig *w);

/* The receivers as a transport; and as one of calls with up to 10 parcels. */
extern const struct transport_type rig_transport, rig_batch_transport;

bool judge_sent(struct rig *w, const struct parcel *p, struct outcome *ret);
bool judge_hold(struct rig *w, const struct parcel *p, struct outcome *ret);

#endif
