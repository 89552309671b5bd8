/* config_rig — see the header. */
#include "tests/unit/config_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/suite/store_fixture.h"

struct yaml *parse_text(const char *text, struct problems *p)
{
	return yaml_parse("t.yaml", text, strlen(text), p);
}

struct yaml *good(const char *text)
{
	struct problems p = {0};
	struct yaml *y = parse_text(text, &p);

	if (!y)
		problems_print(&p, stderr);
	assert_non_null(y);
	assert_int_equal(p.n, 0);
	return y;
}

int make_dir(void **state)
{
	*state = fixture_folder();
	return 0;
}

int remove_dir(void **state)
{
	fixture_remove(*state);
	return 0;
}
