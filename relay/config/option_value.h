/*
 * option_value — one value of a setting: its text read strictly, by the rules of its type. Private
 * to relay/config.
 */
#ifndef RELAY_OPTION_VALUE_H
#define RELAY_OPTION_VALUE_H

#include "relay/config/option.h"

/* Where a value stands and where it goes. */
struct reading {
	const struct option *row;
	const struct node *node; /* a scalar with a value */
	void *field;
	struct problems *p;
};

/* Reads one scalar of the row's type, of a list type one element; false after a problem. Strings
 * are copied and belong to whoever owns the field. */
bool option_read_scalar(const struct reading *r);
/* The content of the file that the node names, for a secret; NULL after a problem. */
char *option_read_secret_file(const struct node *node, struct problems *p);

/* Appends a bound as people write it: 600000 ms is "10m". */
struct buf;
void option_add_amount(struct buf *out, const struct option *row, int64_t value);

bool option_int(const char *text, int64_t *ret);
/* NULL: a good URL. Otherwise what it must be. */
const char *option_url_refuses(const char *text);

#endif
