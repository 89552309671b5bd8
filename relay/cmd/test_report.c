/* test_report — results for people, and a JSON object a line for programs. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/screen.h"
#include "relay/cmd/test_suite.h"

/* Lines that may hold what a test's author wrote: nothing of it moves the cursor. */
static void print_lines(const char *text, const char *indent, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = xstrndup(text, len);
		fputs(indent, out);
		screen_print(line, out);
		fputc('\n', out);
		free(line);
		text += len + (text[len] ? 1 : 0);
	}
}

static void print_suite(const struct test_suite *s, FILE *out)
{
	if (!s->bad && !s->n) /* none of its tests was wished for */
		return;
	fprintf(out, "%s\n", s->path);
	if (s->bad) {
		fputs("  bad file:\n", out);
		print_lines(s->bad, "    ", out);
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct test_result *r = &s->v[i];
		fputs(r->failed ? "  FAILED  " : "  ok      ", out);
		screen_print(r->name, out);
		if (r->failed)
			fprintf(out, " (%s:%u)", s->path, r->line);
		fputc('\n', out);
		print_lines(r->text ? r->text : "", "  ", out);
		if (r->shown) {
			fputs("    what came:\n", out);
			print_lines(r->shown, "    ", out);
		}
	}
}

void test_report_text(const struct test_suites *all, FILE *out)
{
	struct test_totals totals = test_suites_count(all);
	for (size_t i = 0; i < all->n; i++)
		print_suite(&all->v[i], out);
	fprintf(out, "%zu passed, %zu failed", totals.passed, totals.failed);
	if (totals.bad)
		fprintf(out, ", %zu bad file%s", totals.bad, totals.bad == 1 ? "" : "s");
	fputc('\n', out);
}

static void print_result(const struct test_suite *s, const struct test_result *r, FILE *out)
{
	struct buf line = BUF_INIT(SIZE_MAX / 2);
	buf_addc(&line, '{');
	json_add_text(&line, "file", s->path);
	json_add_text(&line, "name", r->name);
	json_add_int(&line, "line", r->line);
	json_add_bool(&line, "ok", !r->failed);
	json_add_name(&line, "failures");
	buf_adds(&line, r->json ? r->json : "[]");
	buf_addc(&line, '}');
	fprintf(out, "%s\n", line.data);
	buf_release(&line);
}

static void print_bad(const struct test_suite *s, FILE *out)
{
	struct buf line = BUF_INIT(SIZE_MAX / 2);
	buf_addc(&line, '{');
	json_add_text(&line, "file", s->path);
	json_add_bool(&line, "ok", false);
	json_add_text(&line, "bad", s->bad);
	buf_addc(&line, '}');
	fprintf(out, "%s\n", line.data);
	buf_release(&line);
}

void test_report_json(const struct test_suites *all, FILE *out)
{
	struct test_totals totals = test_suites_count(all);
	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].bad)
			print_bad(&all->v[i], out);
		for (size_t k = 0; k < all->v[i].n; k++)
			print_result(&all->v[i], &all->v[i].v[k], out);
	}
	fprintf(out, "{\"passed\":%zu,\"failed\":%zu,\"bad_files\":%zu}\n", totals.passed,
		totals.failed, totals.bad);
}
