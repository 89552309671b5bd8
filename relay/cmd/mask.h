/*
 * mask — the texts of a piece of the configuration that must not be shown: what came from the
 * environment, and what NAME_file holds.
 */
#ifndef RELAY_MASK_H
#define RELAY_MASK_H

#include "relay/base/buf.h"
#include "relay/config/option.h"

/* All at and below the node, appended. */
void mask_collect(struct strings *ret, const struct node *n);
void mask_release(struct strings *masks); /* wipes */

/* The text with *** for each of them. */
void mask_text(struct buf *out, const struct strings *masks, const char *text);
/* Of a URL that holds one nothing is shown behind the host. */
void mask_url(struct buf *out, const struct strings *masks, const char *url);

#endif
