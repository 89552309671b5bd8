/*
 * input — a file, or standard input, as a whole.
 */
#ifndef RELAY_INPUT_H
#define RELAY_INPUT_H

#include "relay/base/buf.h"
#include "relay/base/err.h"

/* path "-": standard input. Appends to ret, whose ceiling is that of the input. */
int input_read(struct buf *ret, const char *path, struct err *err);

/* As it is called in messages. */
const char *input_name(const char *path);

#endif
