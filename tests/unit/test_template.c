/* template: what each place, block and kind of template says of given data, and where a rendering
 * ends that would go on too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/template_rig.h"

#define DATA                                                                                       \
	"{\"type\":\"recipient.failed\",\"subject\":\"r "                                          \
	"1/ü\",\"none\":null,\"empty\":\"\",\"n\":3,"                                             \
	"\"zero\":0,\"x\":0.25,\"yes\":true,\"no\":false,\"void\":{},\"nil\":[],\"else\":\"e\","   \
	"\"data\":{\"error\":\"say \\\"no\\\"\\n\\u0001\\\\\",\"list\":[\"a\",\"b\",\"c\"],"       \
	"\"key\":{\"data.broadcast_id\":\"bc_1\"},\"this\":\"t\",\"dots\":\"..\",\"1\":\"one\","   \
	"\"by\":{\"channel\":[{\"value\":\"twilio\",\"count\":80},{\"value\":\"sms\",\"count\":2}" \
	"],"                                                                                       \
	"\"error\":[{\"value\":\"x\",\"count\":1}]},\"deep\":[[1,2],[],[3]]}}"

struct said {
	const char *template, *says;
};

static void check_all(enum template_kind kind, const struct said *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *said = template_said(kind, cases[i].template, DATA);

		if (strcmp(said, cases[i].says) != 0)
			fail_msg("%s\nsays  %s\nnot   %s", cases[i].template, said, cases[i].says);
		free(said);
	}
}
#define CHECK_ALL(kind, cases) check_all(kind, cases, sizeof cases / sizeof *cases)

static void places(void **state)
{
	static const struct said cases[] = {
		{"", ""},
		{"plain } }} { \n text", "plain } }} { \n text"},
		{"{{type}}", "recipient.failed"},
		{"a{{ type }}b{{\ttype\n}}c", "arecipient.failedbrecipient.failedc"},
		{"{{n}} {{x}} {{yes}} {{no}} {{zero}}", "3 0.25 true false 0"},
		{"<{{none}}{{missing}}{{data.missing.more}}{{type.more}}{{empty}}>", "<>"},
		{"{{data.list.1}}{{data.list.3}}{{data.list.-1}}{{data.list.x}}{{data.1}}", "bone"},
		{"{{data.list.99999999999999999999999999}}", ""},
		{"{{data.key.\"data.broadcast_id\"}}", "bc_1"},
		{"{{data.\"k\\u0065y\"}}", "{\"data.broadcast_id\":\"bc_1\"}"},
		{"{{data.list}}", "[\"a\",\"b\",\"c\"]"},
		{"{{data.error}}", "say \"no\"\n\x01\\"},
		{"{{json data.error}}", "\"say \\\"no\\\"\\n\\u0001\\\\\""},
		{"{{json missing}} {{json none}} {{json n}}", "null null 3"},
		{"{{data.this}} {{this.type}} {{this.data.this}} {{this.else}}",
		 "t recipient.failed t e"},
		{"{{@root.type}}", "recipient.failed"},
		{"{{! a note with \"quotes }}x{{!}}", "x"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

static void defaults(void **state)
{
	static const struct said cases[] = {
		{"{{missing | default \"x\"}}", "x"},
		{"{{missing|default \"}}\"}}", "}}"},
		{"{{none | default \"x\"}}{{empty | default \"y\"}}", "xy"},
		{"{{zero | default 1}}{{no | default true}}{{nil | default 1}}", "0false[]"},
		{"{{none | default 1.50}}{{none | default null}}", "1.50"},
		{"{{none | default \"a\\\"\\u00e9\\n\"}}", "a\"é\n"},
		{"{{json none | default \"a\\\"\"}}", "\"a\\\"\""},
		{"{{json none | default -1}}", "-1"},
		{"{{type | default \"x\"}}", "recipient.failed"},
		{"{{type|cut 16}} {{type|cut 15}} {{type|cut 1}}",
		 "recipient.failed recipient.fail… …"},
		{"{{subject | cut 5}} {{subject | cut 4}} {{missing | cut 4}}", "r 1/ü r 1… "},
		{"{{none | default \"üüü\" | cut 2}}", "ü…"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

static void conditions(void **state)
{
	static const struct said cases[] = {
		{"{{#if type}}a{{/if}}", "a"},
		{"{{#if missing}}a{{/if}}", ""},
		{"{{#if missing}}a{{else}}b{{/if}}", "b"},
		{"{{#if type}}a{{else}}b{{/if}}c", "ac"},
		{"{{#if none}}1{{/if}}{{#if empty}}2{{/if}}{{#if zero}}3{{/if}}{{#if no}}4{{/if}}"
		 "{{#if void}}5{{/if}}{{#if nil}}6{{/if}}",
		 ""},
		{"{{#if n}}1{{/if}}{{#if yes}}2{{/if}}{{#if data}}3{{/if}}{{#if data.list}}4{{/if}}"
		 "{{#if x}}5{{/if}}",
		 "12345"},
		{"{{#if type}}{{#if none}}a{{else}}b{{/if}}{{else}}c{{/if}}", "b"},
		{"{{#if none}}a{{else}}{{#if n}}b{{/if}}c{{/if}}d", "bcd"},
		{"{{# if n }}x{{ else }}{{/ if }}", "x"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

static void lists(void **state)
{
	static const struct said cases[] = {
		{"{{#each data.list}}{{this}}{{/each}}", "abc"},
		{"{{#each data.list}}{{#if @index}}, {{/if}}{{@index}}{{this}}{{/each}}",
		 "0a, 1b, 2c"},
		{"{{#each nil}}a{{/each}}{{#each missing}}b{{/each}}{{#each type}}c{{/each}}"
		 "{{#each none}}d{{/each}}{{#each n}}e{{/each}}",
		 ""},
		{"{{#each data.by}}{{@index}}{{@key}}:{{#each this}} {{value}}={{count}}{{/each}}; "
		 "{{/each}}",
		 "0channel: twilio=80 sms=2; 1error: x=1; "},
		{"{{#each data.by}}{{#each this}}{{../@key}}{{../@index}}{{@index}} "
		 "{{/each}}{{/each}}",
		 "channel00 channel01 error10 "},
		{"{{#each data.by.channel}}{{value}}{{type}}{{../type}}{{@root.n}}{{../data.this}} "
		 "{{/each}}",
		 "twiliorecipient.failed3t smsrecipient.failed3t "},
		{"{{#each data.deep}}[{{#each this}}{{this}}{{../../n}}{{/each}}]{{/each}}",
		 "[1323][][33]"},
		{"{{#each data.list}}{{@key | default \"-\"}}{{/each}}", "---"},
		{"{{#each data.list}}{{#if ../n}}{{../this.type}}{{/if}}{{/each}}",
		 "recipient.failedrecipient.failedrecipient.failed"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

/* A block's tag alone on its line leaves no line behind. */
static void lines(void **state)
{
	static const struct said cases[] = {
		{"{{! note }}\na\n  {{#each data.list}}  \n- {{this}}\n\t{{/each}}\nb",
		 "a\n- a\n- b\n- c\nb"},
		{"{{#if n}}\r\nyes\r\n{{else}}\r\nno\r\n{{/if}}\r\n", "yes\r\n"},
		{"{{#if n}}x\n{{/if}}", "x\n"},
		{"a {{#if n}}\nb{{/if}} \nc", "a \nb \nc"},
		{"{{#if n}}{{#if n}}\nx{{/if}}{{/if}}", "\nx"},
		{"  {{type}}\n  {{type}}", "  recipient.failed\n  recipient.failed"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

static void kinds(void **state)
{
	static const struct said line[] = {
		{"X {{data.error}}.", "X say \"no\"  \\."},
		{"{{json data.error}}", "\"say \\\"no\\\"\\n\\u0001\\\\\""},
		{"{{subject}}", "r 1/ü"},
		{"a\nb", "! line 1, column 2: a control character in a line"},
		{"{{none | default \"a\\r\\nb: c\\u0085\\u007f\"}}", "a  b: c  "},
	};
	static const struct said url[] = {
		{"https://x.test/{{subject}}?q={{data.error}}&n={{n}}",
		 "https://x.test/r%201%2F%C3%BC?q=say%20%22no%22%0A%01%5C&n=3"},
		{"/a b", "! line 1, column 3: a blank in a URL"},
	};
	static const struct said topic[] = {
		{"{{type}}.{{subject}}.{{none}}", "recipient.failed.r%201%2F%C3%BC.-"},
		{"{{type}}.{{data.dots}}", "recipient.failed.%2E%2E"},
		{"a.{{none | default \"x.y\"}}/z", "a.x%2Ey/z"},
		{"a b", "! line 1, column 2: a blank or a letter that is not ASCII in a topic"},
		{"ü", "! line 1, column 1: a blank or a letter that is not ASCII in a topic"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_LINE, line);
	CHECK_ALL(TEMPLATE_URL, url);
	CHECK_ALL(TEMPLATE_TOPIC, topic);
}

static void mistakes(void **state)
{
	static const struct said cases[] = {
		{"a\n  {{type", "! line 2, column 3: {{ without }}"},
		{"{{! x", "! line 1, column 1: {{ without }}"},
		{"ü{{type x}}", "! line 1, column 9: }} was expected, not \"x\""},
		{"{{type}", "! line 1, column 7: }} was expected, not \"}\""},
		{"{{{type}}}",
		 "! line 1, column 1: {{{ is not known: a value is always escaped for its place"},
		{"{{}}",
		 "! line 1, column 3: a path was expected, such as data.broadcast_id, not \"\""},
		{"{{.}}",
		 "! line 1, column 3: a path was expected, such as data.broadcast_id, not \".\""},
		{"{{a..b}}",
		 "! line 1, column 5: a path was expected, such as data.broadcast_id, not \".b\""},
		{"{{json}}",
		 "! line 1, column 7: a path was expected, such as data.broadcast_id, not \"\""},
		{"{{a | upper}}",
		 "! line 1, column 6: behind | can stand default \"…\", then | cut 100"},
		{"{{a | cut 5 | default 1}}",
		 "! line 1, column 14: behind | can stand default \"…\", then | cut 100"},
		{"{{a | cut 5 | cut 6}}",
		 "! line 1, column 14: behind | can stand default \"…\", then | cut 100"},
		{"{{a | cut}}",
		 "! line 1, column 10: cut wants a number of characters, 1 to 100000"},
		{"{{a | cut 0}}",
		 "! line 1, column 11: cut wants a number of characters, 1 to 100000"},
		{"{{a | cut 99999999999999999999}}",
		 "! line 1, column 11: cut wants a number of characters, 1 to 100000"},
		{"{{json a | cut 5}}",
		 "! line 1, column 16: only {{…}} can be cut, not {{json …}}"},
		{"{{a | default 'x'}}",
		 "! line 1, column 15: a default is a text in double quotes, "
		 "a number, true, false or null"},
		{"{{a | default [1]}}",
		 "! line 1, column 15: a default is a text in double quotes, "
		 "a number, true, false or null"},
		{"{{a | default {}}}", "! line 1, column 15: a default is a text in double quotes, "
				       "a number, true, false or null"},
		{"{{a | default \"\\x\"}}", "! line 1, column 15: not a text as JSON writes it"},
		{"{{a | default \"x}}", "! line 1, column 15: a text in quotes does not end"},
		{"{{#unless a}}x{{/unless}}",
		 "! line 1, column 4: unknown block \"unless\"; there are #if and #each"},
		{"{{#if a}}x", "! line 1, column 1: this block has no {{/if}}"},
		{"{{#if a}}x{{/each}}", "! line 1, column 11: {{/if}} was expected"},
		{"{{/if}}", "! line 1, column 1: there is no block to end here"},
		{"{{else}}", "! line 1, column 1: {{else}} stands only in #if"},
		{"{{#each a}}{{else}}{{/each}}",
		 "! line 1, column 12: {{else}} stands only in #if"},
		{"{{#if a}}{{else}}{{else}}{{/if}}", "! line 1, column 18: a second {{else}}"},
		{"{{else if a}}", "! line 1, column 8: }} was expected, not \"if\""},
		{"{{@key}}", "! line 1, column 3: stands only inside #each"},
		{"{{#each a}}{{../@index}}{{/each}}",
		 "! line 1, column 17: stands only inside #each"},
		{"{{#if a}}{{../b}}{{/if}}", "! line 1, column 12: ../ leads out of what there is: "
					     "each one leaves an #each"},
		{"{{@last}}", "! line 1, column 3: unknown @; there are @index, @key and @root"},
		{"{{#each a}}{{@key.x}}{{/each}}",
		 "! line 1, column 18: @index and @key have no members"},
		{"{{#each a}}{{../@root.x}}{{/each}}", "! line 1, column 17: no ../ before @root"},
		{"{{a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q}}",
		 "! line 1, column 35: a path of more than 16 names"},
		{"a\xff", "! line 1, column 2: no UTF-8"},
	};

	(void)state;
	CHECK_ALL(TEMPLATE_TEXT, cases);
}

static void ceilings(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};
	(void)state;

	for (int i = 0; i < 17; i++)
		buf_adds(&text, "{{#if n}}");
	char *said = template_said(TEMPLATE_TEXT, text.data, "{}");
	assert_string_equal(said, "! line 1, column 145: more than 16 blocks in one another");
	free(said);

	buf_clear(&text);
	while (text.len <= TEMPLATE_SIZE_MAX)
		buf_adds(&text, "0123456789abcdef");
	assert_null(template_compile(TEMPLATE_TEXT, text.data, text.len, &err));
	assert_string_equal(err.msg, "a template of more than 64 KiB");
	struct template *t = template_compile(TEMPLATE_TEXT, text.data, TEMPLATE_SIZE_MAX, &err);
	assert_non_null(t);
	template_free(t);
	assert_null(template_compile(TEMPLATE_TEXT, "a\0b", 3, &err));
	assert_string_equal(err.msg, "line 1, column 2: a NUL character");

	buf_clear(&text);
	buf_adds(&text, "{{");
	for (int i = 0; i < 256; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, "}}");
	said = template_said(TEMPLATE_TEXT, text.data, "{}");
	assert_string_equal(said, "! line 1, column 3: a name of more than 255 bytes");
	free(said);
	buf_release(&text);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* {"a":[0,0,…],"s":"xx…"} of about 200,000 bytes */
static char *large_data(void)
{
	struct buf data = BUF_INIT(1 << 20);

	buf_adds(&data, "{\"a\":[0");
	for (int i = 0; i < 50000; i++)
		buf_adds(&data, ",0");
	buf_adds(&data, "],\"s\":\"");
	for (int i = 0; i < 10000; i++)
		buf_adds(&data, "\\u0001 ten");
	buf_adds(&data, "\"}");
	return buf_detach(&data);
}

static void hostile_templates_end(void **state)
{
	static const char steps[] = "! takes more than 1000000 steps";
	static const char bytes[] = "! comes to more than 262144 bytes";
	static const struct {
		enum template_kind kind;
		struct said said;
	} cases[] = {
		{TEMPLATE_TEXT,
		 {"{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}", steps}},
		{TEMPLATE_TEXT, {"{{#each a}}{{../a.49999}}{{/each}}", steps}},
		{TEMPLATE_TEXT,
		 {"{{#each a}}{{#if ../b}}x{{/if}}{{#each ../a}}{{/each}}{{/each}}", steps}},
		{TEMPLATE_TEXT, {"{{#each a}}{{../s}}{{/each}}", bytes}},
		{TEMPLATE_TEXT, {"{{#each a}}{{json ../a}}{{/each}}", bytes}},
		{TEMPLATE_JSON, {"\"{{s}}{{s}}{{s}}{{s}}{{s}}\"", bytes}},
		{TEMPLATE_JSON, {"[{{#each a}}\"{{../a}}\"{{/each}}]", bytes}},
		{TEMPLATE_LINE, {"{{#each a}}{{../s}}{{/each}}", bytes}},
		{TEMPLATE_URL, {"{{s}}{{s}}{{s}}{{s}}{{s}}{{s}}{{s}}", bytes}},
		{TEMPLATE_TOPIC, {"{{#each a}}{{../s}}{{/each}}", bytes}},
	};
	char *data = large_data();
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double start = cpu_seconds();
		char *said = template_said(cases[i].kind, cases[i].said.template, data);

		if (strcmp(said, cases[i].said.says) != 0)
			fail_msg("%s\nsays  %.200s", cases[i].said.template, said);
		if (cpu_seconds() - start > 2)
			fail_msg("%s takes %g s", cases[i].said.template, cpu_seconds() - start);
		free(said);
	}
	free(data);
}

/* What failed is taken back and what stood before stays; a lower ceiling of the buffer holds. */
static void appends(void **state)
{
	struct buf out = BUF_INIT(10);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *root = json_parse(doc, "{\"a\":\"12345\"}", 13, 8, &err);
	struct template *t = template_compile(TEMPLATE_TEXT, "<{{a}}>", 7, &err);
	(void)state;

	assert_int_equal(template_render(t, root, &out, &err), 0);
	assert_string_equal(out.data, "<12345>");
	assert_int_equal(template_render(t, root, &out, &err), -1);
	assert_string_equal(err.msg, "comes to more than 3 bytes");
	assert_string_equal(out.data, "<12345>");
	assert_false(out.full);
	assert_int_equal(out.max, 10);
	buf_addc(&out, '.');
	assert_string_equal(out.data, "<12345>.");
	template_free(t);
	template_free(NULL);
	json_doc_free(doc);
	buf_release(&out);
}

static void add_path(void *arg, const char *path)
{
	buf_adds(arg, path);
	buf_addc(arg, ' ');
}

static void paths(void **state)
{
	static const struct said cases[] = {
		{"", ""},
		{"text {{! only }}", ""},
		{"{{a}}{{json b.c | default 1}}{{#if d}}{{this}}{{/if}}", "a b.c d  "},
		{"{{#each a.b}}{{c}}{{this}}{{@key}}{{../d}}{{@root.e}}{{#each this}}{{f}}{{../g}}"
		 "{{../../h}}{{/each}}{{/each}}{{i}}",
		 "a.b a.b.c a.b d e a.b a.b.f a.b.g h i "},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);
		struct err err = {0};
		struct template *t = template_compile(TEMPLATE_TEXT, cases[i].template,
						      strlen(cases[i].template), &err);

		assert_non_null(t);
		template_paths(t, add_path, &out);
		assert_string_equal(out.data, cases[i].says);
		template_free(t);
		buf_release(&out);
	}
}

static void requirements(void **state)
{
	static const char text[] = "{{p.a}}{{p.a}}{{p.b | default \"\"}}{{#if p.c}}{{p.c}}{{/if}}"
				   "{{#each p.d}}{{x}}{{/each}}{{json p.e}}";
	static const struct {
		const char *path;
		bool required;
	} cases[] = {{"p.a", true},   {"p.b", false}, {"p.c", false}, {"p.d", false},
		     {"p.d.x", true}, {"p.e", true},  {"p", false}};
	struct err err = {0};
	struct template *t = template_compile(TEMPLATE_TEXT, text, strlen(text), &err);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (template_requires(t, cases[i].path) != cases[i].required)
			fail_msg("%s", cases[i].path);
	template_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(defaults),
		cmocka_unit_test(conditions),
		cmocka_unit_test(lists),
		cmocka_unit_test(lines),
		cmocka_unit_test(kinds),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(hostile_templates_end),
		cmocka_unit_test(appends),
		cmocka_unit_test(paths),
		cmocka_unit_test(requirements),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
