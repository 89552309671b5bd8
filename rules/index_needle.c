/* index_needle — the needles of each operator. Invariant: a value of which the test holds contains
 * each of the test's needles in the needle's manner. */
#include "rules/index_needle.h"

#include <string.h>

static bool only(size_t n, struct needle *ret, enum key_kind kind, const struct test *t)
{
	*ret = (struct needle){kind, t->text, t->len, true};
	return n == 0 && (t->len || kind >= KEY_LENGTHS);
}

static bool number(size_t n, struct needle *ret, const struct test *t)
{
	static const double zero = 0; /* stands for -0, too */

	*ret = (struct needle){KEY_NUMBER, (const char *)(t->number == 0 ? &zero : &t->number),
			       sizeof t->number, true};
	return n == 0;
}

/* Each piece that is not empty. */
static bool piece(size_t n, struct needle *ret, const struct wildcard *w)
{
	for (size_t i = 0; i < w->n; i++) {
		bool first = i == 0, last = i + 1 == w->n;

		if (!w->v[i].len || n--)
			continue;
		*ret = (struct needle){first  ? KEY_PREFIX
				       : last ? KEY_SUFFIX
					      : KEY_LITERAL,
				       w->v[i].text, w->v[i].len, false};
		if (first || last)
			ret->whole = w->n == 2 && w->v[first].len == 0;
		else
			ret->whole = w->n == 3 && !w->v[0].len && !w->v[2].len;
		return true;
	}
	return false;
}

bool needle_of(const struct test *t, size_t n, struct needle *ret)
{
	switch (t->kind) {
	case TEST_STRING: return only(n, ret, KEY_STRING, t);
	case TEST_PREFIX: return only(n, ret, KEY_PREFIX, t);
	case TEST_SUFFIX: return only(n, ret, KEY_SUFFIX, t);
	case TEST_NOCASE: return only(n, ret, KEY_NOCASE, t);
	case TEST_PREFIX_NOCASE: return only(n, ret, KEY_PREFIX_NOCASE, t);
	case TEST_SUFFIX_NOCASE: return only(n, ret, KEY_SUFFIX_NOCASE, t);
	case TEST_NUMBER: return number(n, ret, t);
	case TEST_WILDCARD: return piece(n, ret, &t->wildcard);
	case TEST_CIDR:
		*ret = (struct needle){KEY_BLOCK, (const char *)&t->cidr, sizeof t->cidr, true};
		return n == 0;
	case TEST_REGEX: return needle_of_regex(t->text, t->len, n, ret);
	default: return false;
	}
}
