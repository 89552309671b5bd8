/*
 * shell — runs a command line and feeds it a text.
 */
#ifndef RELAY_SHELL_H
#define RELAY_SHELL_H

#include <stddef.h>

#include "relay/base/err.h"

/* Runs it by /bin/sh -c with the text and a newline as its standard input, and waits. `variables`
 * ("NAME=value", NULL ends them) stand before the environment's own. Whether it
 * reads that is its own affair; -1 when it could not be started or its exit status is not 0. The
 * caller has a handler for SIGPIPE (not SIG_IGN, which the command would inherit). */
int shell_feed(const char *command, char *const *variables, const char *text, size_t len,
	       struct err *err);

#endif
