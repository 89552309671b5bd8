/* The table of commands, their help, and what they share. */
#include "relay/cmd/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"

const struct command *const commands[] = {
	&cmd_run,	&cmd_check,	   &cmd_test,	&cmd_explain, &cmd_backtest,  &cmd_init,
	&cmd_options,	&cmd_schema,	   &cmd_status, &cmd_events,  &cmd_rows,      &cmd_parked,
	&cmd_replay,	&cmd_destinations, &cmd_probe,	&cmd_plan,    &cmd_subscribe, &cmd_receive,
	&cmd_send_test, &cmd_sign,	   &cmd_verify, &cmd_version, NULL,
};

static void print_commands(FILE *out)
{
	fputs("relay: asks the Invent API what became of each message, so that nobody else has "
	      "to.\n\n"
	      "usage: relay COMMAND [FLAGS] …\n\n",
	      out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nrelay COMMAND --help tells more. Exit status: 0 ok, 1 found something or failed,\n"
	      "2 wrong usage, 78 bad configuration.\n",
	      out);
}

static void print_help(const struct command *c, FILE *out)
{
	fprintf(out, "relay %s: %s\n\nusage: relay %s [FLAGS]%s%s\n\n", c->name, c->summary,
		c->name, *c->operands ? " " : "", c->operands);
	for (const struct flag *f = c->flags; f->name; f++) {
		char letter[] = {'-', f->letter, ',', '\0'};
		char text[64];
		snprintf(text, sizeof text, "--%s%s%s", f->name, f->value ? " " : "",
			 f->value ? f->value : "");
		fprintf(out, "  %3s %-22s %s\n", f->letter ? letter : "", text, f->help);
	}
	fprintf(out, "  -h, %-22s %s\n\nexample:\n%s\n", "--help", "this text", c->example);
}

int cmd_usage(const struct command *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "relay %s: ", c->name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nrelay %s --help tells what it takes\n", c->name);
	va_end(ap);
	return EXIT_USAGE;
}

int cmd_fail(const struct command *c, const struct err *err)
{
	fprintf(stderr, "relay %s: %s\n", c->name, err->msg);
	return err->code == ERR_USAGE ? EXIT_USAGE : EXIT_FOUND;
}

bool cmd_number(const char *text, int64_t *ret)
{
	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 16)
		return false;
	*ret = strtoll(text, NULL, 10);
	return true;
}

bool cmd_when(const char *text, int64_t *ret_ms)
{
	int64_t span_ms;
	if (date_parse(text, strlen(text), ret_ms))
		return true;
	if (!option_duration(text, &span_ms))
		return false;
	*ret_ms = clock_now().wall_ms - span_ms;
	return true;
}

bool cmd_wants_json(const struct args *a)
{
	return arg_given(a, "json") || !isatty(STDOUT_FILENO);
}

static const char *config_path(const struct args *a)
{
	const char *path = arg_value(a, "config");
	return path ? path : "relay.yaml";
}

struct settings *cmd_settings(const struct args *a)
{
	struct problems problems = {0};
	struct settings *s = settings_load(config_path(a), &problems);
	problems_print(&problems, stderr);
	problems_release(&problems);
	return s;
}

struct settings *cmd_settings_part(const struct args *a, enum settings_part part)
{
	struct problems problems = {0};
	struct settings *s = settings_load_part(config_path(a), part, &problems);
	problems_print(&problems, stderr);
	problems_release(&problems);
	return s;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	struct args args;
	struct err err = {0};
	if (args_read(&args, c->flags, argc, argv, &err) < 0)
		return cmd_usage(c, "%s", err.msg);
	if (args.help) {
		print_help(c, stdout);
		return EXIT_OK;
	}
	if (args.noperands < c->least)
		return cmd_usage(c, "%s is missing", c->operands);
	if (args.noperands > c->most)
		return cmd_usage(c, "\"%s\" is too much", args.operands[c->most]);
	return c->run(c, &args);
}

/* What stdout still holds may not fit on a full disk: then the command has failed. */
static int end_output(int status)
{
	bool failed = ferror(stdout);
	if (fflush(stdout) == 0 && !failed)
		return status;
	fprintf(stderr, "relay: standard output: %s\n",
		failed ? "could not be written whole" : strerror(errno));
	return status == EXIT_OK ? EXIT_FOUND : status;
}

static const struct command *find_command(const char *name)
{
	size_t i = 0;
	while (commands[i] && strcmp(commands[i]->name, name) != 0)
		i++;
	return commands[i];
}

static int no_command(const char *name)
{
	const char *names[sizeof commands / sizeof *commands];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		names[i] = commands[i] ? commands[i]->name : NULL;
	const char *near = problem_nearest(name, names);
	if (*name)
		fprintf(stderr, "relay: there is no command \"%s\"%s%s%s\n\n", name,
			near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	print_commands(stderr);
	return EXIT_USAGE;
}

int cmd_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	bool help = !strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help");
	if (help && argc < 3) {
		print_commands(stdout);
		return end_output(EXIT_OK);
	}
	if (help)
		name = argv[2];
	else if (!strcmp(name, "--version"))
		name = "version";
	const struct command *c = find_command(name);
	if (!c)
		return no_command(name);
	if (help)
		print_help(c, stdout);
	return end_output(help ? EXIT_OK : run_command(c, argc - 1, argv + 1));
}
