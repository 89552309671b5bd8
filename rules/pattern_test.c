/* Values and operators from YAML. Invariant: what EventBridge refuses is refused here, with the
 * place; nothing is guessed. */
#include "rules/pattern_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/pattern_cidr.h"
#include "rules/pattern_fold.h"
#include "rules/pattern_regex.h"
#include "rules/pattern_wildcard.h"

#define REGEX_COST 10 /* its limits allow more work than a wildcard's pieces need */

const char *const test_operators[] = {
	"prefix",   "suffix",	    "equals-ignore-case",
	"wildcard", "anything-but", "numeric",
	"exists",   "cidr",	    "regex",
	NULL,
};

static void set_text(struct test *t, enum test_kind kind, const struct node *n)
{
	t->kind = kind;
	t->text = xstrndup(n->text, n->len);
	t->len = n->len;
	t->secret = n->secret;
}

static void set_folded(struct test *t, enum test_kind kind, const struct node *n)
{
	struct buf folded = BUF_INIT(n->len * 3 + 1);

	fold_text(&folded, n->text, n->len);
	t->kind = kind;
	t->len = folded.len;
	t->text = buf_detach(&folded);
	t->secret = n->secret;
}

/* A string in the sense of JSON; 12, true and null are none without quotes. */
static bool is_string(const struct node *n)
{
	bool truth;
	double number;

	return n->kind == NODE_SCALAR && !node_is_null(n) && !node_bool(n, &truth) &&
	       !node_number(n, &number);
}

/* -0 is 0, so that equal numbers have equal bytes. */
static bool read_number(const struct node *n, double *ret)
{
	if (!node_number(n, ret))
		return false;
	*ret += 0.0;
	return true;
}

static bool wants_string(const struct node *n, const char *what, struct problems *p)
{
	if (is_string(n))
		return true;
	problem_at(p, n, "%s takes a string%s", what,
		   n->kind == NODE_SCALAR ? "; put it in quotes" : "");
	return false;
}

/* A scalar of the core schema is what JSON would call it. */
static void compile_value(struct test *t, const struct node *n)
{
	bool truth;

	t->secret = n->secret;
	if (node_is_null(n))
		t->kind = TEST_NULL;
	else if (node_bool(n, &truth))
		t->kind = truth ? TEST_TRUE : TEST_FALSE;
	else if (read_number(n, &t->number))
		t->kind = TEST_NUMBER;
	else
		set_text(t, addresses_one(&t->cidr, n->text, n->len) ? TEST_CIDR : TEST_STRING, n);
}

/* prefix and suffix take a string or {equals-ignore-case: a string}. */
static void compile_end(struct test *t, const struct node *arg, enum test_kind kind,
			struct problems *p)
{
	if (arg->kind != NODE_MAP) {
		if (wants_string(arg, arg->key, p))
			set_text(t, kind, arg);
		return;
	}
	const struct node *in = arg->n == 1 ? arg->items[0] : NULL;
	if (!in || strcmp(in->key, "equals-ignore-case") != 0)
		problem_at(p, arg, "%s takes a string or one equals-ignore-case", arg->key);
	else if (wants_string(in, in->key, p))
		set_folded(t, kind == TEST_PREFIX ? TEST_PREFIX_NOCASE : TEST_SUFFIX_NOCASE, in);
}

static void compile_prefix(struct test *t, const struct node *arg, struct problems *p)
{
	compile_end(t, arg, TEST_PREFIX, p);
}

static void compile_suffix(struct test *t, const struct node *arg, struct problems *p)
{
	compile_end(t, arg, TEST_SUFFIX, p);
}

static void compile_nocase(struct test *t, const struct node *arg, struct problems *p)
{
	if (wants_string(arg, "equals-ignore-case", p))
		set_folded(t, TEST_NOCASE, arg);
}

static void compile_wildcard(struct test *t, const struct node *arg, struct problems *p)
{
	struct err err = {0};

	if (!wants_string(arg, "wildcard", p))
		return;
	if (wildcard_parse(&t->wildcard, arg->text, arg->len, &err) < 0) {
		problem_at(p, arg, "%s", err.msg);
		return;
	}
	set_text(t, TEST_WILDCARD, arg);
	if (t->wildcard.n > 1)
		return;
	t->kind = TEST_STRING;
	t->len = t->wildcard.v[0].len;
	memcpy(t->text, t->wildcard.v[0].text, t->len);
	t->text[t->len] = '\0';
	wildcard_release(&t->wildcard);
}

static void compile_exists(struct test *t, const struct node *arg, struct problems *p)
{
	bool truth;

	if (!node_bool(arg, &truth))
		problem_at(p, arg, "exists takes true or false");
	else
		t->kind = truth ? TEST_EXISTS : TEST_ABSENT;
}

static void compile_cidr(struct test *t, const struct node *arg, struct problems *p)
{
	struct err err = {0};

	if (!wants_string(arg, "cidr", p))
		return;
	if (addresses_parse(&t->cidr, arg->text, arg->len, &err) < 0)
		problem_at(p, arg, "%s", err.msg);
	else
		set_text(t, TEST_CIDR, arg);
}

static void compile_regex(struct test *t, const struct node *arg, struct problems *p)
{
	struct err err = {0};

	if (!wants_string(arg, "regex", p))
		return;
	t->regex = regex_compile(arg->text, arg->len, &err);
	if (!t->regex)
		problem_at(p, arg, "%s", err.msg);
	else
		set_text(t, TEST_REGEX, arg);
}

/* Reads "> 0" at `at`; the operator's kind is its name. */
static bool read_bound(const struct node *list, size_t at, const char *const *allowed, double *ret,
		       struct problems *p)
{
	const char *name = node_string(list->items[at]);

	while (*allowed && (!name || strcmp(*allowed, name) != 0))
		allowed++;
	if (!*allowed) {
		problem_at(p, list->items[at],
			   at ? "the second bound is < or <=" : "a bound is =, <, <=, > or >=");
		return false;
	}
	if (at + 1 >= list->n || !read_number(list->items[at + 1], ret)) {
		problem_at(p, list->items[at + 1 < list->n ? at + 1 : at],
			   "a number stands behind \"%s\"", *allowed);
		return false;
	}
	return true;
}

/* ["=", 3], [">", 0], [">=", 0, "<", 10]: the lower bound first. */
static void compile_numeric(struct test *t, const struct node *arg, struct problems *p)
{
	static const char *const any[] = {"=", "<", "<=", ">", ">=", NULL};
	static const char *const upper[] = {"<", "<=", NULL};
	double first, second;

	if (arg->kind != NODE_LIST || !arg->n) {
		problem_at(p, arg, "numeric takes a list such as [\">\", 0, \"<=\", 5]");
		return;
	}
	if (!read_bound(arg, 0, any, &first, p))
		return;
	const char *name = arg->items[0]->text;
	bool above = *name == '>', more = arg->n > 2;
	if (arg->n > (above ? 4 : 2)) {
		problem_at(p, arg->items[above ? 4 : 2],
			   "too much: a range is [\">\" or \">=\", low, \"<\" or \"<=\", high]");
		return;
	}
	if (more && !read_bound(arg, 2, upper, &second, p))
		return;
	if (more && first >= second) {
		problem_at(p, arg, "the lower bound must be less than the upper one");
		return;
	}
	if (*name == '=') {
		t->kind = TEST_NUMBER;
		t->number = first;
		return;
	}
	t->kind = TEST_RANGE;
	t->range.low = above ? first : -INFINITY;
	t->range.low_in = above && name[1];
	t->range.high = !above ? first : more ? second : INFINITY;
	t->range.high_in = !above ? name[1] : more && arg->items[2]->text[1];
}

typedef void operator_fn(struct test *t, const struct node *arg, struct problems *p);

/* One member of what anything-but excludes. */
static void exclude(struct test *but, const struct node *n, const char *name, operator_fn *fn,
		    struct problems *p)
{
	struct test *t = &but->v[but->n++];
	double number;

	if (name && !wants_string(n, name, p))
		return;
	if (name && !n->len && (fn == compile_prefix || fn == compile_suffix)) {
		problem_at(p, n, "anything-but an empty %s matches nothing", name);
	} else if (name) {
		fn(t, n, p);
	} else if (read_number(n, &number)) {
		t->kind = TEST_NUMBER;
		t->number = number;
	} else if (is_string(n)) {
		set_text(t, TEST_STRING, n);
	} else {
		problem_at(p, n, "anything-but takes strings or numbers");
	}
}

static void exclude_all(struct test *but, const struct node *arg, const char *name, operator_fn *fn,
			struct problems *p)
{
	size_t n = arg->kind == NODE_LIST ? arg->n : 1, before = problems_count(p);

	if (!n) {
		problem_at(p, arg, "an empty list excludes nothing");
		return;
	}
	but->v = xcalloc(n, sizeof *but->v);
	for (size_t i = 0; i < n; i++)
		exclude(but, arg->kind == NODE_LIST ? arg->items[i] : arg, name, fn, p);
	for (size_t i = 1; !name && i < n && problems_count(p) == before; i++)
		if (but->v[i].kind != but->v[0].kind)
			problem_at(p, arg, "anything-but takes strings or numbers, not both");
}

static void compile_but(struct test *t, const struct node *arg, struct problems *p)
{
	static const char *const names[] = {"prefix", "suffix", "equals-ignore-case", "wildcard",
					    NULL};
	static operator_fn *const fns[] = {compile_prefix, compile_suffix, compile_nocase,
					   compile_wildcard};

	t->kind = TEST_BUT;
	if (arg->kind != NODE_MAP) {
		exclude_all(t, arg, NULL, NULL, p);
		return;
	}
	for (size_t i = 0; arg->n == 1 && names[i]; i++)
		if (!strcmp(names[i], arg->items[0]->key)) {
			exclude_all(t, arg->items[0], names[i], fns[i], p);
			return;
		}
	problem_at(p, arg,
		   "anything-but takes values or one of prefix, suffix, equals-ignore-case, "
		   "wildcard");
}

static void compile_operator(struct test *t, const struct node *n, struct problems *p)
{
	static operator_fn *const fns[] = {
		compile_prefix,	 compile_suffix, compile_nocase, compile_wildcard, compile_but,
		compile_numeric, compile_exists, compile_cidr,	 compile_regex,
	};

	if (n->n != 1) {
		problem_at(p, n, "one operator is expected here, not %zu", n->n);
		return;
	}
	const struct node *arg = n->items[0];
	for (size_t i = 0; test_operators[i]; i++)
		if (!strcmp(test_operators[i], arg->key)) {
			fns[i](t, arg, p);
			return;
		}
	const char *near = problem_nearest(arg->key, test_operators);
	problem_at_key(p, arg, "unknown operator \"%s\"%s%s%s", arg->key,
		       near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

void test_compile(struct test *ret, const struct node *n, struct problems *p)
{
	*ret = (struct test){0};
	if (n->kind == NODE_SCALAR)
		compile_value(ret, n);
	else if (n->kind == NODE_MAP)
		compile_operator(ret, n, p);
	else
		problem_at(p, n, "a list inside a list of alternatives matches nothing");
}

void test_release(struct test *t)
{
	for (size_t i = 0; i < t->n; i++)
		test_release(&t->v[i]);
	free(t->v);
	free(t->text);
	wildcard_release(&t->wildcard);
	regex_free(t->regex);
	*t = (struct test){0};
}

uint64_t test_cost(const struct test *t)
{
	uint64_t cost = 0;

	if (t->kind == TEST_REGEX)
		return REGEX_COST;
	if (t->kind == TEST_WILDCARD) /* the pieces that must be looked for */
		return t->wildcard.n > 3 ? t->wildcard.n - 2 : 1;
	for (size_t i = 0; i < t->n; i++)
		cost += test_cost(&t->v[i]);
	return cost;
}
