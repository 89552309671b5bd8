/* option: each type's values taken and refused, presets, secrets and their files, the reference
 * and the schema. */
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
#include "relay/base/json.h"
#include "relay/config/config.h"
#include "tests/unit/config_rig.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

static const char *const colours[] = {"red", "green", "blue", NULL};

struct sample {
	char *string, *url, *secret, *path;
	struct strings strings, secrets, chosen;
	int64_t number, duration, size, time;
	struct numbers durations;
	bool flag;
	double rate, percent;
	int choice;
	const struct node *node;
};

static const struct option inner_table[] = {
	{"must", OPT_STRING, 0, .required = true, .help = "a thing"},
	{"key", OPT_SECRET, sizeof(char *), .required = true, .help = "another"},
	{0},
};

static const struct option table[] = {
	{"string", OPT_STRING, offsetof(struct sample, string), .preset = "a text", .help = "h1"},
	{"strings", OPT_STRINGS, offsetof(struct sample, strings), .preset = "[a, b]",
	 .help = "h2"},
	{"url", OPT_URL, offsetof(struct sample, url), .help = "h3"},
	{"secret", OPT_SECRET, offsetof(struct sample, secret), .help = "h4"},
	{"secrets", OPT_SECRETS, offsetof(struct sample, secrets), .help = "h5"},
	{"path", OPT_PATH, offsetof(struct sample, path), .preset = "relay.db", .help = "h6"},
	{"number", OPT_INT, offsetof(struct sample, number), .preset = "7", .min = -5, .max = 100,
	 .help = "h7"},
	{"flag", OPT_BOOL, offsetof(struct sample, flag), .preset = "true", .help = "h8"},
	{"duration", OPT_DURATION, offsetof(struct sample, duration), .preset = "90s", .min = 1000,
	 .max = 86400000, .help = "h9"},
	{"durations", OPT_DURATIONS, offsetof(struct sample, durations), .preset = "[0s, 5s, 5m]",
	 .help = "h10"},
	{"size", OPT_SIZE, offsetof(struct sample, size), .preset = "20GB", .help = "h11"},
	{"rate", OPT_RATE, offsetof(struct sample, rate), .preset = "450/min", .help = "h12"},
	{"percent", OPT_PERCENT, offsetof(struct sample, percent), .preset = "5%", .help = "h13"},
	{"choice", OPT_CHOICE, offsetof(struct sample, choice), .preset = "green",
	 .choices = colours, .help = "h14"},
	{"chosen", OPT_STRINGS, offsetof(struct sample, chosen), .choices = colours, .help = "h15"},
	{"time", OPT_TIME, offsetof(struct sample, time), .help = "h16"},
	{"node", OPT_NODE, offsetof(struct sample, node), .section = inner_table, .help = "h17"},
	{0},
};

static struct yaml *parse(const char *text)
{
	struct problems p = {0};
	struct yaml *y = yaml_parse("t.yaml", text, strlen(text), &p);

	problems_print(&p, stderr);
	assert_non_null(y);
	return y;
}

/* Reads one "key: value" that must be good. */
static struct yaml *read_good(const char *text, struct sample *ret)
{
	struct problems p = {0};
	struct yaml *y = parse(text);

	options_read(table, yaml_root(y), ret, &p);
	problems_print(&p, stderr);
	assert_int_equal(p.n, 0);
	return y;
}

static void release(struct yaml *y, struct sample *s)
{
	options_release(table, s);
	yaml_free(y);
}

static void presets_hold(void **state)
{
	struct sample s = {0};
	struct problems p = {0};
	char here[4096], expect[4200];
	(void)state;

	options_read(table, NULL, &s, &p);
	assert_int_equal(p.n, 0);
	assert_string_equal(s.string, "a text");
	assert_int_equal(s.strings.n, 2);
	assert_string_equal(s.strings.v[1], "b");
	assert_null(s.url);
	assert_null(s.secret);
	assert_int_equal(s.secrets.n, 0);
	snprintf(expect, sizeof expect, "%s/relay.db", getcwd(here, sizeof here));
	assert_string_equal(s.path, expect);
	assert_int_equal(s.number, 7);
	assert_true(s.flag);
	assert_int_equal(s.duration, 90000);
	assert_int_equal(s.durations.n, 3);
	assert_int_equal(s.durations.v[2], 300000);
	assert_int_equal(s.size, 20000000000);
	assert_true(s.rate == 7.5);
	assert_true(s.percent == 0.05);
	assert_int_equal(s.choice, 1);
	assert_null(s.node);
	options_release(table, &s);
	assert_null(s.string);
	options_release(table, &s);
	options_release(table, NULL);
	options_read(table, NULL, &s, &p);
	options_release(table, &s);
}

static void an_empty_section_is_all_presets(void **state)
{
	struct sample s = {0};
	struct problems p = {0};
	struct yaml *y = parse("section:\n");
	(void)state;

	options_read(table, node_get(yaml_root(y), "section"), &s, &p);
	assert_int_equal(p.n, 0);
	assert_int_equal(s.number, 7);
	release(y, &s);
}

static void lists_take_one_or_many(void **state)
{
	struct sample s = {0};
	struct yaml *y = read_good("strings: [x, 12, true]\nsecrets: only\ndurations: 3s\n"
				   "chosen: [red, blue]\nnode: {a: 1}\n",
				   &s);
	(void)state;

	assert_int_equal(s.strings.n, 3);
	assert_string_equal(s.strings.v[1], "12");
	assert_int_equal(s.secrets.n, 1);
	assert_string_equal(s.secrets.v[0], "only");
	assert_int_equal(s.durations.n, 1);
	assert_int_equal(s.durations.v[0], 3000);
	assert_int_equal(s.chosen.n, 2);
	assert_ptr_equal(s.node, node_get(yaml_root(y), "node"));
	release(y, &s);

	s = (struct sample){0};
	y = read_good("strings: []\ndurations: []\nnode:\n", &s);
	assert_int_equal(s.strings.n, 0);
	assert_int_equal(s.durations.n, 0);
	assert_true(node_is_null(s.node));
	release(y, &s);
}

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
} durations[] = {
	{"0", 0},
	{"500ms", 500},
	{"5s", 5000},
	{"3m", 180000},
	{"6h", 21600000},
	{"14d", 1209600000},
	{"1.5s", 1500},
	{"0.001s", 1},
	{"1.25h", 4500000},
	{"0s", 0},
	{"106751991167d", 9223372036828800000},
	{"106751991168d", -1},
	{"99999999999999999999s", -1},
	{"0.5ms", -1},
	{"0.0001s", -1},
	{"5", -1},
	{"00", -1},
	{"s", -1},
	{"", -1},
	{"-5s", -1},
	{"+5s", -1},
	{"5 s", -1},
	{" 5s", -1},
	{"5s ", -1},
	{"5S", -1},
	{"5sec", -1},
	{"1h30m", -1},
	{".5s", -1},
	{"5.s", -1},
	{"1..5s", -1},
	{"1e3s", -1},
	{"1,5s", -1},
	{"0x5s", -1},
	{"5min", -1},
};

static void durations_are_exact(void **state)
{
	(void)state;

	for (size_t i = 0; i < LEN(durations); i++) {
		int64_t ms = -1;
		assert_int_equal(option_duration(durations[i].text, &ms), durations[i].ms >= 0);
		if (ms != durations[i].ms)
			fail_msg("%s is %lld", durations[i].text, (long long)ms);
	}
}

static void sizes_and_rates_are_strict(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: refused */
	} sizes[] = {
		{"0", 0},
		{"4096", 4096},
		{"1B", 1},
		{"64KB", 64000},
		{"256MB", 256000000},
		{"20GB", 20000000000},
		{"1TB", 1000000000000},
		{"1.5KB", 1500},
		{"0.5", -1},
		{"1.0001KB", -1},
		{"9223373TB", -1},
		{"kB", -1},
		{"1kB", -1},
		{"1K", -1},
		{"1KiB", -1},
		{"1 MB", -1},
		{"-1", -1},
		{"", -1},
	};
	static const struct {
		const char *text;
		double per_s; /* -1: refused */
	} rates[] = {
		{"100/s", 100}, {"450/min", 7.5}, {"3600/h", 1}, {"0/s", 0},
		{"0.5/s", 0.5}, {"100", -1},	  {"/s", -1},	 {"100/m", -1},
		{"100 /s", -1}, {"-1/s", -1},	  {"1,5/s", -1}, {"", -1},
	};
	(void)state;

	for (size_t i = 0; i < LEN(sizes); i++) {
		int64_t bytes = -1;
		assert_int_equal(option_size(sizes[i].text, &bytes), sizes[i].bytes >= 0);
		assert_int_equal(bytes, sizes[i].bytes);
	}
	for (size_t i = 0; i < LEN(rates); i++) {
		double rate = -1;
		assert_int_equal(option_rate(rates[i].text, &rate), rates[i].per_s >= 0);
		assert_true(rate == rates[i].per_s);
	}
}

static void other_values_are_taken(void **state)
{
	struct sample s = {0};
	struct yaml *y = read_good("number: -5\nflag: FALSE\npercent: 0.5%\nchoice: \"blue\"\n"
				   "time: 2026-11-22T10:00:00+01:00\nduration: '1d'\n"
				   "path: /abs/x\nstring: no\n",
				   &s);
	(void)state;

	assert_int_equal(s.number, -5);
	assert_false(s.flag);
	assert_true(s.percent == 0.005);
	assert_int_equal(s.choice, 2);
	assert_int_equal(s.time, 1795338000000);
	assert_int_equal(s.duration, 86400000);
	assert_string_equal(s.path, "/abs/x");
	assert_string_equal(s.string, "no");
	release(y, &s);
}

static void urls_are_checked(void **state)
{
	static const char *const good[] = {
		"https://host",
		"http://127.0.0.1:9093/api/v2/alerts",
		"https://[::1]:8443/x?a=b#c",
		"https://host/a@b",
		"http://host:65535",
		"https://host/{{data.x | default \"a b\"}}/y",
		"https://{{data.host}}/x",
		"https://xn--mnchen-3ya.de/%20",
	};
	static const char *const bad[] = {
		"foo",
		"ftp://host",
		"https:/host",
		"https://",
		"https:///x",
		"https://:80",
		"https://user@host/",
		"https://u:p@host",
		"https://host:0",
		"https://host:65536",
		"https://host:80x",
		"https://host:",
		"https://[::1",
		"https://[]/",
		"https://ho st",
		"\"https://h/\\n\"",
		"https://h/\\x",
		"HTTPS://host",
		"https://host:1:2",
		"https://[::1]x",
		"https://h:100000",
		"\"https://h/\\x7f\"",
		"https://h/{{a b",
	};
	(void)state;

	for (size_t i = 0; i < LEN(good) + LEN(bad); i++) {
		const char *url = i < LEN(good) ? good[i] : bad[i - LEN(good)];
		struct sample s = {0};
		struct problems p = {0};
		char text[128];
		snprintf(text, sizeof text, *url == '"' ? "url: %s\n" : "url: '%s'\n", url);
		struct yaml *y = parse(text);
		options_read(table, yaml_root(y), &s, &p);
		if (!p.n != (i < LEN(good)))
			fail_msg("%s is %s", url, p.n ? p.v[0] : "taken");
		assert_true(p.n || strcmp(s.url, url) == 0);
		problems_release(&p);
		release(y, &s);
	}
}

static const struct {
	const char *text, *expect;
} mistakes[] = {
	{"strin: x", "t.yaml:1:1: strin: unknown key; did you mean \"string\"?"},
	{"secretfile: x", "t.yaml:1:1: secretfile: unknown key; did you mean \"secret_file\"?"},
	{"string_file: x", "t.yaml:1:1: string_file: unknown key"},
	{"zzz: x", "t.yaml:1:1: zzz: unknown key"},
	{"string:", "t.yaml:1:8: string: has no value"},
	{"string: ~", "t.yaml:1:9: string: has no value"},
	{"string: [a]", "t.yaml:1:9: string: must be one value, not a list"},
	{"string: {a: b}", "t.yaml:1:9: string: must be one value, not a map"},
	{"strings: {a: b}", "t.yaml:1:10: strings: must be a list, not a map"},
	{"strings: [a, [b]]", "t.yaml:1:14: strings[1]: must be one value, not a list"},
	{"strings: [a, ~]", "t.yaml:1:14: strings[1]: has no value"},
	{"url: foo", "t.yaml:1:6: url: must be an http:// or https:// URL, not \"foo\""},
	{"url: https://me:pw@h/x",
	 "t.yaml:1:6: url: \"https://h/x\": must not hold a user name or password"},
	{"path: ''", "t.yaml:1:7: path: is empty"},
	{"secret: ''", "t.yaml:1:9: secret: is empty"},
	{"number: 1.5", "t.yaml:1:9: number: must be a whole number without quotes, not \"1.5\""},
	{"number: '12'", "must be a whole number without quotes, not \"12\""},
	{"number: 0x10", "must be a whole number"},
	{"number: 99999999999999999999", "must be a whole number"},
	{"number: 101", "t.yaml:1:9: number: must be from -5 to 100"},
	{"number: -6", "t.yaml:1:9: number: must be from -5 to 100"},
	{"flag: yes", "t.yaml:1:7: flag: must be true or false, not \"yes\""},
	{"flag: 'true'", "must be true or false"},
	{"duration: 5", "must be a duration such as 500ms, 5s, 3m, 6h or 14d, not \"5\""},
	{"duration: 999ms", "t.yaml:1:11: duration: must be from 1s to 1d"},
	{"durations: [1s, x]", "t.yaml:1:17: durations[1]: must be a duration"},
	{"size: 5kb", "must be a size such as 4096, 64KB, 256MB or 20GB, not \"5kb\""},
	{"rate: 5", "must be a rate such as 100/s or 450/min, not \"5\""},
	{"percent: 5", "must be a percentage such as 5%, not \"5\""},
	{"choice: Red", "must be one of red, green, blue, not \"Red\"; did you mean \"red\"?"},
	{"chosen: [red, x]", "t.yaml:1:15: chosen[1]: must be one of red, green, blue, not \"x\""},
	{"time: yesterday", "must be a time such as 2026-11-22T10:00:00Z, not \"yesterday\""},
	{"secret: a\nsecret_file: b", "t.yaml:2:1: secret_file: give either secret or secret_file"},
	{"secret_file:", "t.yaml:1:13: secret_file: has no value"},
	{"rate: ${RT_SECRET}",
	 "must be a rate such as 100/s or 450/min, not what the environment holds"},
};

static void mistakes_are_told(void **state)
{
	(void)state;

	setenv("RT_SECRET", "TOP", 1);
	for (size_t i = 0; i < LEN(mistakes); i++) {
		struct sample s = {0};
		struct problems p = {0};
		struct yaml *y = parse(mistakes[i].text);
		options_read(table, yaml_root(y), &s, &p);
		if (p.n != 1 || !strstr(p.v[0], mistakes[i].expect))
			fail_msg("%s: %zu, %s", mistakes[i].text, p.n, p.n ? p.v[0] : "taken");
		assert_int_equal(s.number, 7); /* what is wrong keeps its preset */
		assert_string_equal(s.string, "a text");
		problems_release(&p);
		release(y, &s);
	}
}

static void many_mistakes_are_told_quickly(void **state)
{
	struct buf text = BUF_INIT(YAML_FILE_MAX);
	struct sample s = {0};
	struct problems p = {0};
	clock_t start = clock();
	(void)state;

	for (unsigned i = 0; i < 60000; i++)
		buf_addf(&text, "number%u: 1\n", i);
	struct yaml *y = parse(text.data);
	options_read(table, yaml_root(y), &s, &p);
	assert_int_equal(p.n, PROBLEMS_MAX);
	assert_int_equal(p.more, 60000 - PROBLEMS_MAX);
	/* a tenth of a second; the ceiling is for slow machines and valgrind */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
	problems_release(&p);
	release(y, &s);
	buf_release(&text);
}

static void what_is_required_is_missed(void **state)
{
	struct {
		char *must, *key;
	} s = {0};
	struct problems p = {0};
	struct yaml *y = parse("a:\n  b: {}\n  c: 1\n");
	const struct node *a = node_get(yaml_root(y), "a");
	(void)state;

	options_read(inner_table, node_get(a, "b"), &s, &p);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.v[0], "t.yaml:2:6: a.b: must is missing");
	assert_string_equal(p.v[1], "t.yaml:2:6: a.b: key (or its file, with _file) is missing");
	problems_release(&p);
	options_read(inner_table, node_get(a, "c"), &s, &p);
	assert_string_equal(p.v[0], "t.yaml:3:6: a.c: must be a map (name: value …)");
	problems_release(&p);
	options_read(inner_table, NULL, &s, &p);
	assert_string_equal(p.v[0], "must is missing");
	problems_release(&p);
	yaml_free(y);
}

/* --- secrets from files --- */

static void write_file(const char *dir, const char *name, const char *text, size_t len, mode_t mode)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static struct yaml *load(const char *dir, const char *text)
{
	struct problems p = {0};
	char path[512];

	write_file(dir, "t.yaml", text, strlen(text), 0600);
	snprintf(path, sizeof path, "%s/t.yaml", dir);
	struct yaml *y = yaml_load(path, &p);
	problems_print(&p, stderr);
	assert_non_null(y);
	return y;
}

static void secrets_come_from_files(void **state)
{
	const char *dir = *state;
	struct sample s = {0};
	struct problems p = {0};
	char path[512];

	write_file(dir, "one", "TOP one\n", 8, 0600);
	write_file(dir, "two", "TOP\r\n\n two 2\t\n\n", 15, 0400);
	write_file(dir, "open", "TOP\n\n", 5, 0644);
	struct yaml *y = load(dir, "secret_file: open\nsecrets_file: [one, two]\n");
	options_read(table, yaml_root(y), &s, &p);
	assert_int_equal(p.n, 0);
	assert_string_equal(s.secret, "TOP\n"); /* one line end goes, no more */
	assert_int_equal(s.secrets.n, 3);	/* of a list each line is one */
	assert_string_equal(s.secrets.v[0], "TOP one");
	assert_string_equal(s.secrets.v[1], "TOP");
	assert_string_equal(s.secrets.v[2], "two 2");
	assert_int_equal(p.nwarnings, 1);
	snprintf(path, sizeof path,
		 "%s/t.yaml:1:14: secret_file: %s/open can be read by other users "
		 "(chmod 600)",
		 dir, dir);
	assert_string_equal(p.warnings[0], path);
	snprintf(path, sizeof path, "%s/relay.db", dir);
	assert_string_equal(s.path, path); /* a preset, too, is relative to the file */
	problems_release(&p);
	release(y, &s);
}

static void bad_secret_files_are_told(void **state)
{
	static const struct {
		const char *file, *text;
		size_t len;
		const char *expect;
	} cases[] = {
		{"none", NULL, 0, "none cannot be read: No such file or directory"},
		{"empty", "", 0, "empty is empty"},
		{"line", "\n", 1, "line is empty"},
		{"blank", " \r\n\t\n", 5, "blank is empty"},
		{"nul", "TOP\0x", 5, "nul holds a NUL character"},
		{".", NULL, 0, "is not a file"},
	};
	const char *dir = *state;

	for (size_t i = 0; i < LEN(cases); i++) {
		struct sample s = {0};
		struct problems p = {0};
		char text[64];
		if (cases[i].text)
			write_file(dir, cases[i].file, cases[i].text, cases[i].len, 0600);
		snprintf(text, sizeof text, "secrets_file: [ %s ]\n", cases[i].file);
		struct yaml *y = load(dir, text);
		options_read(table, yaml_root(y), &s, &p);
		if (p.n != 1 || !strstr(p.v[0], cases[i].expect) ||
		    !strstr(p.v[0], "t.yaml:1:17: secrets_file[0]: ") || strstr(p.v[0], "TOP"))
			fail_msg("%s: %s", cases[i].file, p.n ? p.v[0] : "taken");
		assert_int_equal(s.secrets.n, 0);
		problems_release(&p);
		release(y, &s);
	}
}

/* --- the reference and the schema --- */

static void the_reference_is_in_columns(void **state)
{
	static const char *const lines[] = {
		"top.string       a text              h1\n",
		"top.secrets      (secrets)           h5; or secrets_file, one a line\n",
		"top.number       7                   h7 (-5 to 100)\n",
		"top.durations    [0s, 5s, 5m]        h10\n",
		"top.choice       green               h14 (one of red, green, blue)\n",
		"top.node         (section)           h17\n",
		"  top.node.must  (text, required)    a thing\n",
	};
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	(void)state;

	options_print(table, "top.", f);
	fclose(f);
	for (size_t i = 0; i < LEN(lines); i++)
		if (!strstr(out, lines[i]))
			fail_msg("not there: %s\n%s", lines[i], out);
	free(out);
}

static const struct json *property(const struct json *schema, const char *name)
{
	return json_get(json_get(schema, "properties"), name);
}

static void the_schema_says_the_same(void **state)
{
	struct buf out = BUF_INIT(64 << 10);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	int64_t number;
	(void)state;

	options_schema(table, &out);
	const struct json *schema = json_parse(doc, out.data, out.len, JSON_DEPTH, &err);
	if (!schema)
		fail_msg("%s: %s", err.msg, out.data);
	assert_string_equal(json_string(json_get(schema, "type")), "object");
	assert_true(!json_bool(json_get(schema, "additionalProperties"), true));
	for (const struct option *row = table; row->name; row++)
		assert_string_equal(
			json_string(json_get(property(schema, row->name), "description")),
			row->help);
	assert_non_null(property(schema, "secret_file"));
	assert_non_null(property(schema, "secrets_file"));
	assert_null(property(schema, "string_file"));
	const struct json *n = property(schema, "number");
	assert_true(json_int(json_get(n, "minimum"), &number) && number == -5);
	assert_true(json_int(json_get(n, "default"), &number) && number == 7);
	assert_true(json_bool(json_get(property(schema, "flag"), "default"), false));
	assert_int_equal(json_count(json_get(property(schema, "durations"), "default")), 3);
	const struct json *any = json_get(property(schema, "choice"), "anyOf");
	assert_int_equal(json_count(json_get(json_first(any), "enum")), 3);
	const struct json *node = property(schema, "node");
	assert_string_equal(json_string(json_first(json_get(node, "required"))), "must");
	assert_int_equal(json_count(json_get(node, "allOf")), 1);
	assert_non_null(property(node, "key_file"));
	json_doc_free(doc);
	buf_release(&out);
}

static void every_preset_is_a_value_of_its_type(void **state)
{
	static const struct option *const tables[] = {table, config_options};
	(void)state;

	for (size_t t = 0; t < LEN(tables); t++) {
		for (const struct option *row = tables[t]; row->name; row++) {
			struct option one[] = {*row, {0}};
			unsigned char into[64] __attribute__((aligned(16))) = {0};
			struct problems p = {0};
			char text[128];
			assert_non_null(row->help);
			if (!row->preset)
				continue;
			one[0].offset = 0;
			snprintf(text, sizeof text, "%s: %s\n", row->name, row->preset);
			struct yaml *y = parse(text);
			options_read(one, yaml_root(y), into, &p);
			assert_int_equal(p.n, 0);
			options_release(one, into);
			yaml_free(y);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_hold),
		cmocka_unit_test(an_empty_section_is_all_presets),
		cmocka_unit_test(lists_take_one_or_many),
		cmocka_unit_test(durations_are_exact),
		cmocka_unit_test(sizes_and_rates_are_strict),
		cmocka_unit_test(other_values_are_taken),
		cmocka_unit_test(urls_are_checked),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(many_mistakes_are_told_quickly),
		cmocka_unit_test(what_is_required_is_missed),
		cmocka_unit_test_setup_teardown(secrets_come_from_files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(bad_secret_files_are_told, make_dir, remove_dir),
		cmocka_unit_test(the_reference_is_in_columns),
		cmocka_unit_test(the_schema_says_the_same),
		cmocka_unit_test(every_preset_is_a_value_of_its_type),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
