/* test_tap — results by the Test Anything Protocol, version 14: a line a test, what differs in a
 * block of YAML below it. A file that cannot be read is a test that failed. */
#include <string.h>

#include "relay/cmd/test_suite.h"

/* "#" would begin a directive, "\" an escape. */
static void print_name(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '#' || *text == '\\')
			fputc('\\', out);
		fputc((unsigned char)*text < ' ' ? '?' : *text, out);
	}
}

static void print_block(const char *path, unsigned line, const char *text, FILE *out)
{
	fputs("  ---\n  at: '", out);
	for (; *path; path++)
		fputs(*path == '\'' ? "''" : (char[]){*path, '\0'}, out);
	fprintf(out, ":%u'\n  message: |\n", line);
	while (*text) {
		size_t len = strcspn(text, "\n");
		fprintf(out, "    %.*s\n", (int)len, text);
		text += len + (text[len] ? 1 : 0);
	}
	fputs("  ...\n", out);
}

static void print_line(const char *path, const char *name, bool failed, size_t number, FILE *out)
{
	fprintf(out, "%sok %zu - ", failed ? "not " : "", number);
	print_name(path, out);
	fputs(": ", out);
	print_name(name, out);
	fputc('\n', out);
}

void test_report_tap(const struct test_suites *all, FILE *out)
{
	struct test_totals totals = test_suites_count(all);
	size_t number = 0;
	fprintf(out, "TAP version 14\n1..%zu\n", totals.passed + totals.failed + totals.bad);
	for (size_t i = 0; i < all->n; i++) {
		const struct test_suite *s = &all->v[i];
		if (s->bad) {
			print_line(s->path, "can be read", true, ++number, out);
			print_block(s->path, 1, s->bad, out);
		}
		for (size_t k = 0; k < s->n; k++) {
			const struct test_result *r = &s->v[k];
			print_line(s->path, r->name, r->failed, ++number, out);
			if (r->failed)
				print_block(s->path, r->line, r->text, out);
		}
	}
}
