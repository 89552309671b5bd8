/*
 * looks — for the tests of diff: a row looked at again and again, and what each look tells.
 */
#ifndef RELAY_LOOKS_H
#define RELAY_LOOKS_H

#include "relay/base/json.h"
#include "relay/source/diff.h"

#define LOOKS_BASE 1795341600000 /* 2026-11-22T10:00:00Z; cases count in seconds from here */

struct looks {
	struct names states, statuses;
	struct snapshot s;
	struct diff_place at;		/* recorded 100 s after LOOKS_BASE, since: all */
	struct recipient_record record; /* after the last look */
	bool seen;
	struct buf text;   /* of the last look */
	struct events out; /* of the last look */
	struct buf told;   /* the same in short: "sent@3 reverted(failed)@100" */
};

int looks_set_up(void **state);
int looks_tear_down(void **state);
void looks_forget(struct looks *l); /* the next look is the first */

void looks_text(struct looks *l, const char *row);
void looks_row(struct looks *l, const char *members); /* of the row {"id":"r1", members} */

void looks_tell(struct looks *l); /* `told` from `out` */
struct json_doc *looks_body(const struct event *ev, const struct json **ret);
/* The id that tests/data/ids.json gives for this kind of fact. */
void looks_assert_vector(const char *id, const char *what);

#define AT(n)	      "\"2026-11-22T10:00:0" #n "Z\""
#define UP(name, n)   "\"is_" name "\":true,\"is_" name "_at\":" AT(n)
#define UNDATED(name) "\"is_" name "\":true,\"is_" name "_at\":null"
#define DOWN(name)    "\"is_" name "\":false,\"is_" name "_at\":null"
#define CREATED(n)    "\"created_at\":" AT(n)
#define STATUS(s)     "\"status\":\"" s "\""

#endif
