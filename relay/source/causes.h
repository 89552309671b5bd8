/*
 * causes — how many rows of a broadcast failed for what, by channel. Pure. As text it is kept by
 * the journal while the broadcast runs.
 *
 * At most CAUSES_MAX are told apart; for a new one the rarest goes into `other`.
 */
#ifndef RELAY_CAUSES_H
#define RELAY_CAUSES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buf.h"

#define CAUSES_MAX 100

struct cause {
	char *channel; /* owned; an integration_id; "": not given */
	char *text;    /* owned; see base/cause.h; "": no message */
	uint64_t n;
};
struct causes { /* {0} is valid */
	struct cause *v;
	size_t n, cap;
	uint64_t other;
};
void causes_release(struct causes *c);

/* NULL: not given. */
void causes_add(struct causes *c, const char *channel, const char *error_message);
void causes_add_all(struct causes *c, const struct causes *more);
uint64_t causes_total(const struct causes *c);
void causes_sort(struct causes *c); /* the most frequent first */

void causes_write(const struct causes *c, struct buf *out);
/* Adds what causes_write wrote; false: it did not. NULL: nothing. */
bool causes_read(struct causes *c, const char *text);

#endif
