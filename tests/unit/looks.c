/* looks — decodes a row as a page of one, compares it with the record of the look before, and puts
 * what came out in short words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/looks.h"

int looks_set_up(void **state)
{
	struct looks *l = calloc(1, sizeof *l);

	states_init(&l->states);
	buf_init(&l->text, 1 << 24);
	buf_init(&l->told, 1 << 16);
	l->at = (struct diff_place){
		.base_url = "https://api.example.com",
		.org = "c",
		.broadcast = "bc_1",
		.broadcast_name = "Spring",
		.broadcast_created_ms = LOOKS_BASE - 60000,
		.states = &l->states,
		.statuses = &l->statuses,
		.since_ms = DATE_NONE,
		.recorded_ms = LOOKS_BASE + 100000,
	};
	*state = l;
	return 0;
}

void looks_forget(struct looks *l)
{
	recipient_record_release(&l->record);
	l->seen = false;
}

int looks_tear_down(void **state)
{
	struct looks *l = *state;

	looks_forget(l);
	events_release(&l->out);
	snapshot_release(&l->s);
	buf_release(&l->text);
	buf_release(&l->told);
	free(l);
	return 0;
}

struct json_doc *looks_body(const struct event *ev, const struct json **ret)
{
	struct json_doc *doc = json_doc_new();
	struct err err;

	*ret = json_parse(doc, ev->body, ev->len, JSON_DEPTH, &err);
	if (!*ret)
		fail_msg("%s in %s", err.msg, ev->body);
	return doc;
}

void looks_tell(struct looks *l)
{
	buf_clear(&l->told);
	for (size_t i = 0; i < l->out.n; i++) {
		const struct event *ev = &l->out.v[i];
		const struct json *body;
		struct json_doc *doc = looks_body(ev, &body);
		const char *name = strchr(ev->type, '.') + 1;
		const char *state = json_string(json_get(json_get(body, "data"), "state"));
		assert_string_equal(json_string(json_get(body, "id")), ev->id);
		buf_addf(&l->told, "%s%s", i ? " " : "", name);
		if (state && strcmp(state, name) != 0)
			buf_addf(&l->told, "(%s)", state);
		buf_addf(&l->told, "@%g", (double)(ev->time_ms - LOOKS_BASE) / 1000);
		json_doc_free(doc);
	}
}

void looks_text(struct looks *l, const char *row)
{
	struct recipient_record now;
	struct err err;

	buf_clear(&l->text);
	buf_addf(&l->text, "[%s]", row);
	if (snapshot_read(&l->s, l->text.data, l->text.len, &l->states, &l->statuses, &err) < 0)
		fail_msg("%s in %s", err.msg, row);
	assert_int_equal(l->s.n, 1);
	events_release(&l->out);
	diff_recipient(&l->at, l->seen ? &l->record : NULL, &l->s.v[0], l->text.data, &l->out,
		       &now);
	looks_forget(l);
	l->record = now;
	l->seen = true;
	looks_tell(l);
}

void looks_row(struct looks *l, const char *members)
{
	char row[2048];

	snprintf(row, sizeof row, "{\"id\":\"r1\"%s%s}", *members ? "," : "", members);
	looks_text(l, row);
}

void looks_assert_vector(const char *id, const char *what)
{
	static char text[1 << 16];
	struct json_doc *doc = json_doc_new();
	struct err err;
	FILE *f = fopen("tests/data/ids.json", "rb");

	assert_non_null(f);
	size_t len = fread(text, 1, sizeof text, f);
	fclose(f);
	const struct json *v = json_first(json_parse(doc, text, len, JSON_DEPTH, &err));
	while (v && strncmp(json_string(json_get(v, "what")), what, strlen(what)) != 0)
		v = json_next(v);
	if (!v)
		fail_msg("no vector \"%s\"", what);
	assert_string_equal(id, json_string(json_get(v, "id")));
	json_doc_free(doc);
}
