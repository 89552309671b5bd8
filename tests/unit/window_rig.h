/*
 * window_rig — alert windows with a journal's worth of memory around them: a log of events, the
 * rows and the alerts that are committed, watermarks that a test sets, and restarts that lose
 * everything else.
 */
#ifndef WINDOW_RIG_H
#define WINDOW_RIG_H

#include "rules/window.h"

#define FOLD_START  1700000000000 /* when the rules begin; a multiple of no window */
#define FOLD_RULES  8
#define FOLD_MARKS  64
#define SECOND	    1000
#define MINUTE	    (60 * SECOND)
#define HOUR	    (60 * MINUTE)
#define FOLD_ALWAYS (FOLD_START - 48 * HOUR) /* a start so early that nothing is before it */

struct fold_event {
	int64_t sequence, time_ms, recorded_ms;
	char *type, *body; /* owned */
};

struct fold_row {
	char *key, *state; /* owned */
};

struct fold {
	struct yaml *yaml;
	struct pattern *when[FOLD_RULES];
	struct alert_rule *rules[FOLD_RULES];
	size_t nrules;
	struct windows *windows;
	int64_t started_ms;
	struct fold_event *log;
	size_t nlog, log_cap;
	int64_t sequence; /* the last */
	struct fold_row *rows;
	size_t nrows, rows_cap;
	/* Alerts as text, one string each: told and not committed yet, committed. */
	char **told, **committed;
	size_t ntold, told_cap, ncommitted, committed_cap;
	char *last;  /* the data of the last alert */
	char *taken; /* what fold_take returned */
	struct {
		const char *broadcast, *type; /* type NULL: any */
		int64_t known_ms;
	} marks[FOLD_MARKS];
	size_t nmarks;
	int64_t known_ms; /* of those without a mark */
	uint64_t asked, fulls;
	size_t refed;	/* events fed again by the last restart */
	bool whole;	/* the data belongs to an alert's text */
	bool no_log;	/* events are not kept: no restart */
	bool no_alerts; /* they are counted only */
	int tells;	/* as in windows_env, from the next start on */
	uint64_t counts[3];
};

/* rules: a YAML list of {name, when, alert}. */
void fold_open(struct fold *r, const char *rules);
void fold_close(struct fold *r);

/* What is NULL is null in the event. */
struct happening {
	const char *type, *broadcast, *recipient, *integration, *error;
	int64_t time_ms, recorded_ms; /* recorded 0: at once */
};
void fold_feed(struct fold *r, const struct happening *h);
/* All that is due, in as many calls as it takes. */
int64_t fold_tick(struct fold *r, int64_t now_ms);
/* Up to when a broadcast (NULL: those that are not named so) is known; the name must stay. */
void fold_know(struct fold *r, const char *broadcast, int64_t until_ms);
/* The same of one type. */
void fold_know_type(struct fold *r, const char *broadcast, const char *type, int64_t until_ms);

/* A commit: what was told, with the rows. */
void fold_commit(struct fold *r);
/* A kill and a start: what was not committed is lost, the past is fed again. */
void fold_restart(struct fold *r);
/* The same with other rules, at a time. */
void fold_reload(struct fold *r, const char *rules, int64_t now_ms);

/* Commits; the alerts since the last call as lines "firing storm b1 at +300 count 3 keys 1", times
 * in seconds since FOLD_START. Borrowed until the next call. */
const char *fold_take(struct fold *r);
/* Words a line, times in seconds since FOLD_START: "failed b1 r1 +10 +12" (an event at +10,
 * recorded at +12, which may be left out; "-": null; error: "failed:Error 7"), "tick +20", "know b1
 * +30"
 * ("know * …": of all without a mark), "commit", "restart". Lines end in ";". */
void fold_run(struct fold *r, const char *script);
size_t fold_bytes(const struct fold *r, size_t rule);

#endif
