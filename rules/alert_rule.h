/*
 * alert_rule — the `alert` of a rule, compiled: what it counts, by which key, and what an alert
 * carries. Immutable. Private to alert*.c, which make it, and window*.c, which count by it;
 * window.h has what others may do with one.
 */
#ifndef RELAY_ALERT_RULE_H
#define RELAY_ALERT_RULE_H

#include "relay/base/template.h"
#include "rules/window.h"

#define ALERT_PATHS_MAX	 8
#define ALERT_LABELS_MAX 32   /* and as many annotations */
#define ALERT_EXACT_MAX	 1024 /* a count up to this is exact to the millisecond */

enum alert_rule_kind { RULE_COUNT, RULE_RATIO, RULE_ABSENT };

/* Dotted, from the event's root, to a scalar. */
struct alert_path {
	char *text;  /* data.broadcast_id */
	char **keys; /* its parts, NULL-terminated */
	char *label; /* the last part, as a label may be named */
};
struct alert_paths {
	struct alert_path *v;
	size_t n;
};

struct alert_text {
	char *name;
	struct template *text;
};
struct alert_texts {
	struct alert_text *v;
	size_t n;
};

struct alert_rule {
	char *name;
	enum alert_rule_kind kind;
	const struct pattern *when; /* borrowed */
	struct pattern *other;	    /* `of`, `absent`; NULL: it has none */
	struct alert_paths per, fold;
	int64_t within_ms, resolve_after_ms, repeat_ms; /* repeat 0: off */
	int64_t step_ms;				/* divides within_ms */
	int64_t count, min;
	int64_t cells, cell_ms; /* of count: so many cells of such a length are the window */
	double above;
	struct alert_texts labels, annotations;
	const char **types; /* `when` and other name only these, NULL-terminated; NULL: any */
	bool by_broadcast;  /* each alert is about one broadcast: its watermark decides */
	uint64_t identity;  /* of what is counted: alerts stay open while it does */
	uint64_t hash;	    /* of all */
};

/* What an alert is about: the values at these. */
static inline const struct alert_paths *alert_rule_subject(const struct alert_rule *r)
{
	return r->fold.n ? &r->fold : &r->per;
}

/* Reads the key `name` of the map as paths, after a problem maybe fewer. */
void alert_paths_read(struct alert_paths *ret, const struct node *map, const char *name,
		      struct problems *p);
void alert_paths_release(struct alert_paths *paths);
bool alert_paths_have(const struct alert_paths *paths, const char *text);

/* Reads the key `name` of the map, a map of templates. */
void alert_texts_read(struct alert_texts *ret, const struct node *map, const char *name,
		      struct problems *p);
void alert_texts_release(struct alert_texts *texts);

#endif
