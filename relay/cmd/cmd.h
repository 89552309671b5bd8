/*
 * cmd — the subcommands of `relay`, one file each; the entry on top of the file is its manual.
 *
 * Output is for people when it goes to a terminal, and one JSON object a line with --json or when
 * piped, where a command has both; `check` and `version`, whose answer is read in CI logs, and
 * `sign` and `verify`, whose answer is fed to curl or a shell, need --json. Exit status: 0 ok, 1
 * found something or failed, 2 wrong usage, 78 bad configuration (EX_CONFIG of sysexits.h).
 */
#ifndef RELAY_CMD_H
#define RELAY_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/cmd/args.h"
#include "relay/settings.h"

enum { EXIT_OK = 0, EXIT_FOUND = 1, EXIT_USAGE = 2, EXIT_BAD_CONFIG = 78 };

struct command {
	const char *name;
	const char *operands; /* "SEQUENCE|ID"; "": none */
	size_t least, most;   /* operands */
	const char *summary;  /* one phrase for the list of commands */
	const char *example;  /* lines that work as they stand */
	const struct flag *flags;
	int (*run)(const struct command *self, const struct args *a);
};

extern const struct command *const commands[]; /* in the order of the help, ending in NULL */
extern const struct command cmd_run, cmd_check, cmd_test, cmd_explain, cmd_backtest, cmd_options,
	cmd_schema, cmd_init, cmd_version, cmd_subscribe, cmd_receive, cmd_events, cmd_status,
	cmd_probe, cmd_plan, cmd_sign, cmd_verify, cmd_send_test, cmd_parked, cmd_replay,
	cmd_destinations, cmd_rows;

/* Finds the command, reads its flags, runs it. argv[0] is the program's name. */
int cmd_main(int argc, char **argv);

/* "relay check: text" on stderr, and for usage where to read more. Return the exit status. */
int cmd_usage(const struct command *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cmd_fail(const struct command *c, const struct err *err);

/* The flag that all commands with a configuration have. */
#define FLAG_CONFIG                                                                                \
	{                                                                                          \
		'c', "config", "FILE", "the configuration; default: relay.yaml"                    \
	}
#define FLAG_JSON                                                                                  \
	{                                                                                          \
		0, "json", NULL, "one JSON object a line, as when piped"                           \
	}

#define FLAG_JSON_ONLY                                                                             \
	{                                                                                          \
		0, "json", NULL, "one JSON object on one line instead of text"                     \
	}

/* A number as people give sequences and limits: up to 16 digits and nothing else. */
bool cmd_number(const char *text, int64_t *ret);

/* A date, or how long ago: 2h, 7d. */
bool cmd_when(const char *text, int64_t *ret_ms);

/* --json, or standard output is no terminal. */
bool cmd_wants_json(const struct args *a);

/* Reads the settings named by --config, or a part of them (settings.h). What is wrong is printed to
 * stderr, and then NULL comes back; so are warnings. */
struct settings *cmd_settings(const struct args *a);
struct settings *cmd_settings_part(const struct args *a, enum settings_part part);

#endif
