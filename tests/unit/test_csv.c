/* csv: fields as spreadsheets read them, and nothing that they would run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/cmd/csv.h"

static void fields_are_quoted_where_they_must_be(void **state)
{
	static const struct {
		const char *fields[3], *line;
	} cases[] = {
		{{"a", "b c", "1.5"}, "a,b c,1.5"},
		{{"a,b", "say \"x\"", "two\nlines"}, "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\""},
		{{"", NULL, "a"}, "\"\",,a"},
		{{"a", "", ""}, "a,,"},
		{{"=1+1", "+49", "-1"}, "'=1+1,'+49,'-1"},
		{{"@SUM(A1)", "\tx", "\rx"}, "'@SUM(A1),'\tx,\"'\rx\""},
		{{"=HYPERLINK(\"http://x\",\"y\")", "=", "a=b"},
		 "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",'=,a=b"},
		{{"'=1", " =1", "\xc3\xa4-"}, "'=1, =1,\xc3\xa4-"},
	};
	struct buf line = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&line);
		for (size_t k = 0; k < 3; k++)
			csv_add(&line, cases[i].fields[k]);
		assert_string_equal(line.data, cases[i].line);
	}
	buf_release(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_quoted_where_they_must_be),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
