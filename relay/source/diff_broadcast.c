/* diff_broadcast — what changed in a broadcast's list entry. Invariant: the record that is kept
 * has the entry's name, status, counters, templates and times, so that the same entry seen again
 * is no change. */
#include "relay/source/diff.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/source/fact.h"

#define PREFIX "broadcast."
#define ROW_MAX                                                                                    \
	(128 << 10) /* a larger entry is left out, for an event must stay under its ceiling */

/* One look at one entry; all borrowed. */
struct look {
	const struct diff_place *at;
	const struct broadcast_record *before; /* or NULL */
	const struct listing_row *after;
	const char *text;
	struct events *out;
	bool created_since, updated_since; /* at or after `since` */
};

static void keep(const struct diff_place *at, const struct broadcast_record *before,
		 const struct listing_row *after, struct broadcast_record *ret)
{
	*ret = (struct broadcast_record){
		.org = xstrdup(at->org),
		.id = xstrdup(after->id),
		.name = xstrdup(after->name),
		.status = xstrdup(after->status),
		.created_ms = after->created_ms,
		.updated_ms = after->updated_ms,
		.counters = xstrdup(after->counters),
		.templates = xstrdup(after->templates),
	};
	if (!before)
		return;
	ret->number = before->number;
	ret->recipients = before->recipients;
	ret->baseline_page = before->baseline_page;
	ret->baseline_done = before->baseline_done;
}

/* NULL for "": not given. */
static const char *given(const char *status)
{
	return status && *status ? status : NULL;
}

static void write_begin(struct buf *data, const struct diff_place *at, const char *id,
			const char *name)
{
	buf_addc(data, '{');
	fact_text(data, "org_id", at->org);
	fact_text(data, "broadcast_id", id);
	fact_text(data, "broadcast_name", name);
}

static void write_end(struct buf *data, const char *status, const struct broadcast_record *before,
		      const char *counters)
{
	fact_text(data, "status", given(status));
	fact_key(data, "previous");
	buf_addc(data, '{');
	fact_text(data, "status", before ? given(before->status) : NULL);
	buf_addc(data, '}');
	fact_key(data, "counters");
	buf_adds(data, counters ? counters : "null");
}

/* What stands between the beginning and the end of data is in `middle`, with its comma. */
static void add(struct look *l, struct fact *f, const char *middle)
{
	const struct listing_row *after = l->after;
	struct buf data = BUF_INIT(SIZE_MAX / 2);

	f->broadcast = after->id;
	write_begin(&data, l->at, after->id, after->name);
	buf_adds(&data, middle);
	write_end(&data, after->status, l->before, after->counters);
	if (after->text.len <= ROW_MAX) {
		fact_key(&data, "broadcast");
		json_copy(&data, l->text + after->text.at, after->text.len, NULL);
	}
	buf_addc(&data, '}');
	fact_add(l->out, l->at, f, &data);
	buf_release(&data);
}

static void find_added(struct look *l)
{
	struct fact f = {.type = PREFIX "added", .time_ms = l->after->created_ms};
	char time[FACT_TIME];

	if (l->before || !l->created_since)
		return;
	fact_part(&f, fact_updated(time, l->at, l->after->updated_ms));
	add(l, &f, "");
}

void diff_status_type(char ret[EVENT_TYPE_SIZE], const char *status)
{
	size_t n = strlen(PREFIX);

	memcpy(ret, PREFIX, n);
	for (size_t i = 0; status[i] && i < NAME_SIZE - 1; i++) {
		char c = status[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		ret[n++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	ret[n] = '\0';
}

/* The status of an entry seen for the first time is news when the entry was touched since: one that
 * became visible by being sent was created long before. DRAFT is what `added` says already. */
static void find_status(struct look *l)
{
	const char *now = given(l->after->status);
	const char *before = l->before ? given(l->before->status) : NULL;
	struct fact f = {.time_ms = l->after->updated_ms};
	char time[FACT_TIME];

	if (!now || (before && strcmp(now, before) == 0))
		return;
	if (!before && (!l->updated_since || strcmp(now, "DRAFT") == 0))
		return;
	diff_status_type(f.type, now);
	fact_part(&f, fact_updated(time, l->at, l->after->updated_ms));
	add(l, &f, "");
}

/* -1: not known. */
static int64_t clicks_before(const struct look *l)
{
	struct err err;
	int64_t clicks = -1;

	if (!l->before)
		return l->created_since ? 0 : -1;
	if (!l->before->counters)
		return -1;
	struct json_doc *doc = json_doc_new();
	const char *text = l->before->counters;
	const struct json *counters = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);
	json_int(json_get(counters, "click_count"), &clicks);
	json_doc_free(doc);
	return clicks;
}

static void find_clicked(struct look *l)
{
	struct fact f = {.type = PREFIX "clicked", .time_ms = DATE_NONE};
	int64_t total = l->after->clicks, before;
	char part[FACT_TIME], middle[96];

	if (total <= 0)
		return;
	before = clicks_before(l);
	if (before < 0 || total <= before)
		return;
	snprintf(middle, sizeof middle, ",\"total\":%lld,\"delta\":%lld", (long long)total,
		 (long long)(total - before));
	fact_part(&f, fact_time(part, total));
	add(l, &f, middle);
}

/* The template's id is a part, too: two may fail in one update. */
static void add_template_failed(struct look *l, const char *template, const char *error)
{
	struct fact f = {.type = PREFIX "template_failed", .time_ms = l->after->updated_ms};
	struct buf middle = BUF_INIT(SIZE_MAX / 2);
	char time[FACT_TIME];

	fact_part(&f, template);
	fact_part(&f, fact_updated(time, l->at, l->after->updated_ms));
	buf_addc(&middle, ',');
	json_write_string(&middle, "template_id");
	buf_addc(&middle, ':');
	json_write_string(&middle, template);
	fact_text(&middle, "error_message", error);
	add(l, &f, middle.data);
	buf_release(&middle);
}

static void find_templates(struct look *l)
{
	const char *text = l->after->templates, *old = l->before ? l->before->templates : NULL;
	struct err err;

	if (!text || (old && strcmp(text, old) == 0) || (!l->before && !l->updated_since))
		return;
	struct json_doc *doc = json_doc_new(), *old_doc = json_doc_new();
	const struct json *now = json_parse(doc, text, strlen(text), JSON_DEPTH, &err);
	const struct json *then =
		old ? json_parse(old_doc, old, strlen(old), JSON_DEPTH, &err) : NULL;

	for (const struct json *t = json_first(now); t; t = json_next(t)) {
		const char *error = json_string(t);
		const char *known = json_string(json_get(then, json_key(t)));
		if (error && (!known || strcmp(error, known) != 0))
			add_template_failed(l, json_key(t), error);
	}
	json_doc_free(doc);
	json_doc_free(old_doc);
}

void diff_broadcast(const struct diff_place *at, const struct broadcast_record *before,
		    const struct listing_row *after, const char *text, struct events *out,
		    struct broadcast_record *ret)
{
	struct look l = {.at = at, .before = before, .after = after, .text = text, .out = out};

	l.created_since = after->created_ms >= at->since_ms;
	l.updated_since = time_or(after->updated_ms, after->created_ms) >= at->since_ms;
	keep(at, before, after, ret);
	find_added(&l);
	find_status(&l);
	find_templates(&l);
	find_clicked(&l);
}

void diff_broadcast_removed(const struct diff_place *at, const struct broadcast_record *before,
			    struct events *out)
{
	struct fact f = {.type = PREFIX "removed", .broadcast = before->id, .time_ms = DATE_NONE};
	struct buf data = BUF_INIT(SIZE_MAX / 2);
	char time[FACT_TIME];

	fact_part(&f, fact_updated(time, at, before->updated_ms));
	write_begin(&data, at, before->id, before->name);
	write_end(&data, NULL, before, before->counters);
	buf_addc(&data, '}');
	fact_add(out, at, &f, &data);
	buf_release(&data);
}
