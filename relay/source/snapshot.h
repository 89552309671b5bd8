/*
 * snapshot — one page of recipients as the API sent it, decoded: JSON text → rows.
 *
 * Every field may be null, absent or of a kind not seen before. What is not understood passes: a
 * status word gets the next number, a pair is_X / is_X_at (or an is_X alone) the next state, as
 * soon as is_X is seen as a boolean or null. A row that cannot be used (no object, no id, an id
 * over 256 bytes, a known flag that is no boolean) is skipped and counted by kind; the rest of the
 * page is kept. A page that is no JSON array is an error as a whole.
 */
#ifndef RELAY_SNAPSHOT_H
#define RELAY_SNAPSHOT_H

#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/record.h"

#define ROWS_MAX 1000 /* of a page; the API documents 100 */
#define ID_MAX	 256

/* The status of a row that names none, or one for which no number is left. */
#define STATUS_NONE STATUSES_MAX

struct row {
	const char *id;
	struct hash128 key; /* hash128 of the id */
	uint64_t states;
	uint64_t odd; /* states the API grew whose value here is no boolean: as they were held */
	int64_t at[STATES_MAX]; /* DATE_NONE: null, absent, no date, or one up to 1970-01-01 */
	uint8_t status;
	int64_t created_ms, updated_ms;			 /* DATE_NONE: not given */
	const char *integration_id, *contact_id;	 /* or NULL; at most ID_MAX bytes */
	const char *error_message, *external_message_id; /* or NULL */
	/* fingerprints of: user_id name username phone email integration_id external_message_id
	 * template_id · error_message · contact (without contact.channels, in any order) */
	uint64_t identity, error, contact;
	struct json_span text; /* in the page's text */
};

enum skip {
	SKIP_NO_OBJECT,
	SKIP_NO_ID,
	SKIP_LONG_ID,
	SKIP_BAD_FLAG,
	SKIP_TOO_MANY,
	SKIP_BAD_JSON,
	SKIP_KINDS
};
extern const char *const skip_names[SKIP_KINDS];

struct snapshot {
	struct json_doc *doc; /* owned */
	struct row *v;	      /* in page order; a second row of the same id is left out … */
	size_t n, cap;
	size_t doubled; /* … and counted here */
	size_t skipped[SKIP_KINDS];
	uint32_t new_states, new_statuses; /* names first seen on this page */
	uint64_t odd;			   /* of all rows */
};

/* Of the rows skipped as no objects, so many were made null by json_mend. */
void skip_mended(size_t skipped[SKIP_KINDS], size_t mended);

/* Strings of the rows are borrowed from s and end with the next read. states and statuses grow. */
int snapshot_read(struct snapshot *s, const char *text, size_t len, struct names *states,
		  struct names *statuses, struct err *err);
void snapshot_release(struct snapshot *s); /* {0} is a valid empty one */

/* states holds at least the API's nine, numbered in STATES_KNOWN's order. */
void states_init(struct names *states);

#endif
