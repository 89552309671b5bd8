/*
 * What an alert says: the `data` of its event. Labels are rendered once, when it opens, since they
 * are its identity for who receives it; annotations each time. Texts of events come in as JSON
 * strings only, and leave their place neither here nor in a template.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "rules/window_parts.h"

#define DATA_MAX	(240 << 10) /* an event has 256 KiB */
#define LABELS_MAX	(48 << 10)  /* as JSON */
#define ANNOTATIONS_MAX (96 << 10)
#define LABEL_MAX	1024
#define ANNOTATION_MAX	(16 << 10)
#define VALUES_SHOWN	20
#define ENDS_REPEATS	3 /* told so many times in vain, a receiver may take it for ended */
#define DEPTH		8

static const char *const kinds[] = {
	[RULE_COUNT] = "count", [RULE_RATIO] = "ratio", [RULE_ABSENT] = "absent"};

/* "5m": in the largest unit that needs no fraction. */
static void add_duration(struct buf *out, const char *name, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (ms % units[i].ms)
		i++;
	json_add_name(out, name);
	buf_addf(out, "\"%lld%s\"", (long long)(ms / units[i].ms), units[i].name);
}

static void add_number(struct buf *out, const char *name, bool there, double value)
{
	json_add_name(out, name);
	if (there)
		buf_addf(out, "%.6g", value);
	else
		buf_adds(out, "null");
}

static void add_numbers(struct buf *out, const struct alert_rule *r, const struct open_alert *a)
{
	bool ratio = r->kind == RULE_RATIO;

	json_add_int(out, "count", (int64_t)a->count);
	json_add_count(out, "of", ratio ? a->of : -1);
	add_number(out, "ratio", ratio && a->of, a->of ? (double)a->count / (double)a->of : 0);
	if (r->kind == RULE_COUNT)
		json_add_int(out, "threshold", r->count);
	else
		add_number(out, "threshold", ratio, r->above);
}

static void add_times(struct buf *out, const struct window *w, const struct open_alert *a,
		      const struct telling *t)
{
	int64_t ends_ms = DATE_NONE;

	if (t->kind == ALERT_RESOLVED)
		ends_ms = t->time_ms;
	else if (w->rule->repeat_ms)
		ends_ms = t->now_ms + ENDS_REPEATS * w->rule->repeat_ms;
	json_add_date(out, "starts_at", a->starts_ms);
	json_add_date(out, "ends_at", ends_ms);
}

static void add_details(struct buf *out, const struct open_alert *a)
{
	json_add_name(out, "by");
	buf_addc(out, '{');
	json_add_name(out, "integration_id");
	tally_write(out, &a->integrations, VALUES_SHOWN);
	json_add_name(out, "error_message");
	tally_write(out, &a->errors, VALUES_SHOWN);
	buf_addc(out, '}');
	json_add_name(out, "samples");
	buf_addc(out, '[');
	for (size_t i = 0; i < a->nsamples; i++)
		sample_write(out, a->samples[i]);
	buf_addc(out, ']');
}

/* All but labels and annotations, without the closing brace. */
static void begin_data(struct buf *out, const struct window *w, const struct open_alert *a,
		       const struct telling *t)
{
	const struct group *g = table_at(&w->groups, a->group);

	buf_addc(out, '{');
	json_add_text(out, "rule", w->rule->name);
	json_add_text(out, "kind", kinds[w->rule->kind]);
	json_add_bool(out, "firing", t->kind != ALERT_RESOLVED);
	json_add_name(out, "key");
	buf_adds(out, a->key);
	json_add_text(out, "broadcast_id", g->broadcast);
	add_numbers(out, w->rule, a);
	add_duration(out, "within", w->rule->within_ms);
	json_add_int(out, "keys", (int64_t)a->keys);
	add_times(out, w, a, t);
	json_add_int(out, "n", t->kind == ALERT_UPDATED ? a->updates : 0);
	add_details(out, a);
	json_add_text(out, "reason", t->reason);
}

struct rendering {
	const struct alert_texts *texts;
	size_t most; /* of one text */
	const struct json *root;
};

/* Each as a member; what has no room is left out. */
static void add_rendered(struct buf *out, const struct rendering *r)
{
	struct buf text = BUF_INIT(r->most);

	for (size_t i = 0; i < r->texts->n; i++) {
		struct err err = {0};
		size_t before = out->len;
		buf_clear(&text);
		if (template_render(r->texts->v[i].text, r->root, &text, &err) != 0)
			buf_addf(&text, "(%s)", err.msg);
		json_add_text(out, r->texts->v[i].name, text.data);
		if (out->full) {
			out->full = false;
			buf_truncate(out, before);
		}
	}
	buf_release(&text);
}

/* The text as the templates see it: {"data": {…}}; `begun` lacks the closing brace. */
static const struct json *parse(struct json_doc *doc, const struct buf *begun)
{
	struct buf text = BUF_INIT(DATA_MAX + 16);
	struct err unlikely = {0};

	buf_adds(&text, "{\"data\":");
	buf_add(&text, begun->data, begun->len);
	buf_adds(&text, "}}");
	const struct json *root = json_parse(doc, text.data, text.len, DEPTH, &unlikely);
	buf_release(&text);
	return root;
}

static bool has_label(const struct alert_texts *texts, const char *name)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strcmp(texts->v[i].name, name) == 0)
			return true;
	return false;
}

/* A value of the key as a label; null: none, as Prometheus takes an empty one. */
static void add_key_label(struct buf *out, const char *name, const struct json *value)
{
	struct buf text = BUF_INIT(64);

	if (json_string(value)) {
		json_add_text(out, name, json_string(value));
	} else if (value && json_type(value) != JSON_NULL) {
		json_write(&text, value);
		json_add_text(out, name, text.data);
	}
	buf_release(&text);
}

static char *make_labels(const struct window *w, const struct json *root)
{
	const struct alert_rule *r = w->rule;
	const struct alert_paths *subject = alert_rule_subject(r);
	const struct json *key = json_get(json_get(root, "data"), "key");
	struct buf out = BUF_INIT(LABELS_MAX);

	buf_addc(&out, '{');
	if (!has_label(&r->labels, "alertname"))
		json_add_text(&out, "alertname", r->name);
	for (size_t i = 0; i < subject->n; i++)
		if (!has_label(&r->labels, subject->v[i].label))
			add_key_label(&out, subject->v[i].label,
				      json_get(key, subject->v[i].label));
	add_rendered(&out, &(struct rendering){&r->labels, LABEL_MAX, root});
	out.max++;
	buf_addc(&out, '}');
	return buf_detach(&out);
}

static void add_annotations(struct buf *out, const struct alert_rule *r, struct json_doc *doc)
{
	struct buf text = BUF_INIT(ANNOTATIONS_MAX);
	const struct json *root = r->annotations.n ? parse(doc, out) : NULL;

	add_rendered(&text, &(struct rendering){&r->annotations, ANNOTATION_MAX, root});
	json_add_name(out, "annotations");
	buf_addc(out, '{');
	buf_add(out, text.data, text.len);
	buf_addc(out, '}');
	buf_release(&text);
}

void alert_tell(struct window *w, struct open_alert *a, const struct telling *t)
{
	const struct group *g = table_at(&w->groups, a->group);
	struct json_doc *doc = json_doc_new();
	struct buf data = BUF_INIT(DATA_MAX);

	begin_data(&data, w, a, t);
	if (!a->labels)
		a->labels = make_labels(w, parse(doc, &data));
	json_add_name(&data, "labels");
	buf_adds(&data, a->labels);
	add_annotations(&data, w->rule, doc);
	buf_addc(&data, '}');
	w->all->tells--;
	w->all->env.alert(w->all->env.arg, &(struct alert){
						   .rule = w->place,
						   .kind = t->kind,
						   .broadcast = g->broadcast,
						   .key = a->key,
						   .opened = a->opened,
						   .n = t->kind == ALERT_UPDATED ? a->updates : 0,
						   .time_ms = t->time_ms,
						   .data = &data,
					   });
	buf_release(&data);
	json_doc_free(doc);
}
