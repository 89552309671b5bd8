/* pattern_implies — by cases over the kinds of tests. Invariant: each case that says true is a fact
 * about test_value, whatever the leaf; what is not listed says false. */
#include "rules/pattern_implies.h"

#include <string.h>

/* Of leaves of one JSON type only? BUT and EXISTS take them all. */
enum leaf_class { OF_STRINGS, OF_NUMBERS, OF_TRUE, OF_FALSE, OF_NULL, OF_ANY };

static enum leaf_class class_of(const struct test *t)
{
	switch (t->kind) {
	case TEST_NUMBER:
	case TEST_RANGE: return OF_NUMBERS;
	case TEST_TRUE: return OF_TRUE;
	case TEST_FALSE: return OF_FALSE;
	case TEST_NULL: return OF_NULL;
	case TEST_BUT:
	case TEST_EXISTS:
	case TEST_ABSENT: return OF_ANY;
	default: return OF_STRINGS;
	}
}

/* The one leaf of which the test holds; false: there may be more. */
static bool only_leaf(const struct test *t, struct value *ret)
{
	switch (t->kind) {
	case TEST_STRING:
		*ret = (struct value){.type = JSON_STRING, .text = t->text, .len = t->len};
		return true;
	case TEST_NUMBER:
		*ret = (struct value){.type = JSON_NUMBER, .number = t->number};
		return true;
	case TEST_NULL: *ret = (struct value){.type = JSON_NULL}; return true;
	default: return false;
	}
}

struct bytes {
	const char *text;
	size_t len;
};

static bool begins(struct bytes b, struct bytes with)
{
	return b.len >= with.len && memcmp(b.text, with.text, with.len) == 0;
}

static bool ends(struct bytes b, struct bytes with)
{
	return b.len >= with.len && memcmp(b.text + b.len - with.len, with.text, with.len) == 0;
}

static bool equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && begins(a, b);
}

/* With what every string begins of which the test holds. */
static struct bytes beginning(const struct test *t)
{
	if (t->kind == TEST_PREFIX)
		return (struct bytes){t->text, t->len};
	if (t->kind == TEST_WILDCARD)
		return (struct bytes){t->wildcard.v[0].text, t->wildcard.v[0].len};
	return (struct bytes){"", 0};
}

static struct bytes ending(const struct test *t)
{
	const struct piece *last;

	if (t->kind == TEST_SUFFIX)
		return (struct bytes){t->text, t->len};
	if (t->kind != TEST_WILDCARD)
		return (struct bytes){"", 0};
	last = &t->wildcard.v[t->wildcard.n - 1];
	return (struct bytes){last->text, last->len};
}

static bool same_wildcard(const struct wildcard *a, const struct wildcard *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!equal((struct bytes){a->v[i].text, a->v[i].len},
			   (struct bytes){b->v[i].text, b->v[i].len}))
			return false;
	}
	return true;
}

static bool range_within(const struct test *narrow, const struct test *wide)
{
	bool low = narrow->range.low > wide->range.low ||
		   (narrow->range.low == wide->range.low &&
		    (wide->range.low_in || !narrow->range.low_in));
	bool high = narrow->range.high < wide->range.high ||
		    (narrow->range.high == wide->range.high &&
		     (wide->range.high_in || !narrow->range.high_in));

	return low && high;
}

static bool ranges_apart(const struct test *a, const struct test *b)
{
	return a->range.high < b->range.low || b->range.high < a->range.low ||
	       (a->range.high == b->range.low && !(a->range.high_in && b->range.low_in)) ||
	       (b->range.high == a->range.low && !(b->range.high_in && a->range.low_in));
}

/* Do the first bits of both networks agree? */
static bool same_bits(const struct test *a, const struct test *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	unsigned differ =
		a->cidr.bytes[whole < 16 ? whole : 15] ^ b->cidr.bytes[whole < 16 ? whole : 15];

	return memcmp(a->cidr.bytes, b->cidr.bytes, whole) == 0 &&
	       (!rest || !(differ & 0xff & (0xff00u >> rest)));
}

/* Both of one kind. */
static bool implies_its_kind(const struct test *narrow, const struct test *wide)
{
	struct bytes n = {narrow->text, narrow->len}, w = {wide->text, wide->len};

	switch (narrow->kind) {
	case TEST_TRUE:
	case TEST_FALSE: return true;
	case TEST_PREFIX:
	case TEST_PREFIX_NOCASE: return begins(n, w);
	case TEST_SUFFIX:
	case TEST_SUFFIX_NOCASE: return ends(n, w);
	case TEST_NOCASE:
	case TEST_REGEX: return equal(n, w);
	case TEST_WILDCARD: return same_wildcard(&narrow->wildcard, &wide->wildcard);
	case TEST_RANGE: return range_within(narrow, wide);
	case TEST_CIDR:
		return narrow->cidr.family == wide->cidr.family &&
		       narrow->cidr.bits >= wide->cidr.bits &&
		       same_bits(narrow, wide, wide->cidr.bits);
	default: return false;
	}
}

static bool tests_exclude(const struct test *a, const struct test *b);

/* Everything that the wide one leaves out, the narrow one leaves out or cannot be. */
static bool implies_but(const struct test *narrow, const struct test *wide)
{
	for (size_t i = 0; i < wide->n; i++) {
		if (!tests_exclude(narrow, &wide->v[i]))
			return false;
	}
	return true;
}

/* Every leaf of which `narrow` holds is one of which `wide` holds; ABSENT implies only itself. */
static bool test_implies(const struct test *narrow, const struct test *wide)
{
	struct value leaf;

	if (narrow->kind == TEST_ABSENT || wide->kind == TEST_ABSENT)
		return narrow->kind == wide->kind;
	if (wide->kind == TEST_EXISTS)
		return true;
	if (only_leaf(narrow, &leaf))
		return test_value(wide, &leaf);
	if (wide->kind == TEST_BUT)
		return implies_but(narrow, wide);
	if (narrow->kind == wide->kind)
		return implies_its_kind(narrow, wide);
	if (wide->kind == TEST_PREFIX)
		return wide->len &&
		       begins(beginning(narrow), (struct bytes){wide->text, wide->len});
	if (wide->kind == TEST_SUFFIX)
		return wide->len && ends(ending(narrow), (struct bytes){wide->text, wide->len});
	if (narrow->kind == TEST_NOCASE && wide->kind == TEST_PREFIX_NOCASE)
		return begins((struct bytes){narrow->text, narrow->len},
			      (struct bytes){wide->text, wide->len});
	if (narrow->kind == TEST_NOCASE && wide->kind == TEST_SUFFIX_NOCASE)
		return ends((struct bytes){narrow->text, narrow->len},
			    (struct bytes){wide->text, wide->len});
	return false;
}

/* `but` leaves out all that the other can be. */
static bool left_out(const struct test *but, const struct test *other)
{
	for (size_t i = 0; i < but->n; i++) {
		if (test_implies(other, &but->v[i]))
			return true;
	}
	return false;
}

/* No leaf is there of which both hold. */
static bool tests_exclude(const struct test *a, const struct test *b)
{
	struct value leaf;
	struct bytes begin_a, begin_b, end_a, end_b;

	if (a->kind == TEST_ABSENT || b->kind == TEST_ABSENT)
		return true;
	if (only_leaf(a, &leaf))
		return !test_value(b, &leaf);
	if (only_leaf(b, &leaf))
		return !test_value(a, &leaf);
	if (a->kind == TEST_BUT || b->kind == TEST_BUT)
		return (a->kind == TEST_BUT && b->kind != TEST_BUT && left_out(a, b)) ||
		       (b->kind == TEST_BUT && a->kind != TEST_BUT && left_out(b, a));
	if (class_of(a) == OF_ANY || class_of(b) == OF_ANY)
		return false;
	if (class_of(a) != class_of(b))
		return true;
	if (a->kind == TEST_RANGE && b->kind == TEST_RANGE)
		return ranges_apart(a, b);
	if (a->kind == TEST_CIDR && b->kind == TEST_CIDR)
		return a->cidr.family != b->cidr.family ||
		       !same_bits(a, b, a->cidr.bits < b->cidr.bits ? a->cidr.bits : b->cidr.bits);
	begin_a = beginning(a), begin_b = beginning(b), end_a = ending(a), end_b = ending(b);
	return !(begins(begin_a, begin_b) || begins(begin_b, begin_a)) ||
	       !(ends(end_a, end_b) || ends(end_b, end_a));
}

static bool condition_implies(const struct condition *narrow, const struct condition *wide)
{
	for (size_t i = 0; i < narrow->n; i++) {
		size_t k = 0;

		while (k < wide->n && !test_implies(&narrow->v[i], &wide->v[k]))
			k++;
		if (k == wide->n)
			return false;
	}
	return true;
}

static const struct condition *at_path(const struct conjunction *c, const struct condition *like)
{
	for (size_t i = 0; i < c->n; i++) {
		if (condition_compare(&c->v[i], like) == 0)
			return &c->v[i];
	}
	return NULL;
}

static bool asks_for_absence(const struct condition *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind == TEST_ABSENT)
			return true;
	}
	return false;
}

/* Can one array lie on both paths? Not where `data` stands: that is an object. */
static bool may_share_array(const struct condition *a, const struct condition *b)
{
	size_t shared = 0, least = strcmp(a->keys[0], "data") == 0 ? 2 : 1;

	while (shared < a->nkeys && shared < b->nkeys &&
	       strcmp(a->keys[shared], b->keys[shared]) == 0)
		shared++;
	return shared >= least;
}

/* What counts as absent depends on the elements that other conditions have chosen: is there one
 * that only the narrow one asks for? */
static bool chooses_more(const struct conjunction *narrow, const struct conjunction *wide,
			 const struct condition *absent)
{
	for (size_t i = 0; i < narrow->n; i++) {
		if (may_share_array(&narrow->v[i], absent) && !at_path(wide, &narrow->v[i]))
			return true;
	}
	return false;
}

/* The elements of arrays that make the narrow one hold make the wide one hold: it asks for less of
 * the same paths. */
bool conjunction_implies(const struct conjunction *narrow, const struct conjunction *wide)
{
	for (size_t i = 0; i < wide->n; i++) {
		const struct condition *w = &wide->v[i], *n = at_path(narrow, w);

		if (!n || !condition_implies(n, w))
			return false;
		if (asks_for_absence(w) && chooses_more(narrow, wide, w))
			return false;
	}
	return true;
}
