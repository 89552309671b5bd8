/*
 * relay backtest — what other rules would have sent, over the events of the journal. Reads it
 * beside a running relay or without one, and changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/backtest.h"
#include "relay/base/clock.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/screen.h"

#define QUIET_MS 1000 /* of work for which nobody needs a progress bar */
#define BAR	 30

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{0, "rules", "FILE", "the rules to try: a configuration, or a file with only `rules:`"},
	{0, "since", "TIME", "only events recorded since then: a date, or 2h, 7d ago"},
	{0, "fail-above", "N%", "exit 1 when more than so much would change of what was sent"},
	{0},
};

const struct command cmd_backtest = {
	.name = "backtest",
	.operands = "",
	.summary = "what other rules would have sent, more or less, over the journal's events",
	.example =
		"  relay backtest --rules new.yaml --since 7d\n"
		"  relay backtest --rules new.yaml --fail-above 5% --json\n\n"
		"Without destinations of its own, the file's rules are for those of --config, in\n"
		"whose journal the events are.",
	.flags = flags,
	.run = run,
};

/* ---- arguments ---- */

static int read_since(const struct args *a, int64_t *ret, struct err *err)
{
	const char *text = arg_value(a, "since");
	*ret = 0;
	if (!text || cmd_when(text, ret))
		return 0;
	return err_set(err, ERR_USAGE, "--since is a date, or a time span such as 2h or 7d");
}

/* *ret: 0.05 for 5%; infinite without the flag. */
static int read_limit(const struct args *a, double *ret, struct err *err)
{
	const char *text = arg_value(a, "fail-above");
	*ret = INFINITY;
	if (text && !option_percent(text, ret))
		return err_set(err, ERR_USAGE, "--fail-above is a percentage such as 5%%");
	return 0;
}

/* ---- progress ---- */

struct bar {
	int64_t began_ms;
	bool shown;
};

static void progress(void *arg, int64_t done, int64_t all)
{
	struct bar *b = arg;
	char text[BAR + 1];
	if (clock_now().mono_ms - b->began_ms < QUIET_MS)
		return;
	memset(text, ' ', BAR);
	memset(text, '#', (size_t)(done * BAR / all));
	text[BAR] = '\0';
	fprintf(stderr, "\r[%s] %3d%%  %" PRId64 " of %" PRId64 " events", text,
		(int)(done * 100 / all), done, all);
	b->shown = true;
}

/* ---- for people ---- */

/* Of a table's first columns. */
struct widths {
	int rule, destination;
};

static int wider(int width, const char *text)
{
	int len = (int)strlen(text);
	return len > width ? len : width;
}

static void print_cell(const char *text, int width)
{
	screen_text(text);
	printf("%*s  ", width - (int)strlen(text), "");
}

static void print_row(const struct backtest_row *r, struct widths w)
{
	print_cell(r->rule ? r->rule : "together", w.rule);
	print_cell(r->destination ? r->destination : "", w.destination);
	printf("%10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "%s\n", r->was, r->would,
	       r->more, r->less, r->alert ? "  with alerts" : "");
}

static void print_alerts(const struct backtest *b, struct widths w)
{
	if (!b->nalerts)
		return;
	putchar('\n');
	print_cell("alerts", w.rule);
	printf("%10s %10s\n", "fired", "would fire");
	for (size_t i = 0; i < b->nalerts; i++) {
		print_cell(b->alerts[i].rule, w.rule);
		printf("%10" PRIu64 " %10" PRIu64 "\n", b->alerts[i].was, b->alerts[i].would);
	}
}

static void print_table(const struct backtest *b)
{
	char first[DATE_TEXT], last[DATE_TEXT];
	struct widths w = {(int)strlen("together"), (int)strlen("destination")};
	if (!b->events) {
		puts("no events");
		return;
	}
	for (size_t i = 0; i < b->nrows; i++)
		w = (struct widths){wider(w.rule, b->rows[i].rule),
				    wider(w.destination, b->rows[i].destination)};
	for (size_t i = 0; i < b->nalerts; i++)
		w.rule = wider(w.rule, b->alerts[i].rule);
	printf("%" PRIu64 " events, %s to %s\n\n", b->events, date_format(first, b->first_ms),
	       date_format(last, b->last_ms));
	print_cell("rule", w.rule);
	print_cell("destination", w.destination);
	printf("%10s %10s %10s %10s\n", "was", "would be", "more", "less");
	for (size_t i = 0; i < b->nrows; i++)
		print_row(&b->rows[i], w);
	print_row(&b->all, w);
	print_alerts(b, w);
}

/* ---- for programs ---- */

static void add_counts(struct buf *out, const struct backtest_row *r)
{
	json_add_int(out, "was", (int64_t)r->was);
	json_add_int(out, "would_be", (int64_t)r->would);
	json_add_int(out, "more", (int64_t)r->more);
	json_add_int(out, "less", (int64_t)r->less);
}

static void end_line(struct buf *out)
{
	buf_addc(out, '}');
	puts(out->data);
	buf_clear(out);
}

static void write_lines(const struct backtest *b)
{
	struct buf out = BUF_INIT(1 << 20);
	for (size_t i = 0; i < b->nrows; i++) {
		buf_addc(&out, '{');
		json_add_text(&out, "rule", b->rows[i].rule);
		json_add_text(&out, "destination", b->rows[i].destination);
		add_counts(&out, &b->rows[i]);
		json_add_bool(&out, "alerts", b->rows[i].alert);
		end_line(&out);
	}
	for (size_t i = 0; i < b->nalerts; i++) {
		buf_addc(&out, '{');
		json_add_text(&out, "alert", b->alerts[i].rule);
		json_add_int(&out, "fired", (int64_t)b->alerts[i].was);
		json_add_int(&out, "would_fire", (int64_t)b->alerts[i].would);
		end_line(&out);
	}
	buf_addc(&out, '{');
	json_add_int(&out, "events", (int64_t)b->events);
	json_add_date(&out, "first", b->first_ms);
	json_add_date(&out, "last", b->last_ms);
	add_counts(&out, &b->all);
	end_line(&out);
	buf_release(&out);
}

/* ---- all of it ---- */

/* More or less of nothing is infinitely much. */
static double change(const struct backtest *b)
{
	double changed = (double)(b->all.more + b->all.less);
	if (b->all.was)
		return changed / (double)b->all.was;
	return changed > 0 ? INFINITY : 0;
}

static int go(const struct settings *base, const struct settings *tried, int64_t since_ms,
	      struct backtest *ret, struct err *err)
{
	const struct settings *of = tried->config.destinations ? tried : base;
	const char **names = xcalloc(of->ndestinations + 1, sizeof *names);
	struct bar bar = {.began_ms = clock_now().mono_ms};
	for (size_t i = 0; i < of->ndestinations; i++)
		names[i] = of->destinations[i].name;
	const struct backtest_options o = {.rules = tried->rules,
					   .destinations = names,
					   .ndestinations = of->ndestinations,
					   .since_ms = since_ms,
					   .progress = isatty(STDERR_FILENO) ? progress : NULL,
					   .arg = &bar};
	int failed = backtest_run(&base->journal, &o, ret, err);
	if (bar.shown)
		fputs("\r\033[K", stderr);
	free(names);
	return failed;
}

static struct settings *load_rules(const struct args *a, const struct settings *base)
{
	struct problems problems = {0};
	struct settings *s = settings_load_rules(arg_value(a, "rules"), base, &problems);
	problems_print(&problems, stderr);
	problems_release(&problems);
	return s;
}

static int run(const struct command *self, const struct args *a)
{
	struct err err = {0};
	struct backtest b = {0};
	int64_t since_ms;
	double limit;
	if (!arg_given(a, "rules"))
		return cmd_usage(self, "--rules FILE is missing");
	if (read_since(a, &since_ms, &err) != 0 || read_limit(a, &limit, &err) != 0)
		return cmd_usage(self, "%s", err.msg);
	struct settings *base = cmd_settings_part(a, SETTINGS_DESTINATIONS);
	struct settings *tried = base ? load_rules(a, base) : NULL;
	if (!tried) {
		settings_free(base);
		return EXIT_BAD_CONFIG;
	}
	int failed = go(base, tried, since_ms, &b, &err);
	if (!failed && cmd_wants_json(a))
		write_lines(&b);
	else if (!failed)
		print_table(&b);
	int status = failed ? cmd_fail(self, &err) : change(&b) > limit ? EXIT_FOUND : EXIT_OK;
	backtest_release(&b);
	settings_free(tried);
	settings_free(base);
	return status;
}
