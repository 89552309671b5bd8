/* What a pattern matches in an index with others is what it matches alone, and what the operators'
 * definitions say. A run is an event, tried on all patterns of its round; the seed is where the
 * sequence of rounds begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "rules/index.h"
#include "tests/unit/naive_matcher.h"
#include "tests/unit/random_rules.h"
#include "tests/unit/random_runs.h"

#define RUNS	 5000 /* two seconds; check-all asks for 100,000 */
#define PATTERNS 60   /* of a round */
#define EVENTS	 50
#define INDEXES	 3 /* of a round: all patterns, and some of them in other company */

struct sample {
	char *text;
	struct yaml *yaml;
	const struct node *when;
	struct pattern *pattern;
};

struct company {
	const struct pattern *patterns[PATTERNS];
	size_t members[PATTERNS]; /* places among the samples */
	size_t n;
	struct index *ix;
	struct index_scratch *scratch;
};

struct round {
	uint64_t seed;
	struct prng random;
	struct sample samples[PATTERNS];
	struct company companies[INDEXES];
	struct json_doc *doc;
	size_t matches;
};

static void make_sample(struct sample *s, struct prng *random)
{
	while (!s->pattern) {
		struct problems p = {0};
		struct buf when = BUF_INIT(1 << 16);

		random_when(&when, random);
		s->text = xasprintf("when: %s\n", when.data);
		buf_release(&when);
		s->yaml = yaml_parse("random", s->text, strlen(s->text), &p);
		if (!s->yaml)
			fail_msg("%s: %s", s->text, p.v[0]);
		s->when = node_get(yaml_root(s->yaml), "when");
		s->pattern = pattern_compile(s->when, &p);
		if (!s->pattern) {
			if (!strstr(p.v[0], "conditions already") &&
			    !strstr(p.v[0], "matches nothing") && !strstr(p.v[0], "score"))
				fail_msg("%s: %s", s->text, p.v[0]);
			yaml_free(s->yaml);
			free(s->text);
		}
		problems_release(&p);
	}
}

static void make_company(struct company *c, struct round *r, bool all)
{
	for (size_t i = 0; i < PATTERNS; i++)
		if (all || prng_unit(&r->random) < 0.3) {
			c->members[c->n] = i;
			c->patterns[c->n++] = r->samples[i].pattern;
		}
	c->ix = index_build(c->patterns, c->n);
	c->scratch = index_scratch_new(c->ix);
}

/* cmocka cuts long messages. */
__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	fail();
}

static void compare(struct round *r, const struct buf *text, const bool *expected)
{
	for (size_t i = 0; i < INDEXES; i++) {
		struct company *c = &r->companies[i];
		const uint32_t *found;
		size_t n, at = 0;

		index_read(c->ix, c->scratch, text->data, text->len);
		n = index_match(c->ix, c->scratch, &found);
		for (size_t k = 0; k < c->n; k++) {
			bool hit = at < n && found[at] == k;
			const struct sample *s = &r->samples[c->members[k]];

			at += hit;
			if (hit != expected[c->members[k]])
				complain("RANDOM_SEED=%llu: an index of %zu %s\n%sevent: %s",
					 (unsigned long long)r->seed, c->n,
					 hit ? "wrongly matches" : "misses", s->text, text->data);
		}
		assert_int_equal(at, n); /* ascending, each once, none that is not there */
	}
}

static void try_event(struct round *r)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};
	const struct json *event;
	bool expected[PATTERNS];
	struct naive_event *naive;

	random_event(&text, &r->random);
	event = json_parse(r->doc, text.data, text.len, JSON_DEPTH, &err);
	if (!event)
		fail_msg("%s: %s", text.data, err.msg);
	naive = naive_event_new(event);
	for (size_t i = 0; i < PATTERNS; i++) {
		struct sample *s = &r->samples[i];

		expected[i] = naive_match(s->when, naive);
		r->matches += expected[i];
		if (pattern_match(s->pattern, event) != expected[i])
			complain("RANDOM_SEED=%llu: pattern_match %s\n%sevent: %s",
				 (unsigned long long)r->seed,
				 expected[i] ? "misses" : "wrongly matches", s->text, text.data);
	}
	compare(r, &text, expected);
	naive_event_free(naive);
	buf_release(&text);
}

static void release_round(struct round *r)
{
	for (size_t i = 0; i < INDEXES; i++) {
		index_scratch_free(r->companies[i].scratch);
		index_free(r->companies[i].ix);
	}
	for (size_t i = 0; i < PATTERNS; i++) {
		pattern_free(r->samples[i].pattern);
		yaml_free(r->samples[i].yaml);
		free(r->samples[i].text);
	}
	json_doc_free(r->doc);
}

static size_t run_round(uint64_t seed)
{
	static struct round r;

	r = (struct round){.seed = seed, .random = {seed}, .doc = json_doc_new()};
	for (size_t i = 0; i < PATTERNS; i++)
		make_sample(&r.samples[i], &r.random);
	for (size_t i = 0; i < INDEXES; i++)
		make_company(&r.companies[i], &r, i == 0);
	for (size_t i = 0; i < EVENTS; i++)
		try_event(&r);
	release_round(&r);
	return r.matches;
}

static void matches_are_the_same_in_any_company(void **state)
{
	const struct random_runs runs = random_runs(RUNS, 1);
	size_t rounds = runs.n / EVENTS, matches = 0;

	(void)state;
	for (size_t i = 0; i < rounds; i++) {
		matches += run_round(runs.seed + i);
	}
	assert_true(matches > rounds * EVENTS); /* they do meet */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_are_the_same_in_any_company),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
