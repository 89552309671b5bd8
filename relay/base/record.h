/*
 * record — what Relay keeps of a recipient and of a broadcast, as the source derives it and the
 * journal stores it. Values only; the meaning of a change is diff's.
 *
 * States are the API's is_X flags by number: `names` (below) maps a number to its X. Status words
 * are numbered the same way. The numbers are the journal's: once given they never change.
 */
#ifndef RELAY_RECORD_H
#define RELAY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The API's flags, whose numbers are the same in every journal. */
enum {
	STATE_SKIPPED,
	STATE_FAILED,
	STATE_SENT,
	STATE_DELIVERED,
	STATE_COMPLAINED,
	STATE_UNSUBSCRIBED,
	STATE_OPENED,
	STATE_PLAYED,
	STATE_BOUNCED,
	STATES_KNOWN
};
#define STATES_MAX   41 /* and 32 that the API may grow */
#define STATUSES_MAX 127
#define NAME_SIZE    33 /* [a-z0-9_]{1,32} and NUL; for a status [A-Za-z0-9_]{1,32} */

/* A dictionary that only grows. */
struct names {
	char v[STATUSES_MAX][NAME_SIZE];
	unsigned n;
};
/* The number of a name, given it when new; -1 when the name is no name or `max` are taken. */
int names_number(struct names *names, const char *name, unsigned max);
int names_find(const struct names *names, const char *name); /* -1: unknown */

/* When a flag rose: its _at in ms, or, where the API gave none, minus the count of rises seen. */
struct state_time {
	uint8_t state;
	int64_t at;
};

struct recipient_record {
	uint32_t number;   /* its place among its broadcast's recipients, from 0, never reused */
	char *id;	   /* owned, as all strings here; at most 256 bytes */
	uint64_t states;   /* bit n: state n is true now */
	uint8_t status;	   /* its number among the statuses */
	bool gone;	   /* removed from the broadcast */
	uint8_t processed; /* times it went SENDING → PROCESSED, 255 at most */
	int64_t created_ms, updated_ms;	     /* DATE_NONE: not given */
	struct state_time times[STATES_MAX]; /* ascending by state; flags that were ever true */
	size_t ntimes;
	char *contact_id, *integration_id; /* NULL: not given */
	uint64_t identity, error, contact; /* fingerprints: hash64 of those fields' texts */
	/* When it failed, so that its contact may be unreached: to be decided. UNREACHED_TOLD: it
	 * was, and told. 0: neither; to write 0 leaves what the journal has. */
	int64_t unreached_ms;
};
#define UNREACHED_TOLD (-1)

struct recipient_records {
	struct recipient_record *v;
	size_t n, cap;
};
void recipient_records_release(struct recipient_records *r); /* {0} is allowed */

void recipient_record_release(struct recipient_record *r); /* NULL and {0} are allowed */
const struct state_time *recipient_record_time(const struct recipient_record *r, unsigned state);
void recipient_record_set_time(struct recipient_record *r, unsigned state, int64_t at);
void recipient_record_copy(struct recipient_record *ret, const struct recipient_record *r);

struct broadcast_record {
	uint32_t number; /* the journal's key for it; 1 … in order of first sight, never reused */
	char *org, *id, *name, *status; /* owned; name may be NULL */
	int64_t created_ms, updated_ms; /* DATE_NONE: not given */
	char *counters; /* owned; JSON object of the list's …_count fields as last seen; NULL: none
			 */
	char *templates; /* owned; JSON object template id → error text as last seen; NULL: none */
	uint32_t recipients;	/* numbers given to recipients so far */
	uint32_t baseline_page; /* pages of the first sweep already committed */
	bool baseline_done;	/* the first complete sweep is in */
	bool gone;
};

void broadcast_record_release(struct broadcast_record *b);
void broadcast_record_copy(struct broadcast_record *ret, const struct broadcast_record *b);

#endif
