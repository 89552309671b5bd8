/*
 * mailbox — the only thing that two threads share: functions to be run by the mailbox's owner.
 *
 * Any thread posts; the owner runs what has come, in the order of arrival. A message that arrives
 * wakes the owner through the function given at the start (http_wake, or a condition variable's
 * signal).
 */
#ifndef RELAY_MAILBOX_H
#define RELAY_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

struct mailbox;

/* `wake` is called after a post to an empty mailbox, by the poster's thread. NULL: nobody waits. */
struct mailbox *mailbox_open(void (*wake)(void *), void *wake_arg);

/* The owner, when no other thread posts any more. What is still inside is run first, so that
 * whoever posted keeps no memory. NULL is allowed. */
void mailbox_close(struct mailbox *m);

void mailbox_post(struct mailbox *m, void (*run)(void *arg), void *arg); /* any thread */
bool mailbox_run(struct mailbox *m); /* the owner; false when nothing had come */

/* The owner's wait, for a thread that has no other: returns when something has come or after
 * timeout_ms (-1: no end), without running it. Not together with a `wake` of your own. */
void mailbox_wait(struct mailbox *m, int timeout_ms);

#endif
