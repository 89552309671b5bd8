/*
 * orgs — one page of the list of sub-organizations as the API sent it, decoded.
 *
 * As tolerant as listing: only the id is required; an entry that cannot be used is counted and left
 * out.
 */
#ifndef RELAY_ORGS_H
#define RELAY_ORGS_H

#include "relay/source/snapshot.h"

struct org_row {
	const char *id;
	bool broadcasts; /* false: features.broadcasts says that it has none */
};

struct orgs {
	struct json_doc *doc; /* owned */
	struct org_row *v;
	size_t n, cap;
	size_t rows; /* on the page, unusable ones included */
};

/* Strings of the rows are borrowed from o and end with the next read. {0} is a valid empty one. */
int orgs_read(struct orgs *o, const char *text, size_t len, struct err *err);
void orgs_release(struct orgs *o);

#endif
