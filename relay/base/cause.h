/*
 * cause — what many error messages have in common: their words without the numbers and ids.
 */
#ifndef RELAY_CAUSE_H
#define RELAY_CAUSE_H

#include "relay/base/buf.h"

#define CAUSE_MAX 120

/* "Error 30003: handset +49171…" → "Error #: handset +#"; appends at most CAUSE_MAX bytes, whole
 * characters only. */
void cause_normalise(struct buf *out, const char *message);

#endif
