/* A journal made of arrays, and alerts written as lines. */
#include "tests/unit/window_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

static const char *const kinds[] = {
	[ALERT_FIRING] = "firing", [ALERT_UPDATED] = "updated", [ALERT_RESOLVED] = "resolved"};

static const char *text_of(const struct json *data, const char *name)
{
	const char *text = json_string(json_get(data, name));
	return text ? text : "-";
}

static long long int_of(const struct json *data, const char *name)
{
	int64_t value = -1;
	json_int(json_get(data, name), &value);
	return value;
}

/* The values of the key, separated by "/". */
static void add_key(struct buf *out, const struct json *key)
{
	for (const struct json *v = json_first(key); v; v = json_next(v)) {
		buf_adds(out, v == json_first(key) ? "" : "/");
		buf_adds(out, json_string(v) ? json_string(v) : "null");
	}
	if (!json_first(key))
		buf_adds(out, "all");
}

static char *line_of(const struct fold *r, const struct alert *a)
{
	struct buf out = BUF_INIT(1 << 20);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	const struct json *data = json_parse(doc, a->data->data, a->data->len, JSON_DEPTH, &err);

	if (!data)
		fail_msg("%s: %s", err.msg, a->data->data);
	buf_addf(&out, "%s %s ", kinds[a->kind], text_of(data, "rule"));
	add_key(&out, json_get(data, "key"));
	buf_addf(&out, " at %+lld count %lld", (long long)(a->time_ms - FOLD_START) / SECOND,
		 int_of(data, "count"));
	if (int_of(data, "of") >= 0)
		buf_addf(&out, " of %lld", int_of(data, "of"));
	buf_addf(&out, " keys %lld", int_of(data, "keys"));
	if (a->n)
		buf_addf(&out, " n %u", a->n);
	if (a->kind == ALERT_RESOLVED && strcmp(text_of(data, "reason"), "quiet") != 0)
		buf_addf(&out, " (%s)", text_of(data, "reason"));
	if (r->whole)
		buf_addf(&out, " opened %lld %s", (long long)a->opened, a->data->data);
	json_doc_free(doc);
	return buf_detach(&out);
}

static void on_alert(void *arg, const struct alert *a)
{
	struct fold *r = arg;

	r->counts[a->kind]++;
	if (r->no_alerts)
		return;
	free(r->last);
	r->last = xstrdup(a->data->data);
	r->told = mem_grow(r->told, r->ntold, &r->told_cap, sizeof *r->told);
	r->told[r->ntold++] = line_of(r, a);
}

static void on_full(void *arg, size_t rule, uint64_t refused)
{
	struct fold *r = arg;

	assert_true(rule < r->nrules && refused > 0);
	r->fulls++;
}

static bool among(const char *type, const char *const *types)
{
	if (!type || !types)
		return true;
	while (*types && strcmp(*types, type) != 0)
		types++;
	return *types;
}

static int64_t known_until(void *arg, const char *broadcast, const char *const *types)
{
	struct fold *r = arg;
	int64_t least_ms = INT64_MAX;

	r->asked++;
	for (size_t i = 0; i < r->nmarks; i++)
		if ((!broadcast || strcmp(r->marks[i].broadcast, broadcast) == 0) &&
		    among(r->marks[i].type, types) && r->marks[i].known_ms < least_ms)
			least_ms = r->marks[i].known_ms;
	return least_ms == INT64_MAX ? r->known_ms : least_ms;
}

static void start(struct fold *r)
{
	struct windows_env env = {on_alert, on_full, known_until, r, r->tells};

	r->windows = windows_new((const struct alert_rule *const *)r->rules, r->nrules,
				 r->started_ms, &env);
}

static void load(struct fold *r, const char *rules)
{
	struct problems p = {0};
	char *text = xasprintf("rules:\n%s\n", rules);

	r->yaml = yaml_parse("rules.yaml", text, strlen(text), &p);
	const struct node *list = r->yaml ? node_get(yaml_root(r->yaml), "rules") : NULL;
	for (size_t i = 0; list && i < list->n; i++) {
		const struct node *n = list->items[i];
		r->when[i] = pattern_compile(node_get(n, "when"), &p);
		r->rules[i] = alert_rule_load(node_string(node_get(n, "name")), r->when[i],
					      node_get(n, "alert"), 0, &p);
	}
	if (p.n)
		fail_msg("%s", p.v[0]);
	r->nrules = list->n;
	free(text);
}

static void unload(struct fold *r)
{
	for (size_t i = 0; i < r->nrules; i++) {
		alert_rule_free(r->rules[i]);
		pattern_free(r->when[i]);
	}
	yaml_free(r->yaml);
}

void fold_open(struct fold *r, const char *rules)
{
	*r = (struct fold){.started_ms = FOLD_ALWAYS, .known_ms = DATE_NONE};
	load(r, rules);
	start(r);
}

static void free_lines(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void fold_close(struct fold *r)
{
	windows_free(r->windows);
	unload(r);
	for (size_t i = 0; i < r->nlog; i++) {
		free(r->log[i].type);
		free(r->log[i].body);
	}
	for (size_t i = 0; i < r->nrows; i++) {
		free(r->rows[i].key);
		free(r->rows[i].state);
	}
	free_lines(r->told, r->ntold);
	free_lines(r->committed, r->ncommitted);
	free(r->log);
	free(r->rows);
	free(r->last);
	free(r->taken);
}

static char *body_of(const struct happening *h, int64_t sequence)
{
	struct buf out = BUF_INIT(1 << 18);

	buf_addf(&out, "{\"id\":\"evt_%032llx\",\"type\":\"%s\",\"data\":{", (long long)sequence,
		 h->type);
	json_add_text(&out, "broadcast_id", h->broadcast);
	json_add_text(&out, "recipient_id", h->recipient);
	json_add_text(&out, "integration_id", h->integration);
	json_add_text(&out, "error_message", h->error);
	buf_adds(&out, "}}");
	return buf_detach(&out);
}

static void feed(struct fold *r, const struct fold_event *ev)
{
	windows_feed(r->windows, &(struct window_event){ev->sequence, ev->time_ms, ev->recorded_ms,
							ev->type, ev->body, strlen(ev->body)});
}

void fold_feed(struct fold *r, const struct happening *h)
{
	struct fold_event ev = {.sequence = ++r->sequence,
				.time_ms = h->time_ms,
				.recorded_ms = h->recorded_ms ? h->recorded_ms : h->time_ms};

	ev.type = xstrdup(h->type);
	ev.body = body_of(h, ev.sequence);
	feed(r, &ev);
	if (r->no_log) {
		free(ev.type);
		free(ev.body);
		return;
	}
	r->log = mem_grow(r->log, r->nlog, &r->log_cap, sizeof *r->log);
	r->log[r->nlog++] = ev;
}

int64_t fold_tick(struct fold *r, int64_t now_ms)
{
	int64_t next_ms;

	do
		next_ms = windows_tick(r->windows, now_ms);
	while (!next_ms);
	return next_ms;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

void fold_know_type(struct fold *r, const char *broadcast, const char *type, int64_t until_ms)
{
	size_t i = 0;

	while (i < r->nmarks &&
	       (strcmp(r->marks[i].broadcast, broadcast) != 0 || !same(r->marks[i].type, type)))
		i++;
	assert_true(i < FOLD_MARKS);
	if (i == r->nmarks) {
		r->marks[i].broadcast = broadcast;
		r->marks[i].type = type;
		r->nmarks++;
	}
	r->marks[i].known_ms = until_ms;
}

void fold_know(struct fold *r, const char *broadcast, int64_t until_ms)
{
	if (broadcast)
		fold_know_type(r, broadcast, NULL, until_ms);
	else
		r->known_ms = until_ms;
}

static void keep_row(void *arg, const char *key, const char *state)
{
	struct fold *r = arg;
	size_t i = 0;

	while (i < r->nrows && strcmp(r->rows[i].key, key) != 0)
		i++;
	if (i < r->nrows) {
		free(r->rows[i].key);
		free(r->rows[i].state);
		r->rows[i] = r->rows[--r->nrows];
	}
	if (!state)
		return;
	r->rows = mem_grow(r->rows, r->nrows, &r->rows_cap, sizeof *r->rows);
	r->rows[r->nrows++] = (struct fold_row){xstrdup(key), xstrdup(state)};
}

void fold_commit(struct fold *r)
{
	windows_take_changes(r->windows, keep_row, r);
	for (size_t i = 0; i < r->ntold; i++) {
		r->committed = mem_grow(r->committed, r->ncommitted, &r->committed_cap,
					sizeof *r->committed);
		r->committed[r->ncommitted++] = r->told[i];
	}
	r->ntold = 0;
}

static void restore(struct fold *r)
{
	for (size_t i = 0; i < r->nrows;) {
		if (windows_restore(r->windows, r->rows[i].key, r->rows[i].state))
			i++;
		else
			keep_row(r, r->rows[i].key, NULL);
	}
	int64_t from_ms = windows_feed_from_ms(r->windows);
	r->refed = 0;
	for (size_t i = 0; i < r->nlog; i++) {
		if (r->log[i].recorded_ms < from_ms)
			continue;
		feed(r, &r->log[i]);
		r->refed++;
	}
}

static void lose(struct fold *r)
{
	windows_free(r->windows);
	for (size_t i = 0; i < r->ntold; i++)
		free(r->told[i]);
	r->ntold = 0;
}

void fold_restart(struct fold *r)
{
	lose(r);
	if (r->nlog)
		r->started_ms = r->log[r->nlog - 1].recorded_ms;
	start(r);
	restore(r);
}

void fold_reload(struct fold *r, const char *rules, int64_t now_ms)
{
	fold_commit(r);
	lose(r);
	unload(r);
	load(r, rules);
	r->started_ms = now_ms;
	start(r);
	restore(r);
}

const char *fold_take(struct fold *r)
{
	struct buf out = BUF_INIT(1 << 22);

	fold_commit(r);
	for (size_t i = 0; i < r->ncommitted; i++) {
		buf_adds(&out, r->committed[i]);
		buf_addc(&out, '\n');
		free(r->committed[i]);
	}
	r->ncommitted = 0;
	free(r->taken);
	r->taken = buf_detach(&out);
	return r->taken;
}

size_t fold_bytes(const struct fold *r, size_t rule)
{
	struct windows_status s;

	windows_status(r->windows, rule, &s);
	return s.bytes;
}

/* ---- scripts ---- */

static int64_t moment(const char *word)
{
	assert_true(word && (*word == '+' || *word == '-'));
	return FOLD_START + strtoll(word, NULL, 10) * SECOND;
}

static const char *value(const char *word)
{
	return strcmp(word, "-") == 0 ? NULL : word;
}

static void run_event(struct fold *r, char **words, size_t n)
{
	char *error = strchr(words[0], ':');
	struct happening h = {.broadcast = value(words[1]), .recipient = value(words[2])};

	if (error)
		*error++ = '\0';
	char *type = xasprintf("recipient.%s", words[0]);
	h.type = type;
	h.error = error;
	h.integration = error ? "twilio" : NULL;
	h.time_ms = moment(words[3]);
	h.recorded_ms = n > 4 ? moment(words[4]) : 0;
	fold_feed(r, &h);
	free(type);
}

/* Marks outlive the script. */
static const char *kept_name(const char *name)
{
	static const char *const names[] = {"b1", "b2", "b3"};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return NULL; /* "*" */
}

static void run_line(struct fold *r, char **words, size_t n)
{
	if (strcmp(words[0], "tick") == 0)
		fold_tick(r, moment(words[1]));
	else if (strcmp(words[0], "know") == 0)
		fold_know(r, kept_name(words[1]), moment(words[2]));
	else if (strcmp(words[0], "commit") == 0)
		fold_commit(r);
	else if (strcmp(words[0], "restart") == 0)
		fold_restart(r);
	else if (n >= 4)
		run_event(r, words, n);
	else
		fail_msg("no such line: %s", words[0]);
}

void fold_run(struct fold *r, const char *script)
{
	char *text = xstrdup(script), *line_end, *word_end;

	for (char *line = strtok_r(text, ";", &line_end); line;
	     line = strtok_r(NULL, ";", &line_end)) {
		char *words[6];
		size_t n = 0;
		for (char *word = strtok_r(line, " \n\t", &word_end); word && n < 6;
		     word = strtok_r(NULL, " \n\t", &word_end))
			words[n++] = word;
		if (n)
			run_line(r, words, n);
	}
	free(text);
}
