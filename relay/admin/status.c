/* /api/v1/status: the whole relay as one JSON object, for `relay status` and scripts. Members are
 * only ever added. */
#include <stdlib.h>
#include <sys/stat.h>

#include "relay/admin/admin.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

/* "name":value, with a comma behind what stands before it in the object. */
static void add_name(struct buf *out, const char *name)
{
	char last = out->len ? out->data[out->len - 1] : '{';

	buf_adds(out, last == '{' ? "\"" : ",\"");
	buf_adds(out, name);
	buf_adds(out, "\":");
}

static void add_text(struct buf *out, const char *name, const char *value)
{
	add_name(out, name);
	json_write_string(out, value);
}

static void add_int(struct buf *out, const char *name, int64_t value)
{
	add_name(out, name);
	buf_addi(out, value);
}

static void add_bool(struct buf *out, const char *name, bool value)
{
	add_name(out, name);
	buf_adds(out, value ? "true" : "false");
}

static void add_date(struct buf *out, const char *name, int64_t ms)
{
	char text[DATE_TEXT];

	add_text(out, name, ms == DATE_NONE ? NULL : date_format(text, ms));
}

/* Milliseconds, or null where none are known (-1). */
static void add_delay(struct buf *out, const char *name, int64_t ms)
{
	if (ms >= 0)
		add_int(out, name, ms);
	else
		add_text(out, name, NULL);
}

static const char *health_of(const struct admin_view *v)
{
	if (v->stopping)
		return "stopping";
	if (v->down_why)
		return "source down";
	if (v->journal_full)
		return "journal full";
	return v->answered ? "ok" : "starting";
}

static void add_source(struct buf *out, const struct admin_view *v)
{
	struct source_status s;
	struct source_totals t;

	source_status(v->source, &s);
	source_totals(v->source, &t);
	add_name(out, "source");
	buf_addc(out, '{');
	add_bool(out, "down", v->down_why != NULL);
	add_text(out, "why", v->down_why);
	add_int(out, "rate_limit_per_minute", (int64_t)(t.rate_limit + 0.5));
	add_int(out, "budget_left", (int64_t)t.left);
	add_int(out, "requests_last_minute", t.last_minute);
	add_int(out, "silence_ms", t.closed_ms);
	add_int(out, "refusals", (int64_t)s.refusals);
	add_int(out, "failures", (int64_t)s.failures);
	add_int(out, "followed", (int64_t)s.followed);
	add_int(out, "rows_held", (int64_t)s.rows_held);
	add_int(out, "held_bytes", (int64_t)s.held_bytes);
	buf_addc(out, '}');
}

/* A database and its log; -1: no file. */
static int64_t size_of(const char *file)
{
	struct stat st;
	int64_t size = file && stat(file, &st) == 0 ? (int64_t)st.st_size : -1;

	if (size >= 0) {
		char *log = xasprintf("%s-wal", file);
		size += stat(log, &st) == 0 ? (int64_t)st.st_size : 0;
		free(log);
	}
	return size;
}

static void add_journal(struct buf *out, const struct admin_view *v)
{
	add_name(out, "journal");
	buf_addc(out, '{');
	add_text(out, "file", v->journal_file);
	add_int(out, "latest", journal_latest(v->journal));
	add_int(out, "oldest", journal_oldest(v->journal));
	add_delay(out, "bytes", size_of(v->journal_file));
	add_bool(out, "full", v->journal_full);
	buf_addc(out, '}');
}

static void add_destination(struct buf *out, const struct delivery_status *s, int64_t latest)
{
	static const char *const states[] = {"enabled", "disabled", "detached"};

	buf_adds(out, out->data[out->len - 1] == '[' ? "{" : ",{");
	add_text(out, "name", s->name);
	add_text(out, "type", s->transport);
	add_text(out, "state", states[s->state]);
	add_text(out, "why", s->why);
	add_int(out, "behind", latest - s->position);
	add_int(out, "in_flight", (int64_t)s->in_flight);
	add_int(out, "retrying", (int64_t)s->retrying);
	add_int(out, "waiting", (int64_t)s->waiting);
	add_int(out, "parked", (int64_t)s->parked);
	add_int(out, "sent", (int64_t)s->sent);
	buf_addc(out, '}');
}

static void add_destinations(struct buf *out, const struct admin_view *v)
{
	struct delivery_status *s = xcalloc(ADMIN_DESTINATIONS_MAX, sizeof *s);
	size_t n = delivery_status(v->delivery, s, ADMIN_DESTINATIONS_MAX);

	add_name(out, "destinations");
	buf_addc(out, '[');
	for (size_t i = 0; i < n; i++)
		add_destination(out, &s[i], journal_latest(v->journal));
	buf_addc(out, ']');
	free(s);
}

static void add_purposes(struct buf *out, const struct broadcast_report *r)
{
	add_name(out, "requests");
	buf_addc(out, '{');
	for (size_t i = 0; i < PURPOSES; i++)
		add_int(out, purpose_names[i], (int64_t)r->requests[i]);
	buf_adds(out, "}");
}

static void add_due(struct buf *out, const struct broadcast_report *r)
{
	add_name(out, "due");
	buf_addc(out, '{');
	for (size_t i = 0; i < r->ndue; i++)
		add_int(out, r->due[i].state, r->due[i].rows);
	buf_adds(out, "}");
}

static void add_known(struct buf *out, const struct broadcast_report *r)
{
	add_name(out, "known_until_by_state");
	buf_addc(out, '{');
	for (size_t i = 0; i < r->ndue; i++)
		add_date(out, r->due[i].state, r->due[i].known_until_ms);
	buf_adds(out, "}");
}

static void add_broadcast(struct buf *out, const struct broadcast_report *r)
{
	buf_adds(out, out->data[out->len - 1] == '[' ? "{" : ",{");
	add_text(out, "org", r->org);
	add_text(out, "id", r->id);
	add_text(out, "name", r->name);
	add_text(out, "status", r->status);
	add_int(out, "rows_held", r->rows_held);
	add_int(out, "page_rows", r->page_rows);
	add_bool(out, "baseline_done", r->baseline_done);
	add_text(out, "order", r->order);
	add_text(out, "last_plan", *r->plan ? r->plan : NULL);
	add_text(out, "last_plan_why", *r->why ? r->why : NULL);
	add_int(out, "next_visit_ms", r->next_ms);
	add_bool(out, "live", r->live);
	add_text(out, "counters", r->counters);
	add_text(out, "next_plan", *r->next ? r->next : NULL);
	add_text(out, "next_plan_why", *r->next_why ? r->next_why : NULL);
	add_int(out, "next_plan_requests", (int64_t)r->next_requests);
	add_date(out, "last_sweep", r->swept_ms);
	add_date(out, "known_until", r->known_until_ms);
	add_delay(out, "delay_p50_ms", r->delay_p50_ms);
	add_delay(out, "delay_p99_ms", r->delay_p99_ms);
	add_purposes(out, r);
	add_due(out, r);
	add_known(out, r);
	buf_addc(out, '}');
}

static void add_broadcasts(struct buf *out, const struct admin_view *v)
{
	struct broadcast_report r;
	size_t i = 0, all = 0;

	add_name(out, "broadcasts");
	buf_addc(out, '[');
	for (; i < ADMIN_BROADCASTS_MAX && source_report(v->source, i, &r); i++)
		add_broadcast(out, &r);
	buf_addc(out, ']');
	while (source_at(v->source, all))
		all++;
	add_int(out, "broadcasts_left_out", (int64_t)(all - i));
}

void admin_status(const struct admin_view *v, struct admin_reply *ret)
{
	struct buf *out = &ret->body;

	buf_addc(out, '{');
	add_text(out, "version", v->version);
	add_text(out, "health", health_of(v));
	add_date(out, "time", v->now.wall_ms);
	add_int(out, "uptime_ms", v->now.mono_ms - v->started_ms);
	add_source(out, v);
	add_journal(out, v);
	add_name(out, "loop");
	buf_addf(out, "{\"longest_us\":%llu}", (unsigned long long)v->loop->longest_us);
	add_destinations(out, v);
	add_broadcasts(out, v);
	buf_adds(out, "}\n");
}
