/* A scene's folder is made with it and goes with it; its relay may be restarted in between. */
#include "tests/sim/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "tests/sim/drive_test.h"
#include "tests/suite/store_fixture.h"

#define EPOCH_MS 1700000000000

static struct drive_options campaign(const char *dir, uint32_t recipients)
{
	static struct sim_broadcast two[2];
	two[0] = (struct sim_broadcast){.recipients = recipients};
	two[1] = (struct sim_broadcast){.recipients = recipients / 2, .start_ms = 2 * MINUTE_MS};
	return (struct drive_options){
		.model = {.seed = 7,
			  .epoch_ms = EPOCH_MS,
			  .org = "org_1",
			  .key = "k",
			  .broadcasts = two,
			  .nbroadcasts = 2,
			  .ramp_ms = 5 * MINUTE_MS,
			  .rate_limit = 500},
		.dir = dir,
		.fail = drive_fail_test,
		.source = "  since: all\n  full_sweep_every: 10m\n",
	};
}

struct scene scene_new(uint32_t recipients)
{
	struct scene s = {.dir = fixture_folder()};
	s.o = campaign(s.dir, recipients);
	return s;
}

struct drive *scene_begin(struct scene *s)
{
	s->d = drive_open(&s->o);
	return s->d;
}

void scene_finish(struct scene *s)
{
	drive_close(s->d);
	fixture_remove(s->dir);
}

void scene_end(struct drive *d, int64_t ms)
{
	model_end(drive_model(d));
	drive_run(d, ms);
	drive_verify(d);
}

char *scene_recipient(struct drive *d, unsigned n, const char *filter)
{
	struct sim_reply reply;
	struct err err = {0};
	char query[64];
	snprintf(query, sizeof query, "page=%u&take=1%s", n + 1, filter ? filter : "");
	model_request(drive_model(d), drive_now_ms(d),
		      &(struct sim_request){"GET", "/orgs/c/broadcasts/bc_1/recipients", query,
					    "Bearer k", "test", drive_now_ms(d)},
		      &reply);
	struct json_doc *doc = json_doc_new();
	const struct json *page =
		json_parse(doc, reply.body.data, reply.body.len, JSON_DEPTH, &err);
	assert_non_null(page);
	char *id = xstrdup(json_string(json_get(json_first(page), "id")));
	json_doc_free(doc);
	sim_reply_release(&reply);
	return id;
}

int scene_count(const struct scene *s, const char *type, const char *id, const char *more)
{
	char *path = xasprintf("%s/events.ndjson", s->dir), *line = NULL;
	size_t room = 0;
	int n = 0;
	drive_drain(s->d);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (getline(&line, &room, f) > 0)
		n += strstr(line, type) && strstr(line, id) && strstr(line, more);
	fclose(f);
	free(line);
	free(path);
	return n;
}

void scene_rows(struct drive *d, const char *broadcast, scene_json_fn *fn, void *arg)
{
	char *path = xasprintf("/orgs/c/broadcasts/%s/recipients", broadcast);
	struct json_doc *doc = json_doc_new();
	size_t got = 1;
	for (unsigned page = 1; got; page++) {
		struct sim_reply reply;
		struct err err = {0};
		char query[64];
		snprintf(query, sizeof query, "page=%u&take=100", page);
		model_request(drive_model(d), drive_now_ms(d),
			      &(struct sim_request){"GET", path, query, "Bearer k", "test",
						    drive_now_ms(d)},
			      &reply);
		const struct json *rows =
			json_parse(doc, reply.body.data, reply.body.len, JSON_DEPTH, &err);
		assert_non_null(rows);
		got = json_count(rows);
		for (const struct json *row = json_first(rows); row; row = json_next(row))
			fn(arg, row);
		sim_reply_release(&reply);
	}
	json_doc_free(doc);
	free(path);
}

static bool is_of(const struct json *event, const char *type, const char *broadcast)
{
	const char *is = json_string(json_get(event, "type"));
	const char *of = json_string(json_get(json_get(event, "data"), "broadcast_id"));
	return !strncmp(is, type, strlen(type)) && of && !strcmp(of, broadcast);
}

static bool is_new(bool **seen, size_t *cap, size_t sequence)
{
	for (; *cap <= sequence; *cap = *cap ? 2 * *cap : 1024) {
		*seen = xrealloc(*seen, *cap ? 2 * *cap : 1024, sizeof **seen);
		memset(*seen + *cap, 0, (*cap ? *cap : 1024) * sizeof **seen);
	}
	bool fresh = !(*seen)[sequence];
	(*seen)[sequence] = true;
	return fresh;
}

void scene_events(const struct scene *s, const char *type, const char *broadcast, scene_json_fn *fn,
		  void *arg)
{
	char *path = xasprintf("%s/events.ndjson", s->dir), *line = NULL;
	struct json_doc *doc = json_doc_new();
	bool *seen = NULL;
	size_t room = 0, seen_cap = 0;
	ssize_t len;
	drive_drain(s->d);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while ((len = getline(&line, &room, f)) > 0) {
		struct err err = {0};
		const struct json *event = json_parse(doc, line, (size_t)len, JSON_DEPTH, &err);
		assert_non_null(event);
		/* A repeat after a kill; what was tried again may stand behind later ones. */
		size_t sequence =
			(size_t)strtoll(json_string(json_get(event, "sequence")), NULL, 10);
		if (is_new(&seen, &seen_cap, sequence) && is_of(event, type, broadcast))
			fn(arg, event);
	}
	free(seen);
	fclose(f);
	free(line);
	free(path);
	json_doc_free(doc);
}

void scene_faults(struct drive *d, const char *const *specs, size_t n)
{
	struct err err = {0};
	assert_int_equal(model_set_faults(drive_model(d), specs, n, &err), 0);
}

size_t scene_followed(const struct drive *d)
{
	struct source_status status;
	relay_source_status(drive_relay(d), &status);
	return status.followed;
}
