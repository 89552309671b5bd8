/*
 * pattern_types — which types of events can match a pattern at all.
 */
#ifndef RELAY_PATTERN_TYPES_H
#define RELAY_PATTERN_TYPES_H

#include "rules/pattern.h"

/* The types that the patterns name between them (NULL among them names none), each once,
 * NULL-terminated; the array is yours, the texts are the patterns'. NULL: one of them does not tell
 * them by name, so that any type may match. */
const char **pattern_types(const struct pattern *a, const struct pattern *b);

#endif
