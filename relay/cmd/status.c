/* relay status — what the running relay knows and does, from its admin API. */
#include <inttypes.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/cmd/ask.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/screen.h"

#define ANSWER_MAX (8 << 20)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {FLAG_CONFIG, FLAG_JSON, {0}};

const struct command cmd_status = {
	.name = "status",
	.operands = "",
	.summary = "what the running relay follows, how far it is, and what it waits for",
	.example = "  relay status -c relay.yaml\n"
		   "  relay status --json | jq '.broadcasts[] | {id, known_until, last_plan_why}'",
	.flags = flags,
	.run = run,
};

static const char *text_of(const struct json *o, const char *key)
{
	const char *s = json_string(json_get(o, key));
	return s && *s ? s : "-";
}

static int64_t int_of(const struct json *o, const char *key)
{
	int64_t n;
	return json_int(json_get(o, key), &n) ? n : 0;
}

/* "12s ago", as of the relay's own clock; "-": no date. */
static const char *age(char ret[SPAN_TEXT], const struct json *o, const char *key, int64_t now_ms)
{
	const char *text = json_string(json_get(o, key));
	int64_t ms;
	if (!text || !date_parse(text, strlen(text), &ms))
		return "-";
	span_text(ret, now_ms - ms);
	strncat(ret, " ago", SPAN_TEXT - 1 - strlen(ret));
	return ret;
}

static void print_budget(const struct json *source)
{
	int64_t limit = int_of(source, "rate_limit_per_minute"),
		silence = int_of(source, "silence_ms");
	char text[SPAN_TEXT];
	printf("budget   %" PRId64 " requests in the last minute",
	       int_of(source, "requests_last_minute"));
	if (limit)
		printf(" of %" PRId64 ", %" PRId64 " may be made at once", limit,
		       int_of(source, "budget_left"));
	else
		fputs(", not limited", stdout);
	if (silence)
		printf("; the API asked for silence: %s more", span_text(text, silence));
	putchar('\n');
}

static double megabytes(const struct json *o, const char *key)
{
	return (double)int_of(o, key) / 1e6;
}

static void print_journal(const struct json *journal)
{
	const char *by = json_string(json_get(journal, "full_by"));
	printf("journal  last event %" PRId64 ", %.1f MB", int_of(journal, "latest"),
	       megabytes(journal, "bytes"));
	if (!json_bool(json_get(journal, "full"), false)) {
		putchar('\n');
		return;
	}
	if (by && !strcmp(by, "max_size"))
		printf("; %.1f MB of max_size (%.1f MB) are in use",
		       megabytes(journal, "used_bytes"), megabytes(journal, "max_bytes"));
	else if (by)
		printf("; %.1f MB of the disk are free, less than min_free (%.1f MB)",
		       megabytes(journal, "disk_free_bytes"),
		       megabytes(journal, "disk_min_free_bytes"));
	puts(": full, polling pauses");
}

static void print_overall(const struct json *v)
{
	const struct json *source = json_get(v, "source"), *journal = json_get(v, "journal");
	const char *why = json_string(json_get(source, "why"));
	char up[SPAN_TEXT];
	printf("relay    %s, version %s, up %s", text_of(v, "health"), text_of(v, "version"),
	       span_text(up, int_of(v, "uptime_ms")));
	if (why) {
		fputs(": ", stdout);
		screen_text(why);
	}
	putchar('\n');
	print_journal(journal);
	print_budget(source);
}

static void print_due(const struct json *due)
{
	bool first = true;
	for (const struct json *d = json_first(due); d; d = json_next(d)) {
		int64_t n = 0;
		if (!json_int(d, &n) || n == 0)
			continue;
		printf("%s%" PRId64 " ", first ? "" : ", ", n);
		screen_text(json_key(d));
		first = false;
	}
	if (first)
		putchar('-');
}

static void print_broadcast(const struct json *b, int64_t now_ms)
{
	char next[SPAN_TEXT], known[SPAN_TEXT], swept[SPAN_TEXT];
	printf("\n%s  ", text_of(b, "id"));
	screen_text(text_of(b, "name"));
	printf("  %s\n", text_of(b, "status"));
	printf("  held   %" PRId64 " rows%s, order: %s\n", int_of(b, "rows_held"),
	       json_bool(json_get(b, "baseline_done"), true) ? "" : ", first sweep under way",
	       text_of(b, "order"));
	printf("  plan   %s (%s), next visit in %s\n", text_of(b, "last_plan"),
	       text_of(b, "last_plan_why"), span_text(next, int_of(b, "next_visit_ms")));
	printf("  known  until %s, last whole sweep %s, due: ",
	       age(known, b, "known_until", now_ms), age(swept, b, "last_sweep", now_ms));
	print_due(json_get(b, "due"));
	putchar('\n');
}

static void print_destination(const struct json *d)
{
	printf("%-16s %-8s %-9s %8" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64 "\n",
	       text_of(d, "name"), text_of(d, "type"),
	       json_string(json_get(d, "down_since")) ? "down" : text_of(d, "state"),
	       int_of(d, "behind"), int_of(d, "in_flight"),
	       int_of(d, "retrying") + int_of(d, "waiting"), int_of(d, "parked"));
}

static void print_connection(const struct json *c, int64_t now_ms)
{
	char since[SPAN_TEXT];
	fputs("  ", stdout);
	screen_text(text_of(c, "address"));
	printf("  since %s, %" PRId64 " sent", age(since, c, "since", now_ms), int_of(c, "sent"));
	if (int_of(c, "queued"))
		printf(", %" PRId64 " queued", int_of(c, "queued"));
	if (int_of(c, "dropped"))
		printf(", %" PRId64 " lost", int_of(c, "dropped"));
	putchar('\n');
}

static void print_connections(const struct json *d, int64_t now_ms)
{
	const struct json *c = json_first(json_get(d, "connections"));
	if (!c)
		return;
	printf("\nconnected to %s\n", text_of(d, "name"));
	for (; c; c = json_next(c))
		print_connection(c, now_ms);
	if (int_of(d, "connections_left_out"))
		printf("  and %" PRId64 " more\n", int_of(d, "connections_left_out"));
}

static void print_status(const struct json *v)
{
	const char *time = text_of(v, "time");
	int64_t now_ms = 0;
	date_parse(time, strlen(time), &now_ms);
	print_overall(v);
	const struct json *d = json_first(json_get(v, "destinations"));
	if (d)
		printf("\n%-16s %-8s %-9s %8s %8s %8s %8s\n", "destination", "type", "state",
		       "behind", "sending", "retrying", "parked");
	for (; d; d = json_next(d))
		print_destination(d);
	for (d = json_first(json_get(v, "destinations")); d; d = json_next(d))
		print_connections(d, now_ms);
	for (const struct json *b = json_first(json_get(v, "broadcasts")); b; b = json_next(b))
		print_broadcast(b, now_ms);
	if (int_of(v, "broadcasts_left_out"))
		printf("\nand %" PRId64 " broadcasts more\n", int_of(v, "broadcasts_left_out"));
}

static int show(const struct command *self, const struct args *a, const struct buf *answer)
{
	struct err err = {0};
	if (cmd_wants_json(a)) {
		fwrite(answer->data, 1, answer->len, stdout);
		return EXIT_OK;
	}
	struct json_doc *doc = json_doc_new();
	const struct json *v = json_parse(doc, answer->data, answer->len, JSON_DEPTH, &err);
	if (v)
		print_status(v);
	else
		err_wrap(&err, "the relay's answer");
	json_doc_free(doc);
	return v ? EXIT_OK : cmd_fail(self, &err);
}

static int run(const struct command *self, const struct args *a)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct err err = {0};
	struct settings *s = cmd_settings_part(a, SETTINGS_ADMIN);
	if (!s)
		return EXIT_BAD_CONFIG;
	int failed = ask_relay(s, "/api/v1/status", NULL, &answer, &err);
	int status = failed ? cmd_fail(self, &err) : show(self, a, &answer);
	settings_free(s);
	buf_release(&answer);
	return status;
}
