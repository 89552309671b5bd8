/*
 * named — events that a command names one by one: whether they are what it is for, and if not, what
 * else became of them.
 */
#ifndef RELAY_NAMED_H
#define RELAY_NAMED_H

#include "relay/cmd/selection.h"

/* Is it parked at any destination? -1 with ERR_MISSING: it is not; the error says where it is
 * instead, or that there is none such. what: a sequence or an id. */
int named_is_parked(const struct reading *from, const char *what, struct err *err);

/* Prints to stderr which of the events that are named the job would not take up, and why. *ret: how
 * many. */
int named_check(const struct reading *from, const struct selection *s, const char *command,
		size_t *ret, struct err *err);

#endif
