/*
 * hold — what the loop and the journal's thread agree on about retention: the loop wants that no
 * event goes for a moment, the thread takes some in passes of its housekeeping. Neither waits for
 * the other: a hold that is asked for during a pass is given at its end.
 */
#ifndef RELAY_HOLD_H
#define RELAY_HOLD_H

#include "relay/base/mailbox.h"

struct hold;

struct hold *hold_new(struct mailbox *loop);
void hold_free(struct hold *h); /* NULL is allowed */

/* The loop: `given` is posted to it once the hold is there, and then hold_end lets go of it. One at
 * a time. */
void hold_ask(struct hold *h, void (*given)(void *arg), void *arg);
void hold_end(struct hold *h);

/* The thread, around its housekeeping: may it take events? In the end, whether there is more to do;
 * what a hold put off comes before the next hold. */
bool hold_begin_pass(struct hold *h);
void hold_end_pass(struct hold *h, bool more);
/* There will be no pass any more. */
void hold_end_passes(struct hold *h);

#endif
