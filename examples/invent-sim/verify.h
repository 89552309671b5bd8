/*
 * verify — does what arrived say what happened? The ledger's lines against files of events.
 *
 * First all events are read, then the ledger, so that memory grows with the events (some 70 bytes
 * each) and hardly with the ledger, which may be a stream. An event stands for a ledger line when
 * broadcast, recipient and type (and, of a reverted one, the state) agree, and, where the line is
 * timed, the time. Per id:
 *
 *   missing    owed, and no event says it
 *   invented   an event of which the ledger knows nothing
 *   repeats    the same event again, byte for byte but for prevsequence: allowed
 *   second id  the same fact under another id
 *   different  the same id with other content
 */
#ifndef INVENT_SIM_VERIFY_H
#define INVENT_SIM_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

enum verify_count {
	VERIFY_OWED,
	VERIFY_RECEIVED, /* distinct ids */
	VERIFY_MISSING,
	VERIFY_INVENTED,
	VERIFY_REPEATS,
	VERIFY_SECOND,
	VERIFY_DIFFERENT,
	VERIFY_COUNTS
};
extern const char *const verify_count_names[VERIFY_COUNTS];

struct verify;

/* types: those to compare, NULL-terminated; NULL: all recipient.… but updated. */
struct verify *verify_new(const char *const *types);
void verify_free(struct verify *v);

/* One event a line, as JSON or as "topic JSON". What is neither counts as unreadable. The file is
 * opened again to show a line of it. */
int verify_events(struct verify *v, const char *path, struct err *err);
/* Once, after all events. Fails on a line that is no ledger's. */
int verify_ledger(struct verify *v, FILE *from, const char *name, struct err *err);

/* Nothing missing, invented, doubled or different? */
bool verify_holds(const struct verify *v);
uint64_t verify_total(const struct verify *v, enum verify_count what);
uint64_t verify_unreadable(const struct verify *v);
/* A table by type, and the first five of each problem. */
void verify_print(const struct verify *v, const char *label, FILE *out);
void verify_json(const struct verify *v, const char *label, struct buf *out);

/* `invent-sim verify …`: compares and prints; returns the exit status. */
int verify_main(int argc, char **argv);

#endif
