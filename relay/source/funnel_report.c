/* funnel_report — a report's event, and what of it is kept for the next one. Invariant: shares are
 * whole ten-thousandths, so that the same numbers give the same bytes everywhere. */
#include "relay/source/funnel.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/source/fact.h"

#define WHOLE	  10000
#define SHOWN_MAX 20 /* channels, and causes of failures */
#define PAST_MAX  3

static void write_count(struct buf *data, const char *key, uint64_t n)
{
	fact_key(data, key);
	buf_addi(data, (long long)n);
}

/* 9833: 0.9833 */
static void write_share(struct buf *data, const char *key, int64_t share)
{
	int64_t part = share < 0 ? -share : share;
	int digits = 4;

	fact_key(data, key);
	buf_addf(data, "%s%lld", share < 0 ? "-" : "", (long long)(part / WHOLE));
	for (part %= WHOLE; part && part % 10 == 0; part /= 10)
		digits--;
	if (part)
		buf_addf(data, ".%0*lld", digits, (long long)part);
}

static int64_t share_of(uint64_t n, uint64_t rows)
{
	return rows ? (int64_t)((n * WHOLE + rows / 2) / rows) : 0;
}

static bool is_shown(const struct diff_place *at, const struct funnel_counts *c, unsigned state)
{
	return state < at->states->n && (state < STATES_KNOWN || c->states[state]);
}

/* ---- the rows ---- */

static void write_funnel(struct buf *data, const struct diff_place *at,
			 const struct funnel_counts *c)
{
	write_count(data, "rows", c->rows);
	fact_key(data, "funnel");
	buf_addc(data, '{');
	for (unsigned i = 0; i < STATES_MAX; i++) {
		if (!is_shown(at, c, i))
			continue;
		fact_key(data, at->states->v[i]);
		buf_addc(data, '{');
		write_count(data, "count", c->states[i]);
		write_share(data, "share", share_of(c->states[i], c->rows));
		buf_addc(data, '}');
	}
	buf_addc(data, '}');
}

static int by_rows(const void *a, const void *b)
{
	const struct funnel_channel *const *x = a, *const *y = b;

	if ((*x)->counts.rows != (*y)->counts.rows)
		return (*x)->counts.rows > (*y)->counts.rows ? -1 : 1;
	return strcmp((*x)->name, (*y)->name);
}

static const char *given(const char *text)
{
	return *text ? text : NULL;
}

static void write_channels(struct buf *data, const struct diff_place *at, const struct funnel *f)
{
	const struct funnel_channel *sorted[CHANNELS_MAX];
	uint64_t others = f->all.rows;

	for (size_t i = 0; i < f->nchannels; i++)
		sorted[i] = &f->channels[i];
	qsort(sorted, f->nchannels, sizeof *sorted, by_rows);
	fact_key(data, "channels");
	buf_addc(data, '[');
	for (size_t i = 0; i < f->nchannels && i < SHOWN_MAX; i++) {
		fact_comma(data);
		buf_addc(data, '{');
		fact_text(data, "integration_id", given(sorted[i]->name));
		write_funnel(data, at, &sorted[i]->counts);
		buf_addc(data, '}');
		others -= sorted[i]->counts.rows;
	}
	buf_addc(data, ']');
	write_count(data, "other_channels_rows", others);
}

static void write_failures(struct buf *data, struct causes *c)
{
	uint64_t others = causes_total(c);

	causes_sort(c);
	fact_key(data, "failures");
	buf_addc(data, '{');
	write_count(data, "count", others);
	fact_key(data, "causes");
	buf_addc(data, '[');
	for (size_t i = 0; i < c->n && i < SHOWN_MAX; i++) {
		fact_comma(data);
		buf_addc(data, '{');
		fact_text(data, "error_message", given(c->v[i].text));
		fact_text(data, "integration_id", given(c->v[i].channel));
		write_count(data, "count", c->v[i].n);
		buf_addc(data, '}');
		others -= c->v[i].n;
	}
	buf_addc(data, ']');
	write_count(data, "other", others);
	buf_addc(data, '}');
}

static void write_delay(struct buf *data, const char *key, int64_t ms)
{
	fact_key(data, key);
	if (ms < 0)
		buf_adds(data, "null");
	else
		buf_addf(data, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

static void write_times(struct buf *data, const struct diff_place *at, const struct funnel *f)
{
	int64_t first = f->first_sent_ms, last = f->last_sent_ms;

	fact_key(data, "times");
	buf_addc(data, '{');
	fact_date(data, "created", at->broadcast_created_ms);
	fact_date(data, "first_sent", first ? first : DATE_NONE);
	fact_date(data, "last_sent", last ? last : DATE_NONE);
	fact_key(data, "delivered_after");
	buf_addc(data, '{');
	write_delay(data, "median", funnel_delay_ms(f, 0.5));
	write_delay(data, "p90", funnel_delay_ms(f, 0.9));
	buf_adds(data, "}}");
}

/* ---- earlier reports ---- */

/* Of each of them the share of a state, on average; false: none names it. */
static bool past_share(const struct json *past, const char *state, int64_t *ret)
{
	double sum = 0;
	int n = 0;

	for (const struct json *v = json_first(past); v; v = json_next(v)) {
		double share = json_number(json_get(json_get(v, "shares"), state), -1);
		if (share < 0)
			continue;
		sum += share;
		n++;
	}
	if (n)
		*ret = (int64_t)(sum / n * WHOLE + 0.5);
	return n > 0;
}

static void write_past(struct buf *data, const struct diff_place *at, const struct report *r)
{
	const struct funnel_counts *c = &r->funnel->all;
	struct json_doc *doc = json_doc_new();
	const char *text = r->past ? r->past : "[]";
	struct err err;
	const struct json *past = json_parse(doc, text, strlen(text), 4, &err);
	int64_t before;

	fact_key(data, "previous");
	if (past)
		json_write(data, past);
	else
		buf_adds(data, "[]");
	fact_key(data, "change");
	buf_addc(data, '{');
	for (unsigned i = 0; i < STATES_MAX; i++)
		if (is_shown(at, c, i) && past_share(past, at->states->v[i], &before))
			write_share(data, at->states->v[i],
				    share_of(c->states[i], c->rows) - before);
	buf_addc(data, '}');
	json_doc_free(doc);
}

static void remember_this(struct buf *out, const struct diff_place *at, const struct report *r)
{
	const struct funnel_counts *c = &r->funnel->all;

	buf_addc(out, '{');
	fact_text(out, "broadcast_id", at->broadcast);
	fact_date(out, "at", at->recorded_ms);
	write_count(out, "rows", c->rows);
	fact_key(out, "shares");
	buf_addc(out, '{');
	for (unsigned i = 0; i < STATES_MAX; i++)
		if (is_shown(at, c, i))
			write_share(out, at->states->v[i], share_of(c->states[i], c->rows));
	buf_adds(out, "}}");
}

void report_remember(struct buf *out, const struct diff_place *at, const struct report *r)
{
	struct json_doc *doc = json_doc_new();
	struct err err;
	const struct json *v =
		r->past ? json_first(json_parse(doc, r->past, strlen(r->past), 4, &err)) : NULL;

	buf_addc(out, '[');
	remember_this(out, at, r);
	for (int n = 1; v && n < PAST_MAX; v = json_next(v), n++) {
		fact_comma(out);
		json_write(out, v);
	}
	buf_addc(out, ']');
	json_doc_free(doc);
}

void report_add(struct events *out, const struct diff_place *at, const struct report *r)
{
	struct buf data = BUF_INIT(SIZE_MAX / 2);
	struct fact f = {
		.type = "broadcast.report", .broadcast = at->broadcast, .time_ms = DATE_NONE};
	char time[FACT_TIME];

	fact_part(&f, fact_updated(time, at, r->updated_ms));
	buf_addc(&data, '{');
	fact_text(&data, "org_id", at->org);
	fact_text(&data, "broadcast_id", at->broadcast);
	fact_text(&data, "broadcast_name", at->broadcast_name);
	fact_text(&data, "status", r->status);
	write_funnel(&data, at, &r->funnel->all);
	write_channels(&data, at, r->funnel);
	write_failures(&data, r->failures);
	write_times(&data, at, r->funnel);
	write_past(&data, at, r);
	buf_addc(&data, '}');
	fact_add(out, at, &f, &data);
	buf_release(&data);
}
