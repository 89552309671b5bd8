/*
 * index — many patterns at once, at a cost that does not grow with those that do not match.
 *
 * What a pattern matches does not depend on which others are in the index: it is what pattern_match
 * says of it alone, and a differential test proves it. Immutable once built; each thread brings its
 * own scratch.
 */
#ifndef RELAY_INDEX_H
#define RELAY_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "rules/pattern.h"

struct index;
struct index_scratch; /* memory reused from event to event; belongs to one index and one thread */

/* The patterns, not their array, are borrowed for as long as the index lives; numbered from 0 in
 * this order. */
struct index *index_build(const struct pattern *const *patterns, size_t n);
void index_free(struct index *ix);	    /* NULL is allowed */
size_t index_bytes(const struct index *ix); /* memory, without the patterns' own texts */

struct index_scratch *index_scratch_new(const struct index *ix);
void index_scratch_free(struct index_scratch *s); /* NULL is allowed */

/* The fields that patterns look at, from an event's text: valid JSON, as event_make writes it. The
 * text must stay until index_match returned. */
void index_read(const struct index *ix, struct index_scratch *s, const char *text, size_t len);
/* The patterns that match what was read, ascending. Borrowed until the next call. */
size_t index_match(const struct index *ix, struct index_scratch *s, const uint32_t **ret);

#endif
