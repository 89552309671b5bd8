/*
 * store_world — one test's store, freshly made, and short ways to use it that end the test when
 * they fail. The clauses of the suite stand in store_commits.c, store_rows.c, store_reads.c,
 * store_contacts.c, store_picks.c, store_past.c, store_index.c and store_pages.c.
 */
#ifndef RELAY_STORE_WORLD_H
#define RELAY_STORE_WORLD_H

#include "tests/suite/store_fixture.h"
#include "tests/suite/store_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct world {
	const struct suite_store *under;
	void *options;
	struct store *store; /* open for writing */
	struct err err;
};

#define PASS(w, call)                                                                              \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("%s: %s", #call, (w)->err.msg);                                   \
	} while (0)

/* Commits and frees the batches, the last of which is followed by NULL. */
void world_commit(struct world *w, struct batch *first, ...) __attribute__((sentinel));
void world_reopen(struct world *w);
struct store *world_reading(struct world *w);
int64_t world_latest(struct world *w, struct store *s);
/* One step of housekeeping; returns the oldest sequence held. */
int64_t world_tidy(struct world *w, int64_t now_ms);
size_t world_held(struct world *w); /* how many are held */
/* A batch with n fixture events. */
struct batch *world_events(int n);
/* The routes that a query finds; release them. */
struct delivery_routes world_routes(struct world *w, const struct route_query *q);

extern const struct CMUnitTest store_commits[], store_rows[], store_reads[], store_contacts[],
	store_picks[], store_past[], store_index[], store_pages[];
extern const size_t nstore_commits, nstore_rows, nstore_reads, nstore_contacts, nstore_picks,
	nstore_past, nstore_index, nstore_pages;

#endif
