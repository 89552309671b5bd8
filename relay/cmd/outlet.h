/*
 * outlet — standard output of a command that goes on for long: whole lines, written when they are
 * flushed or many have come. A reader that takes nothing holds the command up, but not for good
 * once *stop is set.
 */
#ifndef RELAY_OUTLET_H
#define RELAY_OUTLET_H

#include <signal.h>
#include <stdbool.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

struct outlet {
	struct buf text;
	const volatile sig_atomic_t *stop;
	bool failed;
	bool quiet; /* when its reader is gone, the process ends by SIGPIPE, as filters do */
};

void outlet_init(struct outlet *l, const volatile sig_atomic_t *stop, bool quiet);
/* Adds a line; of a text with line ends in it they are left out by the caller. */
int outlet_add(struct outlet *l, const char *text, size_t len, struct err *err);
/* When it fails, some of what was added since the last flush is written, and nothing more will be.
 */
int outlet_flush(struct outlet *l, struct err *err);

#endif
