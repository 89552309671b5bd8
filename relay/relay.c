/*
 * The loop. One thread, one wait (http_wait, woken by http_wake); a turn runs what
 * has come, then asks each stage what is due, and sleeps until the nearest of their answers.
 */
#include "relay/relay.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/relay_state.h"

#define TURN_MAX_MS 1000 /* transports are ticked at least once a second */

struct instant relay_now(const struct relay *r)
{
	return r->env.clock ? r->env.clock(r->env.clock_arg) : clock_now();
}

bool relay_ending(const struct relay *r)
{
	return r->stopping || !r->delivery;
}

void relay_note_call(struct relay *r, int64_t started_us)
{
	uint64_t us = (uint64_t)(clock_mono_us() - started_us);
	unsigned bucket = 0;
	while (bucket + 1 < LOOP_BUCKETS && us >> (bucket + 1))
		bucket++;
	r->loop.calls[bucket]++;
	r->loop.total_us += us;
	if (us > r->loop.longest_us)
		r->loop.longest_us = us;
}

void relay_loop(const struct relay *r, struct relay_loop *ret)
{
	*ret = r->loop;
}

void relay_source_status(const struct relay *r, struct source_status *ret)
{
	source_status(r->source, ret);
}

void relay_journal_stats(const struct relay *r, struct journal_stats *ret)
{
	journal_stats(r->journal, ret);
}

static int nearer(int a, int b)
{
	return a < b ? a : b;
}

int relay_tick(struct relay *r, struct instant now)
{
	int64_t t = clock_mono_us();
	bool came = mailbox_run(r->mailbox);
	if (came)
		relay_note_call(r, t);
	if (r->next && !r->stopping && !source_busy(r->source) && !intake_busy(r->intake))
		relay_finish_reload(r);
	int wait = relay_resume_polling(r, now);
	t = clock_mono_us();
	wait = nearer(wait, source_tick(r->source, now));
	relay_note_call(r, t);
	t = clock_mono_us();
	wait = nearer(wait, delivery_tick(r->delivery, now));
	relay_note_call(r, t);
	t = clock_mono_us();
	wait = nearer(wait, relay_tick_alerts(r->alerts, now));
	relay_note_call(r, t);
	t = clock_mono_us();
	relay_decide(r, now);
	wait = nearer(wait, relay_report(r, now));
	relay_note_call(r, t);
	t = clock_mono_us();
	wait = nearer(wait, relay_tick_jobs(r, now));
	relay_note_call(r, t);
	t = clock_mono_us();
	wait = nearer(wait, relay_expire(r, now));
	wait = nearer(wait, relay_tell_gathered(r, now));
	wait = nearer(wait, relay_tell_kept(r, now));
	wait = nearer(wait, relay_watch(r, now));
	relay_note_call(r, t);
	return wait;
}

/* Returns 1 when fd is readable. */
static int wait_on(struct relay *r, int timeout_ms, int fd, struct err *err)
{
	if (r->http)
		return http_wait(r->http, timeout_ms, fd, err);
	mailbox_wait(r->mailbox, timeout_ms);
	return 0;
}

void relay_wait(struct relay *r, int timeout_ms)
{
	struct err err = {0};
	if (wait_on(r, timeout_ms, -1, &err) < 0)
		log_error("waiting failed", log_str("why", err.msg));
}

static void begin_stop(struct relay *r)
{
	r->stopping = true;
	source_pause(r->source, true);
	delivery_stop(r->delivery);
	log_info("stopping: what is in flight may end",
		 log_num("timeout_ms", r->settings->config.stop_timeout_ms));
}

/* A change that waits may be older than the file: it is loaded once more after it. */
static void reload_file(struct relay *r)
{
	if (r->next && !r->stopping) {
		r->reload_again = true;
		return;
	}
	r->reload_again = false;
	struct problems problems = {0};
	struct settings *s = settings_load(r->settings->path, &problems);
	struct err err = {0};
	if (!s) {
		for (size_t i = 0; i < problems.n; i++)
			log_error("reload: the old settings stay", log_str("why", problems.v[i]));
	} else if (relay_reload(r, s, &err) < 0) {
		log_error("reload: the old settings stay", log_str("why", err.msg));
	}
	for (size_t i = 0; i < problems.nwarnings; i++)
		log_warn("configuration", log_str("why", problems.warnings[i]));
	problems_release(&problems);
}

/* Reads one command; true: end at once. */
static bool obey(struct relay *r, int signal_fd)
{
	char byte;
	ssize_t n = read(signal_fd, &byte, 1);
	if (n < 1)
		return n == 0 || (errno != EINTR && errno != EAGAIN);
	if (byte == 'H')
		reload_file(r);
	else if (r->stopping)
		return true;
	else
		begin_stop(r);
	return false;
}

static bool stopped(const struct relay *r)
{
	return delivery_idle(r->delivery) && !intake_busy(r->intake) &&
	       !journal_commits_pending(r->journal);
}

int relay_run(struct relay *r, int signal_fd)
{
	int64_t deadline = INT64_MAX;
	for (;;) {
		struct instant now = relay_now(r);
		int timeout = nearer(relay_tick(r, now), TURN_MAX_MS);
		if (r->reload_again && !r->next)
			reload_file(r);
		if (r->stopping && deadline == INT64_MAX)
			deadline = now.mono_ms + r->settings->config.stop_timeout_ms;
		if (r->stopping && stopped(r))
			return 0;
		if (now.mono_ms >= deadline) {
			log_warn("stopping: calls without an answer are repeated after the next "
				 "start");
			return 0;
		}
		struct err err = {0};
		int ready = wait_on(r, timeout, signal_fd, &err);
		if (ready < 0) {
			log_error("waiting failed", log_str("why", err.msg));
			return 1;
		}
		if (ready && obey(r, signal_fd))
			return 1;
	}
}

bool relay_settling(const struct relay *r)
{
	return intake_busy(r->intake) || journal_commits_pending(r->journal) ||
	       relay_alerts_busy(r->alerts) || relay_deciding(r) || relay_reporting(r) ||
	       relay_jobs_busy(r) || relay_expiring(r) || relay_dropping(r) || r->making_room;
}

bool relay_delivered(const struct relay *r)
{
	return delivery_drained(r->delivery);
}
