/* One test against one leaf. Everything that can be prepared was prepared at load. */
#include "rules/pattern_form.h"

#include <string.h>

#include "rules/pattern_cidr.h"
#include "rules/pattern_fold.h"
#include "rules/pattern_regex.h"
#include "rules/pattern_wildcard.h"

static bool in_range(const struct test *t, double number)
{
	return (number > t->range.low || (t->range.low_in && number == t->range.low)) &&
	       (number < t->range.high || (t->range.high_in && number == t->range.high));
}

static bool test_string(const struct test *t, const char *s, size_t len)
{
	switch (t->kind) {
	case TEST_STRING: return len == t->len && memcmp(s, t->text, len) == 0;
	case TEST_PREFIX: return len >= t->len && memcmp(s, t->text, t->len) == 0;
	case TEST_SUFFIX: return len >= t->len && memcmp(s + len - t->len, t->text, t->len) == 0;
	case TEST_NOCASE: return fold_equal(t->text, t->len, s, len);
	case TEST_PREFIX_NOCASE: return fold_prefix(t->text, t->len, s, len);
	case TEST_SUFFIX_NOCASE: return fold_suffix(t->text, t->len, s, len);
	case TEST_WILDCARD: return wildcard_match(&t->wildcard, s, len);
	case TEST_CIDR: return addresses_hold(&t->cidr, s, len);
	case TEST_REGEX: return regex_match(t->regex, s, len);
	default: return false;
	}
}

bool test_value(const struct test *t, const struct value *v)
{
	switch (t->kind) {
	case TEST_NULL: return v->type == JSON_NULL;
	case TEST_TRUE: return v->type == JSON_BOOL && v->number != 0;
	case TEST_FALSE: return v->type == JSON_BOOL && v->number == 0;
	case TEST_NUMBER: return v->type == JSON_NUMBER && v->number == t->number;
	case TEST_RANGE: return v->type == JSON_NUMBER && in_range(t, v->number);
	case TEST_EXISTS: return true;
	case TEST_ABSENT: return false;
	case TEST_BUT:
		for (size_t i = 0; i < t->n; i++)
			if (test_value(&t->v[i], v))
				return false;
		return true;
	default: return v->type == JSON_STRING && test_string(t, v->text, v->len);
	}
}
