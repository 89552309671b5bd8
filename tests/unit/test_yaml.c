/* yaml: what the tree says, where it says it stands, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/config/yaml.h"
#include "tests/unit/config_rig.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

/* The first problem of a text is this one, at its end or whole. */
static void assert_refused(const char *text, size_t len, const char *expect)
{
	struct problems p = {0};
	struct yaml *y = yaml_parse("t.yaml", text, len, &p);

	assert_null(y);
	assert_true(p.n > 0);
	if (!strstr(p.v[0], expect))
		fail_msg("\"%s\" is not in \"%s\"", expect, p.v[0]);
	problems_release(&p);
}

static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
	struct buf b = BUF_INIT(YAML_FILE_MAX + 100);

	buf_adds(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, part);
	buf_adds(&b, after);
	assert_false(b.full);
	return buf_detach(&b);
}

/* --- core schema --- */

static const struct {
	const char *text;
	bool null;
	int boolean; /* -1: none */
	bool is_number;
	double number;
} scalars[] = {
	{"", true, -1, false, 0},	 {"~", true, -1, false, 0},
	{"null", true, -1, false, 0},	 {"Null", true, -1, false, 0},
	{"NULL", true, -1, false, 0},	 {"nULL", false, -1, false, 0},
	{"true", false, 1, false, 0},	 {"TRUE", false, 1, false, 0},
	{"False", false, 0, false, 0},	 {"yes", false, -1, false, 0},
	{"no", false, -1, false, 0},	 {"on", false, -1, false, 0},
	{"off", false, -1, false, 0},	 {"y", false, -1, false, 0},
	{"12", false, -1, true, 12},	 {"-3", false, -1, true, -3},
	{"+0.5", false, -1, true, 0.5},	 {".5", false, -1, true, 0.5},
	{"5.", false, -1, true, 5},	 {"1e3", false, -1, true, 1000},
	{"1E-2", false, -1, true, 0.01}, {"0x1F", false, -1, true, 31},
	{"0o17", false, -1, true, 15},	 {"017", false, -1, true, 17},
	{"0x", false, -1, false, 0},	 {"0xG", false, -1, false, 0},
	{"-0x1", false, -1, false, 0},	 {"1_000", false, -1, false, 0},
	{"1,5", false, -1, false, 0},	 {".", false, -1, false, 0},
	{"e5", false, -1, false, 0},	 {"1e", false, -1, false, 0},
	{"1e999", false, -1, false, 0},	 {".inf", false, -1, false, 0},
	{".nan", false, -1, false, 0},	 {"inf", false, -1, false, 0},
	{"1:30", false, -1, false, 0},	 {"9007199254740993", false, -1, true, 9007199254740992.0},
	{"\"12\"", false, -1, false, 0}, {"'true'", false, -1, false, 0},
	{"''", false, -1, false, 0},	 {"\"null\"", false, -1, false, 0},
};

static void scalars_are_of_the_core_schema(void **state)
{
	(void)state;

	for (size_t i = 0; i < LEN(scalars); i++) {
		char text[64];
		snprintf(text, sizeof text, "k: %s", scalars[i].text);
		struct yaml *y = good(text);
		const struct node *n = node_get(yaml_root(y), "k");
		bool boolean = false;
		double number = -1;
		assert_non_null(n);
		assert_int_equal(node_is_null(n), scalars[i].null);
		assert_int_equal(node_bool(n, &boolean), scalars[i].boolean >= 0);
		assert_int_equal(boolean, scalars[i].boolean == 1);
		assert_int_equal(node_number(n, &number), scalars[i].is_number);
		if (number != (scalars[i].is_number ? scalars[i].number : -1))
			fail_msg("%s is %g", scalars[i].text, number);
		yaml_free(y);
	}
}

static void lookups_take_what_is_not_there(void **state)
{
	struct yaml *y = good("list: [1]\nmap: {a: 1}\n");
	const struct node *list = node_get(yaml_root(y), "list");
	bool b;
	double d;
	(void)state;

	assert_null(node_get(yaml_root(y), "nothing"));
	assert_null(node_get(list, "a"));
	assert_null(node_get(NULL, "a"));
	assert_null(node_string(NULL));
	assert_null(node_string(list));
	assert_false(node_is_null(NULL));
	assert_false(node_is_null(list));
	assert_false(node_bool(NULL, &b));
	assert_false(node_number(list, &d));
	yaml_free(y);
	yaml_free(NULL);
}

/* --- places and paths --- */

static void nodes_know_where_they_stand(void **state)
{
	struct yaml *y = good("a:\n  - x\n  - \"key é\": [ 1, {deep: é, after: 2} ]\n");
	const struct node *item = node_get(yaml_root(y), "a")->items[1];
	const struct node *list = node_get(item, "key é");
	const struct node *after = node_get(list->items[1], "after");
	char path[64];
	(void)state;

	assert_int_equal(item->line, 3);
	assert_int_equal(item->column, 5);
	assert_int_equal(item->index, 1);
	assert_null(item->key);
	assert_int_equal(list->column, 14);
	assert_int_equal(list->key_column, 5);
	assert_int_equal(after->line, 3);
	assert_int_equal(after->column, 36); /* characters, not bytes */
	assert_int_equal(after->key_column, 29);
	assert_string_equal(after->file, "t.yaml");
	assert_string_equal(node_path(after, path, sizeof path), "a[1].key é[1].after");
	assert_string_equal(node_path(yaml_root(y), path, sizeof path), "");
	assert_string_equal(node_path(after, path, 8), "a[1]…");
	for (size_t size = 4; size < 24; size++) {
		node_path(after, path, size);
		assert_true(strlen(path) < size);
	}
	yaml_free(y);
}

static void aliases_are_copies_with_their_own_path(void **state)
{
	struct yaml *y = good("a: &x {k: [1, 2]}\nb: *x\nc: &x 7\nd: [*x]\n");
	const struct node *copy = node_get(node_get(yaml_root(y), "b"), "k");
	const struct node *first = node_get(node_get(yaml_root(y), "a"), "k");
	char path[64];
	(void)state;

	assert_ptr_not_equal(copy, first);
	assert_int_equal(copy->line, 1);
	assert_string_equal(node_path(copy->items[1], path, sizeof path), "b.k[1]");
	assert_string_equal(node_path(first->items[1], path, sizeof path), "a.k[1]");
	assert_string_equal(node_get(yaml_root(y), "d")->items[0]->text, "7");
	yaml_free(y);
}

/* --- environment --- */

static void variables_are_replaced(void **state)
{
	static const struct {
		const char *yaml, *text;
		bool secret;
	} cases[] = {
		{"${RT_A}", "one", true},
		{"a${RT_A}b${RT_B}", "aonebtwo words", true},
		{"\"${RT_A}\"", "one", true},
		{"'${RT_A}'", "${RT_A}", false},
		{"|-\n  ${RT_A}", "${RT_A}", false},
		{">-\n  ${RT_A}", "${RT_A}", false},
		{"${RT_NONE:-x y}", "x y", false},
		{"${RT_EMPTY:-x}", "x", false},
		{"${RT_EMPTY}", "", true},
		{"${RT_NONE:-}", "", false},
		{"${RT_A:-x}", "one", true},
		{"${RT_NONE:-a: b, [c] #d}", "a: b, [c] #d", false},
		{"\"${RT_NONE:-say \\\"hi\\\"}\"", "say \"hi\"", false},
		{"${RT_TWICE}", "${RT_A}", true}, /* a value is not looked into again */
		{"$$", "$", false},
		{"$${RT_A}", "${RT_A}", false},
		{"$$${RT_A}", "$one", true},
		{"$RT_A $ 5$", "$RT_A $ 5$", false},
		{"^a$", "^a$", false},
		{"${RT_NONE:-é}", "é", false},
	};
	(void)state;

	setenv("RT_A", "one", 1);
	setenv("RT_B", "two words", 1);
	setenv("RT_EMPTY", "", 1);
	setenv("RT_TWICE", "${RT_A}", 1);
	unsetenv("RT_NONE");
	for (size_t i = 0; i < LEN(cases); i++) {
		char text[96];
		snprintf(text, sizeof text, "k: %s\n", cases[i].yaml);
		struct yaml *y = good(text);
		const struct node *n = node_get(yaml_root(y), "k");
		if (strcmp(n->text, cases[i].text) != 0)
			fail_msg("%s became \"%s\"", cases[i].yaml, n->text);
		assert_int_equal(n->len, strlen(cases[i].text));
		assert_int_equal(n->secret, cases[i].secret);
		yaml_free(y);
	}
}

static void variables_may_stand_in_flow(void **state)
{
	struct yaml *y = good("m: { a: ${RT_A}, b: [${RT_A},${RT_NONE:-x, }] } # ${RT_NONE}\n"
			      "${KEY}: [\"${RT_A}\"]\n");
	const struct node *m = node_get(yaml_root(y), "m");
	const struct node *b = node_get(m, "b");
	(void)state;

	assert_string_equal(node_get(m, "a")->text, "one");
	assert_int_equal(b->n, 2);
	assert_int_equal(b->column, 21); /* hidden braces move no column */
	assert_string_equal(b->items[1]->text, "x, ");
	assert_non_null(node_get(yaml_root(y), "${KEY}"));
	yaml_free(y);
}

static void variables_have_a_ceiling(void **state)
{
	const size_t size = 100 << 10;
	char *big = malloc(size + 1), *text = repeated("k:\n", " - ${RT_BIG}\n", 11, "");
	(void)state;

	memset(big, 'x', size);
	big[size] = '\0';
	setenv("RT_BIG", big, 1);
	assert_refused(text, strlen(text),
		       "t.yaml:12:4: k[10]: the values of variables are too long");
	unsetenv("RT_BIG");
	setenv("RT_BAD", "\xFF", 1);
	assert_refused("k: ${RT_BAD}", 12,
		       "t.yaml:1:4: k: the environment variable RT_BAD is not UTF-8");
	free(big);
	free(text);
}

/* --- hostile input --- */

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bombs_are_refused_at_once(void **state)
{
	static const struct {
		const char *before, *part, *after, *expect;
		size_t n;
	} cases[] = {
		{"a: ", "[", "", "t.yaml:1:35: deeper than 32 levels", 1000000},
		{"a: ", "[\n", "", "deeper than 32 levels", 500000},
		{"", "{a: ", "", "deeper than 32 levels", 250000},
		{"", "- ", "", "deeper than 32 levels", 500000},
		{"", "? ", "", "a key must be a plain text", 500000},
		{"a: [", "x,", "]", "more than 100000 values", 400000},
		{"", "- x\n", "", "more than 100000 values", 250000},
		{"a: &a [", "*a,", "]", "*a stands inside what it stands for", 300000},
		{"a: [", "&a 1,", "]", "more than 256 anchors", 200000},
		{"a: \"", "x", "", "this quote is never closed", 1000000},
		{"a: &x 1\nb: [", "*x,", "]", "more than 100000 values", 300000},
		{"", "\"", "", "t.yaml:1:", 1000000},
		{"", "!a ", "", "t.yaml:1:", 300000},
		{"a: ", "${A:-", "", "\"${\" starts a variable", 200000},
		{"a: \"", "${A:-", "}\"", "the default of ${A} cannot hold a variable", 200000},
		{"secret: *x ", "secret: ://", "", "t.yaml:1:9: ", 90000},
		{"", "a: {", "", "t.yaml:1:", 250000},
	};
	(void)state;

	for (size_t i = 0; i < LEN(cases); i++) {
		char *text = repeated(cases[i].before, cases[i].part, cases[i].n, cases[i].after);
		double start = cpu_seconds();
		assert_refused(text, strlen(text), cases[i].expect);
		if (cpu_seconds() - start > 2)
			fail_msg("%zu: %s takes %g s", i, cases[i].part, cpu_seconds() - start);
		free(text);
	}
}

static void many_keys_are_no_bomb(void **state)
{
	struct buf b = BUF_INIT(YAML_FILE_MAX);
	struct problems p = {0};
	double start = cpu_seconds();
	(void)state;

	for (unsigned i = 0; i < 90000; i++)
		buf_addf(&b, "k%u:\n", i);
	struct yaml *y = yaml_parse("t.yaml", b.data, b.len, &p);
	assert_non_null(y);
	assert_int_equal(yaml_root(y)->n, 90000);
	assert_true(cpu_seconds() - start < 2);
	yaml_free(y);
	buf_adds(&b, "k77:\n");
	assert_refused(b.data, b.len,
		       "t.yaml:90001:1: k77: this key stands in its map already, in line 78");
	buf_release(&b);
}

static void depth_counts_aliases_too(void **state)
{
	struct buf b = BUF_INIT(4096);
	(void)state;

	/* 31 levels below the root are the most; the alias at its level adds the anchor's own */
	buf_adds(&b, "a: &a [[[[1]]]]\nb: ");
	for (int i = 0; i < 27; i++)
		buf_addc(&b, '[');
	buf_adds(&b, "*a");
	for (int i = 0; i < 27; i++)
		buf_addc(&b, ']');
	yaml_free(good(b.data));
	buf_clear(&b);
	buf_adds(&b, "a: &a [[[[1]]]]\nb: ");
	for (int i = 0; i < 28; i++)
		buf_addc(&b, '[');
	buf_adds(&b, "*a");
	for (int i = 0; i < 28; i++)
		buf_addc(&b, ']');
	assert_refused(b.data, b.len, "t.yaml:2:32: deeper than 32 levels");
	buf_release(&b);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *expect;
	} cases[] = {
		{"\xFF\xFE"
		 "a\0:\0",
		 6, "t.yaml:1:1: this is UTF-16"},
		{"\xFE\xFF\0a", 4, "t.yaml:1:1: this is UTF-16"},
		{"a: b\nc: \0", 9, "t.yaml:2:4: a control character"},
		{"a\0:\0 \0b\0", 8, "t.yaml:1:2: a control character"},
		{"a: b\nc\xF4\x8F\xA0\x80: d", 13, "t.yaml:2:2: the private characters"},
		{"a: \xF0\x9F", 5, "t.yaml:1:4: this is not UTF-8"},
		{"a: b\n\xEF\xBB\xBF: d\n", 12, "t.yaml:2:2:"},
	};
	(void)state;

	for (size_t i = 0; i < LEN(cases); i++)
		assert_refused(cases[i].text, cases[i].len, cases[i].expect);
	char *big = repeated("a: ", "x", YAML_FILE_MAX, "");
	assert_refused(big, strlen(big), "t.yaml: is longer than 1048576 bytes");
	free(big);
}

/* --- files --- */

static char *write_file(const char *dir, const char *name, const char *text)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void includes_are_laid_over(void **state)
{
	const char *dir = *state;
	struct problems p = {0};
	char odd[256], path[300];
	(void)state;

	snprintf(odd, sizeof odd, "%s/odd [x]*", dir); /* a folder that looks like a pattern */
	assert_int_equal(mkdir(odd, 0700), 0);
	char *top =
		write_file(odd, "top.yaml", "include: [\"*-part.yaml\"]\nm: {a: 1}\nl: [1]\nz:\n");
	char *b = write_file(odd, "b-part.yaml", "l: [3]\nz: [9]\n");
	char *a = write_file(odd, "a-part.yaml", "m: {b: {f: x.key}}\nl: [2]\n");
	struct yaml *y = yaml_load(top, &p);
	if (!y)
		problems_print(&p, stderr);
	assert_non_null(y);
	const struct node *l = node_get(yaml_root(y), "l"), *m = node_get(yaml_root(y), "m");
	assert_int_equal(l->n, 3);
	assert_string_equal(l->items[1]->text, "2");
	assert_string_equal(l->items[2]->text, "3");
	assert_int_equal(l->items[2]->index, 2);
	assert_string_equal(l->items[2]->file, b);
	const struct node *z = node_get(yaml_root(y), "z");
	assert_string_equal(z->items[0]->text, "9");
	assert_ptr_equal(z->items[0]->parent, z);
	assert_ptr_equal(l->items[2]->parent, l);
	assert_ptr_equal(node_get(m, "b")->parent, m);
	const struct node *f = node_get(node_get(m, "b"), "f");
	assert_string_equal(node_path(f, path, sizeof path), "m.b.f");
	char *resolved = node_resolve_path(f, f->text), *absolute = node_resolve_path(f, "/etc/x");
	snprintf(path, sizeof path, "%s/x.key", odd);
	assert_string_equal(resolved, path);
	assert_string_equal(absolute, "/etc/x");
	const char *const *files = yaml_files(y);
	assert_string_equal(files[0], top);
	assert_string_equal(files[1], a);
	assert_string_equal(files[2], b);
	assert_null(files[3]);
	yaml_free(y);
	free(resolved);
	free(absolute);
	free(top);
	free(a);
	free(b);
}

static void files_that_cannot_be_read_are_told(void **state)
{
	const char *dir = *state;
	struct problems p = {0};
	char path[300], expect[400];

	snprintf(path, sizeof path, "%s/none.yaml", dir);
	snprintf(expect, sizeof expect, "%s: cannot be read: No such file or directory", path);
	assert_null(yaml_load(path, &p));
	assert_string_equal(p.v[0], expect);
	assert_null(p.source[0]);
	problems_release(&p);
	assert_null(yaml_load(dir, &p));
	assert_int_equal(p.n, 1);
	problems_release(&p);

	snprintf(path, sizeof path, "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	char *top = write_file(dir, "pipe.yaml", "include: [pipe]\n");
	assert_null(yaml_load(top, &p)); /* and does not wait for a writer */
	assert_non_null(strstr(p.v[0], "is not a file"));
	problems_release(&p);
	free(top);
}

static void files_have_a_ceiling(void **state)
{
	const char *dir = *state;
	struct problems p = {0};
	char name[32];

	mkdir(dir, 0700);
	for (int i = 0; i < YAML_FILES_MAX; i++) {
		snprintf(name, sizeof name, "f%03d.inc", i);
		free(write_file(dir, name, ""));
	}
	char *top = write_file(dir, "many.yaml", "include: '*.inc'\n");
	assert_null(yaml_load(top, &p));
	assert_int_equal(p.n, 1);
	assert_non_null(strstr(p.v[0], "more than 256 files"));
	problems_release(&p);
	free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_are_of_the_core_schema),
		cmocka_unit_test(lookups_take_what_is_not_there),
		cmocka_unit_test(nodes_know_where_they_stand),
		cmocka_unit_test(aliases_are_copies_with_their_own_path),
		cmocka_unit_test(variables_are_replaced),
		cmocka_unit_test(variables_may_stand_in_flow),
		cmocka_unit_test(variables_have_a_ceiling),
		cmocka_unit_test(bombs_are_refused_at_once),
		cmocka_unit_test(many_keys_are_no_bomb),
		cmocka_unit_test(depth_counts_aliases_too),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test_setup_teardown(includes_are_laid_over, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read_are_told, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(files_have_a_ceiling, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
