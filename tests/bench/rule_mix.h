/*
 * rule_mix — events as Relay makes them and rules as people write them over such events, for a
 * bench: every operator, one to four fields a rule. The same seed makes the same ones.
 *
 * What a rule is about, a broadcast, a number range, an error code, is rare, as in an installation
 * with thousands of rules; what narrows it further is common.
 */
#ifndef RELAY_BENCH_RULE_MIX_H
#define RELAY_BENCH_RULE_MIX_H

#include <stdbool.h>

#include "relay/base/buf.h"
#include "relay/base/random.h"

/* A recipient's event; of some 600 bytes, or with the whole row as the API gives it. */
void mix_event(struct buf *out, struct prng *random, bool whole_row);

enum mix_kind {
	MIX_RULES,    /* all operators */
	MIX_NEVER,    /* the same, but what they are about occurs in no event */
	MIX_RESIDUAL, /* one condition: regex, without regard to case, anything-but */
	MIX_SHORT,    /* a wildcard of a fragment of two or three letters */
	MIX_BARE,     /* a regex without a text that it needs: each runs on each event */
};

/* The `when` of the n-th rule, as YAML flow text. */
void mix_rule(struct buf *out, struct prng *random, enum mix_kind kind, unsigned n);

#endif
