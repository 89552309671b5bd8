/*
 * source_filter — the `filter:` map of the `source:` section: which recipients are asked for.
 */
#ifndef RELAY_SOURCE_FILTER_H
#define RELAY_SOURCE_FILTER_H

#include "relay/source/source.h"

/* Fills filter, scope_filter and state_filter from filter_map; problems stand at its members. */
void source_filter_read(struct source_options *o, struct problems *p);

/* Adds a copy; all of them are released by source_options_release. */
void source_strings_add(struct strings *list, const char *text);

#endif
