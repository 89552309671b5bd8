/*
 * relay parked list|show|retry|drop — events that no attempt brought to their destination. Reading
 * opens the journal; what changes is told to the running relay.
 */
#include <inttypes.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/cmd/fates.h"
#include "relay/cmd/job_run.h"
#include "relay/cmd/named.h"
#include "relay/cmd/screen.h"

#define LIST_PRESET 100
#define LINE_MAX    (64 << 10)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,  FLAG_JSON,
	FLAG_TO,      FLAG_SINCE,
	FLAG_UNTIL,   FLAG_TYPE,
	FLAG_STATUS,  {'n', "limit", "N", "list: at most N; 0: all; default: 100"},
	FLAG_ALL,     FLAG_DRY_RUN,
	FLAG_NO_WAIT, {0},
};

const struct command cmd_parked = {
	.name = "parked",
	.operands = "list | show SEQUENCE|ID | retry | drop [SEQUENCE|ID …]",
	.least = 1,
	.most = JOB_IDS_MAX + 1,
	.summary = "events that could not be delivered: see them, try them again, drop them",
	.example =
		"  relay parked list --to crm --status 404\n"
		"  relay parked show 1234\n"
		"  relay parked retry --to crm --since 2d\n"
		"  relay parked drop 1234 1240\n\n"
		"--since and --until are about when the event was recorded. One that is tried "
		"again starts\n"
		"as at its first attempt. Of those that are named, what is not parked is told, and "
		"makes the\n"
		"exit status 1; the others are taken. What is dropped stays in the journal, and "
		"`relay\n"
		"replay` can send it. Where no relay runs, retry and drop begin at the next "
		"start.",
	.flags = flags,
	.run = run,
};

/* ---- list ---- */

struct listing {
	const struct reading *from;
	bool json;
	int64_t n;
};

static void print_row(const struct listing *l, const struct pick *p)
{
	char when[DATE_TEXT];
	printf("%10" PRId64 "  %s  %-16s %-22s ", p->sequence, date_format(when, p->recorded_ms),
	       reading_name(l->from, p->destination), p->type);
	screen_text(p->subject ? p->subject : "-");
	printf("  %u  ", p->attempts);
	screen_text(p->why ? p->why : "-");
	putchar('\n');
}

static void write_row(const struct listing *l, const struct pick *p)
{
	struct buf out = BUF_INIT(LINE_MAX);
	buf_addc(&out, '{');
	json_add_int(&out, "sequence", p->sequence);
	json_add_text(&out, "id", p->id);
	json_add_text(&out, "destination", reading_name(l->from, p->destination));
	json_add_text(&out, "type", p->type);
	json_add_text(&out, "subject", p->subject);
	json_add_date(&out, "recorded_at", p->recorded_ms);
	json_add_int(&out, "attempts", p->attempts);
	json_add_text(&out, "why", p->why);
	buf_addc(&out, '}');
	puts(out.data);
	buf_release(&out);
}

static int give(void *arg, const struct pick *p)
{
	struct listing *l = arg;
	if (l->json)
		write_row(l, p);
	else if (!l->n)
		printf("%10s  %-24s  %-16s %-22s %s\n", "sequence", "recorded", "destination",
		       "type", "subject, attempts, why");
	if (!l->json)
		print_row(l, p);
	l->n++;
	return 0;
}

static int list_from(const struct args *a, const struct selection *s, int64_t limit,
		     struct err *err)
{
	struct reading from = {0};
	struct listing l = {.from = &from, .json = cmd_wants_json(a)};
	struct selection_walk w = {
		.from = &from, .selection = s, .limit = limit, .fn = give, .arg = &l};
	int failed = reading_open(&from, a, SETTINGS_JOURNAL, err);
	if (!failed)
		failed = selection_walk(&w, err);
	if (!failed && !l.n && !l.json)
		puts("nothing is parked");
	if (!failed && w.more)
		fprintf(stderr, "there are more; --limit 0 shows all\n");
	reading_close(&from);
	return failed;
}

static int list(const struct command *self, const struct args *a)
{
	struct selection s = {0};
	struct err err = {0};
	int64_t limit = LIST_PRESET;
	if (arg_given(a, "limit") && !cmd_number(arg_value(a, "limit"), &limit))
		return cmd_usage(self, "--limit is a number");
	if (selection_read(&s, JOB_RETRY, a, 1, &err) < 0)
		return cmd_usage(self, "%s", err.msg);
	int failed = list_from(a, &s, limit, &err);
	selection_release(&s);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

/* ---- show ---- */

static int show(const struct command *self, const struct args *a)
{
	struct reading from = {0};
	struct err err = {0};
	if (a->noperands != 2)
		return cmd_usage(self, "show needs one sequence or event's id");
	int failed = reading_open(&from, a, SETTINGS_JOURNAL, &err);
	if (!failed)
		failed = named_is_parked(&from, a->operands[1], &err);
	if (!failed)
		failed = fates_show(&from, a->operands[1], cmd_wants_json(a), &err);
	reading_close(&from);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	const char *what = a->operands[0];
	if (!strcmp(what, "list"))
		return list(self, a);
	if (!strcmp(what, "show"))
		return show(self, a);
	if (!strcmp(what, "retry"))
		return job_run(self, a, JOB_RETRY, 1);
	if (!strcmp(what, "drop"))
		return job_run(self, a, JOB_DROP, 1);
	return cmd_usage(self, "list, show, retry or drop is expected, not \"%s\"", what);
}
