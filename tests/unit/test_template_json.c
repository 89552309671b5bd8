/* template, JSON: which templates are refused and what they are told, what the others say, and
 * that these say JSON whatever the data is: by random templates over random data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/random.h"
#include "tests/unit/random_runs.h"
#include "tests/unit/template_rig.h"

#define DATA                                                                                        \
	"{\"s\":\"a "                                                                               \
	"\\\"b\\\"\\n\\\\\\u0001ü\",\"n\":1.5,\"t\":true,\"z\":null,\"l\":[1,\"x\",null],\"e\":[]" \
	","                                                                                         \
	"\"o\":{\"k\":\"v\",\"w\":{}}}"

struct said {
	const char *template, *says;
};

static void check_all(const struct said *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *said = template_said(TEMPLATE_JSON, cases[i].template, DATA);

		if (strcmp(said, cases[i].says) != 0)
			fail_msg("%s\nsays  %s\nnot   %s", cases[i].template, said, cases[i].says);
		if (*said != '!')
			assert_json(said, cases[i].template);
		free(said);
	}
}
#define CHECK_ALL(cases) check_all(cases, sizeof cases / sizeof *cases)

static void values(void **state)
{
	static const struct said cases[] = {
		{" {\"a\" : [ 1 , -2.5e+3 , true, false, null, \"\\u00e9\\ud83d\\ude00\\n\"] , "
		 "\"b\":{ } } ",
		 " {\"a\" : [ 1 , -2.5e+3 , true, false, null, \"\\u00e9\\ud83d\\ude00\\n\"] , "
		 "\"b\":{ } } "},
		{"\"{{s}}\"", "\"a \\\"b\\\"\\n\\\\\\u0001ü\""},
		{"{{json s}}", "\"a \\\"b\\\"\\n\\\\\\u0001ü\""},
		{"\"{{n}}{{t}}{{z}}{{missing}}{{l}}{{o}}\"",
		 "\"1.5true[1,\\\"x\\\",null]{\\\"k\\\":\\\"v\\\",\\\"w\\\":{}}\""},
		{"[{{json n}},{{json t}},{{json z}},{{json missing}},{{json l}},{{json o}}]",
		 "[1.5,true,null,null,[1,\"x\",null],{\"k\":\"v\",\"w\":{}}]"},
		{"{\"a\":{{json z | default \"d\"}},\"b\":\"{{z | default \"q\\\"\"}}\"}",
		 "{\"a\":\"d\",\"b\":\"q\\\"\"}"},
		{"{\"o\":{{json o}}}", "{\"o\":{\"k\":\"v\",\"w\":{}}}"},
		{"{{! note }}1{{! note }}", "1"},
	};

	(void)state;
	CHECK_ALL(cases);
}

static void branches(void **state)
{
	static const struct said cases[] = {
		{"{{#if z}}1{{else}}[2]{{/if}}", "[2]"},
		{"{\"a\":1{{#if t}},\"b\":2{{/if}}}", "{\"a\":1,\"b\":2}"},
		{"{\"a\":1{{#if z}},\"b\":2{{/if}}}", "{\"a\":1}"},
		{"{{{! the brace is JSON's }}\"a\":1}",
		 "! line 1, column 1: {{{ is not known: put a blank between a { of JSON and {{"},
		{"{ {{#if z}}\"a\":1,{{/if}}\"b\":2}", "{ \"b\":2}"},
		{"{ {{#if z}}\"a\":1{{/if}} }", "{  }"},
		{"{\"a\":{{#if z}}1{{else}}2{{/if}}}", "{\"a\":2}"},
		{"{ {{#if z}}\"a\":1{{else}}\"a\":2{{/if}} }", "{ \"a\":2 }"},
		{"{\"a\":{\"b\":1},\"b\":{\"a\":1}}", "{\"a\":{\"b\":1},\"b\":{\"a\":1}}"},
		{"[{{#if t}}1,{{/if}}2]", "[1,2]"},
		{"\"x{{#if t}}y{{else}}z{{/if}}\"", "\"xy\""},
		{"{{#if t}}\"a{{else}}\"b{{/if}}c\"", "\"ac\""},
		{"[1{{#if t}}2{{/if}}]", "! line 1, column 12: ',' or ']' was expected here"},
		{"{{#if t}}1{{/if}}", "! line 1, column 18: there may be no JSON value at all"},
		{"{ {{#if t}}\"a\":1,{{/if}} }", "! line 1, column 26: a name in quotes was "
						 "expected here (where an #if before this "
						 "took the other way)"},
		{"[{{#if t}}1{{/if}},2]", "! line 1, column 19: a value or ] was expected here "
					  "(where an #if before this took "
					  "the other way)"},
		{"{\"a\":{{#if t}}1{{/if}}}", "! line 1, column 23: a value was expected here "
					      "(where an #if before this took the "
					      "other way)"},
		{"[{{#if t}}[{{/if}}]",
		 "! line 1, column 12: the [ that was opened in this block is not "
		 "closed in it"},
		{"[1{{#if t}}],[{{else}}{{/if}}2]",
		 "! line 1, column 12: this closes what was opened outside of the block"},
		{"{{#if t}}\"a{{else}}\"b\"{{/if}}\"", "! line 1, column 23: one way through this "
						       "#if ends inside a string, the other does "
						       "not"},
		{"{\"a\":1{{#if t}},\"a\":2{{/if}}}",
		 "! line 1, column 17: the object has the name \"a\" already"},
		{"{ {{#if t}}\"a\":1,{{/if}}\"\\u0061\":2}",
		 "! line 1, column 25: the object has the name \"a\" already"},
	};

	(void)state;
	CHECK_ALL(cases);
}

static void lists(void **state)
{
	static const struct said cases[] = {
		{"[{{#each l}}{{json this}}{{/each}}]", "[1,\"x\",null]"},
		{"[{{#each e}}{{json this}}{{/each}}]", "[]"},
		{"[0{{#each l}}{{json this}}{{/each}}]", "[0,1,\"x\",null]"},
		{"[0{{#each e}}{{json this}}{{/each}}]", "[0]"},
		{"[0{{#each e}}{{json this}}{{/each}},9]", "[0,9]"},
		{"[0{{#each l}}{{json this}}{{/each}}9]", "[0,1,\"x\",null,9]"},
		{"[{{#each l}}{{json this}}{{/each}}9]", "[1,\"x\",null,9]"},
		{"[{{#each e}}{{json this}}{{/each}} {\"a\":1}]", "[ {\"a\":1}]"},
		{"[{{#each l}}{{json this}}{{/each}}{{#each e}}1{{/each}}{{#each l}}2{{/each}}]",
		 "[1,\"x\",null,2,2,2]"},
		{"[{{#each l}} {\"i\": {{json @index}} , \"v\":\"{{this}}\"}\n{{/each}}]",
		 "[ {\"i\": 0 , \"v\":\"1\"}\n ,{\"i\": 1 , \"v\":\"x\"}\n ,{\"i\": 2 , "
		 "\"v\":\"\"}\n]"},
		{"[{{#each l}}{{#if this}}{{json this}}{{/if}}{{/each}}]", "[1,\"x\"]"},
		{"[{{#each l}}{{#if this}}{{json this}},0{{/if}}{{/each}}]", "[1,0,\"x\",0]"},
		{"[{{#each o}}[\"{{@key}}\",{{json this}}]{{/each}}]",
		 "[[\"k\",\"v\"],[\"w\",{}]]"},
		{"[{{#each l}}{{#each ../l}}{{json @index}}{{/each}}{{/each}}]",
		 "[0,1,2,0,1,2,0,1,2]"},
		{"[[{{#each l}}[{{#each ../e}}1{{/each}}]{{/each}}]]", "[[[],[],[]]]"},
		{"[{{#if t}}{{#each l}}1{{/each}}{{/if}}]", "[1,1,1]"},
		{"\"{{#each l}}<{{this}}>{{#if this}},{{/if}}{{/each}}\"", "\"<1>,<x>,<>\""},
		{"[\"[\"{{#each l}}\",\"{{/each}}]", "[\"[\",\",\",\",\",\",\"]"},
		{"[1,{{#each l}}2{{/each}}]", "! line 1, column 4: leave out the comma before "
					      "#each, which may bring nothing: it puts "
					      "its commas itself"},
		{"[{{#each l}}2,{{/each}}]",
		 "! line 1, column 15: leave out the comma before {{/each}}, which puts it itself"},
		{"[{{#each l}},2{{/each}}]",
		 "! line 1, column 13: a value or ] was expected here: #each "
		 "puts its commas itself"},
		{"[{{#each l}}2{{/each}},3]",
		 "! line 1, column 23: a value or ] was expected here: "
		 "#each puts its commas itself"},
		{"[{{#each l}}1 2{{/each}}]", "! line 1, column 15: ',' or ']' was expected here"},
		{"[{{#each l}}]{{/each}}]",
		 "! line 1, column 13: this closes what was opened outside of the block"},
		{"[{{#each l}}{\"a\":{{/each}}]",
		 "! line 1, column 18: the { that was opened in this "
		 "block is not closed in it"},
		{"[{{#each l}}\"a{{/each}}\"]",
		 "! line 1, column 15: a string that began in #each goes on"},
		{"[\"a{{#each l}}\",\"b{{/each}}\"]",
		 "! line 1, column 15: the string began outside of #each and cannot end in it"},
		{"{\"a\":{{#each l}}1{{/each}}}", "! line 1, column 6: #each stands in a list or "
						  "inside a string; here it would bring any "
						  "number of values where one must be"},
		{"{{#each l}}1{{/each}}", "! line 1, column 1: #each stands in a list or inside a "
					  "string; here it would bring any "
					  "number of values where one must be"},
		{"{ {{#each o}}\"a\":1{{/each}} }",
		 "! line 1, column 3: no #each among an object's names: they would come twice. A "
		 "whole "
		 "object is {{json …}}"},
		{"{\"a\":1{{#each o}},\"b\":1{{/each}} }",
		 "! line 1, column 7: no #each among an object's names: they would come twice. A "
		 "whole "
		 "object is {{json …}}"},
	};

	(void)state;
	CHECK_ALL(cases);
}

static void mistakes(void **state)
{
	static const struct said cases[] = {
		{"", "! line 1, column 1: there may be no JSON value at all"},
		{"{{s}}",
		 "! line 1, column 1: {{…}} stands only inside a string here; a whole value is "
		 "{{json …}}"},
		{"\"{{json s}}\"",
		 "! line 1, column 2: {{json …}} is a whole value with its quotes; "
		 "inside a string stands {{…}}"},
		{"[{{json s}}{{json s}}]", "! line 1, column 12: ',' or ']' was expected here"},
		{"{{json s}}{{json s}}",
		 "! line 1, column 11: the JSON value is complete before this"},
		{"1 2", "! line 1, column 3: the JSON value is complete before this"},
		{"1,", "! line 1, column 2: the JSON value is complete before this"},
		{",", "! line 1, column 1: a value was expected here"},
		{"]", "! line 1, column 1: a value was expected here"},
		{"1]", "! line 1, column 2: the JSON value is complete before this"},
		{"[1}", "! line 1, column 3: ',' or ']' was expected here"},
		{"[1,]", "! line 1, column 4: a value was expected here"},
		{"{\"a\":1,}", "! line 1, column 8: a name in quotes was expected here"},
		{"{\"a\" 1}", "! line 1, column 6: ':' was expected here"},
		{"{\"a\":1 \"b\":2}", "! line 1, column 8: ',' or '}' was expected here"},
		{"{a:1}", "! line 1, column 2: a name in quotes or } was expected here"},
		{"[a]",
		 "! line 1, column 2: no JSON here: a text stands in quotes, a place is {{…}}"},
		{"[01]",
		 "! line 1, column 2: no JSON here: a text stands in quotes, a place is {{…}}"},
		{"[1.{{json n}}]",
		 "! line 1, column 2: no JSON here: a text stands in quotes, a place is {{…}}"},
		{"[tr{{#if t}}ue{{/if}}]",
		 "! line 1, column 2: no JSON here: a text stands in quotes, a place is {{…}}"},
		{"[1234567890123456789012345678901234567890123456789012345678901234]",
		 "! line 1, column 2: no JSON here: a text stands in quotes, a place is {{…}}"},
		{"[1{{json n}}]", "! line 1, column 3: ',' or ']' was expected here"},
		{"{\"a{{s}}\":1}",
		 "! line 1, column 4: no {{…}} in an object's name: it could come twice"},
		{"{{{s}}:1}",
		 "! line 1, column 1: {{{ is not known: put a blank between a { of JSON and {{"},
		{"{ {{json s}}:1}", "! line 1, column 3: a name in quotes or } was expected here"},
		{"{\"a\"{{json s}}:1}", "! line 1, column 5: ':' was expected here"},
		{"{\"a\":1,\"a\":2}", "! line 1, column 8: the object has the name \"a\" already"},
		{"[\n {\"a\":[1,\n2}]", "! line 3, column 2: ',' or ']' was expected here"},
		{"[[1]", "! line 1, column 1: this [ is not closed"},
		{"\"a", "! line 1, column 3: a string does not end"},
		{"{\"a", "! line 1, column 2: a string does not end"},
		{"\"\\x\"", "! line 1, column 2: no escape that JSON knows"},
		{"\"\\{{s}}\"", "! line 1, column 2: no escape that JSON knows"},
		{"\"\\ud83d{{s}}\\ude00\"", "! line 1, column 2: no escape that JSON knows"},
		{"\"\\u0000\"", "! line 1, column 2: \\u0000 in a string"},
		{"\"a\nb\"",
		 "! line 1, column 3: a line end or other control character in a string; "
		 "JSON writes \\n"},
	};

	(void)state;
	CHECK_ALL(cases);
}

static void ceilings(void **state)
{
	struct buf text = BUF_INIT(1 << 16);
	(void)state;

	for (int i = 0; i < 65; i++)
		buf_addc(&text, '[');
	char *said = template_said(TEMPLATE_JSON, text.data, "{}");
	assert_string_equal(said, "! line 1, column 65: nested too deep");
	free(said);

	buf_clear(&text);
	for (int i = 0; i < 257; i++)
		buf_addf(&text, "%c\"%d\":0", i ? ',' : '{', i);
	said = template_said(TEMPLATE_JSON, text.data, "{}");
	assert_non_null(strstr(said, "an object of more than 256 names"));
	free(said);
	buf_release(&text);
}

/* --- random templates over random data --- */

struct maker {
	struct prng p;
	struct buf out;
	unsigned scopes, depth, blocks;
};

static unsigned pick(struct maker *m, unsigned n)
{
	return (unsigned)(prng_next(&m->p) >> 33) % n;
}

static void make_path(struct maker *m)
{
	static const char *const paths[] = {"a",      "b",    "c",	 "a.b",	    "b.a",
					    "c.0",    "this", "missing", "this.a",  "@root.c",
					    "@index", "@key", "../a",	 "../this", "a.\"b\""};

	buf_adds(&m->out, paths[pick(m, m->scopes ? 15 : 10)]);
	if (pick(m, 8) == 0)
		buf_adds(&m->out, pick(m, 2) ? " | default \"d\\\"}}\"" : " | default 7");
	if (pick(m, 8) == 0)
		buf_adds(&m->out, " | cut 2");
}

static void make_block(struct maker *m, const char *name)
{
	buf_addf(&m->out, "{{#%s ", name);
	size_t at = m->out.len;
	make_path(m);
	char *bar = strchr(m->out.data + at, '|'); /* no default here */
	if (bar)
		buf_truncate(&m->out, (size_t)(bar - m->out.data));
	buf_adds(&m->out, "}}");
	m->blocks++;
}

static void make_string(struct maker *m, unsigned pieces)
{
	static const char *const texts[] = {"x", "\\n", "\\\"",		  "ü",
					    ",", "[",	"\\ud83d\\ude00", " }"};

	for (; pieces; pieces--) {
		unsigned what = m->blocks < 8 ? pick(m, 6) : pick(m, 4);

		if (what < 2) {
			buf_adds(&m->out, texts[pick(m, 8)]);
		} else if (what < 4) {
			buf_adds(&m->out, "{{");
			make_path(m);
			buf_adds(&m->out, "}}");
		} else {
			bool each = what == 5;

			make_block(m, each ? "each" : "if");
			m->scopes += each;
			make_string(m, pick(m, 3));
			m->scopes -= each;
			if (!each && pick(m, 2)) {
				buf_adds(&m->out, "{{else}}");
				make_string(m, pick(m, 3));
			}
			buf_adds(&m->out, each ? "{{/each}}" : "{{/if}}");
			m->blocks--;
		}
	}
}

static void make_value(struct maker *m);

static void make_elements(struct maker *m)
{
	unsigned n = pick(m, 4);
	bool comma = false;

	for (unsigned i = 0; i < n; i++) {
		if (m->blocks < 8 && pick(m, 3) == 0) {
			make_block(m, "each");
			m->scopes++;
			if (pick(m, 4) == 0) {
				buf_adds(&m->out, "{{#if this}}");
				make_value(m);
				buf_adds(&m->out, "{{/if}}");
			} else {
				make_value(m);
			}
			m->scopes--;
			m->blocks--;
			buf_adds(&m->out, "{{/each}}");
			continue;
		}
		if (comma || pick(m, 20) == 0)
			buf_addc(&m->out, ',');
		make_value(m);
		comma = true;
	}
}

static void make_members(struct maker *m)
{
	unsigned n = pick(m, 4), first = pick(m, 4);

	for (unsigned i = 0; i < n; i++) {
		bool block = i && m->blocks < 8 && pick(m, 3) == 0;

		if (block)
			make_block(m, "if");
		buf_addf(&m->out, "%s\"%c\":", i ? "," : " ", 'a' + (first + i) % 4);
		make_value(m);
		if (!block)
			continue;
		if (pick(m, 2)) {
			buf_addf(&m->out, "{{else}},\"%c\":", 'a' + (first + i) % 4);
			make_value(m);
		}
		buf_adds(&m->out, "{{/if}}");
		m->blocks--;
	}
	buf_addc(&m->out, ' ');
}

static void make_value(struct maker *m)
{
	static const char *const scalars[] = {"1", "-2.5e3", "true", "null", "\"\""};
	unsigned what = pick(m, m->depth < 4 ? 9 : 5);

	m->depth++;
	switch (what) {
	case 0: buf_adds(&m->out, scalars[pick(m, 5)]); break;
	case 1:
	case 2:
		buf_adds(&m->out, "{{json ");
		make_path(m);
		buf_adds(&m->out, "}}");
		break;
	case 3:
	case 4:
		buf_addc(&m->out, '"');
		make_string(m, pick(m, 4));
		buf_addc(&m->out, '"');
		break;
	case 5:
	case 6:
		buf_addc(&m->out, '[');
		make_elements(m);
		buf_addc(&m->out, ']');
		break;
	case 7:
		buf_addc(&m->out, '{');
		make_members(m);
		buf_addc(&m->out, '}');
		break;
	default:
		make_block(m, "if");
		make_value(m);
		buf_adds(&m->out, "{{else}}");
		make_value(m);
		buf_adds(&m->out, "{{/if}}");
		m->blocks--;
	}
	m->depth--;
}

/* A slip: a byte of JSON's or a whole tag goes, comes or is doubled. */
static void damage(struct maker *m)
{
	static const char *const bits[] = {",",	       "\"",	      "]",	   "[",
					   "{",	       "}",	      ":",	   "1",
					   "{{a}}",    "{{json a}}",  "{{#if a}}", "{{/if}}",
					   "{{else}}", "{{#each a}}", "{{/each}}", "\"a\":1",
					   "\\",       " ",	      "x",	   "\"b\""};
	size_t at = pick(m, (unsigned)m->out.len + 1), cut = pick(m, 3);
	char *rest = strdup(m->out.data + at);

	assert_non_null(rest);
	if (cut > strlen(rest))
		cut = 0;
	buf_truncate(&m->out, at);
	if (pick(m, 3))
		buf_adds(&m->out, bits[pick(m, 20)]);
	buf_adds(&m->out, rest + cut);
	free(rest);
}

static void make_data(struct maker *m, unsigned depth)
{
	static const char *const scalars[] = {"null",
					      "true",
					      "false",
					      "0",
					      "-1.5",
					      "1e999",
					      "\"\"",
					      "\"x\"",
					      "\"\\\"},\\\"\"",
					      "\"\\u0001\\n\\\\\"",
					      "\"[,\\u00fc\\ud83d\\ude00\"",
					      "12345678901234567890"};
	unsigned n = pick(m, 4), what = depth ? pick(m, depth > 3 ? 2 : 4) : 3;

	if (what < 2) {
		buf_adds(&m->out, scalars[pick(m, 12)]);
		return;
	}
	buf_addc(&m->out, what == 2 ? '[' : '{');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_addc(&m->out, ',');
		if (what == 3)
			buf_addf(&m->out, "\"%c\":", 'a' + i);
		make_data(m, depth + 1);
	}
	buf_addc(&m->out, what == 2 ? ']' : '}');
}

/* Returns how many of four renderings it made: none of a template that is refused. */
static unsigned render_random(uint64_t seed, struct json_doc *doc)
{
	struct maker m = {.p = {seed}, .out = BUF_INIT(1 << 20)};
	struct err err = {0};
	unsigned n = 0;

	make_value(&m);
	for (unsigned slips = pick(&m, 2) ? pick(&m, 3) : 0; slips; slips--)
		damage(&m);
	char *text = buf_detach(&m.out);
	struct template *t = template_compile(TEMPLATE_JSON, text, strlen(text), &err);
	for (; t && n < 4; n++) {
		struct buf out = BUF_INIT(1 << 20);

		buf_clear(&m.out);
		make_data(&m, 0);
		const struct json *root = json_parse(doc, m.out.data, m.out.len, 64, &err);
		if (!root)
			fail_msg("seed %llu: %s: %s", (unsigned long long)seed, m.out.data,
				 err.msg);
		if (template_render(t, root, &out, &err) == 0 &&
		    json_check(out.data, out.len, 512, &err) < 0)
			fail_msg("seed %llu: %s\n%s\n%s\n%s", (unsigned long long)seed, err.msg,
				 text, m.out.data, out.data);
		buf_release(&out);
	}
	template_free(t);
	free(text);
	buf_release(&m.out);
	return n;
}

/* A run is a template rendered over some data. */
static void what_is_taken_says_json(void **state)
{
	const struct random_runs runs = random_runs(20000, random_u64() >> 16);
	size_t made = 0, tried = 0;
	struct json_doc *doc = json_doc_new();
	(void)state;

	while (made < runs.n) {
		made += render_random(runs.seed + tried, doc);
		tried++;
	}
	assert_true(tried < made); /* most are taken, and some are not */
	assert_true(tried * 4 > made);
	json_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),   cmocka_unit_test(branches),
		cmocka_unit_test(lists),    cmocka_unit_test(mistakes),
		cmocka_unit_test(ceilings), cmocka_unit_test(what_is_taken_says_json),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
