/*
 * Two lists aligned: the longest common subsequence keeps what matches in order, and between two of
 * its pairs each expected entry takes the one most like it. Invariant: reading the differences in
 * order reads both lists in order, but for entries of one gap.
 */
#include "relay/cmd/test_compare.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/cmd/test_match.h"
#include "relay/config/yaml_json.h"

#define TEXT_MAX  (YAML_FILE_MAX * 8)
#define TABLE_MAX 4000000 /* cells of the alignment; longer lists are paired by their places */
#define NOWHERE	  SIZE_MAX

/* The two lists between their common beginning and end. */
struct aligning {
	struct mismatch *m;
	struct json_doc **wanted_docs, *got_doc;
	const struct json **wanted;
	size_t head, nwanted, ngot; /* of what is left between: where, how many */
	bool *matches;		    /* nwanted × ngot */
	size_t *like;		    /* the same, filled within gaps only */
};

static void add(struct mismatch *m, enum difference_kind kind, size_t wanted, size_t got)
{
	m->v = xrealloc(m->v, m->n + 1, sizeof *m->v);
	m->v[m->n++] = (struct difference){kind, wanted, got};
}

static bool matches(struct aligning *a, size_t wanted, size_t got)
{
	return test_matches(a->wanted[wanted], test_parse(a->got_doc, a->m->got[got]));
}

/* ---- the longest common subsequence ---- */

static void fill_matches(struct aligning *a)
{
	a->matches = xcalloc(a->nwanted * a->ngot + 1, sizeof *a->matches);
	a->like = xcalloc(a->nwanted * a->ngot + 1, sizeof *a->like);
	for (size_t g = 0; g < a->ngot; g++) {
		const struct json *got = test_parse(a->got_doc, a->m->got[a->head + g]);
		for (size_t w = 0; w < a->nwanted; w++) {
			size_t at = w * a->ngot + g;
			a->matches[at] = test_matches(a->wanted[a->head + w], got);
			a->like[at] = test_likeness(a->wanted[a->head + w], got);
		}
	}
}

/* best[w][g]: how many match of the lists from w and g on. */
static uint32_t *fill_best(const struct aligning *a)
{
	size_t width = a->ngot + 1;
	uint32_t *best = xcalloc((a->nwanted + 1) * width, sizeof *best);
	for (size_t w = a->nwanted; w-- > 0;)
		for (size_t g = a->ngot; g-- > 0;) {
			uint32_t *here = &best[w * width + g];
			*here = here[1] > here[width] ? here[1] : here[width];
			if (a->matches[w * a->ngot + g] && here[width + 1] + 1 > *here)
				*here = here[width + 1] + 1;
		}
	return best;
}

/* ---- what matches nothing ---- */

struct gap {
	size_t wanted, got; /* from here … */
	size_t wanted_end, got_end;
};

/* Pairs those that are alike in `like` leaves, as long as neither has a better partner already. */
static void pair_alike(const struct aligning *a, const struct gap *gap, size_t like,
		       size_t *partner, bool *taken)
{
	for (size_t w = gap->wanted; w < gap->wanted_end; w++)
		for (size_t g = gap->got; g < gap->got_end && partner[w] == NOWHERE; g++)
			if (!taken[g] && a->like[w * a->ngot + g] == like) {
				partner[w] = g;
				taken[g] = true;
			}
}

static size_t most_alike(const struct aligning *a, const struct gap *gap)
{
	size_t most = 0;
	for (size_t w = gap->wanted; w < gap->wanted_end; w++)
		for (size_t g = gap->got; g < gap->got_end; g++)
			if (a->like[w * a->ngot + g] > most)
				most = a->like[w * a->ngot + g];
	return most;
}

static void tell_gap(struct aligning *a, const struct gap *gap, size_t *partner, bool *taken)
{
	for (size_t like = most_alike(a, gap); like > 0; like--)
		pair_alike(a, gap, like, partner, taken);
	for (size_t w = gap->wanted; w < gap->wanted_end; w++) {
		bool alone = partner[w] == NOWHERE;
		add(a->m, alone ? MISSING : UNLIKE, a->head + w,
		    alone ? NOWHERE : a->head + partner[w]);
	}
	for (size_t g = gap->got; g < gap->got_end; g++)
		if (!taken[g])
			add(a->m, UNEXPECTED, NOWHERE, a->head + g);
}

static void align(struct aligning *a)
{
	size_t width = a->ngot + 1;
	struct gap gap = {0};
	fill_matches(a);
	uint32_t *best = fill_best(a);
	bool *taken = xcalloc(a->ngot + 1, sizeof *taken);
	size_t *partner = xcalloc(a->nwanted + 1, sizeof *partner);
	for (size_t i = 0; i < a->nwanted; i++)
		partner[i] = NOWHERE;
	size_t w = 0, g = 0;
	while (w < a->nwanted && g < a->ngot) {
		uint32_t here = best[w * width + g];
		if (a->matches[w * a->ngot + g] && here == best[(w + 1) * width + g + 1] + 1) {
			gap.wanted_end = w;
			gap.got_end = g;
			tell_gap(a, &gap, partner, taken);
			add(a->m, AS_EXPECTED, a->head + w, a->head + g);
			gap.wanted = ++w;
			gap.got = ++g;
		} else if (best[(w + 1) * width + g] == here) {
			w++;
		} else {
			g++;
		}
	}
	gap.wanted_end = a->nwanted;
	gap.got_end = a->ngot;
	tell_gap(a, &gap, partner, taken);
	free(partner);
	free(taken);
	free(best);
}

/* Lists too long for a table. */
static void pair_by_place(struct aligning *a)
{
	for (size_t i = 0; i < a->nwanted || i < a->ngot; i++) {
		size_t w = i < a->nwanted ? a->head + i : NOWHERE;
		size_t g = i < a->ngot ? a->head + i : NOWHERE;
		bool both = w != NOWHERE && g != NOWHERE;
		add(a->m,
		    both && matches(a, w, g) ? AS_EXPECTED
		    : both		     ? UNLIKE
		    : w == NOWHERE	     ? UNEXPECTED
					     : MISSING,
		    w, g);
	}
}

/* ---- a list ---- */

static size_t common_head(struct aligning *a)
{
	const struct mismatch *m = a->m;
	size_t n = 0;
	while (n < m->nwanted && n < m->ngot && matches(a, n, n))
		n++;
	return n;
}

static size_t common_tail(struct aligning *a, size_t head)
{
	const struct mismatch *m = a->m;
	size_t n = 0;
	while (head + n < m->nwanted && head + n < m->ngot &&
	       matches(a, m->nwanted - 1 - n, m->ngot - 1 - n))
		n++;
	return n;
}

/* False: there is no difference. */
static bool compare_entries(struct aligning *a)
{
	struct mismatch *m = a->m;
	a->head = common_head(a);
	if (a->head == m->nwanted && a->head == m->ngot)
		return false;
	size_t tail = common_tail(a, a->head);
	a->nwanted = m->nwanted - a->head - tail;
	a->ngot = m->ngot - a->head - tail;
	for (size_t i = 0; i < a->head; i++)
		add(m, AS_EXPECTED, i, i);
	if (a->nwanted && a->ngot > TABLE_MAX / a->nwanted)
		pair_by_place(a);
	else
		align(a);
	for (size_t i = tail; i-- > 0;)
		add(m, AS_EXPECTED, m->nwanted - 1 - i, m->ngot - 1 - i);
	return true;
}

static void read_wanted(struct aligning *a)
{
	struct mismatch *m = a->m;
	m->nwanted = m->at->n;
	m->wanted = xcalloc(m->nwanted + 1, sizeof *m->wanted);
	a->wanted = xcalloc(m->nwanted + 1, sizeof *a->wanted);
	a->wanted_docs = xcalloc(m->nwanted + 1, sizeof *a->wanted_docs);
	for (size_t i = 0; i < m->nwanted; i++) {
		struct buf text = BUF_INIT(TEXT_MAX);
		yaml_json(&text, m->at->items[i]);
		m->wanted[i] = buf_detach(&text);
		a->wanted_docs[i] = json_doc_new();
		a->wanted[i] = test_parse(a->wanted_docs[i], m->wanted[i]);
	}
}

static void release_mismatch(struct mismatch *m)
{
	for (size_t i = 0; i < m->nwanted; i++)
		free(m->wanted[i]);
	free(m->wanted);
	free(m->v);
}

static bool compare_list(struct mismatch *m)
{
	double count;
	if (node_number(m->at, &count)) {
		m->count = (int64_t)count;
		return (size_t)m->count != m->ngot;
	}
	struct aligning a = {.m = m, .got_doc = json_doc_new()};
	m->count = -1;
	read_wanted(&a);
	bool differs = compare_entries(&a);
	for (size_t i = 0; i < m->nwanted; i++)
		json_doc_free(a.wanted_docs[i]);
	json_doc_free(a.got_doc);
	free(a.wanted_docs);
	free(a.wanted);
	free(a.matches);
	free(a.like);
	return differs;
}

/* step: TEST_WHOLE, or the one whose expectation it is. */
static void compare(const struct expectation *e, const struct test_case *t, size_t step,
		    const struct test_got *got, struct mismatches *ret)
{
	bool whole = step == TEST_WHOLE;
	size_t begin = whole ? 0 : step, end = whole ? t->nsteps : step + 1;
	for (int kind = 0; kind < GOT_KINDS; kind++) {
		struct mismatch m = {.step = step, .kind = (enum got_kind)kind, .at = e->v[kind]};
		if (!m.at)
			continue;
		size_t from = got->begins[begin][kind];
		m.got = got->of[kind].n ? got->of[kind].v + from : NULL;
		m.ngot = got->begins[end][kind] - from;
		if (compare_list(&m)) {
			ret->v = mem_grow(ret->v, ret->n, &ret->cap, sizeof *ret->v);
			ret->v[ret->n++] = m;
		} else {
			release_mismatch(&m);
		}
	}
}

void test_compare(const struct test_case *t, const struct test_got *got, struct mismatches *ret)
{
	*ret = (struct mismatches){0};
	for (size_t i = 0; i < t->nsteps; i++)
		compare(&t->step[i].expected, t, i, got, ret);
	compare(&t->expected, t, TEST_WHOLE, got, ret);
}

void mismatches_release(struct mismatches *m)
{
	for (size_t i = 0; i < m->n; i++)
		release_mismatch(&m->v[i]);
	free(m->v);
	*m = (struct mismatches){0};
}
