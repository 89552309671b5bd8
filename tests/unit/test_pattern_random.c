/*
 * Patterns and events of chance. Whatever they are: no crash, no hang; explaining says what
 * matching says; a pattern written in another order means the same. One in four is damaged after
 * that, and must be compiled or refused with words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/base/random.h"
#include "rules/pattern.h"
#include "tests/unit/random_runs.h"

#define RUNS	 5000
#define TEXT_MAX (1 << 20)

static struct prng dice;

static unsigned throw(unsigned sides)
{
	return (unsigned)(prng_next(&dice) % sides);
}

/* The same thing twice, what is in it in one order and in the other. */
struct twins {
	struct buf there, back;
};

static void twins_init(struct twins *t)
{
	buf_init(&t->there, TEXT_MAX);
	buf_init(&t->back, TEXT_MAX);
}

static void twins_release(struct twins *t)
{
	buf_release(&t->there);
	buf_release(&t->back);
}

static void say(struct twins *t, const char *text)
{
	buf_adds(&t->there, text);
	buf_adds(&t->back, text);
}

/* Puts one more member into a list or map that is being built. */
static void join(struct twins *t, struct twins *member)
{
	struct buf back = BUF_INIT(TEXT_MAX);

	buf_adds(&t->there, t->there.len ? ", " : "");
	buf_add(&t->there, member->there.data, member->there.len);
	buf_add(&back, member->back.data, member->back.len);
	buf_adds(&back, t->back.len ? ", " : "");
	buf_add(&back, t->back.data, t->back.len);
	buf_release(&t->back);
	t->back = back;
	twins_release(member);
}

static void wrap(struct twins *t, const char *before, const char *after)
{
	struct twins whole;

	twins_init(&whole);
	say(&whole, before);
	buf_add(&whole.there, t->there.data, t->there.len);
	buf_add(&whole.back, t->back.data, t->back.len);
	say(&whole, after);
	twins_release(t);
	*t = whole;
}

static const char *const names[] = {"a", "b", "c", "ab", "a-b"};
static const char *const values[] = {"x",	"xy",	       "\"\"",	"1", "2.50",	     "-0",
				     "null",	"true",	       "\"1\"", "É", "\"10.1.2.3\"", "1e3",
				     "\"::1\"", "\"x*y\\\\\"", "xyxyxy"};
static const char *const operators[] = {
	"{prefix: x}",
	"{prefix: {equals-ignore-case: é}}",
	"{suffix: y}",
	"{suffix: {equals-ignore-case: XY}}",
	"{equals-ignore-case: XY}",
	"{wildcard: \"x*y\"}",
	"{wildcard: \"*xy*x*\"}",
	"{wildcard: 'x\\*y\\\\'}",
	"{anything-but: x}",
	"{anything-but: [1, 2.5]}",
	"{anything-but: {prefix: [x, é]}}",
	"{anything-but: {wildcard: [\"*y\", \"1*\"]}}",
	"{numeric: [\">\", 0, \"<=\", 2.5]}",
	"{numeric: [\"<\", 1]}",
	"{exists: true}",
	"{exists: false}",
	"{cidr: 10.1.0.0/16}",
	"{regex: \"^(x|y)+$\"}",
	"{prefix: 1}",
	"{sufix: x}",
};

static const char *one_of(const char *const *v, size_t n)
{
	return v[throw((unsigned)n)];
}
#define ONE_OF(v) one_of(v, sizeof(v) / sizeof *(v))

static void make_list(struct twins *t)
{
	size_t n = throw(40) ? 1 + throw(3) : 0;

	for (size_t i = 0; i < n; i++) {
		struct twins member;
		twins_init(&member);
		say(&member, throw(2) ? ONE_OF(values) : one_of(operators, throw(80) ? 18 : 20));
		join(t, &member);
	}
	wrap(t, "[", "]");
}

static void make_map(struct twins *t, unsigned depth);

static void make_or(struct twins *t, unsigned depth)
{
	for (unsigned i = throw(25) ? 2 : 1, n = i + throw(2); n > 0; n--) {
		struct twins branch;
		twins_init(&branch);
		make_map(&branch, depth + 1);
		join(t, &branch);
	}
	wrap(t, "$or: [", "]");
}

static void make_map(struct twins *t, unsigned depth)
{
	unsigned first = throw(5), n = 1 + throw(2) * throw(3);

	for (unsigned i = 0; i < n; i++) {
		struct twins member;
		char key[16];
		twins_init(&member);
		snprintf(key, sizeof key, "%s: ", names[(first + i) % 5]);
		if (depth < 3 && !throw(4)) {
			make_map(&member, depth + 1);
			wrap(&member, key, "");
		} else if (depth < 4 && i + 1 == n && !throw(3)) {
			make_or(&member, depth);
		} else {
			make_list(&member);
			wrap(&member, key, "");
		}
		join(t, &member);
	}
	wrap(t, "{", "}");
}

static void make_json(struct buf *out, unsigned depth)
{
	static const char *const leaves[] = {"\"x\"",	     "\"xy\"",
					     "\"\"",	     "1",
					     "2.5",	     "0",
					     "null",	     "true",
					     "\"1\"",	     "\"\\u00e9x\"",
					     "\"10.1.2.3\"", "1000",
					     "\"0::1\"",     "\"x*y\\\\\"",
					     "\"xyxyxy\""};
	unsigned kind = depth > 4 ? 9 : throw(10);

	if (kind > 5) {
		buf_adds(out, ONE_OF(leaves));
		return;
	}
	bool object = kind > 2 || !depth;
	buf_addc(out, object ? '{' : '[');
	for (unsigned i = 0, n = object ? 3 + throw(3) : throw(4), first = throw(5); i < n; i++) {
		buf_adds(out, i ? "," : "");
		if (object)
			buf_addf(out, "\"%s\":", names[(first + i) % 5]);
		make_json(out, depth + 1);
	}
	buf_addc(out, object ? '}' : ']');
}

struct compiled {
	struct yaml *yaml;
	struct pattern *pattern; /* NULL: refused */
};

static struct compiled compile(const struct buf *text)
{
	struct problems p = {0};
	struct compiled c = {.yaml = yaml_parse("random.yaml", text->data, text->len, &p)};

	if (c.yaml)
		c.pattern = pattern_compile(node_get(yaml_root(c.yaml), "when"), &p);
	if (!c.pattern && !p.n)
		fail_msg("refused without a word: %s", text->data);
	for (size_t i = 0; i < p.n; i++)
		assert_true(strlen(p.v[i]) > strlen("random.yaml:1:1: "));
	problems_release(&p);
	return c;
}

static void release(struct compiled *c)
{
	pattern_free(c->pattern);
	yaml_free(c->yaml);
}

static void take_finding(void *arg, const struct pattern_finding *f)
{
	bool *all = arg;

	assert_true(f->path && f->wanted && f->seen);
	*all = *all && f->holds;
}

static bool matches(const struct pattern *pt, const struct json *event)
{
	bool all = true, answer = pattern_match(pt, event);

	assert_true(pattern_explain(pt, event, take_finding, &all) == answer);
	return answer;
}

static void damage(struct buf *text)
{
	static const char bytes[] = "{}[]:,\"'*&$-#xy01 \n\\\xc3";

	for (unsigned n = 1 + throw(3); n > 0; n--)
		text->data[throw((unsigned)text->len)] = bytes[throw(sizeof bytes - 1)];
}

struct tally {
	size_t compiled, matched, refused;
};

static void run_one(struct tally *tally)
{
	struct twins t;
	struct json_doc *doc = json_doc_new();
	struct buf json = BUF_INIT(TEXT_MAX);
	struct err err = {0};
	bool damaged = !throw(4);

	twins_init(&t);
	make_map(&t, 0);
	wrap(&t, "when: {data: ", "}\n");
	if (damaged)
		damage(&t.there);
	make_json(&json, 0);
	char *whole = buf_detach(&json);
	buf_addf(&json, "{\"data\":%s}", whole);
	free(whole);
	const struct json *event = json_parse(doc, json.data, json.len, JSON_DEPTH, &err);
	assert_non_null(event);

	struct compiled one = compile(&t.there), other = compile(&t.back);
	if (!damaged && !one.pattern != !other.pattern)
		fail_msg("only one of\n%s%s is refused", t.there.data, t.back.data);
	if (!damaged && one.pattern) {
		bool answer = matches(one.pattern, event);
		if (pattern_hash(one.pattern) != pattern_hash(other.pattern) ||
		    matches(other.pattern, event) != answer)
			fail_msg("not the same, with %s:\n%s%s", json.data, t.there.data,
				 t.back.data);
		tally->matched += answer;
	} else if (one.pattern) {
		matches(one.pattern, event);
	}
	tally->compiled += !!one.pattern;
	tally->refused += !one.pattern;
	release(&one);
	release(&other);
	twins_release(&t);
	buf_release(&json);
	json_doc_free(doc);
}

static void whatever_comes(void **state)
{
	const struct random_runs runs = random_runs(RUNS, random_u64());
	struct tally tally = {0};

	(void)state;
	dice.state = runs.seed;
	for (size_t i = 0; i < runs.n; i++)
		run_one(&tally);
	printf("# compiled=%zu matched=%zu refused=%zu\n", tally.compiled, tally.matched,
	       tally.refused);
	/* both happen often enough to mean something */
	assert_true(runs.n < 1000 || (tally.compiled > runs.n / 4 && tally.matched > runs.n / 50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_comes),
	};
	return cmocka_run_group_tests_name("pattern random", tests, NULL, NULL);
}
