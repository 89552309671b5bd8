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
#include "relay/cmd/cmd.h"
#include "relay/cmd/one_event.h"
#include "transports/transport.h"

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

/* A journal opened for reading, with the settings that named it. */
struct opened {
	struct settings *settings;
	struct store *store;
};

static int open_store(struct opened *ret, const struct args *a, struct err *err)
{
	ret->settings = cmd_settings_part(a, SETTINGS_JOURNAL);
	if (!ret->settings)
		return err_set(err, ERR_CONFIG, "the configuration cannot be used");
	const struct journal_options *j = &ret->settings->journal;
	ret->store = j->type->open(j->options, STORE_READ, err);
	return ret->store ? 0 : -1;
}

static void close_store(struct opened *o)
{
	if (o->store)
		o->store->type->close(o->store);
	settings_free(o->settings);
}

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
	struct opened o = {0};
	int failed = open_store(&o, a, &err);
	if (!failed)
		failed = list_all(o.store, &q, limit ? limit : -1, cmd_wants_json(a), &err);
	close_store(&o);
	if (err.code == ERR_CONFIG)
		return EXIT_BAD_CONFIG;
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}

/* ---- show ---- */

static const char *fate_word(const struct event_fate *f)
{
	static const char *const words[] = {"to be tried again", "waiting for an earlier one",
					    "parked"};
	if (f->excepted)
		return words[f->exception.state];
	return f->settled ? "sent" : "not sent yet";
}

static const char *verdict_word(int verdict)
{
	return verdict == SENT ? "sent" : verdict == TRY_AGAIN ? "try again" : "refused";
}

static void print_fates(const struct event *ev, const struct event_fates *fates)
{
	char when[DATE_TEXT];
	puts(ev->body);
	for (size_t i = 0; i < fates->n; i++) {
		const struct event_fate *f = &fates->v[i];
		printf("\n%s: %s (rule \"%s\")\n", f->destination, fate_word(f),
		       f->rule ? f->rule : "-");
		if (f->excepted && f->exception.state == EXCEPTION_RETRY)
			printf("  next attempt %s\n", date_format(when, f->exception.due_ms));
		for (size_t k = 0; k < f->nattempts; k++)
			printf("  %s  %s  %" PRId64 " ms  %s\n",
			       date_format(when, f->attempts[k].at_ms),
			       verdict_word(f->attempts[k].verdict), f->attempts[k].took_ms,
			       f->attempts[k].why ? f->attempts[k].why : "");
	}
	if (!fates->n)
		puts("\nno rule sent it anywhere");
}

static void write_attempts(struct buf *out, const struct event_fate *f)
{
	char when[DATE_TEXT];
	buf_adds(out, ",\"attempts\":[");
	for (size_t k = 0; k < f->nattempts; k++) {
		buf_addf(out,
			 "%s{\"at\":\"%s\",\"verdict\":\"%s\",\"took_ms\":%" PRId64 ",\"why\":",
			 k ? "," : "", date_format(when, f->attempts[k].at_ms),
			 verdict_word(f->attempts[k].verdict), f->attempts[k].took_ms);
		json_write_string(out, f->attempts[k].why);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void print_fates_json(const struct event *ev, const struct event_fates *fates)
{
	static const char *const states[] = {"retry", "waiting", "parked"};
	struct buf out = BUF_INIT(16 << 20);
	buf_adds(&out, "{\"event\":");
	buf_add(&out, ev->body, ev->len);
	buf_adds(&out, ",\"destinations\":[");
	for (size_t i = 0; i < fates->n; i++) {
		const struct event_fate *f = &fates->v[i];
		buf_adds(&out, i ? ",{\"name\":" : "{\"name\":");
		json_write_string(&out, f->destination);
		buf_adds(&out, ",\"rule\":");
		json_write_string(&out, f->rule);
		buf_adds(&out, ",\"topic\":");
		json_write_string(&out, f->topic);
		buf_addf(&out, ",\"state\":\"%s\"",
			 f->excepted  ? states[f->exception.state]
			 : f->settled ? "sent"
				      : "owed");
		write_attempts(&out, f);
		buf_addc(&out, '}');
	}
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

static int show_from(struct store *s, const char *what, bool json, struct err *err)
{
	struct event found = {0};
	struct event_fates fates = {0};
	int failed = one_event_find(&found, what, s, err);
	if (!failed)
		failed = s->type->fates(s, found.sequence, &fates, err);
	if (!failed && json)
		print_fates_json(&found, &fates);
	else if (!failed)
		print_fates(&found, &fates);
	event_fates_release(&fates);
	event_release(&found);
	return failed;
}

static int show(const struct command *self, const struct args *a)
{
	struct opened o = {0};
	struct err err = {0};
	if (a->noperands < 2)
		return cmd_usage(self, "show needs a sequence or an event's id");
	int failed = open_store(&o, a, &err);
	if (!failed)
		failed = show_from(o.store, a->operands[1], cmd_wants_json(a), &err);
	close_store(&o);
	if (err.code == ERR_CONFIG)
		return EXIT_BAD_CONFIG;
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	if (!strcmp(a->operands[0], "list") && a->noperands == 1)
		return list(self, a);
	if (!strcmp(a->operands[0], "show"))
		return show(self, a);
	return cmd_usage(self, "list or show SEQUENCE|ID is expected");
}
