/* An account with more broadcasts than a page lists: those that are being sent are listed by
 * themselves, and whatever happens in the others is told all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

#define BROADCASTS 130
#define TICK_MS	   5000 /* poll_every */
#define QUIET_MS   (15 * MINUTE_MS)

struct asked {
	unsigned all, live; /* requests for lists of broadcasts */
};

static void note(void *arg, const char *path, const char *query)
{
	struct asked *a = arg;

	if (!path || strstr(path, "/recipients"))
		return;
	if (query && strstr(query, "status=SENDING"))
		a->live++;
	else
		a->all++;
}

/* Most were sent long ago; three begin one after another. */
static void begin(struct scene *s, struct sim_broadcast *list, struct asked *asked)
{
	for (int i = 0; i < BROADCASTS; i++)
		list[i] = (struct sim_broadcast){.recipients = 10, .start_ms = MINUTE_MS};
	for (int i = 0; i < 3; i++)
		list[40 * i].start_ms = (60 + 10 * i) * MINUTE_MS;
	s->o.model.broadcasts = list;
	s->o.model.nbroadcasts = BROADCASTS;
	s->o.source = "  since: all\n";
	s->o.arg = asked;
	s->o.asked = note;
}

static void live_ones_by_themselves(void **state)
{
	struct sim_broadcast list[BROADCASTS];
	struct asked asked = {0};
	struct scene s = scene_new(10);

	(void)state;
	begin(&s, list, &asked);
	struct drive *d = scene_begin(&s);
	drive_run(d, 40 * MINUTE_MS);
	asked = (struct asked){0};
	drive_run(d, QUIET_MS); /* nothing is sent; some messages are opened */
	assert_in_range(asked.live, QUIET_MS / TICK_MS / 2, 2 * QUIET_MS / TICK_MS);
	/* Two pages, every fourth time to every five minutes. */
	assert_in_range(asked.all, 2 * (QUIET_MS / 300000 - 1), 2 * (QUIET_MS / TICK_MS / 4 + 1));
	drive_run(d, 45 * MINUTE_MS);
	scene_end(d, 30 * MINUTE_MS);
	assert_int_equal(scene_count(&s, "\"recipient.added\"", "", ""), 10 * BROADCASTS);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_ones_by_themselves),
	};

	return cmocka_run_group_tests_name("long_list", tests, NULL, NULL);
}
