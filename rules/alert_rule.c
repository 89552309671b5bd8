/* The `alert` of a rule, from its settings. Invariant: a rule that loaded has exactly one of count,
 * ratio and absent, and a step that divides its window. */
#include "rules/alert_rule.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "rules/pattern_types.h"

#define COUNT_MAX  1000000000
#define STEPS	   30	/* of a window: how soon and how exactly it is decided */
#define CELLS	   60	/* of the window of a count that is not exact */
#define STEP_LEAST 1000 /* ms: watermarks move no faster */

struct alert_options {
	struct strings per, fold;
	int64_t within_ms, count, resolve_after_ms, repeat_ms;
	const struct node *ratio, *absent, *labels, *annotations;
};

struct ratio_options {
	const struct node *of;
	double above;
	int64_t min;
};

static const struct option ratio_table[] = {
	{"of", OPT_NODE, offsetof(struct ratio_options, of), .required = true,
	 .help = "event pattern: what the share is of"},
	{"above", OPT_PERCENT, offsetof(struct ratio_options, above), .required = true,
	 .help = "the share that must be passed"},
	{"min", OPT_INT, offsetof(struct ratio_options, min), .preset = "1", .min = 1,
	 .max = COUNT_MAX, .help = "how many of `of` there must be"},
	{0},
};

const struct option alert_option_table[] = {
	{"per", OPT_STRINGS, offsetof(struct alert_options, per),
	 .help = "paths such as data.broadcast_id: counted apart for each value; without it, all"},
	{"within", OPT_DURATION, offsetof(struct alert_options, within_ms), .required = true,
	 .min = 1000, .max = WINDOW_WITHIN_MAX_MS, .help = "the length of the window"},
	{"count", OPT_INT, offsetof(struct alert_options, count), .min = 1, .max = COUNT_MAX,
	 .help = "fires when so many events match within it"},
	{"ratio", OPT_NODE, offsetof(struct alert_options, ratio), .section = ratio_table,
	 .help = "fires when so large a share of other events matches"},
	{"absent", OPT_NODE, offsetof(struct alert_options, absent),
	 .help = "event pattern: fires when none of these comes within it of an event that "
		 "matches"},
	{"fold", OPT_STRINGS, offsetof(struct alert_options, fold),
	 .help = "paths: one alert for all keys that have the same values there"},
	{"resolve_after", OPT_DURATION, offsetof(struct alert_options, resolve_after_ms),
	 .min = 1000, .max = WINDOW_WITHIN_MAX_MS,
	 .help = "ends when it held for no key for so long; without it, `within`"},
	{"repeat", OPT_DURATION, offsetof(struct alert_options, repeat_ms), .min = 0,
	 .max = WINDOW_WITHIN_MAX_MS,
	 .help = "alert.updated so often while it fires; 0s: only when its count doubled"},
	{"labels", OPT_NODE, offsetof(struct alert_options, labels),
	 .help = "map of templates over the alert, rendered when it fires"},
	{"annotations", OPT_NODE, offsetof(struct alert_options, annotations),
	 .help = "map of templates over the alert, rendered each time it is told"},
	{0},
};

/* ---- loading ---- */

static void read_kind(struct alert_rule *r, const struct node *map, struct problems *p)
{
	static const char *const kinds[] = {
		[RULE_COUNT] = "count", [RULE_RATIO] = "ratio", [RULE_ABSENT] = "absent"};
	const struct node *first = NULL;

	for (int kind = RULE_COUNT; kind <= RULE_ABSENT; kind++) {
		const struct node *at = node_get(map, kinds[kind]);
		if (at && first)
			problem_at_key(p, at, "give one of count, ratio and absent; there is %s",
				       first->key);
		if (at && !first) {
			first = at;
			r->kind = (enum alert_rule_kind)kind;
		}
	}
	if (!first && map->kind == NODE_MAP)
		problem_at(p, map, "needs one of count, ratio and absent");
}

static void read_ratio(struct alert_rule *r, const struct node *map, struct problems *p)
{
	struct ratio_options o = {0};

	if (map->kind != NODE_MAP) {
		problem_at(p, map,
			   "must be a map such as { of: { type: … }, above: 5%%, min: 50 }");
		return;
	}
	options_read(ratio_table, map, &o, p);
	r->above = o.above;
	r->min = o.min;
	if (o.of)
		r->other = pattern_compile(o.of, p);
	options_release(ratio_table, &o);
}

static void read_absent(struct alert_rule *r, const struct alert_options *o, struct problems *p)
{
	r->other = pattern_compile(o->absent, p);
	if (r->other && pattern_is_everything(r->other))
		problem_at(p, o->absent, "matches every event, so nothing can be absent");
	if (!r->per.n)
		problem_at(p, o->absent->parent,
			   "absent needs per: what is the same in both events, such as "
			   "[data.recipient_id]");
}

/* The largest number of equal parts, none shorter than `least_ms`: so that a window begins and ends
 * with one. */
static int64_t part_of(int64_t within_ms, int64_t parts, int64_t least_ms)
{
	while (parts > 1 && (within_ms % parts || within_ms / parts < least_ms))
		parts--;
	return within_ms / parts;
}

static void read_times(struct alert_rule *r, const struct alert_options *o, const struct node *map,
		       struct problems *p)
{
	const struct node *repeat = node_get(map, "repeat");

	if (repeat && o->repeat_ms > 0 && o->repeat_ms < STEP_LEAST)
		problem_at(p, repeat, "must be at least 1s, or 0s for never");
	r->within_ms = o->within_ms;
	r->resolve_after_ms = o->resolve_after_ms ? o->resolve_after_ms : o->within_ms;
	r->repeat_ms = repeat ? o->repeat_ms : r->repeat_ms;
	r->step_ms = part_of(r->within_ms, STEPS, STEP_LEAST);
	r->cell_ms = o->count <= ALERT_EXACT_MAX ? 1 : part_of(r->within_ms, CELLS, 1);
	r->cells = r->within_ms / r->cell_ms;
}

/* ---- what it means ---- */

static void add_paths(struct buf *meaning, const struct alert_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		buf_addf(meaning, "%s,", paths->v[i].text);
	buf_addc(meaning, ';');
}

static void add_texts(struct buf *meaning, const struct node *map)
{
	for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++)
		buf_addf(meaning, "%s=%zu:%s,", map->items[i]->key, map->items[i]->len,
			 map->items[i]->text);
	buf_addc(meaning, ';');
}

static void set_hashes(struct alert_rule *r, const struct alert_options *o)
{
	struct buf meaning = BUF_INIT(SIZE_MAX / 2);

	buf_addf(&meaning, "%d;%lld;%lld;%lld;%lld;%.17g;%016llx;", r->kind,
		 (long long)r->within_ms, (long long)r->resolve_after_ms, (long long)r->count,
		 (long long)r->min, r->above,
		 r->other ? (unsigned long long)pattern_hash(r->other) : 0);
	add_paths(&meaning, &r->per);
	add_paths(&meaning, &r->fold);
	size_t counted = meaning.len;
	add_texts(&meaning, o->labels);
	add_texts(&meaning, o->annotations);
	buf_addi(&meaning, r->repeat_ms);
	r->hash = hash64(meaning.data, meaning.len);
	buf_truncate(&meaning, counted);
	buf_addf(&meaning, "%016llx", (unsigned long long)pattern_hash(r->when));
	r->identity = hash64(meaning.data, meaning.len);
	buf_release(&meaning);
}

static void settle(struct alert_rule *r, const struct alert_options *o)
{
	const struct alert_paths *subject = alert_rule_subject(r);

	r->count = r->kind == RULE_COUNT ? o->count : 0;
	r->types = pattern_types(r->when, r->other);
	r->by_broadcast = alert_paths_have(subject, "data.broadcast_id") ||
			  alert_paths_have(subject, "data.recipient_id");
	set_hashes(r, o);
}

struct alert_rule *alert_rule_load(const char *name, const struct pattern *when,
				   const struct node *map, int64_t repeat_ms, struct problems *p)
{
	size_t before = problems_count(p);
	struct alert_options o = {0};
	struct alert_rule *r = xcalloc(1, sizeof *r);

	*r = (struct alert_rule){.name = xstrdup(name), .when = when, .repeat_ms = repeat_ms};
	options_read(alert_option_table, map, &o, p);
	read_kind(r, map, p);
	alert_paths_read(&r->per, map, "per", p);
	alert_paths_read(&r->fold, map, "fold", p);
	if (r->kind == RULE_RATIO && o.ratio)
		read_ratio(r, o.ratio, p);
	if (r->kind == RULE_ABSENT && o.absent)
		read_absent(r, &o, p);
	read_times(r, &o, map, p);
	alert_texts_read(&r->labels, map, "labels", p);
	alert_texts_read(&r->annotations, map, "annotations", p);
	if (problems_count(p) == before)
		settle(r, &o);
	options_release(alert_option_table, &o);
	if (problems_count(p) == before)
		return r;
	alert_rule_free(r);
	return NULL;
}

void alert_rule_free(struct alert_rule *r)
{
	if (!r)
		return;
	pattern_free(r->other);
	alert_paths_release(&r->per);
	alert_paths_release(&r->fold);
	alert_texts_release(&r->labels);
	alert_texts_release(&r->annotations);
	free(r->types);
	free(r->name);
	free(r);
}

/* ---- what others ask ---- */

uint64_t alert_rule_hash(const struct alert_rule *r)
{
	return r->hash;
}

void alert_rule_paths(const struct alert_rule *r, pattern_path_fn *fn, void *arg)
{
	static const char *const shown[] = {"data.broadcast_id", "data.recipient_id",
					    "data.integration_id", "data.error_message"};

	for (size_t i = 0; i < r->per.n; i++)
		fn(arg, r->per.v[i].text);
	for (size_t i = 0; i < r->fold.n; i++)
		fn(arg, r->fold.v[i].text);
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		fn(arg, shown[i]);
	if (r->other)
		pattern_paths(r->other, fn, arg);
}

const char *const *alert_rule_awaits(const struct alert_rule *r)
{
	return r->kind == RULE_COUNT ? NULL : r->types;
}
