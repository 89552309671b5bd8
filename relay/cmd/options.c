/* relay options, relay schema — the settings' reference, made from the tables that read them. */
#include "relay/cmd/cmd.h"

static int run_options(const struct command *self, const struct args *a);
static int run_schema(const struct command *self, const struct args *a);

static const struct flag none[] = {{0}};

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
	.flags = none,
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
	(void)a;
	settings_schema(&out);
	puts(out.data);
	buf_release(&out);
	return EXIT_OK;
}
