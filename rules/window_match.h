/*
 * window_match — which rules look at an event, and as what. One look-up for all patterns of all
 * rules; an event that none looks at costs no tree.
 */
#ifndef RELAY_WINDOW_MATCH_H
#define RELAY_WINDOW_MATCH_H

#include "rules/alert_rule.h"

struct matcher;

struct match {
	size_t rule;
	bool other; /* it matches `of` or `absent`, not `when` */
};

/* The rules are borrowed. */
struct matcher *matcher_new(const struct alert_rule *const *rules, size_t n);
void matcher_free(struct matcher *m); /* NULL is allowed */
/* Matches ascending by rule, borrowed until the next call. */
size_t matcher_match(struct matcher *m, const char *text, size_t len, const struct match **ret);

#endif
