/*
 * pattern_form — the compiled form of a pattern: alternatives of conjunctions of conditions. Shared
 * by pattern*.c, which makes it, index*.c, which looks many up at once, and shadow*.c, which
 * compares them; nobody else includes it.
 */
#ifndef RELAY_PATTERN_FORM_H
#define RELAY_PATTERN_FORM_H

#include "rules/pattern.h"

enum test_kind {
	TEST_STRING, /* these bytes */
	TEST_NUMBER,
	TEST_TRUE,
	TEST_FALSE,
	TEST_NULL,
	TEST_PREFIX,
	TEST_SUFFIX,
	TEST_NOCASE, /* equals-ignore-case … */
	TEST_PREFIX_NOCASE,
	TEST_SUFFIX_NOCASE,
	TEST_WILDCARD,
	TEST_RANGE, /* numeric */
	TEST_CIDR,
	TEST_REGEX,
	TEST_BUT,    /* anything-but: a leaf is there and none of `v` holds of it */
	TEST_EXISTS, /* a leaf is there */
	TEST_ABSENT, /* none is */
};

/* A leaf of an event: no object, no array. */
struct value {
	enum json_type type;
	const char *text; /* of a string, its bytes unescaped; no NUL behind them is promised */
	size_t len;
	double number; /* of a number; 1 and 0 of true and false */
};

/* A wildcard as its literal pieces: "a*b*" is "a", "b", "". At least two, or it is a STRING. The
 * pieces lie one behind the other in one owned block, at v[0].text. */
struct wildcard {
	struct piece {
		char *text;
		size_t len;
	} * v;
	size_t n;
};

/* A block of IP addresses: the first `bits` bits are these, the others 0. */
struct addresses {
	uint8_t bytes[16];     /* 4 of them or all */
	unsigned bits, family; /* 4 or 6; an IPv4 address mapped into IPv6 is IPv4 */
};

struct test {
	enum test_kind kind;
	char *text; /* owned: STRING, PREFIX …; folded where NOCASE (pattern_fold.h); of WILDCARD,
		       CIDR and REGEX as it was written */
	size_t len;
	bool secret;   /* came from the environment: never shown */
	double number; /* never -0, nor are the bounds of a range */
	struct {
		double low, high;     /* -INFINITY, INFINITY: open */
		bool low_in, high_in; /* the bound itself belongs to it */
	} range;
	struct wildcard wildcard;
	struct addresses cidr;
	struct regex *regex; /* pattern_regex.h */
	struct test *v;	     /* owned: BUT */
	size_t n;
};

/* What must hold of the value at one path: one of `v`. Keys and tests belong to the pattern, since
 * alternatives share them: conditions with the same `v` are the same condition. */
struct condition {
	char **keys; /* outermost first; none has a dot, which separates two in a pattern */
	size_t nkeys;
	struct test *v;
	size_t n;
	uint64_t hash;	       /* of its meaning */
	const struct node *at; /* for messages; only during the load */
};

/*
 * All of them hold, for elements of arrays that are consistent. Ascending by path: key by key in
 * the order of strcmp, a path before what lies inside it; no path twice. Empty: matches every
 * event.
 *
 * The order has a meaning for ABSENT, as in EventBridge: the leaves that count are those in the
 * elements that the conditions before it have chosen, which are all leaves as long as none has. Of
 * equal names in one object of an event the first counts.
 */
struct conjunction {
	struct condition *v;
	size_t n;
};

struct pattern {
	struct conjunction *v; /* one of them holds */
	size_t n;
	uint64_t hash;
	uint64_t score;
	struct group *group; /* owned: what the conditions share, before $or is multiplied out */
};

/* Does the test hold of this leaf? Not for ABSENT, which holds of none. */
bool test_value(const struct test *t, const struct value *v);

/* The order of conditions: negative, 0, positive. */
int condition_compare(const struct condition *a, const struct condition *b);

#endif
