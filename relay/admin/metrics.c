/* Writes the text format and puts the parts together. Numbers come without a locale. */
#include "relay/admin/metrics.h"

#include <math.h>

#include "relay/admin/admin.h"

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_adds(out, "\\n");
		else if (*text == '\\' || *text == '"')
			buf_addf(out, "\\%c", *text);
		else
			buf_addc(out, *text);
	}
}

static void add_series(struct buf *out, const char *name, const struct metrics_label *labels)
{
	buf_adds(out, name);
	for (size_t i = 0; labels[i].name; i++) {
		buf_addf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
		add_escaped(out, labels[i].value);
		buf_addc(out, '"');
	}
	buf_adds(out, labels[0].name ? "} " : " ");
}

void metrics_count(struct buf *out, const char *name, const struct metrics_label *labels,
		   uint64_t value)
{
	add_series(out, name, labels);
	buf_addf(out, "%llu\n", (unsigned long long)value);
}

/* Micros are as fine as anything here is. */
static void add_number(struct buf *out, double value)
{
	if (value < 0)
		buf_addc(out, '-');
	value = fabs(value);
	double whole = floor(value);
	unsigned micros = (unsigned)((value - whole) * 1e6 + 0.5);

	if (micros >= 1000000) {
		whole++;
		micros = 0;
	}
	buf_addi(out, (long long)whole);
	if (!micros)
		return;
	char digits[8] = {'.'};
	for (int i = 6; i > 0; i--, micros /= 10)
		digits[i] = (char)('0' + micros % 10);
	for (int i = 6; digits[i] == '0'; i--)
		digits[i] = '\0';
	buf_adds(out, digits);
}

void metrics_value(struct buf *out, const char *name, const struct metrics_label *labels,
		   double value)
{
	add_series(out, name, labels);
	add_number(out, value);
	buf_addc(out, '\n');
}

void metrics_histogram(struct buf *out, const char *name, const char *help,
		       const struct metrics_histogram *h)
{
	uint64_t sum = 0;

	metrics_family(out, name, "histogram", help);
	for (unsigned i = 0; i < h->n; i++) {
		sum += h->counts[i];
		buf_addf(out, "%s_bucket{le=\"", name);
		if (i + 1 < h->n)
			add_number(out, (double)(h->first_us << i) / 1e6);
		else
			buf_adds(out, "+Inf");
		buf_addf(out, "\"} %llu\n", (unsigned long long)sum);
	}
	buf_addf(out, "%s_sum ", name);
	add_number(out, (double)h->total_us / 1e6);
	buf_addf(out, "\n%s_count %llu\n", name, (unsigned long long)sum);
}

void metrics_single(struct buf *out, const char *name, const char *type, const char *help,
		    double value)
{
	metrics_family(out, name, type, help);
	metrics_value(out, name, METRICS_LABELS(), value);
}

static metrics_part *const parts[] = {
	metrics_relay, metrics_source,	     metrics_rules,   metrics_journal,
	metrics_jobs,  metrics_destinations, metrics_figures,
};

void admin_metrics(const struct admin_view *v, const struct admin_request *q,
		   struct admin_reply *ret)
{
	(void)q;
	ret->content_type = "text/plain; version=0.0.4; charset=utf-8";
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		parts[i](v, &ret->body);
}
