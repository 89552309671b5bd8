/* What the page shows, part by part. Labels: kinds and outcomes the program knows, destinations the
 * configuration names; never an id from outside. */
#include "relay/admin/metrics.h"

#include <stdlib.h>

#include "relay/admin/admin.h"
#include "relay/base/mem.h"

void metrics_relay(const struct admin_view *v, struct buf *out)
{
	const char *name = "relay_events_total";

	metrics_family(out, "relay_build_info", "gauge", "Always 1; the label tells the version.");
	metrics_count(out, "relay_build_info", METRICS_LABELS({"version", v->version}), 1);
	metrics_single(out, "relay_uptime_seconds", "gauge", "Since the relay started.",
		       (double)(v->now.mono_ms - v->started_ms) / 1000);
	metrics_histogram(
		out, "relay_loop_seconds", "How long single calls held the loop thread.",
		&(struct metrics_histogram){v->loop->calls, LOOP_BUCKETS, 2, v->loop->total_us});
	metrics_family(out, name, "counter", "Events committed, by type.");
	for (size_t i = 0; i < EVENT_TYPES; i++)
		metrics_count(out, name, METRICS_LABELS({"type", event_types[i]}), v->events[i]);
	metrics_count(out, name, METRICS_LABELS({"type", "other"}), v->events[EVENT_TYPES]);
}

static void requests(const struct source_totals *t, struct buf *out)
{
	const char *name = "relay_source_requests_total";

	metrics_family(out, name, "counter", "Requests answered by the API, by what came.");
	for (size_t k = 0; k < REQUEST_KINDS; k++)
		for (size_t a = 0; a < ANSWER_KINDS; a++)
			metrics_count(out, name,
				      METRICS_LABELS({"kind", request_names[k]},
						     {"outcome", answer_names[a]}),
				      t->answers[k][a]);
}

void metrics_source(const struct admin_view *v, struct buf *out)
{
	struct source_status s;
	struct source_totals t;

	source_status(v->source, &s);
	source_totals(v->source, &t);
	requests(&t, out);
	metrics_single(out, "relay_source_refusals_total", "counter",
		       "Answers that said to wait (429, or 503 with Retry-After).",
		       (double)s.refusals);
	metrics_single(out, "relay_source_failures_total", "counter",
		       "Requests that will be repeated.", (double)s.failures);
	metrics_single(out, "relay_source_pages_total", "counter", "Pages of recipients read.",
		       (double)s.pages);
	metrics_single(out, "relay_source_unchanged_pages_total", "counter",
		       "Pages known by their bytes and not parsed.", (double)s.unchanged_pages);
	metrics_single(out, "relay_source_rows_total", "counter", "Rows of recipients parsed.",
		       (double)s.rows);
	metrics_single(out, "relay_source_sweeps_total", "counter", "Complete sweeps.",
		       (double)s.sweeps);
	metrics_single(out, "relay_source_broadcasts", "gauge", "Broadcasts followed.",
		       (double)s.followed);
	metrics_single(out, "relay_source_rows_held", "gauge", "Rows held in memory.",
		       (double)s.rows_held);
	metrics_single(out, "relay_source_held_bytes", "gauge", "Memory of the rows held.",
		       (double)s.held_bytes);
	metrics_single(out, "relay_source_in_flight", "gauge", "Requests under way.",
		       (double)s.in_flight);
	metrics_single(out, "relay_source_down", "gauge",
		       "1 while nothing usable comes from the API.", s.down);
	metrics_single(out, "relay_source_limit_per_second", "gauge",
		       "Requests allowed by source.rate_limit; 0: not limited.", t.rate_limit / 60);
	metrics_single(out, "relay_source_budget_requests", "gauge",
		       "Requests that may be made at once.", t.left);
}

void metrics_jobs(const struct admin_view *v, struct buf *out)
{
	metrics_single(out, "relay_jobs_open", "gauge",
		       "Retries, drops and replays that are not done yet.", (double)v->jobs);
}

void metrics_rules(const struct admin_view *v, struct buf *out)
{
	const struct windows_status *s = &v->alerts;

	metrics_single(out, "relay_rules", "gauge", "Rules in force.", (double)v->rules);
	metrics_single(out, "relay_alerts_firing", "gauge", "Alerts that are open.",
		       (double)s->firing);
	metrics_single(out, "relay_alert_keys", "gauge", "Keys that rules with alerts count.",
		       (double)s->keys);
	metrics_single(out, "relay_alert_bytes", "gauge", "Memory of what they count.",
		       (double)s->bytes);
	metrics_single(out, "relay_alert_late_total", "counter",
		       "Events seen too late to be counted, since rules were loaded last.",
		       (double)s->late);
	metrics_single(out, "relay_alert_refused_total", "counter",
		       "Events for which a rule had no room, since rules were loaded last.",
		       (double)s->refused);
}

void metrics_journal(const struct admin_view *v, struct buf *out)
{
	struct journal_stats s;
	struct store_room room;

	journal_stats(v->journal, &s);
	journal_room(v->journal, &room);
	metrics_single(out, "relay_journal_latest_sequence", "gauge",
		       "Sequence of the last event committed.", (double)journal_latest(v->journal));
	metrics_single(out, "relay_journal_oldest_sequence", "gauge",
		       "Sequence of the oldest event held.", (double)journal_oldest(v->journal));
	metrics_single(out, "relay_journal_batches_total", "counter",
		       "Batches committed; several may share one commit.", (double)s.batches);
	metrics_single(out, "relay_journal_full", "gauge",
		       "1 while polling pauses because the journal takes no more.",
		       v->journal_full);
	metrics_single(out, "relay_journal_size_bytes", "gauge", "Bytes of its file in use.",
		       (double)room.used);
	metrics_single(out, "relay_journal_max_bytes", "gauge",
		       "Its max_size, of which polling may fill 95 %; 0: no ceiling.",
		       (double)room.max_size);
	if (room.free >= 0)
		metrics_single(out, "relay_journal_disk_free_bytes", "gauge",
			       "Bytes free on its disk.", (double)room.free);
	metrics_single(out, "relay_journal_disk_min_free_bytes", "gauge",
		       "Its min_free, below which polling pauses.", (double)room.min_free);
	metrics_histogram(out, "relay_journal_commit_seconds", "How long commits took.",
			  &(struct metrics_histogram){s.took, JOURNAL_BUCKETS, 128, s.took_us});
}

enum {
	SENT_TOTAL,
	AGAIN,
	REFUSED_TOTAL,
	FLYING,
	RETRYING,
	WAITING,
	PARKED,
	BEHIND,
	DISABLED,
	DOWN,
	FLYING_MAX,
	DROPPED_TOTAL,
	COLUMNS
};

static const struct {
	const char *name, *type, *help;
} columns[COLUMNS] = {
	[SENT_TOTAL] = {"relay_destination_sent_total", "counter", "Events the destination took."},
	[AGAIN] = {"relay_destination_tried_again_total", "counter",
		   "Attempts that failed for now."},
	[REFUSED_TOTAL] = {"relay_destination_refused_total", "counter",
			   "Attempts that were refused for good."},
	[FLYING] = {"relay_destination_in_flight", "gauge", "Events sent and not answered yet."},
	[RETRYING] = {"relay_destination_retrying", "gauge",
		      "Events that wait for their next attempt."},
	[WAITING] = {"relay_destination_waiting", "gauge",
		     "Events behind a retry of the same recipient."},
	[PARKED] = {"relay_destination_parked", "gauge", "Events that need a person."},
	[BEHIND] =
		{"relay_destination_behind_events", "gauge",
		 "Events journaled that it is not through with; not all of them need be for it."},
	[DISABLED] = {"relay_destination_disabled", "gauge", "1 while nothing is sent to it."},
	[DOWN] = {"relay_destination_down", "gauge",
		  "1 while it fails so much that it is only probed."},
	[FLYING_MAX] = {"relay_destination_in_flight_max", "gauge",
			"Events that may be out at once, as it is now."},
	[DROPPED_TOTAL] = {"relay_destination_dropped_total", "counter",
			   "Events it was owed, or parked, and will not get."},
};

static void read_columns(const struct admin_view *v, const struct delivery_status *s,
			 double ret[COLUMNS])
{
	ret[SENT_TOTAL] = (double)s->sent;
	ret[AGAIN] = (double)s->tried_again;
	ret[REFUSED_TOTAL] = (double)s->refused;
	ret[FLYING] = (double)s->in_flight;
	ret[RETRYING] = (double)s->retrying;
	ret[WAITING] = (double)s->waiting;
	ret[PARKED] = (double)s->parked;
	ret[BEHIND] = (double)(journal_latest(v->journal) - s->reached);
	ret[DISABLED] = s->state != DESTINATION_ENABLED;
	ret[DOWN] = s->down_ms != 0;
	ret[FLYING_MAX] = (double)s->in_flight_max;
	ret[DROPPED_TOTAL] = (double)v->acts->dropped(v->acts->arg, s->number);
}

static void took(const struct delivery_status *s, size_t n, struct buf *out)
{
	const char *name = "relay_destination_took_seconds";

	metrics_family(out, name, "gauge", "How long recent answers took, by quantile.");
	for (size_t i = 0; i < n; i++) {
		if (s[i].took_p50_ms < 0)
			continue;
		metrics_value(out, name,
			      METRICS_LABELS({"destination", s[i].name}, {"type", s[i].transport},
					     {"quantile", "0.5"}),
			      (double)s[i].took_p50_ms / 1000);
		metrics_value(out, name,
			      METRICS_LABELS({"destination", s[i].name}, {"type", s[i].transport},
					     {"quantile", "0.99"}),
			      (double)s[i].took_p99_ms / 1000);
	}
}

void metrics_destinations(const struct admin_view *v, struct buf *out)
{
	struct delivery_status *s = xcalloc(ADMIN_DESTINATIONS_MAX, sizeof *s);
	double(*values)[COLUMNS] = xcalloc(ADMIN_DESTINATIONS_MAX, sizeof *values);
	size_t n = delivery_status(v->delivery, s, ADMIN_DESTINATIONS_MAX);

	for (size_t i = 0; i < n; i++)
		read_columns(v, &s[i], values[i]);
	for (size_t c = 0; c < COLUMNS; c++) {
		metrics_family(out, columns[c].name, columns[c].type, columns[c].help);
		for (size_t i = 0; i < n; i++)
			metrics_value(out, columns[c].name,
				      METRICS_LABELS({"destination", s[i].name},
						     {"type", s[i].transport}),
				      values[i][c]);
	}
	took(s, n, out);
	free(values);
	free(s);
}
