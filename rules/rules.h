/*
 * rules — which events go where. A list of rules, tried in order; all that match apply; `stop`
 * ends the list. Immutable once loaded, so a reload loads anew and swaps the pointer.
 *
 * `when` is an EventBridge event pattern written in YAML over the whole event: keys are "and",
 * lists are "or", an array in the event matches when one of its elements does, a scalar stands for
 * a list of one. docs/rules.md is for users.
 */
#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/event.h"
#include "relay/config/option.h"

#define RULES_MAX 20000

struct rules;

struct rule_hit {
	size_t rule;	    /* its place in the list */
	const char *name;   /* borrowed from the rules */
	size_t destination; /* its place among the names given to rules_load */
};

/* destinations: all names, NULL-terminated. Problems carry their place; on any, returns NULL.
 * list may be NULL: no rules, nothing matches. */
struct rules *rules_load(const struct node *list, const char *const *destinations,
			 struct problems *p);
void rules_free(struct rules *r); /* NULL is allowed */

size_t rules_count(const struct rules *r);
const char *rules_name(const struct rules *r, size_t rule);
uint64_t rules_version(const struct rules *r, size_t rule); /* hash64 of the rule's meaning */

/* One hit per destination, by the first rule that names it; at most as many as destinations.
 * Thread: the one that uses `scratch`. Returns the number of hits in ret, which has room for all
 * destinations. */
struct rules_scratch; /* memory reused from event to event */
struct rules_scratch *rules_scratch_new(void);
void rules_scratch_free(struct rules_scratch *s);
size_t rules_route(const struct rules *r, struct rules_scratch *s, const struct event *ev,
		   struct rule_hit *ret);

extern const struct option rule_option_table[]; /* for schema and reference */

#endif
