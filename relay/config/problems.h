/*
 * problems — what is wrong with a configuration, each with its place, up to 20 at once, so that a
 * person mends a file in one go. A check adds what it finds and goes on; the caller looks at `n`.
 */
#ifndef RELAY_PROBLEMS_H
#define RELAY_PROBLEMS_H

#include <stddef.h>
#include <stdio.h>

#define PROBLEMS_MAX 20

struct node;

/* What is found at an `unset` node is only counted, in `muted`. */
struct problems {
	char *v[PROBLEMS_MAX]; /* owned; "relay.yaml:12:5: rules[2].when: unknown operator \"sufix\"
				  …" */
	char *source[PROBLEMS_MAX]; /* owned or NULL; the line of the file, for a caret below it */
	unsigned column[PROBLEMS_MAX]; /* of the caret, from 1; 0: none */
	size_t n;
	size_t more;  /* found beyond the ceiling */
	size_t muted; /* at values whose variable is not set, which is told already */
	char *warnings[PROBLEMS_MAX]; /* owned; what is allowed but surely not meant */
	size_t nwarnings;
};

/*
 * At a node's place; the node's path ("destinations.crm.http.url") is put before the text. NULL:
 * nowhere. Control characters in the text come out as "?". The kept source line has the values of
 * keys that sound like secrets blanked, since a problem may stand beside one. What came from the
 * environment is not in the file's line, and callers keep it out of the text (node_shown).
 */
void problem_at(struct problems *p, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same at the name of a node that is in a map. */
void problem_at_key(struct problems *p, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void problem_warn(struct problems *p, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Without a node: the file cannot be read, the YAML is broken (then with line and column). */
void problem_in(struct problems *p, const char *file, unsigned line, unsigned column,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* All that were found, for a caller that wants to know whether more were. */
size_t problems_count(const struct problems *p);
/* Each with its source line and a caret, then the warnings. */
void problems_print(const struct problems *p, FILE *out);
void problems_release(struct problems *p); /* empty again */

#define NODE_SHOWN 64
/* What a scalar says, for a message: quoted, shortened, without a URL's user and password; never
 * what came from the environment. Returns ret. */
char *node_shown(const struct node *n, char ret[NODE_SHOWN]);

/* The nearest of `names` (NULL-terminated) if it is near enough to be a slip, else NULL. */
const char *problem_nearest(const char *given, const char *const *names);

#endif
