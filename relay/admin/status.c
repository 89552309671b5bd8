/* /api/v1/status: the whole relay as one JSON object, for `relay status` and scripts. Members are
 * only ever added. */
#include <stdlib.h>
#include <sys/stat.h>

#include "relay/admin/admin.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

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
	json_add_name(out, "source");
	buf_addc(out, '{');
	json_add_bool(out, "down", v->down_why != NULL);
	json_add_text(out, "why", v->down_why);
	json_add_int(out, "rate_limit_per_minute", (int64_t)(t.rate_limit + 0.5));
	json_add_int(out, "budget_left", (int64_t)t.left);
	json_add_int(out, "requests_last_minute", t.last_minute);
	json_add_int(out, "silence_ms", t.closed_ms);
	json_add_int(out, "refusals", (int64_t)s.refusals);
	json_add_int(out, "failures", (int64_t)s.failures);
	json_add_int(out, "followed", (int64_t)s.followed);
	json_add_int(out, "rows_held", (int64_t)s.rows_held);
	json_add_int(out, "held_bytes", (int64_t)s.held_bytes);
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

/* What is at its end: the file's max_size, or the disk; NULL: neither. */
static const char *full_by(const struct store_room *room)
{
	if (!room->full)
		return NULL;
	return room->free >= 0 && room->free < room->min_free ? "min_free" : "max_size";
}

static void add_journal(struct buf *out, const struct admin_view *v)
{
	struct store_room room;

	journal_room(v->journal, &room);
	json_add_name(out, "journal");
	buf_addc(out, '{');
	json_add_text(out, "file", v->journal_file);
	json_add_int(out, "latest", journal_latest(v->journal));
	json_add_int(out, "oldest", journal_oldest(v->journal));
	json_add_count(out, "bytes", size_of(v->journal_file));
	json_add_bool(out, "full", v->journal_full);
	json_add_text(out, "full_by", full_by(&room));
	json_add_int(out, "used_bytes", room.used);
	json_add_int(out, "max_bytes", room.max_size);
	json_add_count(out, "disk_free_bytes", room.free);
	json_add_int(out, "disk_min_free_bytes", room.min_free);
	buf_addc(out, '}');
}

static void add_connection(struct buf *out, const struct transport_peer *p)
{
	json_add_element(out);
	json_add_text(out, "address", p->address);
	json_add_date(out, "since", p->since_ms);
	json_add_int(out, "sent", (int64_t)p->sent);
	json_add_int(out, "queued", (int64_t)p->queued);
	json_add_int(out, "dropped", (int64_t)p->dropped);
	buf_addc(out, '}');
}

static void add_figures(struct buf *out, const struct transport_figures *f)
{
	json_add_name(out, "figures");
	buf_addc(out, '{');
	for (size_t i = 0; i < f->n; i++) {
		json_add_name(out, f->v[i].name);
		buf_addf(out, "%.15g", f->v[i].value);
	}
	buf_addc(out, '}');
	json_add_text(out, "trouble", *f->trouble ? f->trouble : NULL);
	json_add_name(out, "connections");
	buf_addc(out, '[');
	for (size_t i = 0; i < f->npeers; i++)
		add_connection(out, &f->peers[i]);
	buf_addc(out, ']');
	json_add_int(out, "connections_left_out", (int64_t)f->peers_left_out);
}

static void add_destination(struct buf *out, const struct admin_view *v,
			    const struct delivery_status *s)
{
	int64_t latest = journal_latest(v->journal);
	struct transport_figures figures;
	static const char *const states[] = {"enabled", "disabled", "detached"};

	json_add_element(out);
	json_add_text(out, "name", s->name);
	json_add_text(out, "type", s->transport);
	json_add_text(out, "state", states[s->state]);
	json_add_text(out, "why", s->why);
	json_add_bool(out, "enabled", s->enabled);
	json_add_date(out, "down_since", s->down_ms ? s->down_ms : DATE_NONE);
	json_add_int(out, "behind", latest - s->reached);
	json_add_int(out, "in_flight", (int64_t)s->in_flight);
	json_add_int(out, "in_flight_max", (int64_t)s->in_flight_max);
	json_add_int(out, "retrying", (int64_t)s->retrying);
	json_add_int(out, "waiting", (int64_t)s->waiting);
	json_add_int(out, "parked", (int64_t)s->parked);
	json_add_int(out, "sent", (int64_t)s->sent);
	json_add_int(out, "tried_again", (int64_t)s->tried_again);
	json_add_int(out, "refused", (int64_t)s->refused);
	json_add_int(out, "dropped", (int64_t)v->acts->dropped(v->acts->arg, s->number));
	json_add_count(out, "took_p50_ms", s->took_p50_ms);
	json_add_count(out, "took_p99_ms", s->took_p99_ms);
	if (delivery_figures(v->delivery, s->number, &figures))
		add_figures(out, &figures);
	buf_addc(out, '}');
}

static void add_destinations(struct buf *out, const struct admin_view *v)
{
	struct delivery_status *s = xcalloc(ADMIN_DESTINATIONS_MAX, sizeof *s);
	size_t n = delivery_status(v->delivery, s, ADMIN_DESTINATIONS_MAX);

	json_add_name(out, "destinations");
	buf_addc(out, '[');
	for (size_t i = 0; i < n; i++)
		add_destination(out, v, &s[i]);
	buf_addc(out, ']');
	free(s);
}

static void add_purposes(struct buf *out, const struct broadcast_report *r)
{
	json_add_name(out, "requests");
	buf_addc(out, '{');
	for (size_t i = 0; i < PURPOSES; i++)
		json_add_int(out, purpose_names[i], (int64_t)r->requests[i]);
	buf_adds(out, "}");
}

static void add_due(struct buf *out, const struct broadcast_report *r)
{
	json_add_name(out, "due");
	buf_addc(out, '{');
	for (size_t i = 0; i < r->ndue; i++)
		json_add_int(out, r->due[i].state, r->due[i].rows);
	buf_adds(out, "}");
}

static void add_known(struct buf *out, const struct broadcast_report *r)
{
	json_add_name(out, "known_until_by_state");
	buf_addc(out, '{');
	for (size_t i = 0; i < r->ndue; i++)
		json_add_date(out, r->due[i].state, r->due[i].known_until_ms);
	buf_adds(out, "}");
}

static void add_broadcast(struct buf *out, const struct broadcast_report *r)
{
	json_add_element(out);
	json_add_text(out, "org", r->org);
	json_add_text(out, "id", r->id);
	json_add_text(out, "name", r->name);
	json_add_text(out, "status", r->status);
	json_add_int(out, "rows_held", r->rows_held);
	json_add_int(out, "page_rows", r->page_rows);
	json_add_bool(out, "baseline_done", r->baseline_done);
	json_add_text(out, "order", r->order);
	json_add_text(out, "last_plan", *r->plan ? r->plan : NULL);
	json_add_text(out, "last_plan_why", *r->why ? r->why : NULL);
	json_add_int(out, "next_visit_ms", r->next_ms);
	json_add_bool(out, "live", r->live);
	json_add_text(out, "counters", r->counters);
	json_add_text(out, "next_plan", *r->next ? r->next : NULL);
	json_add_text(out, "next_plan_why", *r->next_why ? r->next_why : NULL);
	json_add_int(out, "next_plan_requests", (int64_t)r->next_requests);
	json_add_date(out, "last_sweep", r->swept_ms);
	json_add_date(out, "known_until", r->known_until_ms);
	json_add_count(out, "delay_p50_ms", r->delay_p50_ms);
	json_add_count(out, "delay_p99_ms", r->delay_p99_ms);
	add_purposes(out, r);
	add_due(out, r);
	add_known(out, r);
	buf_addc(out, '}');
}

static void add_broadcasts(struct buf *out, const struct admin_view *v)
{
	struct broadcast_report r;
	size_t i = 0, all = 0;

	json_add_name(out, "broadcasts");
	buf_addc(out, '[');
	for (; i < ADMIN_BROADCASTS_MAX && source_report(v->source, i, &r); i++)
		add_broadcast(out, &r);
	buf_addc(out, ']');
	while (source_at(v->source, all))
		all++;
	json_add_int(out, "broadcasts_left_out", (int64_t)(all - i));
}

void admin_destinations(const struct admin_view *v, const struct admin_request *q,
			struct admin_reply *ret)
{
	(void)q;
	buf_addc(&ret->body, '{');
	add_destinations(&ret->body, v);
	buf_adds(&ret->body, "}\n");
}

void admin_status(const struct admin_view *v, const struct admin_request *q,
		  struct admin_reply *ret)
{
	struct buf *out = &ret->body;

	(void)q;
	buf_addc(out, '{');
	json_add_text(out, "version", v->version);
	json_add_text(out, "health", health_of(v));
	json_add_date(out, "time", v->now.wall_ms);
	json_add_int(out, "uptime_ms", v->now.mono_ms - v->started_ms);
	add_source(out, v);
	add_journal(out, v);
	json_add_name(out, "loop");
	buf_addf(out, "{\"longest_us\":%llu}", (unsigned long long)v->loop->longest_us);
	json_add_int(out, "jobs_open", (int64_t)v->jobs);
	add_destinations(out, v);
	add_broadcasts(out, v);
	buf_adds(out, "}\n");
}
