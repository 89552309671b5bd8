/*
 * shadow — rules that do nothing, seen from the rules alone: one that no event can match, one that
 * earlier rules with `stop` leave no event, one that names a destination to which earlier rules
 * send each of its events. Pure.
 *
 * What is told is sure; what is not told may be so all the same. What no event can be is known of
 * the envelope and of recipients' data only (docs/events.md).
 */
#ifndef RELAY_SHADOW_H
#define RELAY_SHADOW_H

#include "rules/pattern.h"

struct shadow_rule { /* borrowed */
	const struct pattern *pattern;
	const size_t *to; /* numbers of destinations, each below `ndestinations` */
	size_t nto;
	bool enabled, stop;
	bool alert; /* sends no events: it can only match or not */
};

enum shadow_kind { SHADOW_NEVER_MATCHES, SHADOW_NEVER_TRIED, SHADOW_TAKEN };

struct shadow {
	enum shadow_kind kind;
	size_t rule;	    /* its place in the list */
	const char *why;    /* NEVER_MATCHES: "data.state is …"; borrowed for the call */
	size_t by;	    /* else: an earlier rule, the only one or … */
	bool by_more;	    /* … one of several that do it together */
	size_t destination; /* TAKEN */
};
typedef void shadow_fn(void *arg, const struct shadow *s);

void shadow_find(const struct shadow_rule *rules, size_t n, size_t ndestinations, shadow_fn *fn,
		 void *arg);

#endif
