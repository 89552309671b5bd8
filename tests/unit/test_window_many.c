/*
 * Alert windows with as many keys as they may have: what one costs, that ticks look only at what is
 * due, and what happens when there is no room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/unit/window_rig.h"

#define KEYS WINDOW_KEYS_MAX
#define SILENCE                                                                                    \
	"  - name: silence\n"                                                                      \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 15m, fold: [data.broadcast_id],\n"         \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"

static struct windows_status status(const struct fold *r)
{
	struct windows_status s;

	windows_status(r->windows, 0, &s);
	return s;
}

static void feed(struct fold *r, const char *type, const char *broadcast, int i, int64_t time_ms)
{
	char recipient[40];

	snprintf(recipient, sizeof recipient, "rec_%032d", i);
	fold_feed(r, &(struct happening){.type = type,
					 .broadcast = broadcast,
					 .recipient = recipient,
					 .integration = "twilio",
					 .time_ms = time_ms});
}

static void a_million_keys_in_flight(void **state)
{
	struct fold r;
	uint64_t looks;

	(void)state;
	fold_open(&r, SILENCE);
	r.no_log = true;
	for (int i = 0; i < KEYS; i++)
		feed(&r, "recipient.sent", "b1", i, FOLD_START + (int64_t)i * 5 * MINUTE / KEYS);
	assert_int_equal(status(&r).keys, KEYS);
	print_message("%.1f bytes a key that is waited for\n", (double)status(&r).bytes / KEYS);
	assert_true(status(&r).bytes < 240u * KEYS);

	/* Nothing is due: a tick looks at nothing, and asks for no watermark. */
	fold_know(&r, "b1", FOLD_START + 10 * MINUTE);
	for (int i = 0; i < 600; i++)
		fold_tick(&r, FOLD_START + 5 * MINUTE + i * SECOND);
	assert_int_equal(status(&r).looks, 0);
	assert_int_equal(r.asked, 0);

	/* No room for one more; what was waited for all the same is answered. */
	for (int i = 0; i < 10; i++)
		feed(&r, "recipient.sent", "b1", KEYS + i, FOLD_START + 5 * MINUTE);
	assert_int_equal(status(&r).refused, 10);
	assert_int_equal(r.fulls, 1);

	for (int i = 0; i < KEYS - 1000; i++)
		feed(&r, "recipient.delivered", "b1", i, FOLD_START + 6 * MINUTE);
	print_message("%.1f bytes a key that was answered\n", (double)status(&r).bytes / KEYS);
	fold_know(&r, "b1", FOLD_START + 30 * MINUTE);
	fold_tick(&r, FOLD_START + 30 * MINUTE);
	assert_string_equal(fold_take(&r), "firing silence b1 at +1210 count 1000 keys 1000\n");
	looks = status(&r).looks;
	print_message("%.2f looks a key\n", (double)looks / KEYS);
	assert_true(looks <= 3u * KEYS);

	fold_know(&r, "b1", FOLD_START + 60 * MINUTE);
	fold_tick(&r, FOLD_START + 60 * MINUTE);
	assert_int_equal(status(&r).keys, 0);
	assert_true(status(&r).bytes < (1 << 20));
	feed(&r, "recipient.sent", "b1", 0, FOLD_START + 61 * MINUTE);
	assert_int_equal(status(&r).refused, 10);
	fold_close(&r);
}

/* Events of one key, the newest first: each is the first so far. */
static void a_key_read_backwards(void **state)
{
	enum { EVENTS = 90000 };
	struct fold r;

	(void)state;
	fold_open(&r, SILENCE);
	r.no_log = true;
	for (int i = EVENTS; i > 0; i--)
		fold_feed(&r, &(struct happening){.type = "recipient.sent",
						  .broadcast = "b1",
						  .recipient = "r1",
						  .time_ms = FOLD_START + i,
						  .recorded_ms = FOLD_START + HOUR});
	assert_int_equal(status(&r).keys, 1);
	fold_know(&r, "b1", FOLD_START + HOUR);
	fold_tick(&r, FOLD_START + HOUR);
	assert_string_equal(fold_take(&r), "firing silence b1 at +910 count 1 keys 1\n"
					   "resolved silence b1 at +1810 count 1 keys 1\n");
	assert_true(status(&r).looks < 40);
	assert_int_equal(status(&r).keys, 0);
	fold_close(&r);
}

static void many_watermarks(void **state)
{
	enum { BROADCASTS = 20000, EACH = 5 };
	struct fold r;

	(void)state;
	fold_open(&r, SILENCE);
	r.no_log = r.no_alerts = true;
	for (int i = 0; i < BROADCASTS * EACH; i++) {
		char broadcast[16];
		snprintf(broadcast, sizeof broadcast, "b%d", i % BROADCASTS);
		feed(&r, "recipient.sent", broadcast, i, FOLD_START + i);
	}
	/* Due by the clock and not known: each broadcast is asked for now and then. */
	for (int i = 0; i < 60; i++)
		fold_tick(&r, FOLD_START + 20 * MINUTE + i * SECOND);
	assert_int_equal(status(&r).looks, 0);
	assert_true(r.asked <= 60u * BROADCASTS);
	fold_know(&r, NULL, FOLD_START + 19 * MINUTE);
	fold_tick(&r, FOLD_START + 22 * MINUTE);
	assert_int_equal(r.counts[ALERT_FIRING], BROADCASTS);
	fold_close(&r);
}

#define EACH_ONE                                                                                   \
	"  - name: each\n"                                                                         \
	"    when: { type: [recipient.opened] }\n"                                                 \
	"    alert: { per: [data.recipient_id], within: 1h, count: 1 }\n"

static void as_many_alerts_as_there_may_be(void **state)
{
	struct fold r;

	(void)state;
	fold_open(&r, EACH_ONE);
	r.no_log = r.no_alerts = true;
	for (int i = 0; i < WINDOW_ALERTS_MAX + 10; i++)
		feed(&r, "recipient.opened", "b1", i, FOLD_START + i);
	assert_int_equal(r.counts[ALERT_FIRING], WINDOW_ALERTS_MAX);
	assert_int_equal(status(&r).firing, WINDOW_ALERTS_MAX);
	assert_int_equal(status(&r).refused, 10);
	assert_int_equal(r.fulls, 1);
	print_message("%.0f bytes a key with an open alert\n",
		      (double)status(&r).bytes / WINDOW_ALERTS_MAX);
	assert_true(status(&r).bytes < 2048u * WINDOW_ALERTS_MAX);
	/* They end one by one, as they began. */
	fold_tick(&r, FOLD_START + HOUR + 999);
	assert_int_equal(r.counts[ALERT_RESOLVED], 1000);
	feed(&r, "recipient.opened", "b1", 0, FOLD_START + HOUR + 1999);
	assert_int_equal(r.counts[ALERT_RESOLVED], 2000);
	fold_tick(&r, FOLD_START + 3 * HOUR);
	assert_int_equal(status(&r).firing, 0);
	fold_close(&r);
}

#define RARE                                                                                       \
	"  - name: rare\n"                                                                         \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.recipient_id], within: 1s, count: 16 }\n"

/* Two million events are kept; then a key gives up its oldest, and new keys find no room. */
static void as_many_events_as_are_kept(void **state)
{
	enum { EACH = 64, FEW = 2000000 / EACH };
	struct fold r;

	(void)state;
	fold_open(&r, RARE);
	r.no_log = true;
	for (int i = 0; i < FEW * EACH; i++)
		feed(&r, "recipient.failed", "b1", i % FEW, FOLD_START + i / FEW * MINUTE);
	assert_int_equal(status(&r).refused, 0);
	size_t bytes = status(&r).bytes;
	print_message("%.0f bytes an event that is kept\n", (double)bytes / (FEW * EACH));
	feed(&r, "recipient.failed", "b1", FEW, FOLD_START + 2 * HOUR);
	assert_int_equal(status(&r).refused, 1);
	assert_int_equal(r.fulls, 1);
	for (int i = 0; i < 15; i++)
		feed(&r, "recipient.failed", "b1", 7, FOLD_START + 2 * HOUR + i);
	assert_string_equal(fold_take(&r), "");
	feed(&r, "recipient.failed", "b1", 7, FOLD_START + 2 * HOUR + 15);
	assert_non_null(strstr(fold_take(&r), "at +7200 count 16 keys 1\n"));
	assert_int_equal(status(&r).refused, 1);
	assert_true(status(&r).bytes < bytes + (1 << 20));
	/* A day later they are too old to matter. */
	feed(&r, "recipient.failed", "b1", 0, FOLD_START + 72 * HOUR);
	assert_in_range(status(&r).keys, 2, FEW); /* an event takes a few along, a tick the rest */
	fold_tick(&r, FOLD_START + 72 * HOUR);
	assert_int_equal(status(&r).keys, 1);
	fold_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_keys_in_flight),
		cmocka_unit_test(a_key_read_backwards),
		cmocka_unit_test(many_watermarks),
		cmocka_unit_test(as_many_alerts_as_there_may_be),
		cmocka_unit_test(as_many_events_as_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
