/* relay test — tests of rules, offline: what the API would show in, events, routes, callbacks and
 * alerts out, by the same code as `run`. */
#include <errno.h>
#include <string.h>

#include "relay/cmd/cmd.h"
#include "relay/cmd/test_suite.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	{'c', "config", "FILE", "test this configuration in place of what the files name"},
	{'t', "test", "TEXT", "only tests whose name holds it"},
	{'s', "show", NULL, "what came in each step, to read and to paste"},
	{0, "format", "NAME", "text, tap, junit or json; default: text"},
	{0, "junit", "FILE", "a JUnit XML report besides"},
	{0, "json", NULL, "one JSON object a line: each test, then the counts"},
	{0}};

const struct command cmd_test = {
	.name = "test",
	.operands = "FILE…",
	.least = 1,
	.most = SIZE_MAX,
	.summary =
		"tests of rules: what the API shows in, events, callbacks and alerts out; offline",
	.example = "  relay test --junit report.xml rules/*.test.yaml",
	.flags = flags,
	.run = run,
};

static const struct {
	const char *name;
	test_report_fn *report;
} formats[] = {
	{"text", test_report_text},
	{"tap", test_report_tap},
	{"junit", test_report_junit},
	{"json", test_report_json},
};

static test_report_fn *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(formats[i].name, name))
			return formats[i].report;
	return NULL;
}

static int write_junit(const struct test_suites *all, const char *path, struct err *err)
{
	FILE *out = fopen(path, "we");
	if (!out)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	test_report_junit(all, out);
	bool failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return err_set(err, ERR_IO, "%s: could not be written whole", path);
	return 0;
}

static int status_of(const struct test_suites *all)
{
	struct test_totals totals = test_suites_count(all);
	if (totals.bad)
		return EXIT_BAD_CONFIG;
	return totals.failed ? EXIT_FOUND : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	const char *format = arg_given(a, "json") ? "json" : arg_value(a, "format");
	const struct test_wish wish = {.config = arg_value(a, "config"),
				       .filter = arg_value(a, "test"),
				       .show = arg_given(a, "show")};
	struct test_suites all = {0};
	struct err err = {0};
	test_report_fn *report = find_format(format ? format : "text");
	if (!report)
		return cmd_usage(self, "--format is text, tap, junit or json, not \"%s\"", format);
	if (wish.show && report != test_report_text)
		return cmd_usage(self, "--show is for text");
	for (size_t i = 0; i < a->noperands; i++)
		test_suite_run(&all, a->operands[i], &wish);
	report(&all, stdout);
	int status = status_of(&all);
	struct test_totals totals = test_suites_count(&all);
	if (wish.filter && !totals.passed && !totals.failed && !totals.bad) {
		fprintf(stderr, "relay test: no test has \"%s\" in its name\n", wish.filter);
		status = EXIT_FOUND;
	}
	if (arg_given(a, "junit") && write_junit(&all, arg_value(a, "junit"), &err) < 0)
		status = cmd_fail(self, &err);
	test_suites_release(&all);
	return status;
}
