/*
 * relay events list|show — reads the journal, beside a running relay or without one.
 *
 * list gives the events' bodies, one a line, or for people a table; show tells what became of one
 * event at each destination.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/cmd/fates.h"

#define LIST_PRESET 20
#define LIST_CHUNK  1000 /* events read at a time */

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{'n', "limit", "N", "list: at most N events; 0: all; default: 20, the newest"},
	{0, "after", "SEQUENCE", "list: only events behind this one, oldest first"},
	{0, "type", "TYPE",
	 "list: only this type; with a dot at its end (recipient.) all that begin so"},
	{0, "subject", "ID", "list: only events of this recipient or broadcast"},
	{0},
};

const struct command cmd_events = {
	.name = "events",
	.operands = "list | show SEQUENCE|ID",
	.least = 1,
	.most = 2,
	.summary = "what happened, from the journal",
	.example = "  relay events list --type recipient.failed\n  relay events show 1234",
	.flags = flags,
	.run = run,
};

/* ---- list ---- */

static void print_row(const struct event *ev)
{
	char when[DATE_TEXT];
	struct json_doc *doc = json_doc_new();
	struct err unlikely = {0};
	const struct json *root = json_parse(doc, ev->body, ev->len, JSON_DEPTH + 4, &unlikely);
	const char *subject = root ? json_string(json_get(root, "subject")) : NULL;
	printf("%10" PRId64 "  %s  %-24s %-28s %s\n", ev->sequence, date_format(when, ev->time_ms),
	       ev->type, subject ? subject : "-", ev->id);
	json_doc_free(doc);
}

static void print_events(const struct events *list, bool json, bool reverse)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct event *ev = &list->v[reverse ? list->n - 1 - i : i];
		if (json)
			puts(ev->body);
		else
			print_row(ev);
	}
}

static int list_all(struct store *s, struct event_query *q, int64_t limit, bool json,
		    struct err *err)
{
	while (limit) {
		struct events list = {0};
		q->limit = limit > 0 && limit < LIST_CHUNK ? (size_t)limit : LIST_CHUNK;
		if (s->type->events(s, q, &list, err) < 0)
			return -1;
		print_events(&list, json, q->newest_first);
		size_t n = list.n;
		if (n)
			q->after = list.v[n - 1].sequence;
		limit -= limit > 0 ? (int64_t)n : 0;
		events_release(&list);
		if (n < q->limit || q->newest_first)
			break;
	}
	return 0;
}

static int list(const struct command *self, const struct args *a)
{
	int64_t limit = LIST_PRESET, after = 0;
	struct err err = {0};
	if (arg_given(a, "limit") && !cmd_number(arg_value(a, "limit"), &limit))
		return cmd_usage(self, "--limit is a number");
	if (arg_given(a, "after") && !cmd_number(arg_value(a, "after"), &after))
		return cmd_usage(self, "--after is a sequence");
	if (limit > LIST_CHUNK && !arg_given(a, "after"))
		return cmd_usage(self, "--limit above %d needs --after", LIST_CHUNK);
	struct event_query q = {
		.after = after,
		.type = arg_value(a, "type"),
		.subject = arg_value(a, "subject"),
		.newest_first = limit > 0 && !arg_given(a, "after"),
	};
	struct reading r = {0};
	int failed = reading_open(&r, a, SETTINGS_JOURNAL, &err);
	if (!failed)
		failed = list_all(r.store, &q, limit ? limit : -1, cmd_wants_json(a), &err);
	reading_close(&r);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

/* ---- show ---- */

static int show(const struct command *self, const struct args *a)
{
	struct reading r = {0};
	struct err err = {0};
	if (a->noperands < 2)
		return cmd_usage(self, "show needs a sequence or an event's id");
	int failed = reading_open(&r, a, SETTINGS_JOURNAL, &err);
	if (!failed)
		failed = fates_show(&r, a->operands[1], cmd_wants_json(a), &err);
	reading_close(&r);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	if (!strcmp(a->operands[0], "list") && a->noperands == 1)
		return list(self, a);
	if (!strcmp(a->operands[0], "show"))
		return show(self, a);
	return cmd_usage(self, "list or show SEQUENCE|ID is expected");
}
