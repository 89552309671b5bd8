/*
 * random_rules — `when`s and events from small alphabets, so that they meet. For tests that compare
 * matchers.
 */
#ifndef RELAY_RANDOM_RULES_H
#define RELAY_RANDOM_RULES_H

#include "relay/base/buf.h"
#include "relay/base/random.h"

/* As YAML flow text; a few will be refused for naming a path twice. */
void random_when(struct buf *out, struct prng *random);
/* As JSON text, with white space and escapes here and there, and members of one name. */
void random_event(struct buf *out, struct prng *random);

#endif
