/*
 * The probe's parts: requests and what is read of every reply (probe_ask.c), the broadcast list
 * (probe_list.c), recipients (probe_rows.c), and the order in which all is asked (probe.c).
 */
#ifndef RELAY_PROBE_PARTS_H
#define RELAY_PROBE_PARTS_H

#include "relay/base/json.h"
#include "relay/source/probe.h"
#include "relay/source/snapshot.h"

#define PROBE_URL_MAX (16 << 10)

/* A page of recipients, as it was read. */
struct probe_page {
	int status;    /* 0: no answer */
	int64_t count; /* pagination-count; -1 */
	size_t rows;   /* on the page */
	size_t n;      /* of them readable and different */
	size_t doubled;
	struct hash128 keys[ROWS_MAX]; /* of those, in the page's order */
	char *next;		       /* owned; pagination-next; NULL */
};
void probe_page_release(struct probe_page *p);

/* What is asked for; 0 and NULL are left out. */
struct probe_query {
	unsigned page, take;
	const char *name, *value; /* one filter */
	const char *next;
};

struct probe {
	const struct probe_env *env;
	struct probe_report *report;
	unsigned refusals, failures;
	bool ended; /* nothing more is asked */
	char why[160];
	/* the last reply */
	const struct http_reply *reply;
	int64_t count; /* its pagination-count; -1 */
	struct json_doc *doc;
	const char *text; /* its body, or in mended … */
	size_t len;
	struct buf mended;	 /* … without the rows that made it no JSON */
	const struct json *root; /* its JSON; NULL: none */
	/* of all pages of recipients */
	struct snapshot rows; /* of the last one */
	struct names states, statuses;
	struct sorting order;
	size_t seen, rises, untimed; /* rows; flags that are true, and those of them without _at */
	size_t dates, short_dates;   /* all of rows, and those without a time of day */
	size_t unreadable, nulls[ASKS], falses[ASKS];
	size_t bounced, bounces; /* rows that have is_bounced, and true */
	bool gzip;
	bool alone; /* pagination-count is of the page */
};

/* The paths of the API; release. */
struct buf probe_list_path(const struct probe *p, const struct probe_query *q);
struct buf probe_rows_path(const struct probe *p, const struct probe_query *q);

/* Asks for a path, waits and repeats once when that may help. False: there is no reply to go by
 * (p->why). What is seen of errors, refusals, clock and compression is said along the way. */
bool probe_ask(struct probe *p, const struct buf *path);
/* The same of a page of recipients, whose rows are noted. True: it is one. */
bool probe_read(struct probe *p, const struct probe_query *q, struct probe_page *ret);

void probe_say(struct probe *p, enum question q, const char *answer);
void probe_show(struct probe *p, enum question q, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "created_at, newest first", "id, ascending", "stable", or why nothing can be said. */
void probe_order_text(const struct sorting *o, char *ret, size_t size);

/* probe_list.c: reads the lists and picks the broadcast; -1: the API cannot be used. */
int probe_list(struct probe *p, const struct strings *orgs, struct err *err);
void probe_single(struct probe *p);
/* The counters of the broadcast looked at, as the list has them now; -1: not there. */
struct probe_counters {
	int64_t v[ASKS];
	bool bounced;
};
bool probe_counters(struct probe *p, struct probe_counters *ret);

/* probe_rows.c */
void probe_rows(struct probe *p);
/* probe_counts.c: counters against the filters' counts. rows: of a full page. */
void probe_counts(struct probe *p, const struct probe_page *first);

#endif
