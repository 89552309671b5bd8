/* test_junit — results as the XML that JUnit made common: a suite a file, a case a test. A file
 * that cannot be read is a case in error. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/cmd/test_suite.h"

/* The characters that XML 1.0 has no way to write become "?". */
static void print_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else
			fputc(c < ' ' && c != '\n' && c != '\t' ? '?' : c, out);
	}
}

static void print_attribute(const char *name, const char *text, FILE *out)
{
	fprintf(out, " %s=\"", name);
	print_escaped(text, out);
	fputc('"', out);
}

static void print_case(const struct test_suite *s, const struct test_result *r, FILE *out)
{
	fputs("    <testcase", out);
	print_attribute("name", r->name, out);
	print_attribute("classname", s->path, out);
	print_attribute("file", s->path, out);
	fprintf(out, " line=\"%u\" time=\"%.6f\"", r->line, (double)r->took_us / 1e6);
	if (!r->failed) {
		fputs("/>\n", out);
		return;
	}
	const char *first = r->text + strspn(r->text, " ");
	char *message = xstrndup(first, strcspn(first, "\n"));
	fputs(">\n      <failure", out);
	print_attribute("message", message, out);
	fputc('>', out);
	free(message);
	print_escaped(r->text, out);
	fputs("</failure>\n    </testcase>\n", out);
}

static void print_bad(const struct test_suite *s, FILE *out)
{
	fputs("    <testcase name=\"can be read\"", out);
	print_attribute("classname", s->path, out);
	print_attribute("file", s->path, out);
	fputs(">\n      <error message=\"bad file\">", out);
	print_escaped(s->bad, out);
	fputs("</error>\n    </testcase>\n", out);
}

static void print_suite(const struct test_suite *s, FILE *out)
{
	const struct test_suites one = {(struct test_suite *)s, 1};
	struct test_totals totals = test_suites_count(&one);
	int64_t took_us = 0;
	for (size_t i = 0; i < s->n; i++)
		took_us += s->v[i].took_us;
	fputs("  <testsuite", out);
	print_attribute("name", s->path, out);
	fprintf(out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"%.6f\">\n",
		s->n + totals.bad, totals.failed, totals.bad, (double)took_us / 1e6);
	if (s->bad)
		print_bad(s, out);
	for (size_t i = 0; i < s->n; i++)
		print_case(s, &s->v[i], out);
	fputs("  </testsuite>\n", out);
}

void test_report_junit(const struct test_suites *all, FILE *out)
{
	struct test_totals totals = test_suites_count(all);
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"relay test\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
		totals.passed + totals.failed + totals.bad, totals.failed, totals.bad);
	for (size_t i = 0; i < all->n; i++)
		print_suite(&all->v[i], out);
	fputs("</testsuites>\n", out);
}
