/* index_match — one event against all entries: leaves lead to postings, postings to candidates,
 * whose checks decide. Invariant: masks and sets are as empty after an event as before it. */
#include "rules/index.h"

#include "relay/base/mem.h"
#include "rules/index_parts.h"

void index_read(const struct index *ix, struct index_scratch *s, const char *text, size_t len)
{
	json_skim(&s->skim, ix->paths, text, len);
	s->text = text;
	s->len = len;
	s->event_tree = NULL;
}

/* ---- from candidates to matches */

static bool look_at_leaves(const struct index_scratch *s, const struct check *c)
{
	for (size_t i = s->first[c->field]; i < s->skim.n; i++) {
		const struct json_leaf *leaf = &s->skim.v[i];
		struct value v = {leaf->type, leaf->text, leaf->len, leaf->number};

		if (leaf->path != c->field)
			continue;
		for (uint32_t k = 0; k < c->n; k++)
			if (test_value(&c->v[k], &v))
				return true;
	}
	return false;
}

static inline bool holds(const struct index_scratch *s, const struct check *c)
{
	uint64_t mask = s->masks[c->field];

	return mask & c->yes || (mask & c->maybe && look_at_leaves(s, c));
}

/* Several elements of an array that two of its conditions look into: the tree tells. */
static bool holds_in_elements(const struct index *ix, struct index_scratch *s,
			      const struct entry *e)
{
	struct err unlikely = {0}; /* the text is Relay's own */
	const struct pattern *pt = ix->patterns[e->pattern];

	if (s->matched[e->pattern / 64] >> e->pattern % 64 & 1)
		return true;
	if (s->refused[e->pattern / 64] >> e->pattern % 64 & 1)
		return false;
	if (!s->doc)
		s->doc = json_doc_new();
	if (!s->event_tree)
		s->event_tree = json_parse(s->doc, s->text, s->len, JSON_DEPTH + 4, &unlikely);
	if (s->event_tree && pattern_match(pt, s->event_tree))
		return true;
	s->refused[e->pattern / 64] |= UINT64_C(1) << e->pattern % 64;
	s->refusals[s->nrefusals++] = e->pattern;
	return false;
}

static inline void add_match(struct index_scratch *s, uint32_t pattern)
{
	uint64_t *word = &s->matched[pattern / 64], bit = UINT64_C(1) << pattern % 64;

	if (*word & bit)
		return;
	*word |= bit;
	s->matches[s->nmatches++] = pattern;
}

static void judge(const struct index *ix, struct index_scratch *s, uint32_t entry)
{
	const struct entry *e = &ix->entries[entry];
	bool elements = e->shared & s->skim.arrays;

	for (uint32_t i = 0; i <= e->nrest; i++) {
		const struct check *c = i ? &ix->checks[e->rest + i - 1] : &e->check;

		if (elements && c->yes & BIT_ABSENT)
			continue;
		if (!holds(s, c))
			return;
	}
	if (!elements || holds_in_elements(ix, s, e))
		add_match(s, e->pattern);
}

static void judge_candidates(const struct index *ix, struct index_scratch *s)
{
	for (size_t i = 0; i < s->ncandidates; i++) {
		const struct check *c = &ix->entries[s->candidates[i]].check;

		if (!(s->masks[c->field] & c->yes))
			__builtin_prefetch(c->v);
	}
	for (size_t i = 0; i < s->ncandidates; i++)
		judge(ix, s, s->candidates[i]);
	s->ncandidates = 0;
}

static void judge_postings(const struct index *ix, struct index_scratch *s)
{
	for (size_t i = 0; i < s->ntaken; i++) {
		const struct posting *p = s->taken[i].v, *end = p + s->taken[i].n;

		for (; p < end; p++) {
			if (!(s->masks[p->field] & p->maybe))
				continue;
			if (p->target & POSTING_DECIDES) {
				add_match(s, p->target & ~POSTING_DECIDES);
				continue;
			}
			__builtin_prefetch(&ix->entries[p->target]);
			s->candidates[s->ncandidates++] = p->target;
			if (s->ncandidates == QUESTIONS)
				judge_candidates(ix, s);
		}
	}
	judge_candidates(ix, s);
}

/* ---- the answer */

#define FEW 48 /* so many are sorted faster than all patterns' bits are read */

static void sort_few(uint32_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint32_t moved = v[i];
		size_t k = i;

		for (; k && v[k - 1] > moved; k--)
			v[k] = v[k - 1];
		v[k] = moved;
	}
}

static void read_bits(const struct index *ix, struct index_scratch *s)
{
	size_t n = 0;

	for (size_t i = 0; i <= ix->npatterns / 64; i++)
		for (uint64_t word = s->matched[i]; word; word &= word - 1)
			s->matches[n++] = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
}

static void clear(struct index_scratch *s)
{
	for (size_t i = 0; i < s->skim.n; i++)
		s->masks[s->skim.v[i].path] = BIT_ABSENT;
	for (size_t i = 0; i < s->nmatches; i++)
		s->matched[s->matches[i] / 64] = 0;
	for (size_t i = 0; i < s->nrefusals; i++)
		s->refused[s->refusals[i] / 64] = 0;
	s->nrefusals = 0;
}

static void begin(const struct index *ix, struct index_scratch *s)
{
	if (++s->event == 0) { /* after 2^32 events stamps would repeat */
		memset(s->seen, 0, ix->npostings * sizeof *s->seen);
		s->event = 1;
	}
	s->ntaken = s->nmatches = 0;
}

size_t index_match(const struct index *ix, struct index_scratch *s, const uint32_t **ret)
{
	begin(ix, s);
	index_look_up(ix, s);
	judge_postings(ix, s);
	if (s->nmatches <= FEW)
		sort_few(s->matches, s->nmatches);
	else
		read_bits(ix, s);
	clear(s);
	*ret = s->matches;
	return s->nmatches;
}
