/*
 * rules — which events go where. A list of rules, tried in order; all that match apply; `stop`
 * ends the list. Immutable once loaded, so a reload loads anew and swaps the pointer.
 *
 * `when` is an event pattern (pattern.h). A rule with `alert` sends no events: it counts them, and
 * its `to` gets the alerts (window.h). docs/rules.md is for users.
 */
#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/event.h"
#include "relay/base/template.h"
#include "relay/config/option.h"
#include "rules/window.h"

#define RULES_MAX	20000
#define RULES_SCORE_MAX 200000 /* of all patterns together: some 100 MB of index */
#define RULE_TOPIC_MAX	1024   /* bytes; a longer one gives way to the event's own topic */

struct rules;

/* A destination as the rules see it; numbered by its place in the list given to rules_load. */
struct rules_destination {
	const char *name;
	bool topical;	   /* its routes have topics */
	int64_t repeat_ms; /* how often an open alert is told there, unless a rule says; 0: not */
};

struct rule_hit {
	size_t rule; /* its place in the list */
	size_t destination;
	const char
		*topic; /* borrowed until the next call with that scratch; NULL: the event's own */
};

/* Problems carry their place; on any, returns NULL. list may be NULL: no rules, nothing matches.
 * The list lives as long as the rules. */
struct rules *rules_load(const struct node *list, const struct rules_destination *destinations,
			 size_t n, struct problems *p);
void rules_free(struct rules *r); /* NULL is allowed */

size_t rules_count(const struct rules *r);
const char *rules_name(const struct rules *r, size_t rule);
uint64_t rules_version(const struct rules *r, size_t rule); /* hash64 of the rule's meaning */
const struct pattern *rules_pattern(const struct rules *r, size_t rule);
bool rules_enabled(const struct rules *r, size_t rule);
bool rules_stop(const struct rules *r, size_t rule);
bool rules_is_alert(const struct rules *r, size_t rule);
/* Its place; SIZE_MAX: there is none of that name. */
size_t rules_find(const struct rules *r, const char *name);
/* What the rule says a callback's body is; NULL: nothing, or there is no such rule. */
const struct template *rules_body(const struct rules *r, const char *name);
bool rules_have_bodies(const struct rules *r);			   /* some rule says one */
const struct node *rules_node(const struct rules *r, size_t rule); /* where it stands */
/* Each path that a rule looks at, dotted. */
void rules_paths(const struct rules *r, size_t rule, pattern_path_fn *fn, void *arg);

/* Warns of rules that do nothing, because of others or whatever the event (shadow.h). It takes
 * longer than the load, and is for who writes rules. */
void rules_warn(const struct rules *r, struct problems *p);

/* The enabled rules with `alert`, in order, and their places. Returns how many. */
size_t rules_alerts(const struct rules *r, const struct alert_rule *const **ret,
		    const size_t **ret_places);

/* One hit per destination, by the first rule that names it; at most as many as destinations, for
 * which ret has room. Returns the number of hits. Thread: the one that uses `scratch`. */
struct rules_scratch; /* memory reused from event to event; belongs to one `struct rules` */
struct rules_scratch *rules_scratch_new(const struct rules *r);
void rules_scratch_free(struct rules_scratch *s);
size_t rules_route(struct rules_scratch *s, const struct event *ev, struct rule_hit *ret);
/* The same for an alert of that rule: first to its own destinations, then as the others say. */
size_t rules_route_alert(struct rules_scratch *s, const struct event *ev, size_t rule,
			 struct rule_hit *ret);

extern const struct option rule_option_table[]; /* for schema and reference */

#endif
