/*
 * sim_client — what the tests of the simulator ask it, and its answers taken apart.
 */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "examples/invent-sim/model.h"
#include "relay/base/json.h"

#define SIM_EPOCH 1795392000000LL /* 2026-11-23T00:00:00Z */
#define SIM_PATH  "/orgs/c/broadcasts/bc_1/recipients"

/* One broadcast of n recipients sent within a minute; fails the test when that is not possible. */
struct model *sim_make(uint32_t n, enum sim_order order);
struct model_options sim_options(const struct sim_broadcast *b, enum sim_order order);
struct model *sim_make_with(const struct model_options *o);

/* Asks at that time without confirming that it was served. Release the reply. */
void sim_ask(struct model *m, int64_t now_ms, const char *path, const char *query,
	     struct sim_reply *ret);
/* The same, served, and parsed: the JSON lives as long as the doc. */
const struct json *sim_read(struct model *m, int64_t now_ms, const char *path, const char *query,
			    struct json_doc *doc);
/* pagination-count of a list. */
uint64_t sim_count(struct model *m, int64_t now_ms, const char *query);

/* All rows of bc_1 that match, page by page. */
struct sim_row {
	char id[32], integration[32], contact[32], user[80], username[80], email[80];
	uint32_t flags; /* 1 << SIM_SKIPPED …; PROCESSED by status */
	int64_t at[SIM_STATES], created_ms, updated_ms;
};
struct sim_rows {
	struct sim_row *v;
	size_t n, cap;
};
/* filter: "is_failed=true" or "". */
void sim_rows(struct model *m, int64_t now_ms, const char *filter, unsigned take,
	      struct sim_rows *ret);
void sim_rows_release(struct sim_rows *r);
const struct sim_row *sim_rows_find(const struct sim_rows *r, const char *id);

/* The whole ledger as text; free it. */
char *sim_ledger(struct model *m);
/* How many of its lines hold both texts (NULL: any). */
size_t sim_lines(const char *ledger, const char *one, const char *other);

#endif
