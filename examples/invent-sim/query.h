/*
 * query — "a=1&b=two%20words": one value at a time, decoded. Pure.
 */
#ifndef INVENT_SIM_QUERY_H
#define INVENT_SIM_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#define QUERY_VALUE 512 /* a longer value is cut, and so matches nothing */

/* The nth (from 0) value of that name. False, and ret untouched: there is none. query may be
 * NULL. */
bool query_nth(const char *query, const char *name, unsigned nth, char ret[QUERY_VALUE]);
bool query_get(const char *query, const char *name, char ret[QUERY_VALUE]); /* the first */

/* Percent-decodes len bytes ("+" is a space when `form`); a bad escape stays as it is. */
void query_decode(char ret[QUERY_VALUE], const char *text, size_t len, bool form);

#endif
