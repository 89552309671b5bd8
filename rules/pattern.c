/*
 * A `when` compiled to a tree that mirrors the event's nesting: inner nodes are "and" over keys,
 * leaves are "or" over alternatives. Matching walks pattern and event together, so that conditions
 * on one array of objects must hold within one element. Nothing here can fail at match time.
 */
#include "rules/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

enum test_kind {
	TEST_STRING,
	TEST_NUMBER,
	TEST_TRUE,
	TEST_FALSE,
	TEST_NULL,
	TEST_PREFIX,
	TEST_EXISTS,
	TEST_ABSENT
};

struct test {
	enum test_kind kind;
	const char *text; /* STRING, PREFIX; borrowed from the pattern's own copy */
	size_t len;
	double number;
};

struct clause { /* one key: what must hold of its value */
	char *key;
	struct clause *inner; /* a nested map … */
	size_t ninner;
	struct test *tests; /* … or a leaf's alternatives */
	size_t ntests;
};

struct pattern {
	struct clause root; /* key NULL; without inner it matches everything */
	uint64_t hash;
};

static const char *const operators[] = {"prefix", "exists", NULL};
static const char *const members[] = {
	"specversion",	"id",	    "type",	    "source", "subject",	 "time",
	"recordedtime", "sequence", "partitionkey", "data",   "datacontenttype", NULL};

static void clause_release(struct clause *c)
{
	for (size_t i = 0; i < c->ninner; i++)
		clause_release(&c->inner[i]);
	for (size_t i = 0; i < c->ntests; i++)
		free((char *)c->tests[i].text);
	free(c->inner);
	free(c->tests);
	free(c->key);
}

static void set_text(struct test *t, enum test_kind kind, const struct node *n)
{
	t->kind = kind;
	t->text = xstrndup(n->text, n->len);
	t->len = n->len;
}

/* A scalar of the core schema is what JSON would call it. */
static void compile_value(struct test *t, const struct node *n)
{
	bool truth;
	if (node_is_null(n))
		t->kind = TEST_NULL;
	else if (node_bool(n, &truth))
		t->kind = truth ? TEST_TRUE : TEST_FALSE;
	else if (node_number(n, &t->number))
		t->kind = TEST_NUMBER;
	else
		set_text(t, TEST_STRING, n);
}

static void compile_operator(struct test *t, const struct node *n, struct problems *p)
{
	if (n->n != 1) {
		problem_at(p, n, "one operator is expected here, not %zu", n->n);
		return;
	}
	const struct node *arg = n->items[0];
	bool truth;
	if (!strcmp(arg->key, "prefix")) {
		if (arg->kind != NODE_SCALAR)
			problem_at(p, arg, "prefix takes a string");
		else
			set_text(t, TEST_PREFIX, arg);
	} else if (!strcmp(arg->key, "exists")) {
		if (!node_bool(arg, &truth))
			problem_at(p, arg, "exists takes true or false");
		else
			t->kind = truth ? TEST_EXISTS : TEST_ABSENT;
	} else {
		const char *near = problem_nearest(arg->key, operators);
		problem_at_key(p, arg, "unknown operator \"%s\"%s%s%s; known are prefix and exists",
			       arg->key, near ? ", did you mean \"" : "", near ? near : "",
			       near ? "\"?" : "");
	}
}

static void compile_alternative(struct clause *c, const struct node *n, struct problems *p)
{
	size_t cap = c->ntests;
	c->tests = mem_grow(c->tests, c->ntests, &cap, sizeof *c->tests);
	struct test *t = &c->tests[c->ntests++];
	*t = (struct test){0};
	if (n->kind == NODE_SCALAR)
		compile_value(t, n);
	else if (n->kind == NODE_MAP)
		compile_operator(t, n, p);
	else
		problem_at(p, n, "a list inside a list of alternatives matches nothing");
}

static void compile_map(struct clause *c, const struct node *map, struct problems *p)
{
	if (!map->n)
		problem_at(p, map, "an empty map matches nothing; leave the key out instead");
	c->inner = xcalloc(map->n, sizeof *c->inner);
	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		struct clause *in = &c->inner[c->ninner++];
		in->key = xstrdup(n->key);
		if (n->kind == NODE_MAP) {
			compile_map(in, n, p);
		} else if (n->kind == NODE_SCALAR) {
			compile_alternative(in, n, p);
		} else if (!n->n) {
			problem_at(p, n,
				   "an empty list matches nothing; leave the key out instead");
		} else {
			for (size_t k = 0; k < n->n; k++)
				compile_alternative(in, n->items[k], p);
		}
	}
}

/* The outermost keys are the event's own members, so a slip there can be told at load. */
static void check_members(const struct node *when, struct problems *p)
{
	for (size_t i = 0; i < when->n; i++) {
		const char *key = when->items[i]->key;
		bool known = false;
		for (size_t k = 0; members[k]; k++)
			known = known || !strcmp(members[k], key);
		if (known)
			continue;
		const char *near = !strcmp(key, "detail") ? "data" : problem_nearest(key, members);
		problem_at_key(p, when->items[i], "no event has a member \"%s\"%s%s%s", key,
			       near ? "; did you mean \"" : "", near ? near : "",
			       near ? "\"?" : "");
	}
}

/* The meaning as bytes: kinds, keys and values with their lengths. */
static void write_meaning(struct buf *out, const struct clause *c)
{
	buf_addf(out, "%s{", c->key ? c->key : "");
	for (size_t i = 0; i < c->ntests; i++) {
		const struct test *t = &c->tests[i];
		buf_addf(out, "%d:%.17g:%zu:", t->kind, t->number, t->len);
		if (t->text)
			buf_add(out, t->text, t->len);
	}
	for (size_t i = 0; i < c->ninner; i++)
		write_meaning(out, &c->inner[i]);
	buf_addc(out, '}');
}

struct pattern *pattern_compile(const struct node *when, struct problems *p)
{
	struct pattern *pt = xcalloc(1, sizeof *pt);
	size_t before = problems_count(p);
	if (when && when->kind == NODE_MAP) {
		check_members(when, p);
		compile_map(&pt->root, when, p);
	} else if (when) {
		problem_at(p, when, "a map of conditions is expected");
	}
	if (problems_count(p) != before) {
		pattern_free(pt);
		return NULL;
	}
	struct buf meaning = BUF_INIT(YAML_FILE_MAX * 2);
	write_meaning(&meaning, &pt->root);
	pt->hash = hash64(meaning.data, meaning.len);
	buf_release(&meaning);
	return pt;
}

void pattern_free(struct pattern *pt)
{
	if (!pt)
		return;
	clause_release(&pt->root);
	free(pt);
}

uint64_t pattern_hash(const struct pattern *pt)
{
	return pt->hash;
}

static bool test_leaf(const struct test *t, const struct json *v)
{
	const char *s;
	switch (t->kind) {
	case TEST_EXISTS: return true;
	case TEST_ABSENT: return false;
	case TEST_NULL: return json_type(v) == JSON_NULL;
	case TEST_TRUE: return json_type(v) == JSON_BOOL && json_bool(v, false);
	case TEST_FALSE: return json_type(v) == JSON_BOOL && !json_bool(v, true);
	case TEST_NUMBER: return json_type(v) == JSON_NUMBER && json_number(v, 0) == t->number;
	case TEST_STRING: return (s = json_string(v)) && !strcmp(s, t->text);
	case TEST_PREFIX: return (s = json_string(v)) && !strncmp(s, t->text, t->len);
	}
	return false;
}

/* Is there a leaf at or (through arrays) below v? An object is none, nor is an empty array. */
static bool has_leaf(const struct json *v)
{
	if (!v || json_type(v) == JSON_OBJECT)
		return false;
	if (json_type(v) != JSON_ARRAY)
		return true;
	for (const struct json *e = json_first(v); e; e = json_next(e))
		if (has_leaf(e))
			return true;
	return false;
}

static bool test_value(const struct test *t, const struct json *v)
{
	if (t->kind == TEST_ABSENT)
		return !has_leaf(v);
	if (!v || json_type(v) == JSON_OBJECT)
		return false;
	if (json_type(v) != JSON_ARRAY)
		return test_leaf(t, v);
	for (const struct json *e = json_first(v); e; e = json_next(e))
		if (test_value(t, e))
			return true;
	return false;
}

static bool match_clause(const struct clause *c, const struct json *v);

/* All inner clauses hold of this object; NULL: of a member that is not there. */
static bool match_object(const struct clause *c, const struct json *object)
{
	for (size_t i = 0; i < c->ninner; i++)
		if (!match_clause(&c->inner[i], object ? json_get(object, c->inner[i].key) : NULL))
			return false;
	return true;
}

static bool match_clause(const struct clause *c, const struct json *v)
{
	for (size_t i = 0; i < c->ntests; i++)
		if (test_value(&c->tests[i], v))
			return true;
	if (!c->ninner)
		return false;
	if (v && json_type(v) == JSON_ARRAY) {
		for (const struct json *e = json_first(v); e; e = json_next(e))
			if (match_clause(c, e))
				return true;
		if (json_first(v))
			return false;
		v = NULL;
	}
	return match_object(c, v && json_type(v) == JSON_OBJECT ? v : NULL);
}

bool pattern_match(const struct pattern *pt, const struct json *event)
{
	return match_object(&pt->root, event);
}
