/*
 * pattern — one compiled `when`: EventBridge's event patterns, written in YAML over the whole
 * event.
 *
 * Keys are "and", lists are "or", an array in the event matches when one of its elements does, a
 * scalar stands for a list of one, a dot in a key goes inside. Conditions on one array of objects
 * must hold within one element (array consistency). `$or` is multiplied out, so that a pattern is a
 * list of conjunctions; how many there are, and what its wildcards and regular expressions may
 * cost, is its score, which has a ceiling. Immutable once compiled. docs/rules.md is for users;
 * tests/data/patterns has a table for each operator.
 *
 * Source: Amazon EventBridge User Guide, "Event patterns" and "Comparison operators".
 */
#ifndef RELAY_PATTERN_H
#define RELAY_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/json.h"
#include "relay/config/yaml.h"

struct pattern;

/* when NULL: matches everything. Problems carry their place; on any, returns NULL. */
struct pattern *pattern_compile(const struct node *when, struct problems *p);
void pattern_free(struct pattern *pt); /* NULL is allowed */

/* By walking the tree: for one pattern at a time. index.h is for many. */
bool pattern_match(const struct pattern *pt, const struct json *event);

uint64_t pattern_hash(const struct pattern *pt); /* of its meaning: equal meanings, equal hash */
/* What it may cost, at least 1; see docs/rules.md. One pattern's is bounded at the load. */
uint64_t pattern_score(const struct pattern *pt);
bool pattern_is_everything(const struct pattern *pt);

/* Each path that it names, dotted ("data.recipient.contact.channels"); once or more. */
typedef void pattern_path_fn(void *arg, const char *path);
void pattern_paths(const struct pattern *pt, pattern_path_fn *fn, void *arg);

/* Each condition of it: which one, what the event has there, and whether it holds. The texts live
 * until the function returns; what came from the environment is not in them. For `relay explain`.
 * Returns what pattern_match does. */
struct pattern_finding {
	size_t alternative; /* which conjunction ($or multiplied out), from 0 */
	const char *path;
	const char *wanted; /* the condition's list as JSON text, shortened when it is long */
	const char *seen;   /* the event's value, or a list of all, as JSON text; "absent" */
	bool holds;	    /* looked at alone, or within an alternative that holds */
	const char *note;   /* NULL, or why elements of arrays make a difference: one phrase */
};
typedef void pattern_finding_fn(void *arg, const struct pattern_finding *f);
bool pattern_explain(const struct pattern *pt, const struct json *event, pattern_finding_fn *fn,
		     void *arg);

#endif
