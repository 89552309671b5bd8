/* Tests of the `journal:` section. */
#include "relay/journal/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/journal/sqlite.h"

/* Reads the section of a file; the caller releases what was read. */
static struct journal_options read_section(const char *text, struct problems *p)
{
	struct yaml *y = yaml_parse("relay.yaml", text, strlen(text), p);
	struct journal_options o = {0};

	assert_non_null(y);
	journal_options_read(&o, node_get(yaml_root(y), "journal"), p);
	yaml_free(y);
	return o;
}

static void a_journal_is_sqlite_unless_told(void **state)
{
	static const char *const files[] = {"admin: {}", "journal: {}",
					    "journal:", "journal: {sqlite: {}}",
					    "journal: {sqlite: }"};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct problems p = {0};
		struct journal_options o = read_section(files[i], &p);
		const struct sqlite_options *s = o.options;

		assert_int_equal(p.n, 0);
		assert_ptr_equal(o.type, &store_sqlite);
		assert_non_null(strstr(s->path, "relay.db"));
		assert_int_equal(s->keep_ms, 30LL * 24 * 3600 * 1000);
		assert_int_equal(journal_keep_unsent_ms(&o), 30LL * 24 * 3600 * 1000);
		assert_int_equal(s->max_size, 20000000000);
		assert_int_equal(s->min_free, 256000000);
		journal_options_release(&o);
		assert_null(o.options);
		problems_release(&p);
	}
}

static void settings_of_the_store_are_read(void **state)
{
	struct problems p = {0};
	struct journal_options o = read_section("journal: {sqlite: {path: /x/y.db, keep: 2d, "
						"keep_unsent: 3d, max_size: 1GB, min_free: 0}}",
						&p);
	const struct sqlite_options *s = o.options;

	(void)state;
	assert_int_equal(p.n, 0);
	assert_string_equal(s->path, "/x/y.db");
	assert_int_equal(s->keep_ms, 2LL * 24 * 3600 * 1000);
	assert_int_equal(journal_keep_unsent_ms(&o), 3LL * 24 * 3600 * 1000);
	assert_int_equal(s->max_size, 1000000000);
	assert_int_equal(s->min_free, 0);
	journal_options_release(&o);
}

static void mistakes_have_a_place(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{"journal: {sqlight: {}}", "sqlight"},
		{"journal: relay.db", "journal"},
		{"journal: {sqlite: {pth: x}}", "pth"},
		{"journal: {sqlite: {max_size: 1KB}}", "max_size"},
		{"journal: {sqlite: {keep: soon}}", "keep"},
		{"journal: {sqlite: 5}", "sqlite"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems p = {0};
		struct journal_options o = read_section(cases[i].text, &p);

		if (p.n != 1 || !strstr(p.v[0], cases[i].problem) ||
		    strncmp(p.v[0], "relay.yaml:1:", 13) != 0)
			fail_msg("%s: %zu problems, %s", cases[i].text, p.n, p.n ? p.v[0] : "none");
		journal_options_release(&o);
		problems_release(&p);
	}
}

static void releasing_nothing_is_allowed(void **state)
{
	struct journal_options o = {0};

	(void)state;
	journal_options_release(&o);
	journal_options_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_journal_is_sqlite_unless_told),
		cmocka_unit_test(settings_of_the_store_are_read),
		cmocka_unit_test(mistakes_have_a_place),
		cmocka_unit_test(releasing_nothing_is_allowed),
	};
	return cmocka_run_group_tests_name("journal_options", tests, NULL, NULL);
}
