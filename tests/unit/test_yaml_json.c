/* yaml_json: scalars by the core schema, and always a text that is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/config/yaml_json.h"
#include "tests/unit/config_rig.h"

static void scalars_go_by_the_core_schema(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{"12", "12"},
		{"-1.50", "-1.50"},
		{"1e3", "1e3"},
		{"\"12\"", "\"12\""},
		{"'12'", "\"12\""},
		{"0x1F", "31"},
		{"0o17", "15"},
		{"+5", "5"},
		{".5", "0.5"},
		{"1.", "1"},
		{"007", "7"},
		{"9007199254740993", "9007199254740993"},
		{".inf", "\".inf\""},
		{"1e999", "\"1e999\""},
		{"true", "true"},
		{"False", "false"},
		{"yes", "\"yes\""},
		{"~", "null"},
		{"", "null"},
		{"\"\"", "\"\""},
		{"2026-11-22T10:00:00Z", "\"2026-11-22T10:00:00Z\""},
		{"a \\ b", "\"a \\\\ b\""},
		{"\"\\u0001\\t\"", "\"\\u0001\\t\""},
		{"[1, a, ~]", "[1,\"a\",null]"},
		{"{}", "{}"},
		{"[]", "[]"},
		{"{ b: 1, a: { \"x y\": [ {} ] } }", "{\"b\":1,\"a\":{\"x y\":[{}]}}"},
		{"|-\n  two\n  lines", "\"two\\nlines\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf text = BUF_INIT(1024), json = BUF_INIT(1024);
		struct err err;
		buf_addf(&text, "v: %s\n", cases[i].yaml);
		struct yaml *y = good(text.data);
		yaml_json(&json, node_get(yaml_root(y), "v"));
		assert_string_equal(json.data, cases[i].json);
		assert_int_equal(json_check(json.data, json.len, JSON_DEPTH, &err), 0);
		yaml_free(y);
		buf_release(&text);
		buf_release(&json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_go_by_the_core_schema),
	};
	return cmocka_run_group_tests_name("yaml_json", tests, NULL, NULL);
}
