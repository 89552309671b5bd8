/*
 * shadow_never — can an event be as this alternative asks? From what is always so of an event's
 * envelope, of a recipient's data, and of any JSON value. Part of shadow.c.
 */
#ifndef RELAY_SHADOW_NEVER_H
#define RELAY_SHADOW_NEVER_H

#include "relay/base/buf.h"
#include "rules/pattern_form.h"

#define SHADOW_WHY_MAX 1024

/* True: surely no event is. `why` (NULL: nobody asks) then gets the reason, cut where it is full.
 */
bool shadow_never(const struct conjunction *c, struct buf *why);

#endif
