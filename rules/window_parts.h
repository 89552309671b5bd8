/*
 * window_parts — what the files of the alert windows share. Private to window*.c.
 *
 * A `struct window` is one rule's. Its events go by key (`per`) into records of its kind
 * (window_count.c, window_ratio.c, window_absent.c). Records belong to groups: a group is what one
 * watermark speaks of, a broadcast or, for rules that are not about one, everything. A group's
 * calendar says at the end of which step (a number: ms / step) which record is to be looked at. A
 * record that holds the rule's condition opens an alert or keeps it open (window_alert.c).
 */
#ifndef RELAY_WINDOW_PARTS_H
#define RELAY_WINDOW_PARTS_H

#include "relay/base/clock.h"
#include "relay/base/table.h"
#include "rules/alert_rule.h"
#include "rules/window_calendar.h"
#include "rules/window_order.h"

#define WINDOW_GROUPS_MAX  100000  /* of a rule */
#define WINDOW_ENTRIES_MAX 2000000 /* of a rule's counts: 64 MB */
#define WINDOW_CLASSES_MAX 8192	   /* names of integrations and causes that a rule has at a time */
#define WINDOW_VALUE_MAX   256	   /* bytes of a key's value; more of it makes no difference */
#define WINDOW_SAMPLES	   5

struct window;

/* ---- texts that many records share ---- */

#define NAME_NONE UINT32_MAX /* null, or there was no room for it */
struct name {
	struct table_head head; /* of the text */
	char *text;		/* owned */
	uint32_t refs;
};
/* Takes a reference. */
uint32_t name_take(struct window *w, struct table *names, const char *text, size_t len);
void name_drop(struct window *w, struct table *names, uint32_t name);
const char *name_text(const struct table *names, uint32_t name); /* NULL: none */
void names_release(struct table *names);

/* How many bytes to keep of a text, not ending in the middle of a character. */
size_t text_cut(const char *text, size_t most);

/* ---- an event that is shown with an alert ---- */

struct sample {
	int64_t sequence, time_ms;
	struct hash128 id; /* of evt_… */
	/* Where the texts end in `text`, each with its NUL; equal to the one before: null. */
	uint16_t recipient_end, integration_end, error_end;
	char text[];
};
void sample_write(struct buf *out, const struct sample *s);
struct sample *sample_read(const struct json *v); /* what sample_write wrote; NULL: it is not */
struct sample *sample_copy(const struct sample *s);
size_t sample_bytes(const struct sample *s);
bool sample_newer(const struct sample *a, const struct sample *b); /* by time, then id */

/* ---- how often which value ---- */

#define TALLY_MAX 64 /* values told apart; later ones are counted together */
struct tally {
	struct tally_value {
		char *text; /* owned */
		uint64_t count;
	} * v;
	size_t n, cap;
	uint64_t others;
};
void tally_add(struct tally *t, const char *text, uint64_t n); /* text NULL: not counted */
void tally_release(struct tally *t);
size_t tally_bytes(const struct tally *t);
void tally_write(struct buf *out, const struct tally *t, size_t most); /* falling */
void tally_read(struct tally *t, const struct json *v);

/* ---- groups ---- */

struct group {
	struct table_head head;
	char *broadcast;     /* owned; NULL: all of them */
	int64_t decided;     /* the last step that was */
	int64_t ask_ms;	     /* the watermark is not asked for before */
	int64_t first_ms;    /* of its events since it had records */
	struct calendar due; /* steps; records' slots */
	int64_t resolve_at;  /* no alert of it is resolved at an earlier step */
	uint32_t alerts;     /* slots, the first of a chain */
	uint32_t held;	     /* records */
	bool kept, dirty;    /* its row is in the journal; says something else */
};

/* ---- open alerts ---- */

struct open_alert {
	struct table_head head;	    /* of key */
	char *key, *labels;	    /* owned; JSON objects; labels NULL: not told yet */
	uint32_t group, next, prev; /* chained by the group */
	int64_t opened, starts_ms;
	int64_t true_ms; /* when the condition held last */
	int64_t told_ms; /* clock */
	uint64_t told_count, count, keys;
	int64_t of; /* of a ratio */
	unsigned updates;
	int64_t round; /* ratio: the step that the counts are of; absent: the last one in them */
	struct tally integrations, errors;
	struct sample *samples[WINDOW_SAMPLES]; /* owned, newest first */
	size_t nsamples;
	size_t bytes; /* of what it owns, when it was told or taken back; in the window's `loose` */
	bool touched; /* it is in the window's list: more is to be told, perhaps */
	bool kept;
	bool dirty; /* it is in the window's list of these, too */
};

/* ---- a step that is decided ---- */

struct deciding {
	uint32_t group; /* TABLE_NONE: none is */
	int64_t step;
	bool known;	     /* else given up */
	int64_t first_ms;    /* the group's before */
	struct order bucket; /* records to be looked at */
	bool ending;	     /* alerts end … */
	uint32_t ending_at;  /* … from this one of the chain on */
};

/* ---- one rule ---- */

struct window {
	struct windows *all;
	const struct alert_rule *rule;
	size_t place;
	int64_t started_ms;
	/* An event up to `within` before it was not counted, though it should have been: ratio and
	 * absence are not decided over what was lost. */
	int64_t blind_ms;
	struct table keys;		 /* records of its kind */
	struct table groups, alerts;	 /* struct group, struct open_alert */
	struct table subjects, classes;	 /* names: of alerts' keys; of integrations and errors */
	struct calendar expiry;		 /* of count: keys' slots … */
	struct calendar_bucket expiring; /* … and those that are looked at, so many are: */
	size_t expired;
	uint32_t *touched; /* alerts to be told of */
	size_t ntouched, touched_cap;
	uint32_t *changed; /* alerts whose rows do not say what they are */
	size_t nchanged, changed_cap;
	struct deciding now;
	struct calendar ends; /* of count: alerts' slots by the ms when they end, or earlier … */
	struct calendar_bucket ending; /* … those that end now, and so many of them are done */
	size_t ended;
	int64_t repeat_ms; /* clock: no alert is renewed before, unless this is under way … */
	bool repeating;
	uint32_t repeat_at; /* … from this slot on */
	uint64_t refused, late, looks;
	size_t entries, loose; /* held; bytes of names, entries, samples and alerts */
	int64_t from_ms;       /* of restored groups: what is needed of the past */
	bool full;	       /* and told */
	bool restored, dirty;
};

struct windows {
	struct window *v;
	size_t n;
	struct windows_env env;
	int64_t cursor, cursor_ms; /* of the rows: sequence and time up to which events were fed */
	int64_t fed, seen_ms;	   /* the same of now */
	int64_t told;		   /* the sequence that the kept cursor has */
	int64_t now_ms;
	int64_t resolve_ms;   /* clock: no count's alert ends before */
	int64_t tells, looks; /* how many there may be until the next tick */
	bool more;	      /* there were to be more */
	bool cursor_kept;
	struct row *stale; /* open alerts of rules that changed, the last first */
	size_t nstale, stale_cap;
	struct row *first; /* rows to be written before the others; state NULL: taken out */
	size_t nfirst, first_cap;
	struct json_doc *doc;
	struct buf text; /* scratch */
	struct matcher *matcher;
};

struct row {
	char *key, *state; /* owned */
	size_t place;	   /* of the rule, while it is stale */
};

/* ---- an event as a window sees it (window_sight.c) ---- */

struct sight {
	const struct window_event *ev;
	const struct json *root;
	int64_t time_ms;
	bool past; /* fed before the last restart */
	struct hash128 key;
	struct group *group;
};
/* Fills key and group; false: there is no room. */
bool sight_key(struct window *w, struct sight *s);
uint32_t sight_subject(struct window *w, const struct sight *s); /* a reference to its name */
/* References to the names of its integration and its error. */
void sight_class(struct window *w, const struct sight *s, uint32_t *integration, uint32_t *error);
struct sample *sight_sample(const struct sight *s);

/* Samples that belong to a window's records, counted in `loose`. */
struct sample *window_sample(struct window *w, const struct sight *s);
void window_sample_free(struct window *w, struct sample *s); /* NULL is allowed */

/* There was no room for an event or an alert: counted, and told once. */
void window_refuse(struct window *w);
/* May one more alert be told, so many more records be looked at, in this call? */
bool windows_may_tell(struct windows *all);
bool windows_may_look(struct windows *all, int records);

/* An event of that time is not counted though it should be. */
void window_lose(struct window *w, int64_t time_ms);

/* ---- events of one key by time (window_entries.c) ---- */

#define ENTRY_OF (NAME_NONE - 1) /* as integration: an event of a ratio's `of` */
struct entry {
	int64_t cell;
	uint32_t n, integration, error;
	struct sample *sample; /* owned; NULL: none is kept */
};
struct entries {
	struct entry *v; /* ascending by cell */
	uint32_t n, cap;
};
/* Counts one more, with references that are taken over. Returns its place, or -1: no room. */
int64_t entries_add(struct window *w, struct entries *e, const struct entry *one);
/* Those of cells up to `cell` go. */
void entries_drop(struct window *w, struct entries *e, int64_t cell);
void entries_release(struct window *w, struct entries *e);
void entries_drop_first(struct window *w, struct entries *e);

/* ---- the kinds ---- */

enum role { ROLE_WHEN, ROLE_OTHER };

void count_feed(struct window *w, struct sight *s);
/* Looks at so many keys at most; false: there are more. */
bool count_expire(struct window *w, int64_t most);
void count_release(struct window *w);

void ratio_feed(struct window *w, struct sight *s, enum role role);
/* At the end of a step, at the records that stand in its bucket, in this order. */
int ratio_order(const void *a, const void *b, void *w);
void ratio_look(struct window *w, struct group *g, uint32_t slot, const struct deciding *d);
void ratio_release(struct window *w);

void absent_feed(struct window *w, struct sight *s, enum role role);
int absent_order(const void *a, const void *b, void *w);
void absent_look(struct window *w, struct group *g, uint32_t slot, const struct deciding *d);
void absent_release(struct window *w);

size_t count_record_size(void);
size_t ratio_record_size(void);
size_t absent_record_size(void);

/* ---- groups (window_group.c) ---- */

/* broadcast NULL: the one of all. NULL: no room. */
struct group *group_of(struct window *w, const char *broadcast);
void group_hold(struct group *g, int64_t time_ms); /* one record more */
void group_saw(struct group *g, int64_t time_ms);  /* one event more */
void group_let_go(struct window *w, uint32_t slot);
void group_free(struct window *w, struct group *g);
/* How long before the last decided step events still matter. */
int64_t group_back_ms(const struct window *w);
/* Decides what watermarks and clock allow. Returns when to look again: clock. */
int64_t groups_tick(struct window *w, int64_t now_ms);
void groups_ask(struct window *w); /* at the next tick, whenever they asked last */

static inline int64_t step_at_or_after(const struct window *w, int64_t ms)
{
	int64_t step = w->rule->step_ms;
	return ms / step + (ms % step > 0);
}

/* ---- alerts (window_alert.c) ---- */

struct holding {
	uint32_t subject;
	struct group *group;
	int64_t opened;	 /* if it opens one */
	int64_t time_ms; /* at which the condition holds */
};
/* The step is in its counts, and its row may say so: decided again after a restart, it adds
 * nothing. */
bool alert_has(const struct window *w, uint32_t subject, int64_t step);
/* The alert that is open now. NULL: there are too many. */
struct open_alert *alert_hold(struct window *w, const struct holding *h);
/* What it speaks of; NULL is allowed for texts. */
void alert_add_class(struct open_alert *a, const char *integration, const char *error, uint64_t n);
void alert_add_sample(struct open_alert *a, const struct sample *s);
void alert_clear_counts(struct open_alert *a);
/* Tells of those that opened or grew since the last call, here and below as many as may be told;
 * false: there are more. */
bool alerts_flush(struct window *w, int64_t now_ms);
/* Resolves alerts of the group at the end of the step. */
bool alerts_resolve_group(struct window *w, struct group *g, struct deciding *d);
/* Of count: those that end by the clock. */
void alerts_resolve_clock(struct window *w, int64_t clock_ms);
int64_t alerts_next_end(const struct window *w); /* clock; of count; INT64_MAX: none */
void alerts_repeat(struct window *w, int64_t now_ms);
/* Its row is to be written again. */
void alert_changed(struct window *w, struct open_alert *a);
struct open_alert *alert_add(struct window *w, const char *key, struct group *g);
/* Its end by steps and its repetition will be looked for. */
void alert_expect(struct window *w, const struct open_alert *a);
/* Of count: its end by the clock will. Once for each alert. */
void alert_await_end(struct window *w, const struct open_alert *a);
void alert_content_release(struct open_alert *a);
void alert_free(struct window *w, struct open_alert *a);
void alert_weigh(struct window *w, struct open_alert *a); /* what it owns has changed */

/* What is told (window_data.c). reason NULL: it fires. */
struct telling {
	enum alert_kind kind;
	int64_t time_ms, now_ms;
	const char *reason;
};
void alert_tell(struct window *w, struct open_alert *a, const struct telling *t);

/* ---- rows (window_rows.c, window_restore.c) ---- */

enum row_kind { ROW_CURSOR, ROW_RULE, ROW_GROUP, ROW_ALERT };
/* It is to be taken out. */
void row_gone(struct windows *all, enum row_kind kind, const struct window *w, const char *subject);
/* What was told of the alert goes into the next commit; what is counted from here on does not. */
void row_freeze(struct window *w, struct open_alert *a);
/* Fills all but the key of an alert from its state; false: it is no state of one. */
bool alert_restore(struct open_alert *a, const struct json *state);

#endif
