/*
 * The list of rules as it stands in the configuration, read and checked. Invariant: what was loaded
 * cannot fail later; names are unique, destinations are there, patterns and templates compiled.
 */
#include "rules/rules.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "rules/rules_parts.h"

#define AT(field) offsetof(struct rule_options, field)

const struct option rule_option_table[] = {
	{"name", OPT_STRING, AT(name), .required = true,
	 .help = "unique; shown with each event that the rule routed"},
	{"when", OPT_NODE, AT(when), .help = "event pattern: which events; without it, all"},
	{"to", OPT_STRINGS, AT(to), .required = true, .help = "names of destinations"},
	{"topic", OPT_NODE, AT(topic),
	 .help = "template of the topic on a bus or of nats; without it "
		 "<type>.<integration_id>.<broadcast_id>"},
	{"body", OPT_NODE, AT(body),
	 .help = "template of the callback's body, a JSON text, in place of the destination's"},
	{"alert", OPT_NODE, AT(alert), .section = alert_option_table,
	 .help = "count what matches instead of sending it; `to` gets the alerts"},
	{"stop", OPT_BOOL, AT(stop), .preset = "false",
	 .help = "later rules are not tried for an event that matched"},
	{"enabled", OPT_BOOL, AT(enabled), .preset = "true",
	 .help = "false: the rule is checked but matches nothing"},
	{0},
};

/* ---- one rule ---- */

static void resolve_destinations(struct rule *r, const struct rules_destination *v, size_t n,
				 struct problems *p)
{
	const struct node *to = node_get(r->at, "to");
	r->to = xcalloc(r->options.to.n + 1, sizeof *r->to);
	for (size_t i = 0; i < r->options.to.n; i++) {
		const char *name = r->options.to.v[i];
		while (r->to[i] < n && strcmp(v[r->to[i]].name, name) != 0)
			r->to[i]++;
		if (r->to[i] < n)
			continue;
		const char **names = xcalloc(n + 1, sizeof *names);
		for (size_t k = 0; k < n; k++)
			names[k] = v[k].name;
		const char *near = problem_nearest(name, names);
		problem_at(p, to->kind == NODE_LIST ? to->items[i] : to,
			   "there is no destination \"%s\"%s%s%s", name,
			   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		free(names);
	}
}

static struct template *compile_template(enum template_kind kind, const struct node *n,
					 struct problems *p)
{
	struct err err = {0};
	if (!n)
		return NULL;
	if (n->kind != NODE_SCALAR) {
		problem_at(p, n, "a template is a text");
		return NULL;
	}
	struct template *t = template_compile(kind, n->text, n->len, &err);
	if (!t)
		problem_at(p, n, "%s", err.msg);
	return t;
}

/* Told so often that a receiver that forgets alerts after a while does not forget them. */
static int64_t repeat_of(const struct rule *r, const struct rules_destination *v, size_t n)
{
	int64_t least = 0;
	for (size_t i = 0; i < r->options.to.n; i++) {
		int64_t ms = r->to[i] < n ? v[r->to[i]].repeat_ms : 0;
		if (ms && (!least || ms < least))
			least = ms;
	}
	return least;
}

static void read_alert(struct rule *r, int64_t repeat_ms, struct problems *p)
{
	if (!r->options.alert)
		return;
	if (r->options.stop)
		problem_at(p, node_get(r->at, "stop"),
			   "a rule with `alert` sends no events, so it cannot end the list");
	if (r->pattern)
		r->alert = alert_rule_load(r->options.name, r->pattern, r->options.alert, repeat_ms,
					   p);
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

static void warn_of_rule(const struct rule *r, struct problems *p)
{
	const struct node *to = node_get(r->at, "to"), *type = node_get(r->options.when, "type");
	bool nowhere = to && to->kind == NODE_LIST && !to->n;
	/* alerts that go nowhere by their own rule are routed as plain rules say */
	if (nowhere && !r->options.stop && !r->options.alert)
		problem_warn(p, to, "an empty list sends nothing anywhere");
	if (type && type->kind == NODE_SCALAR)
		warn_of_type(type, p);
	for (size_t i = 0; type && type->kind == NODE_LIST && i < type->n; i++)
		warn_of_type(type->items[i], p);
}

static void read_rule(struct rule *r, const struct rules_destination *v, size_t n,
		      struct problems *p)
{
	if (r->at->kind != NODE_MAP) {
		problem_at(p, r->at, "a rule is a map with name, when and to");
		return;
	}
	options_read(rule_option_table, r->at, &r->options, p);
	r->pattern = pattern_compile(r->options.when, p);
	resolve_destinations(r, v, n, p);
	r->topic = compile_template(TEMPLATE_TOPIC, r->options.topic, p);
	r->body = compile_template(TEMPLATE_JSON, r->options.body, p);
	if (r->options.name)
		read_alert(r, repeat_of(r, v, n), p);
	warn_of_rule(r, p);
}

/* ---- the list ---- */

static int by_name(const void *a, const void *b, void *arg)
{
	const struct rules *rs = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const char *m = rs->v[x].options.name, *n = rs->v[y].options.name;
	int order = strcmp(m ? m : "", n ? n : "");
	return order ? order : (x > y) - (x < y);
}

static void sort_names(struct rules *rs, struct problems *p)
{
	rs->by_name = xcalloc(rs->n + 1, sizeof *rs->by_name);
	for (size_t i = 0; i < rs->n; i++)
		rs->by_name[i] = i;
	qsort_r(rs->by_name, rs->n, sizeof *rs->by_name, by_name, rs);
	for (size_t i = 1; i < rs->n; i++) {
		const struct rule *first = &rs->v[rs->by_name[i - 1]];
		const struct rule *r = &rs->v[rs->by_name[i]];
		if (r->options.name && first->options.name &&
		    !strcmp(r->options.name, first->options.name))
			problem_at(p, node_get(r->at, "name"),
				   "rule %zu has the name \"%s\" already", rs->by_name[i - 1] + 1,
				   r->options.name);
	}
}

static void add_template(struct buf *meaning, const struct node *n)
{
	if (n)
		buf_addf(meaning, "%zu:%s", n->len, n->text);
	buf_addc(meaning, ';');
}

static void set_version(struct rule *r)
{
	struct buf meaning = BUF_INIT(YAML_FILE_MAX * 2);
	buf_addf(&meaning, "%d%d%016llx", r->options.stop, r->options.enabled,
		 (unsigned long long)pattern_hash(r->pattern));
	if (r->alert)
		buf_addf(&meaning, "!%016llx", (unsigned long long)alert_rule_hash(r->alert));
	add_template(&meaning, r->options.topic);
	add_template(&meaning, r->options.body);
	for (size_t i = 0; i < r->options.to.n; i++)
		buf_addf(&meaning, ",%s", r->options.to.v[i]);
	r->version = hash64(meaning.data, meaning.len);
	buf_release(&meaning);
}

static void build(struct rules *rs)
{
	const struct pattern **patterns = xcalloc(rs->n + 1, sizeof *patterns);
	size_t n = 0;
	rs->places = xcalloc(rs->n + 1, sizeof *rs->places);
	rs->alerts = xcalloc(rs->n + 1, sizeof *rs->alerts);
	rs->alert_places = xcalloc(rs->n + 1, sizeof *rs->alert_places);
	for (size_t i = 0; i < rs->n; i++) {
		const struct rule *r = &rs->v[i];
		rs->bodies = rs->bodies || r->body;
		if (!r->options.enabled)
			continue;
		if (r->alert) {
			rs->alerts[rs->nalerts] = r->alert;
			rs->alert_places[rs->nalerts++] = i;
			continue;
		}
		patterns[n] = r->pattern;
		rs->places[n++] = i;
		rs->look_inside = rs->look_inside || !pattern_is_everything(r->pattern);
	}
	rs->index = index_build(patterns, n);
	free(patterns);
}

/* One pattern may be dear, but not all of thousands. False: these are. */
static bool add_score(uint64_t *score, const struct rule *r, struct problems *p)
{
	*score += r->pattern ? pattern_score(r->pattern) : 0;
	if (*score <= RULES_SCORE_MAX)
		return true;
	problem_at(p, r->at, "the patterns until here have a score of %llu; at most %d is allowed",
		   (unsigned long long)*score, RULES_SCORE_MAX);
	return false;
}

static void read_list(struct rules *rs, const struct node *list, size_t n,
		      const struct rules_destination *destinations, struct problems *p)
{
	uint64_t score = 0;
	rs->v = xcalloc(n + 1, sizeof *rs->v);
	for (size_t i = 0; i < n; i++) {
		struct rule *r = &rs->v[rs->n++];
		r->at = list->items[i];
		read_rule(r, destinations, rs->ndestinations, p);
		if (!add_score(&score, r, p))
			break;
	}
	sort_names(rs, p);
}

struct rules *rules_load(const struct node *list, const struct rules_destination *destinations,
			 size_t ndestinations, struct problems *p)
{
	size_t before = problems_count(p), n = list && list->kind == NODE_LIST ? list->n : 0;
	if (list && list->kind != NODE_LIST && !node_is_null(list))
		problem_at(p, list, "a list of rules is expected");
	if (n > RULES_MAX) {
		problem_at(p, list, "%zu rules; at most %d are allowed", n, RULES_MAX);
		n = 0;
	}
	struct rules *rs = xcalloc(1, sizeof *rs);
	rs->ndestinations = ndestinations;
	rs->topical = xcalloc(ndestinations + 1, sizeof *rs->topical);
	for (size_t i = 0; i < ndestinations; i++)
		rs->topical[i] = destinations[i].topical;
	read_list(rs, list, n, destinations, p);
	if (problems_count(p) != before) {
		rules_free(rs);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		set_version(&rs->v[i]);
	build(rs);
	return rs;
}

void rules_free(struct rules *rs)
{
	if (!rs)
		return;
	index_free(rs->index);
	for (size_t i = 0; i < rs->n; i++) {
		struct rule *r = &rs->v[i];
		alert_rule_free(r->alert);
		pattern_free(r->pattern);
		template_free(r->topic);
		template_free(r->body);
		options_release(rule_option_table, &r->options);
		free(r->to);
	}
	free(rs->alert_places);
	free(rs->alerts);
	free(rs->places);
	free(rs->by_name);
	free(rs->topical);
	free(rs->v);
	free(rs);
}
