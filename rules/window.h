/*
 * window — alerts: how many events, what share of them, or which did not come. A fold over the log:
 * committed events go in, in the order of their sequences; alerts come out. Pure: no clock, no
 * journal. docs/alerts.md is for users, and says what each kind promises.
 *
 * Times are UTC ms. An event's time is when it happened; it is seen later, and not in order.
 * `count` fires at once. `ratio` and `absent` are decided at the ends of steps (within / 30, one
 * second at least), and only up to the watermark: the time up to which everything of the types
 * they name is known (known_until). So what they say depends on when events happened, and neither
 * on the order in which they were seen nor on when they were.
 *
 * How to use it:
 *
 *   w = windows_new(rules …);
 *   each kept row:      if (!windows_restore(w, key, state)) the row goes;
 *   the past:           each event recorded since windows_feed_from_ms(w) → windows_feed
 *   from then on:       each committed event → windows_feed; each second → windows_tick
 *   each commit that carries alerts, and once a minute: windows_take_changes → rows
 *
 * The rows of windows_take_changes belong into the same commit as the alerts told since the call
 * before. They hold how far the fold came and the alerts that are open; everything else is rebuilt
 * by feeding the past again, which makes no alert a second time. The more often they are taken, the
 * less of the past is to be read. After a commit that failed, build anew from the rows that are
 * kept. A reload is the same with the new rules.
 *
 * A rule is known by its name and its meaning (alert_rule_hash, pattern_hash of its `when`). What
 * was kept of a rule that means something else now is dropped, and its open alerts are resolved at
 * the first tick ("reason": "rule changed").
 *
 * The `data` of an alert, every member always there:
 *
 *   rule, kind ("count", "ratio", "absent"), firing (bool)
 *   key           {"broadcast_id": …}: the values of `fold`, without one those of `per`, each by
 *                 the last part of its path
 *   broadcast_id  null when it is about none, or several
 *   count, keys   count: events of the keys that reached it, and how many keys did, since it
 *                 opened. absent: how many were waited for in vain, since it opened. ratio: events
 *                 and keys in this window
 *   of, ratio     of a ratio, else null
 *   threshold     the rule's count or share (0.05); null for absent
 *   within        "5m"
 *   starts_at     RFC 3339
 *   ends_at       when it ended; while it fires, now + 3 × repeat, null without repeat
 *   n             how many of this kind before it, since it opened
 *   by            {"integration_id": [{"value", "count"} …], "error_message": […]}: falling, 20 at
 *                 most and one of value null for all others; numbers and ids in messages are "#"
 *   samples       the newest five: [{"id", "sequence", "recipient_id", "integration_id",
 *                 "error_message", "at"} …]
 *   reason        why it ended: "quiet", "rule changed", "not known"; null while it fires
 *   labels        the rule's, rendered when it opened; alertname and those of `key` besides
 *   annotations   the rule's, rendered now
 */
#ifndef RELAY_WINDOW_H
#define RELAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/json.h"
#include "relay/config/option.h"
#include "rules/pattern.h"

#define WINDOW_WITHIN_MAX_MS 86400000
#define WINDOW_LATE_MAX_MS   86400000 /* an event seen later than this feeds no window */
#define WINDOW_KEYS_MAX	     1000000  /* of a rule; further ones are refused, counted and told */
#define WINDOW_ALERTS_MAX    100000   /* open ones of a rule; the same holds */

struct alert_rule; /* the `alert` of one rule, compiled */

extern const struct option alert_option_table[];

/* name: the rule's (copied); when: its pattern (borrowed). Problems carry their place; on any,
 * returns NULL. repeat_ms: what `repeat` is where the map has none; 0: off. The map may go
 * afterwards. */
struct alert_rule *alert_rule_load(const char *name, const struct pattern *when,
				   const struct node *map, int64_t repeat_ms, struct problems *p);
void alert_rule_free(struct alert_rule *r);	      /* NULL is allowed */
uint64_t alert_rule_hash(const struct alert_rule *r); /* of its meaning, without `when` */
/* Each path of events that it looks at: per, fold, `of`, `absent`, and what every alert shows.
 * Labels and annotations look at the alert's own data. */
void alert_rule_paths(const struct alert_rule *r, pattern_path_fn *fn, void *arg);
/* The types of which a rule must know that it has seen them all, NULL-terminated, borrowed; NULL:
 * of none (`count`), or of any. */
const char *const *alert_rule_awaits(const struct alert_rule *r);

enum alert_kind { ALERT_FIRING, ALERT_UPDATED, ALERT_RESOLVED };

/* Borrowed for the call. */
struct alert {
	size_t rule; /* its place in the list given to windows_new */
	enum alert_kind kind;
	const char *broadcast; /* its id; NULL: it is about none, or several */
	const char *key;       /* what it is about, as canonical JSON text: the partition key */
	int64_t opened;	 /* count: sequence of the event that opened it; ratio, absent: the end of
			    the step that did, ms. No two alerts of a rule and key share it */
	unsigned n;	 /* how many of this kind before it, since it opened */
	int64_t time_ms; /* when the condition came to hold, was renewed, ended */
	const struct buf *data; /* the event's `data`, a JSON object */
};

struct windows_env {
	void (*alert)(void *arg, const struct alert *a);
	/* A rule has as many keys as it may: told once until there is room again. */
	void (*full)(void *arg, size_t rule, uint64_t refused);
	/* Up to when everything of these types (NULL-terminated; NULL: any) is known, and was fed,
	 * of that broadcast (NULL: of all that are followed). DATE_NONE: nothing is. Never passes
	 * an event that is not fed yet. The types are those of `when`, too. */
	int64_t (*known_until)(void *arg, const char *broadcast, const char *const *types);
	void *arg;
	/* How many alerts a tick tells at most, and twenty times as many records it looks at, so
	 * that no call takes long. 0: all that are due. It changes nothing of what is told. */
	int tells;
};

struct windows;

/* Rules are borrowed; started_ms: events recorded before it belong to no window of a rule that has
 * nothing to restore. A ratio or an absence is first decided `within` after it. */
struct windows *windows_new(const struct alert_rule *const *rules, size_t n, int64_t started_ms,
			    const struct windows_env *env);
void windows_free(struct windows *w); /* NULL is allowed */

/* A row that an earlier windows_take_changes gave, before anything is fed, in any order. False: it
 * is of a rule that is not there any more, or no row at all; it can go. */
bool windows_restore(struct windows *w, const char *key, const char *state);
/* Events recorded since then have to be fed again; INT64_MAX: none. */
int64_t windows_feed_from_ms(const struct windows *w);

struct window_event { /* borrowed */
	int64_t sequence, time_ms, recorded_ms;
	const char *type; /* alert.* and relay.* feed nothing */
	const char *body;
	size_t len;
};
/* In the order of sequences. What was fed before the last restart makes no alert again. */
void windows_feed(struct windows *w, const struct window_event *ev);
/* Decides what the watermarks allow, repeats, resolves. Returns ms until the next work at the
 * latest (INT64_MAX: none; 0: there is more for which this call had no time); watermarks move
 * without notice, so call it each second as well. Only when the past is fed. */
int64_t windows_tick(struct windows *w, int64_t now_ms);

/* What is known has moved: the next tick asks up to where, which it else does only now and then. */
void windows_ask(struct windows *w);

/* The rows that changed since the last call: state NULL: gone. */
typedef void windows_row_fn(void *arg, const char *key, const char *state);
void windows_take_changes(struct windows *w, windows_row_fn *fn, void *arg);
/* How many rows of alerts these would be. They are as many as ticks and events make between two
 * calls, so take them when they are many. */
size_t windows_changes(const struct windows *w);

struct windows_status {	  /* of one rule */
	uint64_t keys;	  /* held now */
	uint64_t refused; /* events for which there was no room */
	uint64_t firing;  /* alerts that are open */
	uint64_t late;	  /* events seen too late */
	uint64_t looks;	  /* how often a tick looked at a key */
	size_t bytes;
};
void windows_status(const struct windows *w, size_t rule, struct windows_status *ret);

#endif
