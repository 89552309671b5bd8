/*
 * json_add — an object that is being written, member by member. Each call puts a comma first where
 * something stands before it; the braces and brackets are the caller's.
 */
#ifndef RELAY_JSON_ADD_H
#define RELAY_JSON_ADD_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buf.h"

void json_add_name(struct buf *out,
		   const char *name); /* "name": and no value; it needs no escape */
void json_add_text(struct buf *out, const char *name, const char *value); /* NULL: null */
void json_add_int(struct buf *out, const char *name, int64_t value);
void json_add_bool(struct buf *out, const char *name, bool value);
void json_add_date(struct buf *out, const char *name, int64_t ms); /* DATE_NONE: null */
void json_add_count(struct buf *out, const char *name, int64_t n); /* below 0, not known: null */
void json_add_element(struct buf *out);				   /* of an array of objects: "{" */

#endif
