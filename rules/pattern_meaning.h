/*
 * pattern_meaning — a hash of what a compiled pattern means: the order of keys, of values in a list
 * and of alternatives does not matter, nor whether one is there twice, nor how the YAML is written.
 */
#ifndef RELAY_PATTERN_MEANING_H
#define RELAY_PATTERN_MEANING_H

#include "rules/pattern_form.h"

uint64_t condition_meaning(const struct condition *c);
/* From the conditions' `hash`. */
uint64_t pattern_meaning(const struct pattern *pt);

#endif
