/*
 * pattern_implies — does one part of a pattern hold wherever another holds? Sound and incomplete:
 * true is sure, false may mean that it could not be seen. Part of shadow.c.
 */
#ifndef RELAY_PATTERN_IMPLIES_H
#define RELAY_PATTERN_IMPLIES_H

#include "rules/pattern_form.h"

/* Every event that matches `narrow` matches `wide`. */
bool conjunction_implies(const struct conjunction *narrow, const struct conjunction *wide);

#endif
