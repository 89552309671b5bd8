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

#define WAIT_MS	 200  /* between two looks at *stop */
#define AGAIN_MS 1000 /* after a refill that failed */
#define BUSY	 256  /* messages without a pause */

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

static void say_filled(struct follow *f, int64_t from, const struct caught_up *got)
{
	if (from > 0 && got->oldest > from + 1)
		say(f, "events before %" PRId64 " are no longer in the journal", got->oldest);
	if (got->given)
		say(f, "%s: %zu event%s, now at %" PRId64, f->begun ? "filled a gap" : "caught up",
		    got->given, got->given == 1 ? "" : "s", stream_position(f->stream));
	else if (*f->last_failure)
		say(f, "nothing was missing");
	*f->last_failure = '\0';
}

/* Returns 1 when give wants no more. */
static int fill(struct follow *f, struct err *err)
{
	struct err why = {0};
	struct caught_up got;
	int64_t from = stream_position(f->stream);

	if (catch_up(f, &got, &why) < 0) {
		if (*f->stop)
			return 0;
		if (why.code != ERR_NET) {
			*err = why;
			return -1;
		}
		say_failure(f, why.msg);
		f->retry_ms = clock_now().mono_ms + AGAIN_MS;
		return 0;
	}
	if (got.cut_short)
		return 0;
	say_filled(f, from, &got);
	stream_caught_up(f->stream);
	f->missing = false;
	f->begun = true;
	return got.last ? 1 : 0;
}

/* ---- messages ---- */

static void say_lost(struct follow *f, const char *topic, int64_t upto)
{
	say(f, "events of %s up to %" PRId64 " were lost (no --refill)", topic, upto);
}

static void take_heartbeat(struct follow *f, const struct json *heartbeat)
{
	const char *topic;
	int64_t last;

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

	if (ev->sequence)
		verdict = stream_judge(f->stream, ev->topic, ev->sequence, ev->prevsequence);
	if (verdict == STREAM_KNOWN)
		return 0;
	if (verdict == STREAM_GAP && !f->refills) {
		say_lost(f, ev->topic, ev->prevsequence);
	} else if (verdict == STREAM_GAP && stream_position(f->stream) != STREAM_NOW) {
		f->missing = true; /* the refill brings this one, too */
		return 0;
	}
	int got = f->give(f->arg, ev, err);
	if (got >= 0 && ev->sequence)
		stream_hold(f->stream, ev->topic, ev->sequence);
	return got;
}

static int take(struct follow *f, const struct bus_event *ev, struct err *err)
{
	if (strcmp(ev->topic, HEARTBEAT_TOPIC) == 0)
		return take_heartbeat(f, ev->root), 0;
	return take_event(f, ev, err);
}

/* nng dials for ever without a word; a person wants to know that nobody answers. */
static void say_silence(struct follow *f)
{
	if (f->silent || clock_now().mono_ms - f->heard_ms < SILENCE_MS)
		return;
	say(f,
	    f->connected ? "no heartbeat for %d s; waiting for the relay"
			 : "no heartbeat in %d s; waiting for a relay to publish there",
	    SILENCE_MS / 1000);
	f->silent = true;
	f->connected = false;
}

int follow_run(struct follow *f, struct err *err)
{
	bool idle = false;
	int end = 0;

	f->heard_ms = clock_now().mono_ms;
	for (unsigned n = 1; !end && !*f->stop; n++) {
		struct bus_event ev;
		struct err why = {0};

		if (f->missing && clock_now().mono_ms >= f->retry_ms) {
			end = fill(f, err);
			continue;
		}
		int got = bus_client_receive(f->client, idle ? WAIT_MS : 0, &ev, &why);
		if (got == 1)
			end = take(f, &ev, err);
		else if (got < 0 && why.code == ERR_FORMAT)
			say(f, "%s; it is left out", why.msg);
		else if (got < 0)
			return *err = why, -1;
		idle = got == 0;
		if (idle)
			say_silence(f);
		if (!end && (idle || n % BUSY == 0))
			end = f->pause(f->arg, clock_now().mono_ms, err);
	}
	return end;
}
