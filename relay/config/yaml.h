/*
 * yaml — YAML files as trees of nodes that know where they stand.
 *
 * YAML 1.2 core schema: yes, no, on and off are strings. Refused, with a place: a duplicate key,
 * a merge key (<<), a tag, a cycle, a second document, anything but UTF-8 (a byte order mark at
 * the very start is skipped), and whatever passes a ceiling: 1 MiB a file, depth 32 (counted
 * during the events, before a tree is built, since libyaml is quadratic in it), 100,000 nodes a
 * file after aliases are expanded. Anchors and aliases are allowed below that; every use of an
 * alias is a copy with the place of its anchor's content.
 *
 * ${VAR} and ${VAR:-default} in plain and double-quoted values are taken from the environment
 * ($$ is a dollar sign); an unset variable without default is a problem at its place. The default
 * stands in for an empty variable too. Plain values may hold them in {flow} and [flow] as well,
 * where YAML itself would end the text at the brace.
 *
 * `include: [FILE-OR-PATTERN …]` at the top level of a file: each matching file is read like this
 * one (paths relative to the including file, sorted by name; a pattern without match is allowed, a
 * plain name without file is a problem) and laid over it: maps are joined, lists are appended,
 * the same scalar twice is a problem. A cycle of includes is a problem, and so is a file that is
 * included twice. The root keeps its own `include`; those of included files are left out.
 */
#ifndef RELAY_YAML_H
#define RELAY_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/config/problems.h"

#define YAML_FILE_MAX	 (1 << 20) /* bytes; and as many again of values from the environment */
#define YAML_DEPTH_MAX	 32
#define YAML_NODES_MAX	 100000 /* of one file, its keys not counted */
#define YAML_ANCHORS_MAX 256	/* of one file; they are found by walking through them */
#define YAML_FILES_MAX	 256
#define YAML_TOTAL_MAX	 1000000 /* nodes of all files: 20,000 rules of 50 nodes */

struct yaml_source;

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	const char *file;		  /* as it was named */
	const struct yaml_source *source; /* its text, for the line in a problem; may be NULL */
	unsigned line, column;		  /* from 1 */
	const struct node *parent;	  /* NULL at the root */
	const char *key;		  /* in a map: its name; else NULL */
	size_t index;			  /* in a list: its place, from 0 */
	unsigned key_line, key_column;	  /* where that name stands; 0 outside maps */

	const char *text; /* scalar: its text, NUL-terminated, without NUL inside */
	size_t len;
	bool quoted; /* scalar: "12" and '12' are strings, 12 is a number */
	bool secret; /* scalar: came from the environment; never print it */
	bool unset;  /* scalar: a variable in it has no value, which has been told; see yaml_load_on
		      */

	const struct node *const *items; /* list and map: the values in file order */
	size_t n;
};

struct yaml; /* the files' text and nodes; immutable once read */

/* Reads the file and what it includes. On problems (added to p) returns NULL. "-": standard input.
 */
struct yaml *yaml_load(const char *path, struct problems *p);
/* The same, but goes on when no more is wrong than values whose variables cannot be had: those
 * nodes are `unset`, and the rest of the file can be checked, too. */
struct yaml *yaml_load_on(const char *path, struct problems *p);
/* As yaml_load, from memory; `name` stands for the file, includes are relative to the working
 * folder. */
struct yaml *yaml_parse(const char *name, const char *text, size_t len, struct problems *p);
/* NULL is allowed. The label is our own because libyaml exports a yaml_free for its inner use, and
 * a function of that name in the program would be called in its place. */
void yaml_free(struct yaml *y) __asm__("relay_yaml_free");
const struct node *yaml_root(const struct yaml *y);  /* a map; never NULL */
const char *const *yaml_files(const struct yaml *y); /* all that were read, NULL-terminated */

const struct node *node_get(const struct node *map, const char *key); /* NULL: none, or no map */
const char *node_string(const struct node *n); /* a scalar's text, else NULL */
/* Core schema: is an unquoted scalar null (empty, ~, null), a bool (true, false), a number (not
 * .inf and .nan, which no setting and no JSON event can hold)? */
bool node_is_null(const struct node *n);
bool node_bool(const struct node *n, bool *ret);
bool node_number(const struct node *n, double *ret);
/* "rules[2].when.type[0]" into ret; cut with an ellipsis. Returns ret. */
char *node_path(const struct node *n, char *ret, size_t size);
/* Absolute path of `path` seen from the folder of the node's file; you own it. */
char *node_resolve_path(const struct node *n, const char *path);

#endif
