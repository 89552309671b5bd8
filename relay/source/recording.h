/*
 * recording — exchanges with the API written down so that they can be given to others and served
 * again (invent-sim --replay), with nothing personal in them. One line an exchange:
 *
 *   {"request":"/orgs/c/broadcasts?page=1&take=100","status":200,
 *    "headers":{"pagination-count":"3"},"body":[…]}
 *
 * Only what is known to be harmless is kept: members' names, booleans, dates, words of status and
 * channel, numbers of …_count, headers of pagination, time and rate limits. An error text becomes
 * "error", with the code in it if that is all its digits. Ids become made-up ones (made_ids.h),
 * page tokens numbers, the first organization "c". All else is emptied: texts to "x", lists and
 * objects that are not the API's own to [] and {}. Nothing of the request's headers is looked at.
 */
#ifndef RELAY_RECORDING_H
#define RELAY_RECORDING_H

#include "relay/base/http.h"

#define RECORDING_MAX (64 << 20) /* bytes held and written; more is left out */

struct recording;

struct recording *recording_new(void);
void recording_free(struct recording *r); /* NULL is allowed */
/* Keeps a copy in memory, as it is; only what recording_write gives is safe to show. */
void recording_add(struct recording *r, const char *path, const struct http_reply *reply);
/* Appends all lines; the ids of all exchanges are needed to make up the first. */
void recording_write(const struct recording *r, struct buf *out);

#endif
