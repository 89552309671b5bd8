/*
 * The comparison that all other campaigns rest on finds every way in which events can be wrong: of
 * a whole campaign's events one is left out, added, renamed or changed, one of each type in turn.
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
#include "tests/sim/drive.h"
#include "tests/sim/drive_test.h"
#include "tests/suite/store_fixture.h"

#define EPOCH_MS  1700000000000
#define MINUTE_MS 60000

struct lines {
	char **v; /* each with its newline */
	size_t n, cap;
};

static struct lines read_lines(const char *path)
{
	struct lines l = {0};
	char *line = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		l.v = mem_grow(l.v, l.n, &l.cap, sizeof *l.v);
		l.v[l.n++] = xstrdup(line);
	}
	free(line);
	fclose(f);
	return l;
}

static void release_lines(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

/* A campaign that is over, with its events. */
struct scene {
	char *dir, *copy; /* copy: the file that is tampered with */
	struct drive *d;
	struct lines events;
};

static struct scene play(void)
{
	static const struct sim_broadcast one[] = {{.recipients = 300}};
	struct scene s = {.dir = fixture_folder()};
	struct drive_options o = {.model = {.seed = 5,
					    .epoch_ms = EPOCH_MS,
					    .org = "org_1",
					    .key = "k",
					    .broadcasts = one,
					    .nbroadcasts = 1,
					    .ramp_ms = 3 * MINUTE_MS,
					    .rate_limit = 500,
					    .unrest = {.removals = 60, .flips = 300}},
				  .dir = s.dir,
				  .fail = drive_fail_test,
				  .source = "  since: all\n  full_sweep_every: 5m\n"};
	s.d = drive_open(&o);
	drive_run(s.d, 15 * MINUTE_MS);
	model_end(drive_model(s.d));
	drive_run(s.d, 25 * MINUTE_MS);
	drive_verify(s.d);
	char *path = xasprintf("%s/events.ndjson", s.dir);
	s.events = read_lines(path);
	free(path);
	s.copy = xasprintf("%s/copy.ndjson", s.dir);
	return s;
}

static void end(struct scene *s)
{
	release_lines(&s->events);
	drive_close(s->d);
	fixture_remove(s->dir);
	free(s->copy);
}

/* Writes all events but for the n-th, in whose place stands `instead`; do they agree still? */
static bool agrees_with(const struct scene *s, size_t nth, const char *instead)
{
	FILE *f = fopen(s->copy, "we");
	assert_non_null(f);
	for (size_t i = 0; i < s->events.n; i++)
		fputs(i == nth ? instead : s->events.v[i], f);
	assert_int_equal(fclose(f), 0);
	return drive_agrees(s->d, s->copy, NULL);
}

/* The line with the first `from` replaced. */
static char *replaced(const char *line, const char *from, const char *to)
{
	const char *at = strstr(line, from);
	assert_non_null(at);
	return xasprintf("%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
}

static void assert_refused(const struct scene *s, size_t nth, char *instead, const char *what)
{
	if (agrees_with(s, nth, instead))
		fail_msg("%s: not noticed: %s", what, s->events.v[nth]);
	free(instead);
}

static void tamper(const struct scene *s, size_t nth, const char *type, const char *other)
{
	const char *line = s->events.v[nth];
	char *renumbered = replaced(line, "\"id\":\"evt_", "\"id\":\"evt_f");
	char *moved = replaced(renumbered, "\"recipient_id\":\"", "\"recipient_id\":\"x");

	assert_refused(s, nth, xstrdup(""), "left out");
	assert_refused(s, nth, replaced(line, type, other), "renamed");
	assert_refused(s, nth, xasprintf("%s%s", line, renumbered), "added under a second id");
	assert_refused(s, nth, xasprintf("%s%s", line, moved), "added for nobody");
	assert_refused(s, nth, moved, "of somebody else");
	char *changed = replaced(line, "\"partitionkey\":\"", "\"partitionkey\":\"x");
	assert_refused(s, nth, xasprintf("%s%s", line, changed), "told in two ways");
	free(changed);
	free(renumbered);
	assert_true(agrees_with(s, nth, line));
	char *twice = xasprintf("%s%s", line, line);
	assert_true(agrees_with(s, nth, twice));
	free(twice);
}

/* Where the n-th of that type stands. */
static bool find(const struct lines *l, const char *type, size_t nth, size_t *ret)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strstr(l->v[i], type) || nth-- > 0)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static void every_wrong_event_is_noticed(void **state)
{
	static const char *const types[] = {
		"\"recipient.added\"",	  "\"recipient.sent\"",	     "\"recipient.delivered\"",
		"\"recipient.opened\"",	  "\"recipient.failed\"",    "\"recipient.skipped\"",
		"\"recipient.reverted\"", "\"recipient.processed\"", "\"recipient.removed\"",
	};
	struct scene s = play();
	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t at;
		for (size_t n = 0; n < 8; n += 7)
			if (find(&s.events, types[i], n, &at))
				tamper(&s, at, types[i], "\"recipient.played\"");
	}
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_wrong_event_is_noticed),
	};
	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
