/*
 * json_skim — a few known paths out of JSON text, without a tree: one pass that steps over what
 * nobody asked for.
 *
 * The text is taken to be JSON that json_parse would accept (Relay's own events); nothing is
 * checked. Of other bytes nothing is promised but that no byte outside of them is read and that the
 * call ends. As in json_get the first of two members of one name counts.
 *
 * A text that is no object has no leaves. Paths pass through arrays: at "a.b" of
 * {"a":[{"b":1},{"b":[2,3]}]} are three leaves. An
 * object or an empty array is no leaf.
 *
 * `struct json_paths` is immutable once the last path was added; each thread brings its own `struct
 * json_skim`.
 */
#ifndef RELAY_JSON_SKIM_H
#define RELAY_JSON_SKIM_H

#include "relay/base/json.h"

#define JSON_PATH_NONE UINT32_MAX

struct json_paths;

struct json_paths *json_paths_new(void);
void json_paths_free(struct json_paths *p); /* NULL is allowed */
/* The number of the path of these n keys (n > 0), outermost first; the keys are borrowed. What
 * stands there will be a leaf of json_skim. Every path on the way to it has a number, too. */
uint32_t json_paths_add(struct json_paths *p, const char *const *keys, size_t n);
/* JSON_PATH_NONE: it neither was added nor lies on the way to one that was. */
uint32_t json_paths_find(const struct json_paths *p, const char *const *keys, size_t n);
uint32_t json_paths_count(const struct json_paths *p); /* all numbers are below it */
size_t json_paths_bytes(const struct json_paths *p);

struct json_leaf {
	const char *text; /* of a string, unescaped; in the text or in the skim */
	size_t len;
	double number; /* of a bool: 1 or 0 */
	uint32_t path;
	enum json_type type;
};

struct json_skim {
	struct json_leaf *v; /* owned; in the order of the text */
	size_t n, cap;
	/* Bit (number % 64) of each path at which an array of more than one element stands. */
	uint64_t arrays;

	char *unescaped; /* what follows is private */
	size_t unescaped_len, unescaped_cap;
	uint64_t *seen; /* a path: the object in which it was met last */
	uint64_t objects;
};

/* Valid as {0}. One skim belongs to one json_paths. */
void json_skim(struct json_skim *s, const struct json_paths *paths, const char *text, size_t len);
void json_skim_release(struct json_skim *s);

#endif
