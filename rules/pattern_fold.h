/*
 * pattern_fold — letters without regard to case, one by one and without a locale.
 *
 * Two letters are the same when one is the upper and the other the lower form and each leads back
 * to the other: e and E, é and É, я and Я, ω and Ω, of the basic multilingual plane. So EventBridge
 * does it, whose Java asks for both forms of each character alone. What has no single partner
 * stays as it is: ß (SS), ı and İ, ς (Σ is the partner of σ), ſ, ligatures, what lies beyond
 * U+FFFF.
 */
#ifndef RELAY_PATTERN_FOLD_H
#define RELAY_PATTERN_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buf.h"

/* Appends the text folded: equal but for case, equal bytes. Its length may differ. UTF-8 in. */
void fold_text(struct buf *out, const char *s, size_t len);

/* Is `s` the folded text, does it begin so, does it end so? Nothing is allocated. */
bool fold_equal(const char *folded, size_t nfolded, const char *s, size_t len);
bool fold_prefix(const char *folded, size_t nfolded, const char *s, size_t len);
bool fold_suffix(const char *folded, size_t nfolded, const char *s, size_t len);

#endif
