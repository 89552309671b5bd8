/*
 * yaml_tree — what the files of the YAML reader share: a file's text, the memory of a tree, and
 * the steps from one to the other. Private to relay/config.
 */
#ifndef RELAY_YAML_TREE_H
#define RELAY_YAML_TREE_H

#include <sys/types.h>

#include "relay/base/buf.h"
#include "relay/config/yaml.h"

struct yaml_source {
	char *name; /* as it was named */
	char *dir;  /* what its relative paths start from; "." */
	char *text; /* without byte order mark, NUL-terminated */
	size_t len;
	dev_t device; /* which file it is; with inode 0 it is none */
	ino_t inode;
	const struct yaml_source *from; /* the file that includes it; NULL: none */
};

struct block;

struct yaml {
	struct block *blocks; /* the arena of all nodes and their texts */
	struct node *root;
	struct yaml_source **sources; /* in the order of reading */
	const char **files;	      /* their names, NULL-terminated */
	size_t nsources;
	size_t nodes;
	size_t gaps; /* problems that left a node `unset` */
};

/* Zeroed memory that lives as long as the yaml. */
void *yaml_alloc(struct yaml *y, size_t n, size_t size);
char *yaml_text(struct yaml *y, const char *text, size_t len);

/* Takes text (from malloc) into the yaml as a file's. */
struct yaml_source *yaml_add_source(struct yaml *y, const char *name, char *text, size_t len);

/* A whole file's content by malloc, or NULL with errno; EFBIG when it is over max bytes. */
char *yaml_slurp(int fd, size_t max, size_t *ret_len);
/* Joined to the folder unless it is absolute; you own it. */
char *yaml_join(const char *dir, const char *path);

/* The tree of one file, a map; or NULL with problems. */
struct node *yaml_build(struct yaml *y, const struct yaml_source *src, struct problems *p);

/* Reads what a file includes, and what that includes, and lays it over root. */
void yaml_follow_includes(struct yaml *y, const struct yaml_source *src, struct node *root,
			  struct problems *p);

/* Lays `over` over `base`, both maps; `over` is used up. */
void yaml_merge(struct yaml *y, struct node *base, struct node *over, struct problems *p);

/* The first member, in file order, whose name an earlier one has; NULL: all differ. */
const struct node *yaml_duplicate_key(const struct node *map);

/* Hides ${VAR} and ${VAR:-default} from YAML, whose flow style gives braces and commas a meaning:
 * their characters become private ones, as many, until yaml_unmask restores them in place. */
void yaml_mask(struct buf *out, const char *text, size_t len);
size_t yaml_unmask(char *text, size_t len);
/* Is there a private character in the text already? Where, from the start; or -1. */
ssize_t yaml_masked_at(const char *text, size_t len);

/* Replaces the references in a value; false after a problem at the node. *ret_secret: something
 * came from the environment. */
bool yaml_expand(struct buf *out, const struct node *at, struct problems *p, bool *ret_secret);

/* Moves line and column, which start at 1, over the text; columns count characters. */
void yaml_count_place(const char *text, size_t len, unsigned *line, unsigned *column);

/* Refuses what no event could tell: UTF-16, and the characters that yaml_mask makes. */
bool yaml_acceptable(const struct yaml_source *src, struct problems *p);

/* Why libyaml's parser (its yaml_parser_t) gave up, in our words. `input` is what it reads. */
struct yaml_parser_s;
void yaml_syntax_problem(struct problems *p, const struct yaml_source *src,
			 const struct yaml_parser_s *parser, const struct buf *input);

/* One line of the file as it may be shown, values of keys that sound like secrets blanked, a long
 * one cut around the column, which then is the one in the returned text. You own it. */
char *yaml_line(const struct yaml_source *src, unsigned line, unsigned *column);

/* problem_in with the file's text at hand. */
void problem_in_source(struct problems *p, const struct yaml_source *src, unsigned line,
		       unsigned column, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
