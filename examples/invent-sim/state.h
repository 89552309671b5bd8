/*
 * state — what a model holds; for the model's own files only. Outsiders use model.h.
 */
#ifndef INVENT_SIM_STATE_H
#define INVENT_SIM_STATE_H

#include "examples/invent-sim/campaign.h"
#include "examples/invent-sim/counters.h"
#include "examples/invent-sim/fault.h"
#include "examples/invent-sim/history.h"
#include "examples/invent-sim/limit.h"
#include "examples/invent-sim/model.h"
#include "examples/invent-sim/queue.h"
#include "examples/invent-sim/roll.h"
#include "examples/invent-sim/times.h"
#include "examples/invent-sim/unrest.h"
#include "relay/base/random.h"

#define FLAG(what)    (1u << (what))
#define TOUCHED	      (1u << 15) /* its past is in the history, not in the campaign */
#define STATE_FLAGS   (FLAG(SIM_STATES) - 1)
#define THE_BROADCAST UINT32_MAX /* in a due or a mark: not a row of it */

enum status { DRAFT, SCHEDULED, SENDING, SENT, ACTIVE, STATUSES };
extern const char *const status_names[STATUSES];

struct status_change {
	enum status status;
	int64_t at;
	bool shown;
};

struct broadcast {
	uint16_t number; /* its place in the model */
	char *id, *org, *name;
	struct campaign campaign;
	int64_t created_ms, updated_ms, started_ms, completed_ms; /* DATE_NONE: not yet */
	struct status_change statuses[8];			  /* the last one holds */
	unsigned nstatuses;
	uint32_t added, pending; /* rows listed so far; rows not processed yet */
	uint64_t counts[SIM_WHATS];
	struct old_counts *old_counts; /* NULL: not needed */
	uint32_t contacts;	       /* row r is contact r % contacts */
	/* By row, from the start of sending on. */
	uint16_t *flags, *shown;
	uint32_t *updated; /* ms since created_ms */
	struct roll roll;
	int8_t channel_plane[CHANNELS]; /* -1: not in the mix */
};

struct model {
	uint64_t seed, id_key;
	int64_t epoch_ms, now_ms;
	bool ended;
	char *org, *key;
	char **sub_orgs; /* NULL-terminated */
	struct broadcast *broadcasts;
	size_t nbroadcasts;
	enum sim_order order;
	struct sim_counters counters;
	struct sim_times times;
	struct sim_unrest unrest;
	bool retry_after, next_tokens;
	int64_t revoked_ms; /* since 1970; 0: never */
	struct queue queue;
	struct history history;
	struct limit limit;
	struct faults faults;
	struct prng chance; /* for the faults */
	struct sim_counts counts;
};

struct broadcast *model_broadcast(const struct model *m, const char *id);   /* NULL: none */
void broadcast_status(struct broadcast *b, enum status status, int64_t at); /* changes to it */
bool model_change_row(struct model *m, struct broadcast *b, uint32_t row, enum sim_what what,
		      bool rises);

/* ---- identity: ids and people, computed from numbers and found again from text */

#define ID_TEXT 32
uint64_t row_id_key(const struct model *m, const struct broadcast *b, uint32_t row);
void row_id(char ret[ID_TEXT], const struct model *m, const struct broadcast *b, uint32_t row);
/* The row of an id; false: not one of this broadcast's. It may not be listed (any more). */
bool row_of_id(const struct model *m, const struct broadcast *b, const char *id, uint32_t *ret);

struct person {
	uint32_t contact;
	char contact_id[ID_TEXT];
	char name[64], username[64], phone[24], email[80];
};
void person_make(struct person *ret, const struct model *m, uint32_t contact);
/* What a row of the channel gives as user_id; borrowed from the person or the buffer. */
const char *person_user_id(const struct person *p, unsigned channel, char buffer[ID_TEXT]);
/* Which contact a contact_id, user_id, username or email may be of; the caller compares. */
bool contact_of_text(const struct model *m, const char *text, uint32_t *ret);
void id_text(char ret[ID_TEXT], const char *prefix, uint64_t key); /* prefix, 22 characters */

/* ---- render: JSON in the documented shape */

struct row_state {
	uint32_t row, flags;
	struct life life;
	int64_t at[SIM_STATES]; /* as shown, of the flags that are set */
};
void row_state(struct row_state *ret, const struct model *m, const struct broadcast *b,
	       uint32_t row);
void render_row(struct buf *out, const struct model *m, const struct broadcast *b, uint32_t row);
void render_broadcast(struct buf *out, const struct model *m, const struct broadcast *b);
void render_org(struct buf *out, const struct model *m, const char *id);
void render_http_date(char ret[32], int64_t ms); /* "Sun, 22 Nov 2026 10:00:00 GMT" */

/* ---- listing: a page of a list, as the query asks */

struct listing {
	uint32_t page, take; /* as asked, and as the reply says */
	/* What faults make of them: which page it really is, how many of its first rows are the
	 * page's before it, and that behind the last row comes the first one. */
	uint32_t served, overlap;
	bool endless;
	uint32_t rows[SIM_TAKE * 2]; /* a fault may double some */
	uint32_t n;
	uint64_t total;
};
/* page and take; then what they and the other parameters choose. All answer an HTTP status: 200,
 * or 400 with *ret_why. */
int listing_paging(const char *query, struct listing *ret, const char **ret_why);
uint64_t listing_offset(const struct listing *l); /* of the page's first row */
int listing_recipients(const struct model *m, const struct broadcast *b, const char *query,
		       struct listing *ret, const char **ret_why);
int listing_broadcasts(const struct model *m, const char *org, const char *query,
		       struct listing *ret, const char **ret_why);

void reply_error(struct sim_reply *reply, int status, const char *why); /* in place of the rest */
void reply_header(struct sim_reply *reply, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
