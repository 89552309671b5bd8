/*
 * pattern_regex — regular expressions (PCRE2) as a test, the one extension of EventBridge's. Only
 * its source knows the library; where that is missing at build time, another source takes its place
 * and says so.
 *
 * UTF-8; nothing is anchored. A match that needs more than its limits is no match. Immutable once
 * compiled; any thread may match, each call brings what it needs.
 */
#ifndef RELAY_PATTERN_REGEX_H
#define RELAY_PATTERN_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/err.h"

#define REGEX_MAX      1000 /* bytes of an expression */
#define REGEX_TEXT_MAX 8192 /* bytes of a text; a longer one does not match */

struct regex;

bool regex_is_built_in(void);
struct regex *regex_compile(const char *text, size_t len, struct err *err); /* NULL: err says why */
void regex_free(struct regex *r);					    /* NULL is allowed */
bool regex_match(const struct regex *r, const char *text, size_t len);

#endif
