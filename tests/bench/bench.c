/* bench — measuring side by side, and the rows' table and file. Invariant: every row that was
 * printed is in the file, with the machine it was measured on. */
#include "tests/bench/bench.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"

struct row {
	const char *what, *unit, *of;
	double value, ratio, bar;
	bool higher;
};

struct line {
	const char *title; /* of the table that begins here, or NULL: one more line of it */
	const char *cells;
};

static struct row *rows;
static size_t nrows, rows_cap;
static struct line *lines;
static size_t nlines, lines_cap;

static bool judged(const struct row *r)
{
	return !isnan(r->bar);
}

static bool is_ok(const struct row *r)
{
	double given = isnan(r->ratio) ? r->value : r->ratio;

	return r->higher ? given >= r->bar : given <= r->bar;
}

static void print_row(const struct row *r)
{
	printf("%-46s %12.4g %-16s", r->what, r->value, r->unit);
	if (!isnan(r->ratio))
		printf(" %6.2fx %s", r->ratio, r->of);
	if (judged(r))
		printf("  (%s %.4g: %s)", r->higher ? "at least" : "at most", r->bar,
		       is_ok(r) ? "ok" : "MISSED");
	putchar('\n');
	fflush(stdout);
}

void bench_row(const char *what, double value, const char *unit, double ratio, const char *of,
	       double bar, bool higher_is_better)
{
	rows = mem_grow(rows, nrows, &rows_cap, sizeof *rows);
	rows[nrows] = (struct row){what, unit, of, value, ratio, bar, higher_is_better};
	print_row(&rows[nrows++]);
}

static void print_cells(const char *cells)
{
	for (const char *at = cells; at; at = strchr(at, '|')) {
		at += *at == '|';
		printf("%13.*s", (int)strcspn(at, "|"), at);
	}
	putchar('\n');
	fflush(stdout);
}

static void add_line(const char *title, const char *cells)
{
	lines = mem_grow(lines, nlines, &lines_cap, sizeof *lines);
	lines[nlines++] = (struct line){title, cells};
	if (title)
		printf("\n%s\n", title);
	print_cells(cells);
}

void bench_table(const char *title, const char *head)
{
	add_line(title, head);
}

void bench_table_line(const char *cells)
{
	add_line(NULL, cells);
}

/* "AMD EPYC 7763, 2 cores, Linux 6.1.0-18-amd64" */
static void add_machine(struct buf *out)
{
	struct buf text = BUF_INIT(1000);
	struct utsname u;
	char line[256], *colon = NULL;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !colon && fgets(line, sizeof line, f)) {
		if (strncmp(line, "model name", 10) == 0)
			colon = strchr(line, ':');
	}
	if (f)
		fclose(f);
	if (colon)
		buf_addf(&text, "%.*s, ", (int)strcspn(colon + 2, "\n"), colon + 2);
	buf_addf(&text, "%ld cores", sysconf(_SC_NPROCESSORS_ONLN));
	if (uname(&u) == 0)
		buf_addf(&text, ", %s %s", u.sysname, u.release);
	json_write_string(out, text.data);
	buf_release(&text);
}

static void add_number(struct buf *out, const char *key, double value)
{
	if (isfinite(value))
		buf_addf(out, ",\"%s\":%.6g", key, value);
	else
		buf_addf(out, ",\"%s\":null", key);
}

static void add_row(struct buf *out, const struct row *r)
{
	buf_adds(out, "{\"case\":");
	json_write_string(out, r->what);
	add_number(out, "value", r->value);
	buf_adds(out, ",\"unit\":");
	json_write_string(out, r->unit);
	add_number(out, "ratio", r->ratio);
	buf_adds(out, ",\"of\":");
	json_write_string(out, r->of);
	if (judged(r)) {
		add_number(out, "bar", r->bar);
		buf_addf(out, ",\"ok\":%s", is_ok(r) ? "true" : "false");
	}
	buf_addc(out, '}');
}

/* [{"title":…,"lines":["a|b",…]}, …] */
static void add_tables(struct buf *out)
{
	for (size_t i = 0; i < nlines; i++) {
		if (lines[i].title) {
			buf_adds(out, i ? "]},\n{\"title\":" : "{\"title\":");
			json_write_string(out, lines[i].title);
			buf_adds(out, ",\"lines\":[");
		} else {
			buf_addc(out, ',');
		}
		json_write_string(out, lines[i].cells);
	}
	if (nlines)
		buf_adds(out, "]}");
}

static void write_file(const char *path, const struct buf *text)
{
	FILE *f;

	if ((mkdir("build", 0777) != 0 && errno != EEXIST) ||
	    (mkdir("build/bench", 0777) != 0 && errno != EEXIST))
		perror("build/bench");
	f = fopen(path, "we");
	if (!f || fwrite(text->data, 1, text->len, f) != text->len || fclose(f) != 0) {
		perror(path);
		exit(2);
	}
}

int bench_write(const char *name)
{
	struct buf text = BUF_INIT(1 << 20);
	char *path = xasprintf("build/bench/%s.json", name);
	int missed = 0;

	buf_adds(&text, "{\"machine\":");
	add_machine(&text);
	buf_adds(&text, ",\"rows\":[");
	for (size_t i = 0; i < nrows; i++) {
		buf_adds(&text, i ? ",\n" : "\n");
		add_row(&text, &rows[i]);
	}
	buf_adds(&text, "\n],\"tables\":[\n");
	add_tables(&text);
	buf_adds(&text, "\n]}\n");
	write_file(path, &text);
	for (size_t i = 0; i < nrows; i++) {
		if (judged(&rows[i]) && !is_ok(&rows[i])) {
			printf("%s", missed ? "" : "\nMissed:\n");
			print_row(&rows[i]);
			missed = 1;
		}
	}
	printf("\n%s\n", path);
	free(path);
	buf_release(&text);
	free(rows);
	free(lines);
	rows = NULL;
	lines = NULL;
	nrows = rows_cap = nlines = lines_cap = 0;
	return missed;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_median(double *v, size_t n)
{
	assert(n > 0);
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct bench_pair bench_pairs(size_t rounds, double (*ours)(void *), double (*peer)(void *),
			      void *arg)
{
	double *a = xcalloc(rounds, sizeof *a), *b = xcalloc(rounds, sizeof *b);
	double *ratio = xcalloc(rounds, sizeof *ratio);

	for (size_t i = 0; i < rounds; i++) {
		if (i % 2)
			b[i] = peer(arg);
		a[i] = ours(arg);
		if (i % 2 == 0)
			b[i] = peer(arg);
		ratio[i] = a[i] / b[i];
	}
	struct bench_pair pair = {bench_median(a, rounds), bench_median(b, rounds),
				  bench_median(ratio, rounds)};
	free(a);
	free(b);
	free(ratio);
	return pair;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_wall_s(void)
{
	return seconds(CLOCK_MONOTONIC);
}

double bench_cpu_s(void)
{
	return seconds(CLOCK_PROCESS_CPUTIME_ID);
}
