/*
 * The list of rules: read from YAML, checked against the destinations' names, and applied in order.
 * An event is parsed once, and only when some rule looks inside it.
 */
#include "rules/rules.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "rules/pattern.h"

struct rule_options {
	char *name;
	const struct node *when;
	struct strings to;
	bool stop, enabled;
};

const struct option rule_option_table[] = {
	{"name", OPT_STRING, offsetof(struct rule_options, name), .required = true,
	 .help = "unique; shown with each event that the rule routed"},
	{"when", OPT_NODE, offsetof(struct rule_options, when),
	 .help = "event pattern: which events; without it, all"},
	{"to", OPT_STRINGS, offsetof(struct rule_options, to), .required = true,
	 .help = "names of destinations"},
	{"stop", OPT_BOOL, offsetof(struct rule_options, stop), .preset = "false",
	 .help = "later rules are not tried for an event that matched"},
	{"enabled", OPT_BOOL, offsetof(struct rule_options, enabled), .preset = "true",
	 .help = "false: the rule is checked but matches nothing"},
	{0},
};

struct rule {
	struct rule_options options;
	struct pattern *pattern;
	bool everything; /* no `when` */
	size_t *to;	 /* places among the destinations */
	uint64_t version;
};

struct rules {
	struct rule *v;
	size_t n, ndestinations;
	bool look_inside; /* some enabled rule has a `when` */
};

struct rules_scratch {
	struct json_doc *doc;
	bool *taken; /* per destination */
	size_t ntaken;
};

static size_t place_of(const char *const *names, const char *name)
{
	size_t i = 0;
	while (names[i] && strcmp(names[i], name))
		i++;
	return i;
}

static void resolve_destinations(struct rule *r, const struct node *n, const char *const *names,
				 struct problems *p)
{
	const struct node *to = node_get(n, "to");
	r->to = xcalloc(r->options.to.n + 1, sizeof *r->to);
	for (size_t i = 0; i < r->options.to.n; i++) {
		const char *name = r->options.to.v[i];
		r->to[i] = place_of(names, name);
		if (names[r->to[i]])
			continue;
		const char *near = problem_nearest(name, names);
		problem_at(p, to->kind == NODE_LIST ? to->items[i] : to,
			   "there is no destination \"%s\"%s%s%s", name,
			   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
}

/* A type that no event of today has may come with a flag that the API grows; a slip of one that
 * they have is told. */
static void warn_of_type(const struct node *n, struct problems *p)
{
	const char *type = node_string(n);
	const char *near = type && !n->unset ? problem_nearest(type, event_types) : NULL;
	if (near && strcmp(near, type) != 0)
		problem_warn(p, n, "\"%s\" is no type of today; did you mean \"%s\"?", type, near);
}

/* What is allowed but surely not meant. */
static void warn_of_rule(const struct rules *rs, const struct node *n, struct problems *p)
{
	const struct rule *r = &rs->v[rs->n - 1];
	const struct node *to = node_get(n, "to"), *type = node_get(r->options.when, "type");
	if (to && to->kind == NODE_LIST && !to->n && !r->options.stop)
		problem_warn(p, to, "an empty list sends nothing anywhere");
	if (type && type->kind == NODE_SCALAR)
		warn_of_type(type, p);
	for (size_t i = 0; type && type->kind == NODE_LIST && i < type->n; i++)
		warn_of_type(type->items[i], p);
	for (size_t i = 0; i + 1 < rs->n; i++)
		if (rs->v[i].everything && rs->v[i].options.stop && rs->v[i].options.enabled) {
			problem_warn(p, n, "is never tried: rule %zu stops at every event", i + 1);
			break;
		}
}

static void read_rule(struct rules *rs, const struct node *n, const char *const *names,
		      struct problems *p)
{
	struct rule *r = &rs->v[rs->n++];
	if (n->kind != NODE_MAP) {
		problem_at(p, n, "a rule is a map with name, when and to");
		return;
	}
	options_read(rule_option_table, n, &r->options, p);
	r->everything = !r->options.when;
	r->pattern = pattern_compile(r->options.when, p);
	resolve_destinations(r, n, names, p);
	for (size_t i = 0; r->options.name && i + 1 < rs->n; i++)
		if (rs->v[i].options.name && !strcmp(rs->v[i].options.name, r->options.name))
			problem_at(p, node_get(n, "name"), "rule %zu has the name \"%s\" already",
				   i + 1, r->options.name);
	if (r->options.enabled && !r->everything)
		rs->look_inside = true;
	warn_of_rule(rs, n, p);
}

static void set_version(struct rule *r)
{
	struct buf meaning = BUF_INIT(YAML_FILE_MAX * 2);
	buf_addf(&meaning, "%d%d%016llx", r->options.stop, r->options.enabled,
		 (unsigned long long)pattern_hash(r->pattern));
	for (size_t i = 0; i < r->options.to.n; i++)
		buf_addf(&meaning, ",%s", r->options.to.v[i]);
	r->version = hash64(meaning.data, meaning.len);
	buf_release(&meaning);
}

struct rules *rules_load(const struct node *list, const char *const *destinations,
			 struct problems *p)
{
	size_t before = problems_count(p), n = list && list->kind == NODE_LIST ? list->n : 0;
	if (list && list->kind != NODE_LIST && !node_is_null(list))
		problem_at(p, list, "a list of rules is expected");
	if (n > RULES_MAX) {
		problem_at(p, list, "%zu rules; at most %d are allowed", n, RULES_MAX);
		n = 0;
	}
	struct rules *rs = xcalloc(1, sizeof *rs);
	rs->v = xcalloc(n + 1, sizeof *rs->v);
	while (destinations[rs->ndestinations])
		rs->ndestinations++;
	for (size_t i = 0; i < n; i++)
		read_rule(rs, list->items[i], destinations, p);
	if (problems_count(p) != before) {
		rules_free(rs);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		set_version(&rs->v[i]);
	return rs;
}

void rules_free(struct rules *rs)
{
	for (size_t i = 0; rs && i < rs->n; i++) {
		pattern_free(rs->v[i].pattern);
		options_release(rule_option_table, &rs->v[i].options);
		free(rs->v[i].to);
	}
	if (rs)
		free(rs->v);
	free(rs);
}

size_t rules_count(const struct rules *rs)
{
	return rs->n;
}

const char *rules_name(const struct rules *rs, size_t rule)
{
	return rs->v[rule].options.name;
}

uint64_t rules_version(const struct rules *rs, size_t rule)
{
	return rs->v[rule].version;
}

struct rules_scratch *rules_scratch_new(void)
{
	struct rules_scratch *s = xcalloc(1, sizeof *s);
	s->doc = json_doc_new();
	return s;
}

void rules_scratch_free(struct rules_scratch *s)
{
	if (!s)
		return;
	json_doc_free(s->doc);
	free(s->taken);
	free(s);
}

static void clear_taken(struct rules_scratch *s, size_t n)
{
	if (s->ntaken < n) {
		s->taken = xrealloc(s->taken, n, sizeof *s->taken);
		s->ntaken = n;
	}
	memset(s->taken, 0, n * sizeof *s->taken);
}

size_t rules_route(const struct rules *rs, struct rules_scratch *s, const struct event *ev,
		   struct rule_hit *ret)
{
	size_t hits = 0;
	struct err unlikely = {0}; /* the body is Relay's own */
	const struct json *event =
		rs->look_inside ? json_parse(s->doc, ev->body, ev->len, JSON_DEPTH + 4, &unlikely)
				: NULL;
	clear_taken(s, rs->ndestinations + 1);
	for (size_t i = 0; i < rs->n; i++) {
		const struct rule *r = &rs->v[i];
		if (!r->options.enabled)
			continue;
		if (!r->everything && !(event && pattern_match(r->pattern, event)))
			continue;
		for (size_t k = 0; k < r->options.to.n; k++) {
			if (s->taken[r->to[k]])
				continue;
			s->taken[r->to[k]] = true;
			ret[hits++] = (struct rule_hit){i, r->options.name, r->to[k]};
		}
		if (r->options.stop)
			break;
	}
	return hits;
}
