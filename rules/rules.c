/*
 * The list of rules at work: the index says which of them match an event, and what they say is
 * applied in their order. Only a topic that is a template, and a rule that looks inside, make the
 * event's text be read.
 */
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/rules_parts.h"

struct rules_scratch {
	const struct rules *rules;
	struct index_scratch *index;
	struct json_doc *doc;
	const struct json *event; /* parsed, or NULL: not yet */
	bool *taken;		  /* per destination: a rule has named it */
	struct buf *topics;	  /* per destination */
};

struct rules_scratch *rules_scratch_new(const struct rules *rs)
{
	struct rules_scratch *s = xcalloc(1, sizeof *s);
	s->rules = rs;
	s->index = index_scratch_new(rs->index);
	s->doc = json_doc_new();
	s->taken = xcalloc(rs->ndestinations + 1, sizeof *s->taken);
	s->topics = xcalloc(rs->ndestinations + 1, sizeof *s->topics);
	for (size_t i = 0; i < rs->ndestinations; i++)
		s->topics[i] = (struct buf)BUF_INIT(RULE_TOPIC_MAX);
	return s;
}

void rules_scratch_free(struct rules_scratch *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->rules->ndestinations; i++)
		buf_release(&s->topics[i]);
	index_scratch_free(s->index);
	json_doc_free(s->doc);
	free(s->topics);
	free(s->taken);
	free(s);
}

/* NULL: the event's own topic, where the rule has none to say. */
static const char *topic_of(struct rules_scratch *s, const struct rule *r, size_t destination,
			    const struct event *ev)
{
	struct buf *out = &s->topics[destination];
	struct err unlikely = {0}; /* the body is Relay's own */
	if (!r->topic || !s->rules->topical[destination])
		return NULL;
	if (!s->event)
		s->event = json_parse(s->doc, ev->body, ev->len, JSON_DEPTH + 4, &unlikely);
	buf_truncate(out, 0);
	if (!s->event || template_render(r->topic, s->event, out, &unlikely) < 0 || !out->len)
		return NULL;
	return out->data;
}

/* Appends a hit for each destination of the rule that has none yet. */
static size_t apply(struct rules_scratch *s, size_t rule, const struct event *ev,
		    struct rule_hit *ret, size_t hits)
{
	const struct rule *r = &s->rules->v[rule];
	for (size_t k = 0; k < r->options.to.n; k++) {
		size_t to = r->to[k];
		if (s->taken[to])
			continue;
		s->taken[to] = true;
		ret[hits++] = (struct rule_hit){rule, to, topic_of(s, r, to, ev)};
	}
	return hits;
}

static size_t apply_matching(struct rules_scratch *s, const struct event *ev, struct rule_hit *ret,
			     size_t hits)
{
	const struct rules *rs = s->rules;
	const uint32_t *matched;
	index_read(rs->index, s->index, ev->body, rs->look_inside ? ev->len : 0);
	size_t n = index_match(rs->index, s->index, &matched);
	for (size_t i = 0; i < n; i++) {
		size_t rule = rs->places[matched[i]];
		hits = apply(s, rule, ev, ret, hits);
		if (rs->v[rule].options.stop)
			break;
	}
	return hits;
}

static void begin(struct rules_scratch *s)
{
	memset(s->taken, 0, (s->rules->ndestinations + 1) * sizeof *s->taken);
	s->event = NULL;
}

size_t rules_route(struct rules_scratch *s, const struct event *ev, struct rule_hit *ret)
{
	begin(s);
	return apply_matching(s, ev, ret, 0);
}

size_t rules_route_alert(struct rules_scratch *s, const struct event *ev, size_t rule,
			 struct rule_hit *ret)
{
	begin(s);
	return apply_matching(s, ev, ret, apply(s, rule, ev, ret, 0));
}

/* ---- what the list says of itself ---- */

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

const struct pattern *rules_pattern(const struct rules *rs, size_t rule)
{
	return rs->v[rule].pattern;
}

bool rules_enabled(const struct rules *rs, size_t rule)
{
	return rs->v[rule].options.enabled;
}

bool rules_stop(const struct rules *rs, size_t rule)
{
	return rs->v[rule].options.stop;
}

bool rules_is_alert(const struct rules *rs, size_t rule)
{
	return rs->v[rule].alert != NULL;
}

const struct node *rules_node(const struct rules *rs, size_t rule)
{
	return rs->v[rule].at;
}

size_t rules_find(const struct rules *rs, const char *name)
{
	size_t low = 0, high = rs->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(rs->v[rs->by_name[mid]].options.name, name);
		if (!order)
			return rs->by_name[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return SIZE_MAX;
}

const struct template *rules_body(const struct rules *rs, const char *name)
{
	size_t rule = name ? rules_find(rs, name) : SIZE_MAX;
	return rule == SIZE_MAX ? NULL : rs->v[rule].body;
}

bool rules_have_bodies(const struct rules *rs)
{
	return rs->bodies;
}

void rules_paths(const struct rules *rs, size_t rule, pattern_path_fn *fn, void *arg)
{
	const struct rule *r = &rs->v[rule];
	pattern_paths(r->pattern, fn, arg);
	if (r->topic)
		template_paths(r->topic, fn, arg);
	if (r->body)
		template_paths(r->body, fn, arg);
	if (r->alert)
		alert_rule_paths(r->alert, fn, arg);
}

size_t rules_alerts(const struct rules *rs, const struct alert_rule *const **ret,
		    const size_t **ret_places)
{
	*ret = rs->alerts;
	*ret_places = rs->alert_places;
	return rs->nalerts;
}
