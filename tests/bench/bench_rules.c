/* bench_rules — what matching costs beside parsing: with as many rules as an installation may have,
 * from text and from what was read. Each figure is of one core, over a thousand events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/config/yaml.h"
#include "rules/index.h"
#include "tests/bench/bench.h"
#include "tests/bench/rule_mix.h"

#define EVENTS	1000
#define ROUNDS	15
#define REPEATS 5 /* over all events a round: some milliseconds */

/* A tree is what a matcher would need at least if it took the event as any library gives it. A
 * study of such a matcher reached 0.82, 0.72, 0.69 and 0.57 times the rate at which cJSON makes one
 * in an arena; these leave room for a noisy machine. */
static const struct {
	size_t rules;
	double bar;
} sizes[] = {{1, BENCH_NONE}, {10, 0.75}, {100, 0.65}, {1000, 0.60}, {10000, 0.50}};
#define SIZES (sizeof sizes / sizeof *sizes)

/* 9,990 rules that match nothing must hardly be felt. */
#define BAR_NEVER 1.5
/* With 10,000 rules, from what was read, of the time of a parse. */
#define BAR_FIELDS 0.6
/* What no index serves costs some nanoseconds a rule, and no more. */
#define BAR_RESIDUAL_US 2.0
#define BAR_SHORT_US	10.0
/* 20,000 rules are the ceiling; a relay on a small machine reloads them without being noticed. */
#define BAR_MB	   12.0
#define BAR_LOAD_S 0.1

struct set {
	const struct pattern **patterns;
	size_t n;
	struct index *ix;
	struct index_scratch *scratch;
	double yaml_s, compile_s, build_s;
};

struct bench {
	struct buf events[EVENTS];
	struct set *set, *other;
	size_t matches; /* of the last round */
};

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "bench_rules: %s: %s\n", what, why);
	exit(2);
}

/* ---- cJSON in a bump arena */

static _Alignas(max_align_t) char arena[1 << 20];
static size_t arena_used;

static void *arena_malloc(size_t size)
{
	void *ret = arena + arena_used;

	arena_used += (size + 15) & ~(size_t)15;
	if (arena_used > sizeof arena)
		give_up("arena", "too small");
	return ret;
}

static void arena_free(void *p)
{
	(void)p;
}

static double parse(void *arg)
{
	struct bench *b = arg;
	double start = bench_cpu_s();

	for (size_t k = 0; k < REPEATS; k++)
		for (size_t i = 0; i < EVENTS; i++) {
			arena_used = 0;
			if (!cJSON_ParseWithLengthOpts(b->events[i].data, b->events[i].len, NULL,
						       false))
				give_up("cJSON", "an event is no JSON");
		}
	return REPEATS * EVENTS / (bench_cpu_s() - start);
}

/* ---- sets of rules */

struct text {
	struct buf when;
	struct yaml *yaml;
};

static struct text *make_texts(struct prng *random, enum mix_kind kind, size_t n)
{
	struct text *texts = xcalloc(n, sizeof *texts);

	for (size_t i = 0; i < n; i++) {
		buf_init(&texts[i].when, 8192);
		buf_adds(&texts[i].when, "when: ");
		mix_rule(&texts[i].when, random, kind, (unsigned)i);
	}
	return texts;
}

static void add_rules(struct set *s, struct prng *random, enum mix_kind kind, size_t n)
{
	struct text *texts = make_texts(random, kind, n);
	struct problems p = {0};
	double start = bench_cpu_s();

	for (size_t i = 0; i < n && !p.n; i++)
		texts[i].yaml = yaml_parse("rule", texts[i].when.data, texts[i].when.len, &p);
	if (p.n)
		give_up("yaml_parse", p.v[0]);
	s->yaml_s += bench_cpu_s() - start;
	s->patterns = xrealloc(s->patterns, s->n + n, sizeof *s->patterns);
	start = bench_cpu_s();
	for (size_t i = 0; i < n && !p.n; i++)
		s->patterns[s->n++] =
			pattern_compile(node_get(yaml_root(texts[i].yaml), "when"), &p);
	s->compile_s += bench_cpu_s() - start;
	if (p.n)
		give_up("pattern_compile", p.v[0]);
	for (size_t i = 0; i < n; i++) {
		yaml_free(texts[i].yaml);
		buf_release(&texts[i].when);
	}
	free(texts);
}

static void build(struct set *s)
{
	double start = bench_cpu_s();

	s->ix = index_build(s->patterns, s->n);
	s->build_s = bench_cpu_s() - start;
	s->scratch = index_scratch_new(s->ix);
}

static struct set make_set(enum mix_kind kind, size_t n)
{
	struct prng random = {20261122};
	struct set s = {0};

	add_rules(&s, &random, kind, n);
	build(&s);
	return s;
}

static void release_set(struct set *s)
{
	index_scratch_free(s->scratch);
	index_free(s->ix);
	for (size_t i = 0; i < s->n; i++)
		pattern_free((struct pattern *)s->patterns[i]);
	free(s->patterns);
}

/* ---- what is measured */

static double match_text(void *arg)
{
	struct bench *b = arg;
	const uint32_t *ret;
	double start = bench_cpu_s();

	b->matches = 0;
	for (size_t k = 0; k < REPEATS; k++)
		for (size_t i = 0; i < EVENTS; i++) {
			index_read(b->set->ix, b->set->scratch, b->events[i].data,
				   b->events[i].len);
			b->matches += index_match(b->set->ix, b->set->scratch, &ret);
		}
	return REPEATS * EVENTS / (bench_cpu_s() - start);
}

/* Each event is read once and matched many times; only the latter is timed. */
static double match_fields(struct bench *b, struct set *s)
{
	const uint32_t *ret;
	double cpu = 0, start;

	b->matches = 0;
	for (size_t i = 0; i < EVENTS; i++) {
		index_read(s->ix, s->scratch, b->events[i].data, b->events[i].len);
		index_match(s->ix, s->scratch, &ret);
		start = bench_cpu_s();
		for (size_t k = 0; k < 20; k++)
			b->matches += index_match(s->ix, s->scratch, &ret);
		cpu += bench_cpu_s() - start;
	}
	return 20 * EVENTS / cpu;
}

static double fields_of_set(void *arg)
{
	struct bench *b = arg;

	return match_fields(b, b->set);
}

static double fields_of_other(void *arg)
{
	struct bench *b = arg;

	return match_fields(b, b->other);
}

static void make_events(struct bench *b, bool whole_row)
{
	struct prng random = {1};

	for (size_t i = 0; i < EVENTS; i++) {
		if (b->events[i].data)
			buf_release(&b->events[i]);
		buf_init(&b->events[i], 1 << 16);
		mix_event(&b->events[i], &random, whole_row);
	}
}

static double bytes_an_event(const struct bench *b)
{
	double sum = 0;

	for (size_t i = 0; i < EVENTS; i++)
		sum += (double)b->events[i].len;
	return sum / EVENTS;
}

/* A figure of what was matched wrongly would be worth nothing. */
static void check_matches(struct bench *b, const struct set *s)
{
	struct json_doc *doc = json_doc_new();
	const uint32_t *found;
	struct err err = {0};

	for (size_t i = 0; i < EVENTS; i += EVENTS / 50) {
		const struct buf *text = &b->events[i];
		const struct json *event;
		size_t n, at = 0;

		arena_used = 0;
		event = json_parse(doc, text->data, text->len, JSON_DEPTH, &err);
		index_read(s->ix, s->scratch, text->data, text->len);
		n = index_match(s->ix, s->scratch, &found);
		for (uint32_t k = 0; k < s->n; k++) {
			bool hit = at < n && found[at] == k;

			at += hit;
			if (hit != pattern_match(s->patterns[k], event))
				give_up("index_match", "another result than pattern_match");
		}
	}
	json_doc_free(doc);
}

struct text_bench {
	const char *what;
	char names[SIZES][80];
};

static void from_text(struct bench *b, struct text_bench *t, bool judged)
{
	for (size_t i = 0; i < SIZES; i++) {
		struct set s = make_set(MIX_RULES, sizes[i].rules);
		struct bench_pair pair;

		check_matches(b, &s);
		b->set = &s;
		pair = bench_pairs(ROUNDS, match_text, parse, b);
		snprintf(t->names[i], sizeof t->names[i], "%s, %zu rule%s", t->what, sizes[i].rules,
			 i ? "s" : "");
		bench_row(t->names[i], pair.ours, "events/s", pair.ratio,
			  "cJSON in an arena, parsing", judged ? sizes[i].bar : BENCH_NONE, true);
		printf("    %.2f matches an event\n", (double)b->matches / REPEATS / EVENTS);
		release_set(&s);
	}
}

static void from_fields(struct bench *b)
{
	struct set s = make_set(MIX_RULES, 10000), few = {0}, many = {0};
	struct prng random = {7};
	struct bench_pair pair;

	b->set = &s;
	pair = bench_pairs(ROUNDS, fields_of_set, parse, b);
	bench_row("from what was read, 10000 rules", 1e6 / pair.ours, "us/event", 1 / pair.ratio,
		  "a parse by cJSON in an arena", BAR_FIELDS, false);
	printf("    %.2f matches an event\n", (double)b->matches / 20 / EVENTS);
	bench_row("memory of 10000 rules", (double)index_bytes(s.ix) / 1e6, "MB", BENCH_NONE, NULL,
		  BAR_MB, false);
	bench_row("load of 10000 rules: compiling and indexing", s.compile_s + s.build_s, "CPU-s",
		  BENCH_NONE, NULL, BAR_LOAD_S, false);
	bench_row("the indexing alone", s.build_s, "CPU-s", BENCH_NONE, NULL, BENCH_NONE, false);
	bench_row("reading their YAML", s.yaml_s, "CPU-s", BENCH_NONE, NULL, BENCH_NONE, false);
	release_set(&s);

	add_rules(&few, &random, MIX_RULES, 10);
	build(&few);
	random.state = 7;
	add_rules(&many, &random, MIX_RULES, 10);
	add_rules(&many, &random, MIX_NEVER, 9990);
	build(&many);
	b->set = &many;
	b->other = &few;
	pair = bench_pairs(ROUNDS, fields_of_set, fields_of_other, b);
	bench_row("9990 more rules that match nothing", 1e6 / pair.ours, "us/event", 1 / pair.ratio,
		  "10 rules", BAR_NEVER, false);
	release_set(&few);
	release_set(&many);
}

static void hard_ones(struct bench *b)
{
	struct set residual = make_set(MIX_RESIDUAL, 1000), fragments = make_set(MIX_SHORT, 1000);
	struct bench_pair pair;

	b->set = &residual;
	b->other = &fragments;
	pair = bench_pairs(ROUNDS, fields_of_set, fields_of_other, b);
	bench_row("1000 rules of regex, any case, anything-but", 1e6 / pair.ours, "us/event",
		  BENCH_NONE, NULL, BAR_RESIDUAL_US, false);
	bench_row("1000 wildcards of short fragments", 1e6 / pair.peer, "us/event", BENCH_NONE,
		  NULL, BAR_SHORT_US, false);
	fields_of_set(b);
	printf("    %.2f", (double)b->matches / 20 / EVENTS);
	fields_of_other(b);
	printf(" and %.2f matches an event\n", (double)b->matches / 20 / EVENTS);
	release_set(&residual);
	release_set(&fragments);

	struct set bare = make_set(MIX_BARE, 100);
	b->set = &bare;
	bench_row("100 regular expressions of classes alone", 1e6 / fields_of_set(b), "us/event",
		  BENCH_NONE, NULL, BENCH_NONE, false);
	release_set(&bare);
}

int main(void)
{
	static struct bench b;
	static struct text_bench small = {.what = "text to matches"};
	static struct text_bench whole = {.what = "with the whole row"};

	json_doc_free(json_doc_new()); /* sets hooks of its own, once */
	cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = arena_malloc, .free_fn = arena_free});
	make_events(&b, false);
	printf("events of %.0f bytes\n", bytes_an_event(&b));
	from_text(&b, &small, true);
	from_fields(&b);
	hard_ones(&b);
	make_events(&b, true);
	printf("events of %.0f bytes\n", bytes_an_event(&b));
	from_text(&b, &whole, false);
	for (size_t i = 0; i < EVENTS; i++)
		buf_release(&b.events[i]);
	return bench_write("rules");
}
