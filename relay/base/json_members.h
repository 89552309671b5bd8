/*
 * json_members — the members of an event's outermost object one by one, where they stand in the
 * text. The text is taken to be an object that json_parse would accept; nothing is checked.
 */
#ifndef RELAY_JSON_MEMBERS_H
#define RELAY_JSON_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buf.h"

/* As in the text: a name without its quotes, a value with what it has. */
struct json_member {
	const char *name, *value;
	size_t name_len, len;
};

/* *at begins as the text and moves on; false: there are no more. */
bool json_member_next(const char **at, const char *end, struct json_member *ret);
bool json_member_is(const struct json_member *m, const char *name);
/* Appends what the value says: a string as it reads, anything else as it is spelled. */
void json_member_text(const struct json_member *m, struct buf *out);

#endif
