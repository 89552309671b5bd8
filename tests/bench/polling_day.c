/*
 * polling_day — a day of campaigns: one of a million recipients and twenty of ten thousand, sent
 * along four hours. How long from a change in the API to its event in the journal, and for how many
 * requests, beside a poller that reads all pages round and round under the same limit. A smaller
 * day has fewer recipients and fewer requests in the same proportion.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/bench/polling.h"
#include "tests/bench/rows.h"
#include "tests/suite/store_fixture.h"

#define BROADCASTS 21
#define FULL	   1000000 /* recipients of the large one, at the API's own limit */
#define SHARE	   100	   /* the large one is so many times a small one */
#define HOUR_MS	   (60LL * POLLING_MINUTE_MS)
#define RAMP_MS	   (4 * HOUR_MS)
#define LATENCY_MS 50
#define LATE_MS	   (POLLING_EPOCH_MS + HOUR_MS)
/* One row in a hundred fails, and one more bounces. */
#define CHANNELS "whatsapp_bot:35,gmail:65"

/* Failures are what people are called for. */
#define BAR_FAILED_S	  5
#define BAR_FAILED_ELSE_S 15
/* The newest page shows what was sent and delivered, if the pages are asked for often enough. */
#define BAR_UPDATED_S 15
/* A list by creation is sent to from one end to the other, and counts say how far. */
#define BAR_SENT_S	60
#define BAR_DELIVERED_S 300
/* Where neither order nor counters lead anywhere, a sweep is what there is: looking after failures
 * first may not cost the others more than this. */
#define BAR_NAIVE	 1.5
#define BAR_NAIVE_OPENED 2

struct day {
	struct polling_asked asked; /* first: polling_asked is given the day */
	const struct polling_job *job;
	struct drive *drive;
	struct seen relay, naive;
	uint64_t events, naive_requests;
};

/* "key" and what follows it up to a quote. */
static bool text_behind(const struct event *ev, const char *key, char ret[ROWS_ID])
{
	const char *at = memmem(ev->body, ev->len, key, strlen(key));
	size_t len = at ? strcspn(at += strlen(key), "\"") : ROWS_ID;
	if (len >= ROWS_ID)
		return false;
	memcpy(ret, at, len);
	ret[len] = '\0';
	return true;
}

/* Nothing is removed and no flag falls in a day like this. */
static void take_event(void *arg, const struct event *ev)
{
	char broadcast[ROWS_ID], recipient[ROWS_ID];
	struct day *d = arg;
	int what = polling_what(ev);
	d->events++;
	if (strncmp(ev->type, "recipient.", 10) != 0)
		return;
	if (what < 0 || what >= SIM_STATES || !text_behind(ev, "/broadcasts/", broadcast) ||
	    !text_behind(ev, "\"subject\":\"", recipient) ||
	    !seen_take(&d->relay, broadcast, recipient, (enum sim_what)what,
		       drive_now_ms(d->drive)))
		child_give_up("an event is of no change, or came twice");
}

static unsigned scaled(const struct polling_job *job, unsigned rate)
{
	return (unsigned)((uint64_t)rate * job->recipients / FULL);
}

static struct model_options options(const struct polling_job *job,
				    struct sim_broadcast list[BROADCASTS])
{
	for (int i = 0; i < BROADCASTS; i++)
		list[i] = (struct sim_broadcast){
			.recipients = i ? job->recipients / SHARE : job->recipients,
			.start_ms = POLLING_MINUTE_MS,
		};
	return (struct model_options){
		.seed = 11,
		.epoch_ms = POLLING_EPOCH_MS,
		.org = "org_1",
		.broadcasts = list,
		.nbroadcasts = BROADCASTS,
		.channels = CHANNELS,
		.ramp_ms = RAMP_MS,
		.order = job->order->order,
		.counters = polling_counters_of(job),
		.rate_limit = scaled(job, POLLING_API_RATE),
	};
}

static void run_naive(struct day *d)
{
	struct sim_broadcast list[BROADCASTS];
	struct model_options o = options(d->job, list);
	struct err err = {0};
	struct model *m = model_new(&o, &err);
	if (!m)
		child_give_up(err.msg);
	seen_init(&d->naive, m, LATE_MS);
	d->naive_requests = naive_poll(m, 60000.0 / scaled(d->job, POLLING_RATE), LATENCY_MS,
				       POLLING_EPOCH_MS + d->job->hours * HOUR_MS, &d->naive);
	seen_end(&d->naive);
	model_free(m);
}

static void run_relay(struct day *d, const char *dir)
{
	struct sim_broadcast list[BROADCASTS];
	double started = bench_wall_s();
	char *source = xasprintf("  rate_limit: %u/min\n", scaled(d->job, POLLING_RATE));
	struct drive_options o = {
		.model = options(d->job, list),
		.dir = dir,
		.source = source,
		.rest = "",
		.latency_ms = LATENCY_MS,
		.forget_events = true,
		.arg = d,
		.asked = polling_asked,
		.event = take_event,
	};
	d->drive = drive_open(&o);
	seen_init(&d->relay, drive_model(d->drive), LATE_MS);
	for (int64_t hour = 1; hour <= d->job->hours; hour++) {
		drive_run(d->drive, HOUR_MS);
		polling_progress("day of %u, %s %s: hour %lld, %llu events, %.0f s",
				 d->job->recipients, d->job->order->name, d->job->counters->name,
				 (long long)hour, (unsigned long long)d->events,
				 bench_wall_s() - started);
	}
	seen_end(&d->relay);
	free(source);
}

/* ---- what is told */

static void tell_delays(struct day *d, FILE *out)
{
	static const char head[] = "changes|count|not seen|p50 s|p99 s|p50 s later|p99 s later|"
				   "naive p50 s|p99 s|p50 s later|p99 s later";
	char *title = xasprintf("%lld h of a day, %u recipients by %s, %s counters (later: changes "
				"after the first hour)",
				(long long)d->job->hours, d->job->recipients, d->job->order->name,
				d->job->counters->name);
	for (int i = 0; i < SIM_STATES; i++) {
		struct delays *all = &d->relay.all[i], *late = &d->relay.late[i];
		struct delays *naive = &d->naive.all[i], *naive_late = &d->naive.late[i];
		if (!all->n)
			continue;
		polling_line(out, title, head,
			     "%s|%zu|%llu|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f",
			     sim_what_names[i], all->n, (unsigned long long)d->relay.missing[i],
			     delays_percentile(all, 50), delays_percentile(all, 99),
			     delays_percentile(late, 50), delays_percentile(late, 99),
			     delays_percentile(naive, 50), delays_percentile(naive, 99),
			     delays_percentile(naive_late, 50), delays_percentile(naive_late, 99));
	}
	free(title);
}

static void tell_requests(const struct day *d, FILE *out)
{
	static const char head[] =
		"recipients|order|counters|hours|events|requests|of lists|of pages|"
		"filtered|naive|an event|most in 60 s|refused";
	const struct polling_asked *a = &d->asked;
	struct sim_counts counts;
	model_counts(drive_model(d->drive), &counts);
	polling_line(out, "A day's requests", head,
		     "%u|%s|%s|%lld|%llu|%llu|%llu|%llu|%llu|%llu|%.3f|%u|%llu", d->job->recipients,
		     d->job->order->name, d->job->counters->name, (long long)d->job->hours,
		     (unsigned long long)d->events, (unsigned long long)polling_asked_all(a),
		     (unsigned long long)a->lists, (unsigned long long)a->pages,
		     (unsigned long long)a->filtered, (unsigned long long)d->naive_requests,
		     (double)polling_asked_all(a) / (double)d->events,
		     drive_peak_requests(d->drive), (unsigned long long)counts.limited);
}

static void judge(const struct day *d, FILE *out, const char *of, struct polling_row row)
{
	char *what = xasprintf("%lld h of %u by %s, %s: %s", (long long)d->job->hours,
			       d->job->recipients, d->job->order->name, d->job->counters->name, of);
	row.what = what;
	polling_row(out, &row);
	free(what);
}

static void judge_seconds(struct day *d, FILE *out, enum sim_what what, double bar)
{
	char *of = xasprintf("%s, p99", sim_what_names[what]);
	double p99 = delays_percentile(&d->relay.all[what], 99);
	judge(d, out, of,
	      (struct polling_row){.unit = "s",
				   .value = isnan(p99) ? INFINITY : p99,
				   .ratio = BENCH_NONE,
				   .bar = bar});
	free(of);
}

static void judge_naive(struct day *d, FILE *out, enum sim_what what, double bar)
{
	char *of = xasprintf("%s, p99", sim_what_names[what]);
	double p99 = delays_percentile(&d->relay.all[what], 99);
	double naive = delays_percentile(&d->naive.all[what], 99);
	judge(d, out, of,
	      (struct polling_row){.unit = "s",
				   .of = "a naive poller's",
				   .value = p99,
				   .ratio = isnan(p99) ? INFINITY : p99 / naive,
				   .bar = bar});
	free(of);
}

static void judge_delays(struct day *d, FILE *out)
{
	bool exact = d->job->counters == polling_counters;
	bool updated = d->job->order->order == SIM_ORDER_UPDATED;
	bool created = d->job->order->order == SIM_ORDER_CREATED;
	judge_seconds(d, out, SIM_FAILED,
		      exact && (created || updated) ? BAR_FAILED_S : BAR_FAILED_ELSE_S);
	if (updated) {
		judge_seconds(d, out, SIM_SENT, BAR_UPDATED_S);
		judge_seconds(d, out, SIM_DELIVERED, BAR_UPDATED_S);
	} else if (created && exact) {
		judge_seconds(d, out, SIM_SENT, BAR_SENT_S);
		judge_seconds(d, out, SIM_DELIVERED, BAR_DELIVERED_S);
	} else if (!created) {
		judge_naive(d, out, SIM_SENT, BAR_NAIVE);
		judge_naive(d, out, SIM_DELIVERED, BAR_NAIVE);
		judge_naive(d, out, SIM_OPENED, BAR_NAIVE_OPENED);
	}
}

static void judge_requests(const struct day *d, FILE *out)
{
	struct sim_counts counts;
	model_counts(drive_model(d->drive), &counts);
	judge(d, out, "most in 60 s",
	      (struct polling_row){.unit = "requests",
				   .value = drive_peak_requests(d->drive),
				   .ratio = BENCH_NONE,
				   .bar = scaled(d->job, POLLING_RATE)});
	judge(d, out, "refused for the limit",
	      (struct polling_row){.unit = "requests",
				   .value = (double)counts.limited,
				   .ratio = BENCH_NONE,
				   .bar = 0});
}

void polling_day(const struct polling_job *job, FILE *out)
{
	struct day d = {.job = job};
	char *dir = fixture_folder();
	run_naive(&d);
	run_relay(&d, dir);
	judge_delays(&d, out);
	judge_requests(&d, out);
	tell_delays(&d, out);
	tell_requests(&d, out);
	drive_close(d.drive);
	seen_release(&d.relay);
	seen_release(&d.naive);
	fixture_remove(dir);
}
