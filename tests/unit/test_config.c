/* config: a folder of files with one mistake each, whose first line says what must be told, and
 * one of files that must be taken. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "relay/base/log.h"
#include "relay/config/config.h"

#define GOOD "tests/data/config/good"
#define BAD  "tests/data/config/bad"

static int set_environment(void **state)
{
	(void)state;
	unsetenv("RELAY_TEST_UNSET");
	return setenv("RELAY_TEST_KEY", "key from the environment", 1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Loads and reads as the relay does; the yaml, or NULL. */
static struct yaml *load(const char *path, struct config *ret, struct problems *p)
{
	struct yaml *y = yaml_load(path, p);

	if (y)
		config_read(y, ret, p);
	return y;
}

/* How many files of the folder are called NAME.yaml; calls each for them. */
static unsigned for_each_file(const char *folder, void (*each)(const char *path))
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir));) {
		size_t len = strlen(d->d_name);
		char path[512];
		if (len < 5 || strcmp(d->d_name + len - 5, ".yaml") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		each(path);
		n++;
	}
	closedir(dir);
	return n;
}

/* "# expect: 3:12: some words" */
static void read_expectation(const char *path, char ret[256])
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	if (fscanf(f, "# expect: %255[^\n]", ret) != 1)
		fail_msg("%s does not say what is expected", path);
	fclose(f);
}

static void refuse_file(const char *path)
{
	struct config config = {0};
	struct problems p = {0};
	char expect[256];
	double start = cpu_seconds();
	struct yaml *y = load(path, &config, &p);

	read_expectation(path, expect);
	if (!p.n)
		fail_msg("%s is accepted", path);
	char *words = strstr(expect, ": ");
	if (!words)
		fail_msg("%s does not expect LINE:COL: words", path);
	*words = '\0';
	words += 2;
	/* "FILE:LINE:COL: …words…" */
	const char *place = strstr(p.v[0], ".yaml:");
	size_t len = strlen(expect);
	if (!place || strncmp(place + 6, expect, len) != 0 || place[6 + len] != ':' ||
	    !strstr(place + 6 + len, words))
		fail_msg("%s: expected %s: … %s …, got: %s", path, expect, words, p.v[0]);
	assert_non_null(p.source[0]);
	if (cpu_seconds() - start > 2)
		fail_msg("%s takes %g s", path, cpu_seconds() - start);
	config_release(&config);
	yaml_free(y);
	problems_release(&p);
}

static void bad_files_are_refused_in_place(void **state)
{
	(void)state;
	assert_true(for_each_file(BAD, refuse_file) >= 60);
}

static void take_file(const char *path)
{
	struct config config = {0};
	struct problems p = {0};
	struct yaml *y = load(path, &config, &p);

	problems_print(&p, stderr);
	if (p.n || !y)
		fail_msg("%s is refused", path);
	assert_string_equal(yaml_files(y)[0], path);
	config_release(&config);
	yaml_free(y);
}

static void good_files_are_taken(void **state)
{
	(void)state;
	assert_true(for_each_file(GOOD, take_file) >= 10);
}

static void settings_are_read(void **state)
{
	struct config config = {0};
	struct problems p = {0};
	struct yaml *y = load(GOOD "/everything.yaml", &config, &p);
	(void)state;

	assert_non_null(y);
	assert_int_equal(config.stop_timeout_ms, 0);
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_string_equal(node_get(config.source, "api_key")->text, "key from the environment");
	assert_true(node_get(config.source, "api_key")->secret);
	assert_int_equal(config.destinations->n, 3);
	assert_int_equal(config.rules->n, 2);
	assert_non_null(config.journal);
	assert_non_null(config.admin);
	config_release(&config);
	config_release(&config);
	yaml_free(y);
}

static void included_settings_are_read(void **state)
{
	struct config config = {0};
	struct problems p = {0};
	struct yaml *y = load(GOOD "/included.yaml", &config, &p);
	static const char *const names[] = {"first", "second", "third", "fourth"};
	(void)state;

	assert_non_null(y);
	assert_int_equal(config.log_level, LOG_WARN);
	assert_int_equal(config.include.n, 2);
	assert_int_equal(config.destinations->n, 2);
	assert_int_equal(config.rules->n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(node_get(config.rules->items[i], "name")->text, names[i]);
		assert_int_equal(config.rules->items[i]->index, i);
	}
	assert_string_equal(config.rules->items[3]->file, GOOD "/rules.d/more/deeper.yaml");
	config_release(&config);
	yaml_free(y);
}

static void presets_hold(void **state)
{
	struct config config = {0};
	struct problems p = {0};
	struct yaml *y = load(GOOD "/empty.yaml", &config, &p);
	(void)state;

	assert_non_null(y);
	assert_int_equal(config.stop_timeout_ms, 8000);
	assert_int_equal(config.log_level, LOG_INFO);
	assert_null(config.source);
	assert_null(config.rules);
	config_release(&config);
	yaml_free(y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_files_are_refused_in_place),
		cmocka_unit_test(good_files_are_taken),
		cmocka_unit_test(settings_are_read),
		cmocka_unit_test(included_settings_are_read),
		cmocka_unit_test(presets_hold),
	};

	return cmocka_run_group_tests_name("unit", tests, set_environment, NULL);
}
