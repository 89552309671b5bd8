/*
 * option — settings as tables: one row a setting, from which come reading, checking, defaults,
 * `relay options` (the reference) and `relay schema` (the JSON Schema).
 *
 * A table describes one map of the file and fills one struct. The last row has name NULL.
 *
 *   static const struct option table[] = {
 *       {"rate_limit", OPT_RATE, offsetof(struct source_options, rate), .preset = "450/min",
 *        .help = "requests the relay may make, all together"},
 *       {0}};
 */
#ifndef RELAY_OPTION_H
#define RELAY_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/config/problems.h"
#include "relay/config/yaml.h"

enum option_type {
	OPT_STRING,  /* char * */
	OPT_STRINGS, /* struct strings; a scalar stands for a list of one; `choices` may bound it */
	OPT_URL,     /* char *; http:// or https:// with a host, no user info */
	OPT_SECRET,  /* char *; also as NAME_file: the file's content without the final newline */
	OPT_SECRETS, /* struct strings; one or a list; of NAME_file each line of each file is one */
	OPT_PATH,    /* char *; relative to the file that names it */
	OPT_INT,     /* int64_t; decimal */
	OPT_BOOL,    /* bool */
	OPT_DURATION,  /* int64_t ms: 500ms 5s 3m 6h 14d; 0 without a unit */
	OPT_DURATIONS, /* struct numbers, ms */
	OPT_SIZE,    /* int64_t bytes: 256MB; KB MB GB are powers of 1000, a bare number is bytes */
	OPT_RATE,    /* double per second: 100/s 450/min */
	OPT_PERCENT, /* double: 5% is 0.05 */
	OPT_CHOICE,  /* int: the place in `choices`, an array of names ending in NULL */
	OPT_TIME,    /* int64_t ms since 1970: RFC 3339 */
	OPT_NODE, /* const struct node *: kept for its owner, an empty value too; lives as long as
		     the yaml */
};

struct strings {
	char **v; /* owned */
	size_t n;
};
struct numbers {
	int64_t *v; /* owned */
	size_t n;
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset;	    /* of the field in the struct that is filled */
	const char *preset; /* the default, written as in a file; NULL: none (pointer NULL, list
			       empty, number 0) */
	const char *help;   /* one phrase; every row has one */
	bool required;
	int64_t min, max;	    /* OPT_INT, OPT_DURATION(S), OPT_SIZE, with max 0: no bounds */
	const char *const *choices; /* OPT_CHOICE */
	const struct option
		*section; /* OPT_NODE: the table of that map, for schema and reference */
	bool secrets;	  /* OPT_NODE: a map of texts that are read like secrets, with NAME_file */
	bool on_host;	  /* it names something of the machine that Relay runs on: left out by who
			     only tries rules. Secrets are anyway */
};

/* Fills *into, which must be zeroed: from the map's keys, and by the presets where there is none
 * or it is wrong (`map` NULL or an empty value: all presets). Problems — unknown key with the
 * nearest name, wrong type, out of bounds, missing — are added to p. A key without a value is a
 * problem, except for OPT_NODE. */
void options_read(const struct option *table, const struct node *map, void *into,
		  struct problems *p);
void options_release(const struct option *table, void *from); /* secrets are wiped first */

/* One value by the same rules, for a key that has no struct. */
bool option_duration(const char *text, int64_t *ret_ms);
bool option_rate(const char *text, double *ret_per_s);
bool option_size(const char *text, int64_t *ret_bytes);
bool option_percent(const char *text, double *ret); /* "5%" is 0.05 */

/* The reference: "source.rate_limit   450/min   requests …", indented by section. `path` stands
 * before each name: "" or "destinations.NAME." */
void options_print(const struct option *table, const char *path, FILE *out);
/* One JSON Schema (2020-12) object for the table, without "$schema", to out. Where a value may be
 * ${VAR}, so may it be for the schema. A section may be left empty. */
struct buf;
void options_schema(const struct option *table, struct buf *out);

#endif
