/*
 * json_scan — RFC 8259 as json.h takes it, in one pass and without memory of its own but for the
 * names and the places below. Shared by json*.c and template*.c only.
 */
#ifndef RELAY_JSON_SCAN_H
#define RELAY_JSON_SCAN_H

#include "relay/base/json.h"

#define JSON_NAMES_MAX	256 /* in one object of the first two levels; an API row has about 40 */
#define JSON_NAME_SLOTS 512 /* a power of two, twice the names, so that probes stay short */
#define JSON_NUMBER_MAX 63  /* cJSON reads a number through a buffer of that many bytes */
#define JSON_NEST_MAX	512 /* whatever a caller asks for: the scan recurses, and so does cJSON */

/* The names of the object that is open at each of the two levels. A slot belongs to the object
 * whose number it carries, so that nothing is cleared between objects. */
struct json_names {
	struct {
		uint64_t hash, object;
	} slot[2][JSON_NAME_SLOTS];
	uint64_t objects; /* numbers given so far */
};

struct json_spans { /* owned */
	struct json_span *v;
	size_t n, cap;
};

struct json_scanner {
	struct json_names names;
	bool want_elements;
	const char *without; /* a member of objects of the second level; NULL: none */
	struct json_spans elements, left_out; /* of the last text: what is wanted, `without` */
};

/* Valid as {0}; may be used for many texts. */
int json_scan(struct json_scanner *sc, const char *text, size_t len, unsigned max_depth,
	      struct err *err);
void json_scanner_release(struct json_scanner *sc);

/* The first byte of [p, end) that is not plain ASCII inside a string: a quote, a backslash, a
 * control character or a byte above 0x7f; `end` when there is none. */
const char *json_plain(const char *p, const char *end);

/* Length of the UTF-8 sequence at p (< end), 0 when it is not one. */
size_t utf8_step(const char *p, const char *end);

/* The number of four hexadecimal digits at p, or -1. */
int json_hex4(const char *p, const char *end);

/* Decodes the accepted bytes between a string's quotes; `ret` has room for len bytes. Returns
 * the length, which never exceeds len. */
size_t json_unescape(char *ret, const char *raw, size_t len);

/* Behind the value that begins at p, or `end`: its quotes and braces are taken to be right. Behind
 * a number, true, false or null that is the byte which ends it, blanks being a part of it. */
const char *json_skip(const char *p, const char *end);

#endif
