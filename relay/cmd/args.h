/*
 * args — the command line of one subcommand, read with getopt_long by the command's own table of
 * flags, from which its help comes, too.
 */
#ifndef RELAY_ARGS_H
#define RELAY_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/err.h"

#define ARGS_FLAGS  24 /* of one command */
#define ARGS_VALUES 16 /* of one flag that may be given several times */

struct flag {
	char letter;	   /* 0: none */
	const char *name;  /* NULL ends a table; every command has --help besides */
	const char *value; /* what its value is called in the help; NULL: it takes none */
	const char *help;
};

struct args {
	const struct flag *flags;
	const char *values[ARGS_FLAGS][ARGS_VALUES]; /* borrowed from argv; "" for a bare flag */
	size_t counts[ARGS_FLAGS];
	char **operands; /* what is not a flag; borrowed from argv */
	size_t noperands;
	bool help;
};

/* argv[0] is the subcommand's name. Flags and operands may be mixed; "--" ends the flags. */
int args_read(struct args *ret, const struct flag *flags, int argc, char **argv, struct err *err);

/* By the flag's long name, which must be in the table. */
bool arg_given(const struct args *a, const char *name);
const char *arg_value(const struct args *a, const char *name); /* the last one given, or NULL */
size_t arg_count(const struct args *a, const char *name);
const char *arg_nth(const struct args *a, const char *name, size_t i);

#endif
