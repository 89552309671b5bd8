/*
 * rules_parts — a rule as it is kept. Shared by rules*.c only.
 */
#ifndef RELAY_RULES_PARTS_H
#define RELAY_RULES_PARTS_H

#include "rules/index.h"
#include "rules/rules.h"

struct rule_options {
	char *name;
	const struct node *when, *alert, *topic, *body;
	struct strings to;
	bool stop, enabled;
};

struct rule {
	struct rule_options options;
	const struct node *at;
	struct pattern *pattern;
	struct alert_rule *alert;      /* or NULL */
	struct template *topic, *body; /* or NULL */
	size_t *to;		       /* places among the destinations, as many as options.to */
	uint64_t version;
};

struct rules {
	struct rule *v;
	size_t n;
	bool *topical; /* per destination */
	size_t ndestinations;
	size_t *by_name; /* places, ascending by name */

	/* Of the enabled rules without `alert`: what is looked up for every event. */
	struct index *index;
	size_t *places;	  /* of the index's patterns in the list */
	bool look_inside; /* some of them has a `when` */
	bool bodies;	  /* some rule has one */

	const struct alert_rule **alerts;
	size_t *alert_places, nalerts;
};

#endif
