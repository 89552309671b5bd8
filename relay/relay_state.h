/*
 * What relay.c (life and loop), relay_open.c (start) and relay_reload.c (change) share.
 */
#ifndef RELAY_RELAY_STATE_H
#define RELAY_RELAY_STATE_H

#include "relay/base/http.h"
#include "relay/intake.h"
#include "relay/relay.h"
#include "transports/wire.h"

/* Of what comes in numbers: told together, once in a while. */
#define GATHERED_IDS OWED_SHOWN
struct gathered {
	int64_t count; /* since it was told; 0: nothing waits */
	char *why;     /* owned; of the first */
	char ids[GATHERED_IDS][EVENT_ID_SIZE];
	size_t nids;
	int64_t due_ms, told_ms; /* mono */
	bool told;		 /* ever */
};
/* Events that a destination will not get. */
enum drop_reason { DROP_UNSENT, DROP_FULL, DROP_BY_HAND, DROP_GONE };
#define DROP_REASONS (DROP_GONE + 1)
struct dropped {
	int64_t count;
	char ids[GATHERED_IDS][EVENT_ID_SIZE]; /* of the first */
	size_t nids;
};

/* A destination the journal knows, with settings or (detached) without. */
struct known_destination {
	struct destination_record record;
	bool open;	   /* delivery has it */
	bool taken;	   /* not only named by a reload that may still fail */
	bool written;	   /* the journal has its record as it is; else each batch carries it */
	bool dropping;	   /* it goes as soon as the journal has forgotten it */
	uint64_t ndropped; /* since the start */
	int64_t nparked, parked_log_ms; /* since the start; mono: when the log said so last */
	struct gathered parked, dropped[DROP_REASONS];
	bool troubled, short_of_files; /* its transport has said so, and the log */
};

/* A relay.* event that the journal has not taken yet. */
#define KEPT_WORDS 64
struct kept_word {
	struct relay *relay;
	const char *type;
	char *subject; /* owned */
	const char *fact;
	struct buf data;
	uint32_t about;
};

struct relay {
	struct relay_env env;
	struct settings *settings;
	struct settings *next;	    /* a reload that waits for the source to fall quiet … */
	struct source *next_source; /* … and its source, where that section changed */
	struct http *http;	    /* the loop's; NULL in simulations */
	struct mailbox *mailbox;
	struct journal *journal;
	struct transport_history history;
	struct names states, statuses;
	struct router *router;
	struct alerts *alerts;
	struct intake *intake;
	struct source *source;
	struct wire *wire;
	struct delivery *delivery;
	struct known_destination *destinations;
	size_t ndestinations, destinations_cap;
	uint32_t destinations_given; /* the highest number ever; also of those dropped since */
	/* where we listen: never called; fixed at the start */
	struct sockaddr_storage own[LISTENS_MAX + 1];
	size_t nown;
	int64_t full_until_ms; /* mono: polling pauses because the journal is full; 0: it does not
				*/
	int64_t full_since_ms; /* mono: as it is; 0: it is not */
	int64_t full_log_ms;   /* mono: when the log said so; 0: nothing is to be taken back */
	int64_t room_since_ms; /* mono: since when it takes commits again; 0: it does not */
	bool making_room;      /* it is looked at what may be dropped */
	int64_t gathered_ms;   /* mono: the next that was gathered is due; INT64_MAX: none */
	bool refusing;	       /* the journal refused the last commit of rows */
	bool full;	       /* … because it takes no more */
	bool reload_again;     /* it was asked for while another waited */
	bool stopping;
	char uuid[37];	    /* the journal's */
	int64_t watched_ms; /* mono: when transports were asked last */
	int64_t outage_ms;  /* wall: since when the API gives nothing usable, as told; 0: it does */
	uint64_t untold;    /* relay.* events that the journal refused */
	struct kept_word *kept[KEPT_WORDS]; /* … which are told again … */
	size_t nkept;
	int64_t kept_ms;    /* … at this time (mono) */
	char *last_trouble; /* what was logged last, so that repetition is not */
	struct deciding *deciding;
	struct reports *reports;
	struct jobs *jobs;
	struct expiry *expiry;
	struct relay_loop loop;
	struct admin *admin; /* NULL: off */
	struct admin_acts acts;
	int64_t started_ms;		  /* mono */
	bool answered;			  /* the API has, since the start */
	char *down_why;			  /* while the source is down */
	uint64_t events[EVENT_TYPES + 1]; /* committed, by event_type_place */
};

struct instant relay_now(const struct relay *r);
bool relay_ending(const struct relay *r); /* nothing more is begun */
void relay_note_call(struct relay *r, int64_t started_us);

/* A commit was reported: the destinations' records are held, delivery may look. */
void relay_committed(struct relay *r, const struct batch *b);

/* NULL: there is none. */
struct known_destination *relay_known(const struct relay *r, const char *name);
struct known_destination *relay_known_number(const struct relay *r, uint32_t number);
void known_destination_release(struct known_destination *k);

/* relay_hear.c: what the stages tell, written into their environments. */
void relay_hear_source(struct relay *r, struct source_env *env);
void relay_hear_intake(struct relay *r, struct intake_env *env);
void relay_hear_delivery(struct relay *r, struct delivery_env *env);

/* relay_lend.c: requests on the loop's connections, timed; arg is the relay, as in … */
int relay_fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		struct err *err);
/* … the past, from any thread. */
int relay_history(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		  struct history_end *ret, struct err *err);
int relay_history_rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		       void *each_arg, struct history_rows_end *ret, struct err *err);

/* relay_tell.c: an event about the relay itself, committed by itself soon; all borrowed. */
struct relay_word {
	const char *type;	/* relay.… */
	const char *subject;	/* what it is about, in the words of the type; NULL: none */
	const char *fact;	/* what else tells it from another of that moment; NULL: nothing */
	const struct buf *data; /* a JSON object */
	uint32_t about;		/* the destination that does not get it; 0: none */
};
void relay_tell(struct relay *r, const struct relay_word *w);
/* The same of what accounts for something: when the journal refuses it, it is told again, until the
 * relay ends. Type and fact are constants. */
void relay_tell_surely(struct relay *r, const struct relay_word *w);
int relay_tell_kept(struct relay *r, struct instant now); /* ms until the next work */
void relay_forget_kept(struct relay *r);		  /* after the journal is closed */
/* Once for each outage, whatever restarts and reloads there are in it. status 0: no answer. */
void relay_tell_down(struct relay *r, const char *why, int status);
void relay_tell_up(struct relay *r);
/* What a complete sweep found: rows held beside what the API counts, -1: it does not. Not more than
 * once in ten minutes of one broadcast. */
void relay_tell_audit(struct relay *r, struct followed *b, int64_t count);

/* relay_tell_destinations.c: of destinations, to all others. */
void relay_note_delivery(struct relay *r, const struct delivery_notice *n);
void relay_note_disabled(struct relay *r, struct known_destination *k, const char *why);
void relay_note_dropped(struct relay *r, uint32_t number, enum drop_reason why,
			const struct dropped *d);
void relay_dropped_data(struct buf *out, const char *destination, enum drop_reason why,
			const struct gathered *g);
int relay_tell_gathered(struct relay *r, struct instant now); /* ms until the next work */
/* It is about to be forgotten: what was dropped of it is told now. */
void relay_tell_last(struct relay *r, struct known_destination *k);
/* "422: invalid phone +1…": what a receiver writes may be somebody's data, so only its status is
 * told; the journal keeps the text with the attempt. */
const char *relay_without_reply(const char *why, char status[16]);

/* relay_by_hand.c */
int relay_act_on(struct relay *r, const char *name, enum admin_act act, const char *why,
		 struct err *err);
bool relay_dropping(const struct relay *r); /* an answer of the journal is outstanding */

/* relay_expire.c: gives up what nobody takes. */
struct expiry *relay_open_expiry(int64_t now_ms);
int relay_expire(struct relay *r, struct instant now); /* ms until the next work */
bool relay_expiring(const struct relay *r);	       /* an answer is outstanding */

/* relay_watch.c: logs what transports say is wrong, and when it is over. */
int relay_watch(struct relay *r, struct instant now); /* ms until the next look */

/* relay_full.c: the journal takes no rows. */
void relay_note_full(struct relay *r, const char *why);
bool relay_note_room(struct relay *r); /* it took some; false: it was refusing for another reason */
int relay_resume_polling(struct relay *r, struct instant now); /* ms until the next work */

/* relay_jobs.c */
struct jobs *relay_open_jobs(const struct store_head *head);
void relay_close_jobs(struct jobs *js); /* after the journal is closed; NULL is allowed */
int relay_take_job(struct relay *r, const char *kind, const struct admin_request *q,
		   struct buf *ret_job, struct err *err);
void relay_list_jobs(const struct relay *r, struct buf *out);
size_t relay_count_jobs(const struct relay *r); /* open ones */
int relay_cancel_job(struct relay *r, int64_t id, struct err *err);
int relay_tick_jobs(struct relay *r, struct instant now); /* ms until the next work */
bool relay_jobs_busy(const struct relay *r);		  /* an answer is outstanding */

/* relay_contacts.c: each turn; tells of contacts that are unreached, when all their rows are
 * known. */
struct deciding *deciding_new(void);
void deciding_free(struct deciding *d); /* NULL is allowed */
void relay_decide(struct relay *r, struct instant now);
bool relay_deciding(const struct relay *r); /* an answer of the journal is outstanding */

/* relay_reports.c: tells how a broadcast went when it is over. */
struct reports *reports_new(const struct store_head *head, int64_t now_ms);
void reports_free(struct reports *rp); /* NULL is allowed */
/* This batch says that rows failed, or that a broadcast has ended or begun again; it was
 * committed. */
void relay_note_failures(struct relay *r, const struct followed *b, const struct causes *c,
			 struct batch *batch);
void relay_note_status(struct relay *r, struct batch *b);
void relay_reports_committed(struct relay *r, const struct batch *b);
int relay_report(struct relay *r, struct instant now); /* ms until the next work */
bool relay_reporting(const struct relay *r);	       /* an answer is outstanding */

/* relay_reload.c; also the last step of a start. Opens what the settings name, aside; on failure
 * nothing has changed. Then: makes it current, detaches the others, gives the rules to the router.
 */
int relay_prepare_destinations(struct relay *r, struct settings *s, struct err *err);
void relay_take_destinations(struct relay *r, struct settings *s);
/* Adds the records of destinations that the journal may not have. */
void relay_add_destinations(const struct relay *r, struct batch *b);
void relay_destinations_committed(struct relay *r, const struct batch *b);
struct source *relay_open_source(struct relay *r, struct settings *s, struct err *err);
/* relay_alerts.c: what rules count. Takes what the journal keeps of it out of head. */
struct alerts *relay_open_alerts(struct relay *r, struct store_head *head);
void relay_close_alerts(struct alerts *a); /* after the journal is closed; NULL is allowed */
/* The rules changed, or will: what they count is built anew from the log with the next tick. The
 * former rules are not looked at any more. */
void relay_renew_alerts(struct alerts *a);
void relay_halt_alerts(struct alerts *a); /* before the journal is closed */
void relay_feed_alerts(struct alerts *a, const struct batch *committed);
/* Returns ms until the next work. */
int relay_tick_alerts(struct alerts *a, struct instant now);
/* Of all rules together. */
void relay_alerts_status(const struct alerts *a, struct windows_status *ret);
bool relay_alerts_busy(const struct alerts *a); /* the past is being read */

/* relay_admin.c: opens the admin server, unless it is off. */
int relay_open_admin(struct relay *r, struct err *err);

/* The waiting reload, once the source is quiet. */
void relay_finish_reload(struct relay *r);

#endif
