/*
 * relay explain — one event and the rules: which match and which do not, by which condition, and
 * where the event would go. Asks nobody; an event given by its sequence or id is read from the
 * journal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/one_event.h"
#include "relay/cmd/screen.h"

#define SHOWN_MAX 60 /* characters of a value, for people */
#define OUT_MAX	  (16 << 20)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{'r', "rule", "NAME", "only what this rule says"},
	{0},
};

const struct command cmd_explain = {
	.name = "explain",
	.operands = "EVENT.json|-|SEQUENCE|ID",
	.least = 1,
	.most = 1,
	.summary = "why an event goes where it goes: each rule, each condition, the value seen",
	.example = "  relay explain 1234\n"
		   "  relay explain event.json -c new.yaml\n\n"
		   "A sequence or an id is an event of the journal, - is standard input. The rules "
		   "are those of\n"
		   "the file as it is now, not those by which the event was sent then.",
	.flags = flags,
	.run = run,
};

/* One condition, as a pattern told it. */
struct finding {
	size_t alternative;
	char *path, *wanted, *seen, *note; /* owned; note NULL: none */
	bool holds;
};

struct explaining {
	const struct settings *settings;
	struct json_doc *doc;
	const struct json *root;
	struct event event;
	struct rule_hit *hits;
	char **topics; /* per hit, owned; NULL: no topic */
	size_t nhits;
	const char *left_out; /* the destination that it is about, if a rule names it; else NULL */
	size_t stopped;	      /* the rule that ends the list; SIZE_MAX: none does */
	const char *type, *id;
	bool json;

	struct finding *v; /* of the rule at hand */
	size_t n, cap;
};

/* ---- the event ---- */

static const char *text_at(const struct json *object, const char *key)
{
	return json_string(json_get(object, key));
}

static int read_event(struct explaining *x, const char *what, struct err *err)
{
	if (one_event_read(&x->event, what, &x->settings->journal, err) != 0)
		return -1;
	x->root = json_parse(x->doc, x->event.body, x->event.len, JSON_DEPTH + 4, err);
	if (!x->root)
		return -1;
	x->type = text_at(x->root, "type");
	x->id = text_at(x->root, "id");
	if (!x->type || strlen(x->type) >= EVENT_TYPE_SIZE)
		return err_set(err, ERR_FORMAT, "%s: an event is an object with a \"type\"",
			       strcmp(what, "-") ? what : "standard input");
	memcpy(x->event.type, x->type, strlen(x->type) + 1);
	return 0;
}

/* ---- what the rules say ---- */

static char *topic_of(const struct explaining *x, const struct rule_hit *hit)
{
	const struct json *data = json_get(x->root, "data");
	struct buf own = BUF_INIT(4096);
	const struct transport_type *type = x->settings->destinations[hit->destination].type;
	if (!type || !type->topical)
		return NULL;
	if (hit->topic)
		return xstrdup(hit->topic);
	event_topic(&own, x->type, text_at(data, "integration_id"), text_at(data, "broadcast_id"));
	return buf_detach(&own);
}

/* What is about a destination never goes there. The text may be anybody's. */
static void leave_out(struct explaining *x)
{
	const char *about = event_is_about(x->type) ? text_at(x->root, "subject") : NULL;
	size_t kept = 0;
	for (size_t i = 0; i < x->nhits; i++) {
		const char *name = x->settings->destinations[x->hits[i].destination].name;
		if (about && !strcmp(name, about))
			x->left_out = name;
		else
			x->hits[kept++] = x->hits[i];
	}
	x->nhits = kept;
}

/* An alert goes first to the destinations of its own rule. */
static void route(struct explaining *x)
{
	const struct rules *rules = x->settings->rules;
	struct rules_scratch *s = rules_scratch_new(rules);
	const char *name = strncmp(x->type, "alert.", 6) ? NULL : text_at(x->root, "subject");
	size_t rule = name ? rules_find(rules, name) : SIZE_MAX;
	x->hits = xcalloc(x->settings->ndestinations + 1, sizeof *x->hits);
	x->topics = xcalloc(x->settings->ndestinations + 1, sizeof *x->topics);
	x->nhits = rule != SIZE_MAX && rules_is_alert(rules, rule)
			   ? rules_route_alert(s, &x->event, rule, x->hits)
			   : rules_route(s, &x->event, x->hits);
	leave_out(x);
	for (size_t i = 0; i < x->nhits; i++)
		x->topics[i] = topic_of(x, &x->hits[i]);
	rules_scratch_free(s);
}

static void keep_finding(void *arg, const struct pattern_finding *f)
{
	struct explaining *x = arg;
	x->v = mem_grow(x->v, x->n, &x->cap, sizeof *x->v);
	x->v[x->n++] = (struct finding){.alternative = f->alternative,
					.path = xstrdup(f->path),
					.wanted = xstrdup(f->wanted),
					.seen = xstrdup(f->seen),
					.note = xstrdup(f->note),
					.holds = f->holds};
}

static void forget_findings(struct explaining *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->v[i].path);
		free(x->v[i].wanted);
		free(x->v[i].seen);
		free(x->v[i].note);
	}
	x->n = 0;
}

static const char *destination(const struct explaining *x, size_t hit)
{
	return x->settings->destinations[x->hits[hit].destination].name;
}

/* ---- for people ---- */

static void print_short(const char *text)
{
	size_t n = 0, at = 0;
	for (; text[at] && n < SHOWN_MAX; n++) /* a character is its first byte and what follows */
		do
			at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80);
	char *part = xstrndup(text, at);
	screen_text(part);
	if (text[at])
		fputs("…", stdout);
	free(part);
}

static void print_findings(const struct explaining *x)
{
	size_t width = 0;
	for (size_t i = 0; i < x->n; i++)
		if (strlen(x->v[i].path) > width)
			width = strlen(x->v[i].path);
	bool several = x->n && x->v[x->n - 1].alternative > 0;
	for (size_t i = 0; i < x->n; i++) {
		const struct finding *f = &x->v[i];
		if (several && (!i || f->alternative != x->v[i - 1].alternative))
			printf("         %s\n", i ? "or" : "either");
		printf("       %s  %s", several ? "  " : "", f->holds ? "✓ " : "✗ ");
		screen_text(f->path);
		printf("%*s  ", (int)(width - strlen(f->path)), "");
		print_short(f->seen);
		if (!f->holds) {
			fputs("; wanted: ", stdout);
			print_short(f->wanted);
		}
		if (f->note)
			printf(" (%s)", f->note);
		putchar('\n');
	}
}

struct rule_state {
	bool enabled, alert, tried, matches, stop;
};

static void print_outcome(const struct explaining *x, size_t rule, const struct rule_state *v)
{
	size_t n = 0;
	if (!v->enabled) {
		puts(": not enabled");
		return;
	}
	if (!v->tried) {
		printf(": not tried, rule %zu ended the list\n", x->stopped + 1);
		return;
	}
	if (v->alert && v->matches)
		fputs(": counts it", stdout);
	for (size_t i = 0; i < x->nhits; i++)
		if (x->hits[i].rule == rule)
			printf("%s%s", n++ ? ", " : " → ", destination(x, i));
	if (v->matches && !v->alert && !n)
		fputs(" → nowhere else", stdout);
	puts(v->matches && v->stop ? ", and ends the list" : "");
}

static void print_rule(const struct explaining *x, size_t rule, const struct rule_state *v)
{
	printf("%4zu %s ", rule + 1, !v->enabled || !v->tried ? "–" : v->matches ? "✓" : "✗");
	screen_text(rules_name(x->settings->rules, rule));
	print_outcome(x, rule, v);
	print_findings(x);
}

static void print_routes(const struct explaining *x)
{
	puts(x->nhits ? "\nIt goes to" : "\nIt goes nowhere.");
	for (size_t i = 0; i < x->nhits; i++) {
		printf("  %s, by rule \"", destination(x, i));
		screen_text(rules_name(x->settings->rules, x->hits[i].rule));
		putchar('"');
		if (x->topics[i]) {
			fputs(", topic ", stdout);
			screen_text(x->topics[i]);
		}
		putchar('\n');
	}
	if (x->left_out)
		printf("Never to %s, which it is about.\n", x->left_out);
}

/* ---- for programs ---- */

/* As the JSON it is, unless it was cut. */
static void add_json(struct buf *out, const char *name, const char *text)
{
	struct err ignored = {0};
	json_add_name(out, name);
	if (json_check(text, strlen(text), JSON_DEPTH + 4, &ignored) == 0)
		buf_adds(out, text);
	else
		json_write_string(out, text);
}

static void add_finding(struct buf *out, const struct finding *f)
{
	json_add_element(out);
	json_add_int(out, "alternative", (int64_t)f->alternative);
	json_add_text(out, "path", f->path);
	json_add_bool(out, "holds", f->holds);
	add_json(out, "wanted", f->wanted);
	if (strcmp(f->seen, "absent") != 0) /* a text would stand in quotes */
		add_json(out, "seen", f->seen);
	json_add_text(out, "note", f->note);
	buf_addc(out, '}');
}

static void write_rule(const struct explaining *x, size_t rule, const struct rule_state *v)
{
	struct buf out = BUF_INIT(OUT_MAX);
	buf_addc(&out, '{');
	json_add_int(&out, "rule", (int64_t)rule + 1);
	json_add_text(&out, "name", rules_name(x->settings->rules, rule));
	json_add_bool(&out, "enabled", v->enabled);
	json_add_bool(&out, "alert", v->alert);
	json_add_bool(&out, "tried", v->tried);
	json_add_bool(&out, "matches", v->matches);
	json_add_bool(&out, "stop", v->stop);
	buf_adds(&out, ",\"conditions\":[");
	for (size_t i = 0; i < x->n; i++)
		add_finding(&out, &x->v[i]);
	buf_adds(&out, "],\"to\":[");
	for (size_t i = 0, n = 0; i < x->nhits; i++) {
		if (x->hits[i].rule != rule)
			continue;
		buf_adds(&out, n++ ? "," : "");
		json_write_string(&out, destination(x, i));
	}
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

static void write_routes(const struct explaining *x)
{
	struct buf out = BUF_INIT(OUT_MAX);
	buf_addc(&out, '{');
	json_add_text(&out, "event", x->id);
	json_add_text(&out, "type", x->type);
	buf_adds(&out, ",\"routes\":[");
	for (size_t i = 0; i < x->nhits; i++) {
		json_add_element(&out);
		json_add_text(&out, "destination", destination(x, i));
		json_add_text(&out, "rule", rules_name(x->settings->rules, x->hits[i].rule));
		json_add_text(&out, "topic", x->topics[i]);
		buf_addc(&out, '}');
	}
	buf_addc(&out, ']');
	json_add_text(&out, "left_out", x->left_out);
	json_add_text(&out, "stopped_by",
		      x->stopped == SIZE_MAX ? NULL : rules_name(x->settings->rules, x->stopped));
	buf_addc(&out, '}');
	puts(out.data);
	buf_release(&out);
}

/* ---- all of it ---- */

static void explain_rule(struct explaining *x, size_t rule, bool shown)
{
	const struct rules *rules = x->settings->rules;
	struct rule_state v = {.enabled = rules_enabled(rules, rule),
			       .alert = rules_is_alert(rules, rule),
			       .stop = rules_stop(rules, rule)};
	v.tried = v.enabled && (v.alert || x->stopped == SIZE_MAX);
	v.matches = pattern_explain(rules_pattern(rules, rule), x->root, keep_finding, x);
	if (shown && x->json)
		write_rule(x, rule, &v);
	else if (shown)
		print_rule(x, rule, &v);
	if (v.tried && v.matches && v.stop)
		x->stopped = rule;
	forget_findings(x);
}

static void explain(struct explaining *x, size_t only)
{
	if (!x->json) {
		screen_text(x->type);
		printf("  %s\n\n", x->id ? x->id : "");
	}
	route(x);
	for (size_t i = 0; i < rules_count(x->settings->rules); i++)
		explain_rule(x, i, only == SIZE_MAX || only == i);
	if (x->json)
		write_routes(x);
	else
		print_routes(x);
}

static void release(struct explaining *x)
{
	for (size_t i = 0; i < x->nhits; i++)
		free(x->topics[i]);
	free(x->topics);
	free(x->hits);
	free(x->v);
	event_release(&x->event);
	json_doc_free(x->doc);
}

static int run(const struct command *self, const struct args *a)
{
	struct settings *s = cmd_settings_part(a, SETTINGS_RULES);
	const char *name = arg_value(a, "rule");
	struct err err = {0};
	if (!s)
		return EXIT_BAD_CONFIG;
	struct explaining x = {.settings = s, .stopped = SIZE_MAX, .json = cmd_wants_json(a)};
	size_t only = name ? rules_find(s->rules, name) : SIZE_MAX;
	x.doc = json_doc_new();
	int failed = 0;
	if (name && only == SIZE_MAX)
		failed = err_set(&err, ERR_USAGE, "there is no rule \"%s\"", name);
	if (!failed)
		failed = read_event(&x, a->operands[0], &err);
	if (!failed)
		explain(&x, only);
	release(&x);
	settings_free(s);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
