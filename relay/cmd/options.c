/* relay options, relay schema — the settings' reference, made from the tables that read them. */
#include "relay/cmd/cmd.h"
#include "relay/cmd/test_file.h"

static int run_options(const struct command *self, const struct args *a);
static int run_schema(const struct command *self, const struct args *a);

static const struct flag none[] = {{0}};
static const struct flag schema_flags[] = {
	{0, "tests", NULL, "of the files of `relay test` instead"}, {0}};

const struct command cmd_options = {
	.name = "options",
	.operands = "",
	.summary = "all settings with their defaults",
	.example = "  relay options | grep source",
	.flags = none,
	.run = run_options,
};

const struct command cmd_schema = {
	.name = "schema",
	.operands = "",
	.summary = "the JSON Schema of the configuration, for editors",
	.example = "  relay schema > relay.schema.json",
	.flags = schema_flags,
	.run = run_schema,
};

static int run_options(const struct command *self, const struct args *a)
{
	(void)self;
	(void)a;
	settings_print_options(stdout);
	return EXIT_OK;
}

static int run_schema(const struct command *self, const struct args *a)
{
	struct buf out = BUF_INIT(4 << 20);
	(void)self;
	if (arg_given(a, "tests"))
		test_file_schema(&out);
	else
		settings_schema(&out);
	puts(out.data);
	buf_release(&out);
	return EXIT_OK;
}
