/*
 * pattern_wildcard — `*` stands for any bytes, also none. `\*` is an asterisk, `\\` a backslash;
 * another escape and two wildcards side by side are errors, as in EventBridge.
 */
#ifndef RELAY_PATTERN_WILDCARD_H
#define RELAY_PATTERN_WILDCARD_H

#include "relay/base/err.h"
#include "rules/pattern_form.h"

/* One piece when there is no wildcard in it. */
int wildcard_parse(struct wildcard *ret, const char *text, size_t len, struct err *err);
void wildcard_release(struct wildcard *w);

/* Linear in len and the pieces: each is taken where it is found first. */
bool wildcard_match(const struct wildcard *w, const char *text, size_t len);

#endif
