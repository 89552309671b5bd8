/*
 * json — JSON from outside, read with cJSON and without its traps.
 *
 * Before cJSON sees a text it is scanned here: valid UTF-8 only, no NUL and no \u0000 (cJSON would
 * cut the string there and merge two ids), nothing deeper than asked for, nothing behind the
 * value (RFC 8259), numbers as the RFC spells them (63 characters at most), no duplicate names in
 * one object of the first two levels, and there 256 names at most. Keys are compared with regard to
 * case. Ids are strings: an integer is given only when it is exact (below 2^53).
 *
 * A `struct json_doc` is one text's tree in an arena of its own; parsing again into it reuses the
 * memory. One thread at a time may use a doc; different threads may use different docs.
 *
 * Writing is by appending to a buf (json_write_…): Relay's own output is small and its order is
 * part of what users see. json_add.h writes an object's members.
 */
#ifndef RELAY_JSON_H
#define RELAY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

#define JSON_DEPTH 64 /* the ceiling for API replies and events */

struct json_doc;
struct json; /* one value; borrowed from its doc, valid until the next parse or free */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_doc *json_doc_new(void);
void json_doc_free(struct json_doc *doc);
void json_doc_trim(struct json_doc *doc); /* gives the arena back; the tree is gone */

/* Parses len bytes (they need no NUL, and may go away afterwards except for spans below). The
 * error names the byte: "not JSON at byte 17: …". */
const struct json *json_parse(struct json_doc *doc, const char *text, size_t len,
			      unsigned max_depth, struct err *err);

/* The same, but in the tree null stands for each member of that name in the objects of the second
 * level: what nobody reads is checked, but costs no memory. */
const struct json *json_parse_without(struct json_doc *doc, const char *text, size_t len,
				      unsigned max_depth, const char *member, struct err *err);

/* The same scan without building a tree: is this a text that json_parse would take? */
int json_check(const char *text, size_t len, unsigned max_depth, struct err *err);

/*
 * For a page that json_parse refused: each element of the array at its top that is no good by
 * itself (its UTF-8, a \u0000, its depth …) becomes null in place. Returns how many; the text may
 * still be no JSON, when it ends early or its elements cannot be told apart.
 */
size_t json_mend(char *text, size_t len, unsigned max_depth);

enum json_type json_type(const struct json *v);
const struct json *json_get(const struct json *object,
			    const char *key); /* NULL: none, or no object */
const struct json *
json_first(const struct json *v); /* of an array or object; NULL when empty or other */
const struct json *json_next(const struct json *v); /* its right neighbour, or NULL */
const char *json_key(const struct json *v);	    /* its name in an object, else NULL */
size_t json_count(const struct json *v);	    /* O(n) */

/* The value, or a fallback when v is NULL or of another type. Strings hold no NUL. */
const char *json_string(const struct json *v); /* else NULL */
bool json_bool(const struct json *v, bool otherwise);
bool json_int(const struct json *v, int64_t *ret); /* exact integers only */
double json_number(const struct json *v, double otherwise);

/* Where the elements of a top-level array stand in the parsed text, for passing them on verbatim:
 * n spans in array order, 0 when the root is no array. Borrowed from the doc. */
struct json_span {
	size_t at, len;
};
size_t json_elements(const struct json_doc *doc, const struct json_span **ret);

/*
 * Appends a value's text (taken from a text that json_parse accepted) without the white space
 * between tokens and without the members whose dotted path is listed, e.g. {"contact.channels",
 * NULL}; arrays add nothing to a path, so "list.ip" is the member ip of each element of list.
 * Numbers and strings keep their spelling. `without` may be NULL.
 */
void json_copy(struct buf *out, const char *text, size_t len, const char *const *without);

void json_write(struct buf *out, const struct json *v); /* compact */
void json_write_string(struct buf *out, const char *s); /* quoted and escaped; NULL: null */
void json_write_bytes(struct buf *out, const char *s, size_t len);

bool utf8_valid(const char *s, size_t len); /* RFC 3629: no surrogates, no overlong forms */

#endif
