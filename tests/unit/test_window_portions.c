/*
 * A tick that may tell few alerts only: all are told in the end, as if it might tell all at once,
 * also when the relay is killed in the middle of a step, with a part of it committed or without.
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
#include "relay/base/random.h"
#include "tests/unit/window_rig.h"

#define RECIPIENTS 60
#define RUNS	   60
#define RULES                                                                                      \
	"  - name: each\n    when: { type: [recipient.failed] }\n"                                 \
	"    alert: { per: [data.recipient_id], within: 30s, count: 2, resolve_after: 1m }\n"      \
	"  - name: silence\n    when: { type: [recipient.sent] }\n"                                \
	"    alert: { per: [data.recipient_id], within: 30s, resolve_after: 2m,\n"                 \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"               \
	"  - name: silences\n    when: { type: [recipient.sent] }\n"                               \
	"    alert: { per: [data.recipient_id], within: 30s, fold: [data.integration_id],\n"       \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"               \
	"  - name: share\n    when: { type: [recipient.failed] }\n"                                \
	"    alert: { per: [data.recipient_id], within: 30s, fold: [data.integration_id],\n"       \
	"             ratio: { of: { type: recipient.sent }, above: 50%, min: 1 } }\n"

static void happen(struct fold *r, const char *type, int i, int64_t time_ms)
{
	static const char *const integrations[] = {"twilio", "telnyx", "gmail"};
	char recipient[16];

	snprintf(recipient, sizeof recipient, "r%d", i);
	fold_feed(r, &(struct happening){.type = type,
					 .broadcast = "b1",
					 .recipient = recipient,
					 .integration = integrations[i % 3],
					 .time_ms = time_ms});
}

static void feed(struct fold *r, int64_t from_ms)
{
	for (int i = 0; i < RECIPIENTS; i++)
		happen(r, "recipient.sent", i, from_ms + i * 50);
	for (int i = 0; i < RECIPIENTS; i += 4) {
		happen(r, "recipient.failed", i, from_ms + 5 * SECOND + i * 50);
		happen(r, "recipient.failed", i, from_ms + 6 * SECOND + i * 50);
	}
}

/* Killed now and then, where random is not NULL. */
static void tick(struct fold *r, int64_t now_ms, struct prng *random)
{
	int64_t next_ms;

	do {
		uint64_t told = r->counts[0] + r->counts[1] + r->counts[2];
		next_ms = windows_tick(r->windows, now_ms);
		told = r->counts[0] + r->counts[1] + r->counts[2] - told;
		assert_true(!r->tells || told <= (uint64_t)r->tells);
		if (random && prng_unit(random) < 0.4)
			fold_commit(r);
		if (random && prng_unit(random) < 0.1) {
			fold_restart(r);
			next_ms = 0;
		}
	} while (!next_ms);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that was told, in one order. */
static char *told(int tells, struct prng *random)
{
	struct fold r;
	struct buf all = BUF_INIT(1 << 20);

	fold_open(&r, RULES);
	r.tells = tells;
	fold_commit(&r);
	fold_restart(&r);
	for (int s = 0; s <= 400; s++) {
		int64_t now_ms = FOLD_START + s * SECOND;
		if (s % 100 == 0 && s < 300)
			feed(&r, now_ms);
		fold_know(&r, "b1", now_ms - 8 * SECOND);
		tick(&r, now_ms, random);
	}
	fold_commit(&r);
	qsort(r.committed, r.ncommitted, sizeof *r.committed, by_text);
	for (size_t i = 0; i < r.ncommitted; i++)
		buf_addf(&all, "%s\n", r.committed[i]);
	fold_close(&r);
	return buf_detach(&all);
}

static void portions_tell_what_one_tick_does(void **state)
{
	char *whole = told(0, NULL);

	(void)state;
	assert_true(strlen(whole) > 10000);
	for (int tells = 1; tells < 20; tells += 3) {
		char *parts = told(tells, NULL);
		assert_string_equal(parts, whole);
		free(parts);
	}
	free(whole);
}

static void killed_in_the_middle(void **state)
{
	char *whole = told(0, NULL);

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct prng random = {run + 1};
		char *parts = told(1 + (int)(run % 7), &random);
		assert_string_equal(parts, whole);
		free(parts);
	}
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(portions_tell_what_one_tick_does),
		cmocka_unit_test(killed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
