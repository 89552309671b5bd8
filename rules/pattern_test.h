/*
 * pattern_test — one member of a list of values: a value or an operator, compiled.
 */
#ifndef RELAY_PATTERN_TEST_H
#define RELAY_PATTERN_TEST_H

#include "rules/pattern_form.h"

/* Mistakes are told at their place; what is in ret then can only be released. */
void test_compile(struct test *ret, const struct node *n, struct problems *p);
void test_release(struct test *t);

/* What it may cost beyond a plain value: see PATTERN_SCORE_MAX. */
uint64_t test_cost(const struct test *t);

/* The names of all operators, NULL-terminated. */
extern const char *const test_operators[];

#endif
