/*
 * relay destinations list|enable|disable|drop — from the running relay, or, where none runs, from
 * the journal.
 */
#include <inttypes.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/cmd/ask.h"
#include "relay/cmd/change.h"
#include "relay/cmd/reading.h"
#include "relay/cmd/screen.h"

#define ANSWER_MAX (8 << 20)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{0, "why", "TEXT", "disable: kept with it, and shown"},
	{0},
};

const struct command cmd_destinations = {
	.name = "destinations",
	.operands = "list | enable NAME | disable NAME | drop NAME",
	.least = 1,
	.most = 2,
	.summary = "how each destination stands; stop and start them",
	.example =
		"  relay destinations list\n"
		"  relay destinations disable crm --why \"moving to another host\"\n"
		"  relay destinations enable crm\n\n"
		"A disabled destination keeps collecting what it is owed. Dropped can be one that "
		"is not in\n"
		"the configuration any more: with it goes all that it was owed.",
	.flags = flags,
	.run = run,
};

/* ---- list ---- */

struct standing {
	const char *name, *state, *why; /* why NULL: none */
	int64_t owed, retrying, parked; /* retrying and waiting ones are among those owed */
	bool down;
};

static void print_row(const struct standing *r)
{
	printf("%-20s %-9s %10" PRId64 " %9" PRId64 " %8" PRId64 "%s", r->name,
	       r->down ? "down" : r->state, r->owed, r->retrying, r->parked, r->why ? "  " : "");
	screen_text(r->why ? r->why : "");
	putchar('\n');
}

static void print_head(bool any)
{
	if (any)
		printf("%-20s %-9s %10s %9s %8s  %s\n", "destination", "state", "owed", "retrying",
		       "parked", "why");
	else
		puts("no destinations");
}

/* What is neither settled nor parked, by the journal. */
static int count_owed(const struct reading *from, uint32_t destination, int64_t *ret,
		      struct err *err)
{
	struct owed owed = {0};
	struct owed_query q = {.destination = destination, .until = from->head.latest};
	int failed = from->store->type->owed(from->store, &q, &owed, err);
	if (!failed)
		*ret = owed.n;
	return failed;
}

/* ---- as the running relay tells it ---- */

static int64_t int_of(const struct json *o, const char *key)
{
	int64_t n;
	return json_int(json_get(o, key), &n) ? n : 0;
}

/* One that is new may not be in the journal yet, and is owed nothing. */
static int owed_to(const struct reading *from, const char *name, int64_t *ret, struct err *err)
{
	const struct store_head *h = &from->head;
	*ret = 0;
	for (size_t i = 0; i < h->ndestinations; i++)
		if (!strcmp(h->destinations[i].name, name))
			return count_owed(from, h->destinations[i].number, ret, err);
	return 0;
}

static void write_answer(const struct json *d, int64_t owed)
{
	struct buf line = BUF_INIT(ANSWER_MAX);
	json_write(&line, d);
	buf_truncate(&line, line.len - 1); /* the brace */
	json_add_int(&line, "owed", owed);
	buf_addc(&line, '}');
	puts(line.data);
	buf_release(&line);
}

static int list_answer(const struct reading *from, const struct json *v, bool json, struct err *err)
{
	const struct json *d = json_first(json_get(v, "destinations"));
	if (!json)
		print_head(d != NULL);
	for (; d; d = json_next(d)) {
		struct standing r = {
			.name = json_string(json_get(d, "name")),
			.state = json_string(json_get(d, "state")),
			.why = json_string(json_get(d, "why")),
			.retrying = int_of(d, "retrying") + int_of(d, "waiting"),
			.parked = int_of(d, "parked"),
			.down = json_string(json_get(d, "down_since")) != NULL,
		};
		if (!r.name || !r.state)
			return err_set(err, ERR_FORMAT, "the relay's answer names no destination");
		if (owed_to(from, r.name, &r.owed, err) != 0)
			return -1;
		if (json)
			write_answer(d, r.owed);
		else
			print_row(&r);
	}
	return 0;
}

/* ---- as the journal has it ---- */

static void write_row(const struct standing *r)
{
	struct buf line = BUF_INIT(ANSWER_MAX);
	buf_addc(&line, '{');
	json_add_text(&line, "name", r->name);
	json_add_text(&line, "state", r->state);
	json_add_text(&line, "why", r->why);
	json_add_int(&line, "retrying", r->retrying);
	json_add_int(&line, "parked", r->parked);
	json_add_int(&line, "owed", r->owed);
	buf_addc(&line, '}');
	puts(line.data);
	buf_release(&line);
}

/* Waiting ones count as retrying. */
static void count_exceptions(const struct store_head *h, uint32_t destination, struct standing *ret)
{
	for (size_t i = 0; i < h->nexceptions; i++) {
		bool parked = h->exceptions[i].state == EXCEPTION_PARKED;
		if (h->exceptions[i].destination != destination)
			continue;
		ret->parked += parked;
		ret->retrying += !parked;
	}
}

static int list_journal(const struct reading *from, bool json, struct err *err)
{
	static const char *const states[] = {"enabled", "disabled", "detached", "dropped"};
	const struct store_head *h = &from->head;
	if (!json)
		print_head(h->ndestinations > 0);
	for (size_t i = 0; i < h->ndestinations; i++) {
		const struct destination_record *d = &h->destinations[i];
		struct standing r = {.name = d->name,
				     .state = states[d->state],
				     .why = d->why,
				     .down = d->down_ms != 0};
		if (count_owed(from, d->number, &r.owed, err) != 0)
			return -1;
		count_exceptions(h, d->number, &r);
		if (json)
			write_row(&r);
		else
			print_row(&r);
	}
	return 0;
}

static int list_from(const struct reading *from, bool json, struct err *err)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct json_doc *doc = json_doc_new();
	struct err nobody = {0};
	int result = ask_relay(from->settings, "/api/v1/destinations", NULL, &answer, &nobody);
	if (result == 0) {
		const struct json *v = json_parse(doc, answer.data, answer.len, JSON_DEPTH, err);
		result = v ? list_answer(from, v, json, err) : err_wrap(err, "the relay's answer");
	} else if (result == ASK_NOBODY) {
		result = list_journal(from, json, err);
	} else {
		*err = nobody;
	}
	json_doc_free(doc);
	buf_release(&answer);
	return result;
}

static int list(const struct command *self, const struct args *a)
{
	struct reading from = {0};
	struct err err = {0};
	int failed = reading_open(&from, a, SETTINGS_ADMIN, &err);
	if (!failed)
		failed = list_from(&from, cmd_wants_json(a), &err);
	reading_close(&from);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

/* ---- change ---- */

static int change(const struct command *self, const struct args *a, enum change_act act)
{
	static const char *const done[] = {"enabled", "disabled", "dropped"};
	struct err err = {0};
	bool running = false;
	if (a->noperands != 2)
		return cmd_usage(self, "%s needs the NAME of a destination", change_acts[act]);
	if (arg_given(a, "why") && act != CHANGE_DISABLE)
		return cmd_usage(self, "--why goes with disable");
	struct settings *s = cmd_settings_part(a, SETTINGS_ADMIN);
	if (!s)
		return EXIT_BAD_CONFIG;
	const char *name = a->operands[1];
	int failed = change_destination(s, name, act, arg_value(a, "why"), &running, &err);
	if (!failed && cmd_wants_json(a))
		printf("{\"state\":\"%s\",\"running\":%s}\n", done[act],
		       running ? "true" : "false");
	else if (!failed)
		printf("%s is %s%s\n", name, done[act],
		       running ? "" : " in the journal; no relay runs");
	settings_free(s);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	const char *what = a->operands[0];
	if (!strcmp(what, "list") && a->noperands == 1)
		return list(self, a);
	for (size_t i = 0; change_acts[i]; i++)
		if (!strcmp(what, change_acts[i]))
			return change(self, a, (enum change_act)i);
	return cmd_usage(self, "list, enable, disable or drop is expected");
}
