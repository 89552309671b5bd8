/*
 * test_text — where a test differs from what was expected, for people and for programs.
 */
#ifndef RELAY_TEST_TEXT_H
#define RELAY_TEST_TEXT_H

#include "relay/cmd/test_compare.h"

/* Appends lines such as
 *
 *   step 2, routes (line 14): 1 expected, 2 came
 *       { type: recipient.sent, to: bus }
 *     - { type: recipient.failed, to: crm, rule: failurs }
 *     + { type: recipient.failed, to: crm, rule: failures }
 *
 * "-" is what was expected, "+" what came: of the entry that was probably meant the members that
 * were named, of another one those that tell it from its like. */
void test_text(struct buf *out, const struct test_case *t, const struct mismatch *m);
/* One JSON object. */
void test_text_json(struct buf *out, const struct mismatch *m);
/* All that came in each step, to read and to paste. */
void test_text_show(struct buf *out, const struct test_case *t, const struct test_got *got);

#endif
