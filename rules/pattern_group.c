/* Reading a `when` into a group, counting it, and picking one alternative of it. */
#include "rules/pattern_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/pattern_meaning.h"
#include "rules/pattern_test.h"

#define COUNT_MAX UINT64_C(1000000000) /* a product of two still fits */

static const char *const members[] = {
	"specversion",	"id",	    "type",	    "source", "subject",	 "time",
	"recordedtime", "sequence", "partitionkey", "data",   "datacontenttype", NULL};

#define DEPTH_MAX JSON_DEPTH /* no event is deeper */

struct reading {
	struct problems *p;
	struct {
		const char *text;
		size_t len;
	} keys[DEPTH_MAX];
	size_t depth;
	bool inside_or;
};

static void read_map(struct reading *r, struct group *g, const struct node *map);

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* The outermost keys are the event's own members, so a slip there can be told at load. */
static void check_member(const struct node *n, struct problems *p)
{
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(n->key, "."), n->key);
	if (is_one_of(name, members))
		return;
	const char *near = !strcmp(name, "detail") ? "data" : problem_nearest(name, members);
	problem_at_key(p, n, "no event has a member \"%s\"%s%s%s", name,
		       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* A member may be called like an operator, but hardly ever is. */
static bool check_operator(const struct reading *r, const struct node *n)
{
	const char *dot = strrchr(n->key, '.'), *name = dot ? dot + 1 : n->key;

	if (!is_one_of(name, test_operators))
		return true;
	if (r->inside_or || n->kind == NODE_SCALAR) {
		problem_at_key(r->p, n, "\"%s\" is an operator, which stands in a list: [{%s: …}]",
			       name, name);
		return false;
	}
	problem_warn(r->p, n,
		     "\"%s\" is taken for a member of the event; the operator stands in a list: "
		     "[{%s: …}]",
		     name, name);
	return true;
}

/* False: nothing inside is worth reading. */
static bool check_key(const struct reading *r, const struct node *n)
{
	static const char *const signs[] = {"=", "<", "<=", ">", ">=", NULL};

	if (n->key[0] == '$') {
		problem_at_key(r->p, n, "unknown keyword \"%s\"; there is $or only", n->key);
		return false;
	}
	if (r->inside_or && is_one_of(n->key, signs)) {
		problem_at_key(r->p, n, "\"%s\" stands in the list of numeric", n->key);
		return false;
	}
	if (!r->depth)
		check_member(n, r->p);
	return check_operator(r, n);
}

/* "data.state" is data and in it state. False: too deep, which is told. */
static bool push_key(struct reading *r, const struct node *n)
{
	for (const char *at = n->key;; at++) {
		size_t len = strcspn(at, ".");
		if (r->depth == DEPTH_MAX) {
			problem_at_key(r->p, n, "no event is so deep; %d members in one another",
				       DEPTH_MAX);
			return false;
		}
		r->keys[r->depth].text = at;
		r->keys[r->depth++].len = len;
		at += len;
		if (!*at)
			return true;
	}
}

static void add_condition(const struct reading *r, struct group *g, const struct node *n)
{
	bool list = n->kind == NODE_LIST;
	size_t ntests = list ? n->n : 1;

	if (!ntests) {
		problem_at(r->p, n, "an empty list matches nothing; leave the key out instead");
		return;
	}
	g->v = mem_grow(g->v, g->n, &g->cap, sizeof *g->v);
	struct condition *c = &g->v[g->n++];
	*c = (struct condition){.nkeys = r->depth, .n = ntests, .at = n};
	c->keys = xcalloc(r->depth, sizeof *c->keys);
	for (size_t i = 0; i < r->depth; i++)
		c->keys[i] = xstrndup(r->keys[i].text, r->keys[i].len);
	c->v = xcalloc(ntests, sizeof *c->v);
	for (size_t i = 0; i < ntests; i++)
		test_compile(&c->v[i], list ? n->items[i] : n, r->p);
	c->hash = condition_meaning(c);
}

static void read_choice(struct reading *r, struct group *g, const struct node *n)
{
	bool outside = !r->inside_or;

	if (n->kind != NODE_LIST || n->n < 2) {
		problem_at(r->p, n, "$or takes a list of two or more maps");
		return;
	}
	g->choices = mem_grow(g->choices, g->nchoices, &g->choices_cap, sizeof *g->choices);
	struct choice *c = &g->choices[g->nchoices++];
	*c = (struct choice){.branches = xcalloc(n->n, sizeof *c->branches), .n = n->n};
	r->inside_or = true;
	for (size_t i = 0; i < n->n; i++)
		if (n->items[i]->kind == NODE_MAP)
			read_map(r, &c->branches[i], n->items[i]);
		else
			problem_at(r->p, n->items[i], "$or takes maps of conditions");
	r->inside_or = !outside;
}

static void read_member(struct reading *r, struct group *g, const struct node *n)
{
	size_t depth = r->depth;

	if (!check_key(r, n))
		return;
	if (push_key(r, n)) {
		if (n->kind == NODE_MAP)
			read_map(r, g, n);
		else
			add_condition(r, g, n);
	}
	r->depth = depth;
}

static void read_map(struct reading *r, struct group *g, const struct node *map)
{
	if (!map->n)
		problem_at(r->p, map, "an empty map matches nothing; leave the key out instead");
	for (size_t i = 0; i < map->n; i++) {
		if (!strcmp(map->items[i]->key, "$or"))
			read_choice(r, g, map->items[i]);
		else
			read_member(r, g, map->items[i]);
	}
}

void group_read(struct group *ret, const struct node *when, struct problems *p)
{
	struct reading r = {.p = p};

	if (when->kind == NODE_MAP)
		read_map(&r, ret, when);
	else
		problem_at(p, when, "a map of conditions is expected");
}

static void condition_release(struct condition *c)
{
	for (size_t i = 0; i < c->nkeys; i++)
		free(c->keys[i]);
	for (size_t i = 0; i < c->n; i++)
		test_release(&c->v[i]);
	free(c->keys);
	free(c->v);
}

void group_release(struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		condition_release(&g->v[i]);
	for (size_t i = 0; i < g->nchoices; i++) {
		for (size_t k = 0; k < g->choices[i].n; k++)
			group_release(&g->choices[i].branches[k]);
		free(g->choices[i].branches);
	}
	free(g->choices);
	free(g->v);
	*g = (struct group){0};
}

static uint64_t capped(uint64_t n)
{
	return n < COUNT_MAX ? n : COUNT_MAX;
}

static uint64_t cost_of(const struct condition *c)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < c->n; i++)
		cost += test_cost(&c->v[i]);
	return capped(cost);
}

/* Every alternative of one with every alternative of the other. */
static struct measure both(struct measure a, struct measure b)
{
	return (struct measure){
		capped(a.alternatives * b.alternatives),
		capped(capped(a.conditions * b.alternatives) +
		       capped(b.conditions * a.alternatives)),
		capped(capped(a.score * b.alternatives) + capped(b.score * a.alternatives)),
	};
}

static struct measure measure_costs(struct group *g)
{
	struct measure all = {1, g->n, 0};

	for (size_t i = 0; i < g->n; i++)
		all.score = capped(all.score + cost_of(&g->v[i]));
	for (size_t i = 0; i < g->nchoices; i++) {
		struct choice *c = &g->choices[i];
		struct measure sum = {0};
		for (size_t k = 0; k < c->n; k++) {
			struct measure m = measure_costs(&c->branches[k]);
			sum.alternatives = capped(sum.alternatives + m.alternatives);
			sum.conditions = capped(sum.conditions + m.conditions);
			sum.score = capped(sum.score + m.score);
		}
		c->alternatives = (size_t)sum.alternatives;
		all = both(all, sum);
	}
	g->alternatives = (size_t)all.alternatives;
	return all;
}

struct measure group_measure(struct group *g)
{
	struct measure m = measure_costs(g);

	m.score = capped(m.score + m.alternatives);
	return m;
}

/* The digits of k in the mixed system of the choices' sizes say which branch each takes, the last
 * choice being the quickest to change. */
void group_take(const struct group *g, size_t k, struct conjunction *ret)
{
	if (g->n)
		memcpy(ret->v + ret->n, g->v, g->n * sizeof *g->v);
	ret->n += g->n;
	for (size_t i = g->nchoices; i > 0; i--) {
		const struct choice *c = &g->choices[i - 1];
		const struct group *branch = c->branches;
		size_t digit = k % c->alternatives;
		k /= c->alternatives;
		for (; digit >= branch->alternatives; branch++)
			digit -= branch->alternatives;
		group_take(branch, digit, ret);
	}
}

size_t group_most(const struct group *g)
{
	size_t most = g->n;

	for (size_t i = 0; i < g->nchoices; i++) {
		size_t largest = 0;
		for (size_t k = 0; k < g->choices[i].n; k++) {
			size_t n = group_most(&g->choices[i].branches[k]);
			largest = n > largest ? n : largest;
		}
		most += largest;
	}
	return most;
}
