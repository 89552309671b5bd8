/*
 * Alert windows, scenario by scenario: what each kind says of a few events, when, and what late
 * events, restarts and changed rules do to it. Each is run a second time with a restart after every
 * line, which must make no difference.
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

#define STORM                                                                                      \
	"  - name: storm\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id], within: 1m, count: 3, resolve_after: 2m }\n"
#define STORM_OF_ALL                                                                               \
	"  - name: storm\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { within: 1m, count: 3, repeat: 30s }\n"
#define STORM_FOLD                                                                                 \
	"  - name: storm\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.recipient_id], within: 1m, count: 2, fold: [data.broadcast_id] "  \
	"}\n"
#define SHARE                                                                                      \
	"  - name: share\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id], within: 30s, resolve_after: 10s,\n"                \
	"             ratio: { of: { type: recipient.sent }, above: 50%, min: 2 } }\n"
#define SILENCE                                                                                    \
	"  - name: silence\n"                                                                      \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 30s, resolve_after: 1m,\n"                 \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"
#define SILENCE_FOLD                                                                               \
	"  - name: silence\n"                                                                      \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 30s, fold: [data.broadcast_id],\n"         \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"

static const struct scenario {
	const char *name, *rules, *script, *says;
} scenarios[] = {
	{"a count fires at once, and ends by the clock", STORM,
	 "failed b1 r1 +0; failed b1 r2 +10; failed b1 r3 +20; tick +139; tick +141;",
	 "firing storm b1 at +20 count 3 keys 1\n"
	 "resolved storm b1 at +140 count 3 keys 1\n"},
	{"not below the count", STORM, "failed b1 r1 +0; failed b1 r2 +30; failed b1 r3 +60;", ""},
	{"the window is open at its start", STORM,
	 "failed b1 r1 +1; failed b1 r2 +30; failed b1 r3 +60;",
	 "firing storm b1 at +60 count 3 keys 1\n"},
	{"keys count apart", STORM,
	 "failed b1 r1 +0; failed b2 r2 +1; failed b1 r3 +2; failed b2 r4 +3; failed b2 r5 +4;",
	 "firing storm b2 at +4 count 3 keys 1\n"},
	{"null is a key", STORM, "failed - r1 +0; failed - r2 +0; failed - r3 +0;",
	 "firing storm null at +0 count 3 keys 1\n"},
	{"events out of order make the same window", STORM,
	 "failed b1 r1 +50 +200; failed b1 r2 +400 +400; failed b1 r3 +10 +500;"
	 "failed b1 r4 +30 +600;",
	 "firing storm b1 at +600 count 3 keys 1\n"},
	{"a late event far from a storm is none", STORM,
	 "failed b1 r1 +400; failed b1 r2 +400; failed b1 r3 +400; failed b1 r4 +10 +900;"
	 "failed b1 r5 +339 +901; failed b1 r6 +341 +902; tick +1100;",
	 "firing storm b1 at +400 count 3 keys 1\n"
	 "resolved storm b1 at +520 count 3 keys 1\n"
	 "firing storm b1 at +902 count 4 keys 1\n"
	 "resolved storm b1 at +1022 count 4 keys 1\n"},
	{"one seen a day late counts, a later one does not", STORM,
	 "failed b1 r1 +0; failed b1 r2 +0; failed b1 r3 +0 +86401; failed b1 r4 +1 +86401;",
	 "firing storm b1 at +86401 count 3 keys 1\n"},
	{"told again when the count has doubled", STORM,
	 "failed b1 r1 +0; failed b1 r2 +0; failed b1 r3 +0; failed b1 r4 +1; failed b1 r5 +1;"
	 "failed b1 r6 +1; failed b1 r7 +1; tick +122;",
	 "firing storm b1 at +0 count 3 keys 1\n"
	 "updated storm b1 at +1 count 6 keys 1\n"
	 "resolved storm b1 at +121 count 7 keys 1\n"},
	{"it ends before what comes later opens it anew", STORM,
	 "failed b1 r1 +0; failed b1 r2 +0; failed b1 r3 +0;"
	 "failed b1 r4 +300; failed b1 r5 +300; failed b1 r6 +300;",
	 "firing storm b1 at +0 count 3 keys 1\n"
	 "resolved storm b1 at +120 count 3 keys 1\n"
	 "firing storm b1 at +300 count 3 keys 1\n"},
	{"without per there is one key; repeat tells again", STORM_OF_ALL,
	 "failed b1 r1 +0; failed b2 r2 +0; failed b3 r3 +0; tick +29; tick +31; tick +59; tick "
	 "+62;",
	 "firing storm all at +0 count 3 keys 1\n"
	 "updated storm all at +31 count 3 keys 1\n"
	 "resolved storm all at +60 count 3 keys 1\n"},
	{"fold gathers keys into one alert", STORM_FOLD,
	 "failed b1 r1 +0; failed b1 r2 +0; failed b1 r1 +1; failed b1 r2 +2; failed b1 r2 +3;"
	 "failed b1 r9 +4; tick +64;",
	 "firing storm b1 at +1 count 2 keys 1\n"
	 "updated storm b1 at +2 count 4 keys 2\n"
	 "resolved storm b1 at +63 count 5 keys 2\n"},
	{"a key that comes again after resolve_after counts anew", STORM_FOLD,
	 "failed b1 r1 +0; failed b1 r1 +1; failed b1 r2 +40; failed b1 r2 +41; failed b1 r2 +80;"
	 "failed b1 r2 +81; failed b1 r1 +90; failed b1 r1 +91; tick +200;",
	 "firing storm b1 at +1 count 2 keys 1\n"
	 "updated storm b1 at +41 count 4 keys 2\n"
	 "updated storm b1 at +91 count 8 keys 3 n 1\n"
	 "resolved storm b1 at +151 count 8 keys 3\n"},
	{"a share waits for the watermark", SHARE,
	 "sent b1 r1 +1; sent b1 r2 +2; failed b1 r1 +3; failed b1 r2 +4; tick +30;"
	 "know b1 +10; tick +31;",
	 "firing share b1 at +4 count 2 of 2 keys 1\n"},
	{"a share of too few is none", SHARE,
	 "sent b1 r1 +1; failed b1 r1 +3; failed b1 r2 +4; know b1 +50; tick +60;", ""},
	{"a share as large as the bound is not above it", SHARE,
	 "sent b1 r1 +1; sent b1 r2 +1; failed b1 r2 +4; know b1 +50; tick +60;", ""},
	{"a share ends at the first step after resolve_after", SHARE,
	 "sent b1 r1 +1; sent b1 r2 +1; failed b1 r1 +2; failed b1 r2 +2; sent b1 r3 +5;"
	 "sent b1 r4 +5; know b1 +14; tick +15; know b1 +20; tick +25;",
	 "firing share b1 at +2 count 2 of 2 keys 1\n"
	 "resolved share b1 at +14 count 2 of 2 keys 1\n"},
	{"a share ignores in what order its events were seen", SHARE,
	 "failed b1 r1 +2; failed b1 r2 +2; tick +5; sent b1 r3 +1 +20; sent b1 r1 +1 +20;"
	 "sent b1 r2 +1 +20; know b1 +3; tick +25;",
	 "firing share b1 at +2 count 2 of 3 keys 1\n"},
	{"a share of another broadcast has its own watermark", SHARE,
	 "sent b1 r1 +1; sent b1 r2 +1; failed b1 r1 +2; failed b1 r2 +2; sent b2 r1 +1;"
	 "sent b2 r2 +1; failed b2 r1 +2; failed b2 r2 +2; know b1 +1; know b2 +9; tick +10;",
	 "firing share b2 at +2 count 2 of 2 keys 1\n"},
	{"what does not come is absent", SILENCE,
	 "sent b1 r1 +1; sent b1 r2 +2; delivered b1 r2 +9; tick +40; know b1 +30; tick +41;"
	 "know b1 +31; tick +42;",
	 "firing silence r1 at +31 count 1 keys 1\n"},
	{"awaited events may be seen first, and happen first", SILENCE,
	 "delivered b1 r1 +9 +9; failed b1 r2 +1; sent b1 r1 +1 +20; sent b1 r2 +5 +21;"
	 "know b1 +100; tick +101;",
	 ""},
	{"too late is absent, too early as well", SILENCE,
	 "sent b1 r1 +1; delivered b1 r1 +32; delivered b1 r2 +1; sent b1 r2 +32;"
	 "know b1 +70; tick +70;",
	 "firing silence r1 at +31 count 1 keys 1\n"
	 "firing silence r2 at +62 count 1 keys 1\n"},
	{"just in time is not", SILENCE,
	 "sent b1 r1 +1; delivered b1 r1 +31; delivered b1 r2 +2; sent b1 r2 +32;"
	 "know b1 +70; tick +70;",
	 ""},
	{"a failure seen before the delivery fires nothing", SILENCE,
	 "sent b1 r1 +1; tick +60; delivered b1 r1 +5 +120; know b1 +100; tick +130;", ""},
	{"an absence ends by the watermark", SILENCE,
	 "sent b1 r1 +1; know b1 +40; tick +40; know b1 +90; tick +300; know b1 +91; tick +302;",
	 "firing silence r1 at +31 count 1 keys 1\n"
	 "resolved silence r1 at +91 count 1 keys 1\n"},
	{"absences of a step make one alert", SILENCE_FOLD,
	 "sent b1 r1 +1; sent b1 r2 +1; sent b1 r3 +1; sent b2 r4 +1; sent b1 r5 +20;"
	 "delivered b1 r3 +2; know b1 +60; tick +60; know b1 +90; tick +91;",
	 "firing silence b1 at +31 count 2 keys 2\n"
	 "resolved silence b1 at +80 count 3 keys 3\n"},
	{"one that no watermark reaches within a day is given up", SILENCE_FOLD,
	 "sent b1 r1 +1; know b1 +2; tick +86430; tick +86432; know b1 +90000; tick +90001;", ""},
	{"an open alert that no watermark reaches ends, too", SILENCE_FOLD,
	 "sent b1 r1 +1; know b1 +35; tick +35; tick +86460; tick +86462;",
	 "firing silence b1 at +31 count 1 keys 1\n"
	 "resolved silence b1 at +61 count 1 keys 1 (not known)\n"},
};

static void check(const struct scenario *s, struct fold *r)
{
	const char *says = fold_take(r);

	if (strcmp(says, s->says) != 0)
		fail_msg("%s:\nexpected:\n%sgot:\n%s", s->name, s->says, says);
}

static void each_scenario(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		struct fold r;
		fold_open(&r, scenarios[i].rules);
		fold_run(&r, scenarios[i].script);
		check(&scenarios[i], &r);
		fold_close(&r);
	}
}

static void with_restarts(const struct scenario *s)
{
	char *script = xstrdup(s->script), *end;
	struct fold r;

	fold_open(&r, s->rules);
	fold_commit(&r);
	for (char *line = strtok_r(script, ";", &end); line; line = strtok_r(NULL, ";", &end)) {
		fold_run(&r, line);
		fold_commit(&r);
		fold_restart(&r);
	}
	check(s, &r);
	fold_close(&r);
	free(script);
}

static void each_scenario_with_restarts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		with_restarts(&scenarios[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_scenario),
		cmocka_unit_test(each_scenario_with_restarts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
