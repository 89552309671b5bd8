/*
 * A `when` from YAML to alternatives of conditions (pattern_form.h): read, counted, multiplied out,
 * sorted. Invariant: a pattern that was returned is sorted, names no path twice in an alternative,
 * and is within its ceilings.
 */
#include "rules/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/pattern_form.h"
#include "rules/pattern_group.h"
#include "rules/pattern_meaning.h"

int condition_compare(const struct condition *a, const struct condition *b)
{
	for (size_t i = 0; i < a->nkeys && i < b->nkeys; i++) {
		int order = strcmp(a->keys[i], b->keys[i]);
		if (order)
			return order;
	}
	return (a->nkeys > b->nkeys) - (a->nkeys < b->nkeys);
}

static int compare(const void *a, const void *b)
{
	return condition_compare(a, b);
}

static bool within_ceilings(const struct measure *m, const struct node *when, struct problems *p)
{
	if (m->score > PATTERN_SCORE_MAX)
		problem_at(p, when,
			   "this pattern's score is %s%" PRIu64 "; at most %d is allowed: %" PRIu64
			   " alternatives ($or multiplied out) count 1 each, in each of them a "
			   "wildcard 1 or more and a regex 10",
			   m->score < 1000000000 ? "" : "more than ", m->score, PATTERN_SCORE_MAX,
			   m->alternatives);
	else if (m->conditions > PATTERN_CONDITIONS_MAX)
		problem_at(p, when,
			   "the alternatives of this pattern hold %" PRIu64
			   " conditions; at most %d are allowed",
			   m->conditions, PATTERN_CONDITIONS_MAX);
	else
		return true;
	return false;
}

/* False: a path is named twice, which is told. */
static bool sort_conditions(struct conjunction *c, struct problems *p)
{
	char first[128];

	if (c->n)
		qsort(c->v, c->n, sizeof *c->v, compare);
	for (size_t i = 1; i < c->n; i++) {
		const struct condition *a = &c->v[i - 1], *b = &c->v[i];
		if (condition_compare(a, b))
			continue;
		bool later = a->at->line < b->at->line ||
			     (a->at->line == b->at->line && a->at->column < b->at->column);
		node_path(later ? a->at : b->at, first, sizeof first);
		problem_at(p, later ? b->at : a->at,
			   "this path has conditions already, at %s; one list holds them all",
			   first);
		return false;
	}
	return true;
}

static void multiply_out(struct pattern *pt, size_t alternatives, struct problems *p)
{
	struct conjunction all = {
		.v = xcalloc(group_most(pt->group) + 1, sizeof *all.v),
	};

	pt->v = xcalloc(alternatives, sizeof *pt->v);
	for (bool good = true; good && pt->n < alternatives; pt->n++) {
		struct conjunction *c = &pt->v[pt->n];
		all.n = 0;
		group_take(pt->group, pt->n, &all);
		good = sort_conditions(&all, p);
		c->n = all.n;
		c->v = xmalloc(all.n * sizeof *c->v);
		if (all.n)
			memcpy(c->v, all.v, all.n * sizeof *c->v);
	}
	free(all.v);
}

struct pattern *pattern_compile(const struct node *when, struct problems *p)
{
	struct pattern *pt = xcalloc(1, sizeof *pt);
	size_t before = problems_count(p);

	pt->group = xcalloc(1, sizeof *pt->group);
	if (when)
		group_read(pt->group, when, p);
	if (problems_count(p) == before) {
		struct measure m = group_measure(pt->group);
		pt->score = m.score;
		if (within_ceilings(&m, when, p))
			multiply_out(pt, (size_t)m.alternatives, p);
	}
	if (problems_count(p) != before) {
		pattern_free(pt);
		return NULL;
	}
	pt->hash = pattern_meaning(pt);
	return pt;
}

void pattern_free(struct pattern *pt)
{
	if (!pt)
		return;
	for (size_t i = 0; i < pt->n; i++)
		free(pt->v[i].v);
	free(pt->v);
	group_release(pt->group);
	free(pt->group);
	free(pt);
}

uint64_t pattern_hash(const struct pattern *pt)
{
	return pt->hash;
}

uint64_t pattern_score(const struct pattern *pt)
{
	return pt->score;
}

bool pattern_is_everything(const struct pattern *pt)
{
	return !pt->v[0].n;
}

static void tell_paths(const struct group *g, pattern_path_fn *fn, void *arg)
{
	struct buf path = BUF_INIT(YAML_FILE_MAX);

	for (size_t i = 0; i < g->n; i++) {
		buf_clear(&path);
		for (size_t k = 0; k < g->v[i].nkeys; k++) {
			buf_adds(&path, k ? "." : "");
			buf_adds(&path, g->v[i].keys[k]);
		}
		fn(arg, path.data);
	}
	buf_release(&path);
	for (size_t i = 0; i < g->nchoices; i++)
		for (size_t k = 0; k < g->choices[i].n; k++)
			tell_paths(&g->choices[i].branches[k], fn, arg);
}

void pattern_paths(const struct pattern *pt, pattern_path_fn *fn, void *arg)
{
	tell_paths(pt->group, fn, arg);
}
