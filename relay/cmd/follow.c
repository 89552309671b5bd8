/* follow — the loop of a subscriber. Invariant: with a refill address, no event is given before
 * one of its topic that was committed earlier; without, what was lost is said. */
#include "relay/cmd/follow.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/cmd/catchup.h"
#include "transports/nng_frame.h"

#define WAIT_MS	     200 /* between two looks at *stop */
#define AGAIN_MS     500 /* after a refill that failed, doubled up to */
#define AGAIN_MAX_MS 10000
#define SPACE_MS     200 /* after a refill that brought nothing */
#define BREATHE_MS   200
#define TELL_MS	     1000 /* between two lines on gaps that were filled */
#define BUSY	     256  /* messages without a pause */

#define SILENCE_MS 5000 /* heartbeats come every second */

static void say(struct follow *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct follow *f, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->say(f->arg, text);
}

/* ---- filling gaps ---- */

static void say_failure(struct follow *f, const char *why)
{
	if (strcmp(f->last_failure, why) != 0)
		say(f, "events are missing and cannot be asked for: %s; trying again", why);
	snprintf(f->last_failure, sizeof f->last_failure, "%s", why);
}

void follow_lost(struct follow *f, int64_t from, int64_t to)
{
	say(f,
	    "LOST: what there was of your topics among events %" PRId64 " to %" PRId64
	    " is no longer in the journal (its setting is journal.keep)",
	    from, to);
}

void follow_filled(struct follow *f, const struct bus_event *ev)
{
	if (!f->filled.n++)
		snprintf(f->filled.topic, sizeof f->filled.topic, "%s", ev->topic);
	else if (!f->filled.several)
		f->filled.several = strcmp(f->filled.topic, ev->topic) != 0;
	f->filled.last = ev->sequence;
}

/* At most one line a second: a subscriber that is too slow fills gaps all the time. */
static void say_filled(struct follow *f, bool at_once)
{
	int64_t now = clock_now().mono_ms;

	if (!f->filled.n || (!at_once && now - f->filled.told_ms < TELL_MS))
		return;
	say(f, "%s: %zu event%s of %s%s, up to event %" PRId64,
	    f->begun ? "filled a gap" : "caught up", f->filled.n, f->filled.n == 1 ? "" : "s",
	    f->filled.topic, f->filled.several ? " and other topics" : "", f->filled.last);
	f->filled.n = 0;
	f->filled.several = false;
	f->filled.told_ms = now;
}

int follow_breathe(struct follow *f, struct err *err)
{
	int64_t now = clock_now().mono_ms;

	if (now - f->paused_ms < BREATHE_MS)
		return 0;
	f->paused_ms = now;
	return f->pause(f->arg, now, err);
}

/* The next try is later the more often it failed. */
static void put_off(struct follow *f)
{
	f->retry_ms = clock_now().mono_ms + f->again_ms;
	f->again_ms = 2 * f->again_ms < AGAIN_MAX_MS ? 2 * f->again_ms : AGAIN_MAX_MS;
}

static void caught_up(struct follow *f, const struct caught_up *got)
{
	if (!got->given && *f->last_failure)
		say(f, "nothing was missing");
	say_filled(f, !f->begun);
	*f->last_failure = '\0';
	f->again_ms = AGAIN_MS;
	if (!got->given)
		f->retry_ms = clock_now().mono_ms + SPACE_MS;
	stream_caught_up(f->stream);
	f->missing = false;
	f->begun = true;
}

/* Returns 1 when give wants no more. */
static int fill(struct follow *f, struct err *err)
{
	struct err why = {0};
	struct caught_up got;

	if (catch_up(f, &got, &why) < 0) {
		if (*f->stop && why.code == ERR_NET)
			return 0;
		if (why.code != ERR_NET) {
			*err = why;
			return -1;
		}
		say_failure(f, why.msg);
		put_off(f);
		return 0;
	}
	if (got.cut_short)
		return 0;
	caught_up(f, &got);
	return got.last ? 1 : 0;
}

/* ---- messages ---- */

static void say_lost(struct follow *f, const char *topic, int64_t upto)
{
	say(f, "events of %s up to %" PRId64 " were lost (no --refill)", topic, upto);
}

/* What came since this source's last heartbeat was its own. A relay that was started again may have
 * been given another journal. */
static void note_source(struct follow *f, const struct json *heartbeat)
{
	const char *source = json_string(json_get(heartbeat, "source"));

	if (!source)
		return;
	if (strncmp(source, f->source, sizeof f->source - 1) == 0)
		stream_mark(f->stream, f->late, f->late_id);
	else
		f->unsure = true;
	f->late = 0;
	snprintf(f->source, sizeof f->source, "%s", source);
}

static void note_event(struct follow *f, const struct bus_event *ev)
{
	if (!ev->id || ev->sequence <= f->late)
		return;
	f->late = ev->sequence;
	snprintf(f->late_id, sizeof f->late_id, "%s", ev->id);
}

static void take_heartbeat(struct follow *f, const struct json *heartbeat)
{
	const char *topic;
	int64_t last;

	note_source(f, heartbeat);
	if (!f->connected)
		say(f, "connected");
	f->connected = true;
	f->silent = false;
	f->heard_ms = clock_now().mono_ms;
	if (f->refills) {
		f->missing |= !stream_heard(f->stream, heartbeat, clock_now().mono_ms);
		return;
	}
	while ((topic = stream_overtaken(f->stream, heartbeat, &last)))
		say_lost(f, topic, last);
}

static int take_event(struct follow *f, const struct bus_event *ev, struct err *err)
{
	enum stream_verdict verdict = STREAM_NEXT;

	/* "From now on" begins with whatever comes first, so that nothing behind it is missed. */
	if (ev->sequence && f->refills && stream_position(f->stream) == STREAM_NOW)
		stream_reach(f->stream, ev->sequence - 1);
	if (ev->sequence)
		verdict = stream_judge(f->stream, ev->topic, ev->sequence, ev->prevsequence);
	if (verdict == STREAM_KNOWN)
		return 0;
	if (verdict == STREAM_GAP && !f->refills) {
		say_lost(f, ev->topic, ev->prevsequence);
	} else if (verdict == STREAM_GAP) {
		f->missing = true; /* the refill brings this one, too */
		return 0;
	}
	int got = f->give(f->arg, ev, err);
	if (got >= 0 && ev->sequence) {
		stream_hold(f->stream, ev->topic, ev->sequence);
		note_event(f, ev);
	}
	return got;
}

static int take(struct follow *f, const struct bus_event *ev, struct err *err)
{
	if (strcmp(ev->topic, HEARTBEAT_TOPIC) == 0)
		return take_heartbeat(f, ev->root), 0;
	return take_event(f, ev, err);
}

static void say_troubles(struct follow *f)
{
	struct bus_connection c;

	for (size_t i = 0; bus_client_connection(f->client, i, &c); i++)
		if (c.trouble)
			say(f, "%s: %s", c.url, c.trouble);
}

bool follow_was_connected(struct follow *f)
{
	struct bus_connection c;

	for (size_t i = 0; bus_client_connection(f->client, i, &c); i++)
		if (c.made)
			return true;
	say_troubles(f);
	return false;
}

bool follow_is_owed(const struct follow *f)
{
	return f->missing && *f->last_failure;
}

/* nng dials for ever without a word; a person wants to know that nobody answers. */
static void say_silence(struct follow *f)
{
	if (f->silent || clock_now().mono_ms - f->heard_ms < SILENCE_MS)
		return;
	say_troubles(f);
	say(f,
	    f->connected ? "no heartbeat for %d s; waiting for the relay"
			 : "no heartbeat in %d s; waiting for a relay to publish there",
	    SILENCE_MS / 1000);
	f->silent = true;
	f->connected = false;
}

/* Somebody else may publish there, and much. */
static void say_oddity(struct follow *f, const char *what)
{
	if (strcmp(f->last_oddity, what) != 0)
		say(f, "%s; it is left out", what);
	snprintf(f->last_oddity, sizeof f->last_oddity, "%s", what);
}

static int run(struct follow *f, struct err *err)
{
	bool idle = false;
	int end = 0;

	f->heard_ms = clock_now().mono_ms;
	for (unsigned n = 1; !end && !*f->stop; n++) {
		struct bus_event ev;
		struct err why = {0};

		/* Dials first: a refill that is not to be had takes a while. */
		if (n > 1 && f->missing && clock_now().mono_ms >= f->retry_ms) {
			end = fill(f, err);
			continue;
		}
		int got = bus_client_receive(f->client, idle ? WAIT_MS : 0, &ev, &why);
		if (got == 1)
			end = take(f, &ev, err);
		else if (got < 0 && why.code == ERR_FORMAT)
			say_oddity(f, why.msg);
		else if (got < 0)
			return *err = why, -1;
		idle = got == 0;
		if (idle)
			say_silence(f);
		say_filled(f, false);
		if (!end && (idle || n % BUSY == 0))
			end = f->pause(f->arg, clock_now().mono_ms, err);
		else if (!end)
			end = follow_breathe(f, err);
	}
	return end;
}

int follow_run(struct follow *f, struct err *err)
{
	f->again_ms = AGAIN_MS;
	int end = run(f, err);
	say_filled(f, true);
	return end;
}
