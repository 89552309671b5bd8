/*
 * getopt_long behind a table. The only file that includes <getopt.h>, whose `struct option` is
 * another one than ours.
 */
#include "relay/cmd/args.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#define FIRST_LONG 256 /* getopt's value for the flag i of the table: FIRST_LONG + i */

static size_t count_flags(const struct flag *flags)
{
	size_t n = 0;
	while (flags[n].name)
		n++;
	assert(n < ARGS_FLAGS);
	return n;
}

static void make_tables(const struct flag *flags, size_t n, struct option *longs, char *shorts)
{
	*shorts++ = ':'; /* a missing value is told apart from an unknown flag */
	for (size_t i = 0; i < n; i++) {
		longs[i] = (struct option){flags[i].name,
					   flags[i].value ? required_argument : no_argument, NULL,
					   (int)(FIRST_LONG + i)};
		if (!flags[i].letter)
			continue;
		*shorts++ = flags[i].letter;
		if (flags[i].value)
			*shorts++ = ':';
	}
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	*shorts++ = 'h';
	*shorts = '\0';
}

static size_t find_flag(const struct flag *flags, size_t n, int got)
{
	if (got >= FIRST_LONG)
		return (size_t)(got - FIRST_LONG);
	for (size_t i = 0; i < n; i++)
		if (flags[i].letter == got)
			return i;
	return n;
}

int args_read(struct args *ret, const struct flag *flags, int argc, char **argv, struct err *err)
{
	struct option longs[ARGS_FLAGS + 1] = {0};
	char shorts[2 * ARGS_FLAGS + 4];
	size_t n = count_flags(flags);
	int got;
	make_tables(flags, n, longs, shorts);
	*ret = (struct args){.flags = flags};
	optind = 0;
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		if (got == ':')
			return err_set(err, ERR_USAGE, "%s needs a value", argv[optind - 1]);
		if (got == '?' && optopt)
			return err_set(err, ERR_USAGE, "unknown flag -%c", optopt);
		if (got == '?')
			return err_set(err, ERR_USAGE, "unknown flag %s", argv[optind - 1]);
		if (got == 'h') {
			ret->help = true;
			continue;
		}
		size_t i = find_flag(flags, n, got);
		if (ret->counts[i] == ARGS_VALUES)
			return err_set(err, ERR_USAGE, "--%s is given more than %d times",
				       flags[i].name, ARGS_VALUES);
		ret->values[i][ret->counts[i]++] = optarg ? optarg : "";
	}
	ret->operands = argv + optind;
	ret->noperands = (size_t)(argc - optind);
	return 0;
}

static size_t place_of(const struct args *a, const char *name)
{
	size_t i = 0;
	while (a->flags[i].name && strcmp(a->flags[i].name, name) != 0)
		i++;
	assert(a->flags[i].name);
	return i;
}

bool arg_given(const struct args *a, const char *name)
{
	return a->counts[place_of(a, name)] > 0;
}

size_t arg_count(const struct args *a, const char *name)
{
	return a->counts[place_of(a, name)];
}

const char *arg_nth(const struct args *a, const char *name, size_t i)
{
	return i < arg_count(a, name) ? a->values[place_of(a, name)][i] : NULL;
}

const char *arg_value(const struct args *a, const char *name)
{
	size_t n = arg_count(a, name);
	return n ? arg_nth(a, name, n - 1) : NULL;
}
