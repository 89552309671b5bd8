/* summary_contacts — whether a contact was reached, from all of its rows. Invariant: what decides
 * is in the rows' records, so that whoever reads them again after a crash decides the same. */
#include "relay/source/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/source/diff_event.h"
#include "relay/source/fact.h"

#define SHOWN_MAX 20 /* rows of a contact in one event */

#define BIT(state) (UINT64_C(1) << (state))
#define FAILING	   (BIT(STATE_FAILED) | BIT(STATE_BOUNCED) | BIT(STATE_SKIPPED))

static const char *const failing[] = {"recipient.failed", "recipient.bounced", "recipient.skipped"};

static bool is_failing(const char *type)
{
	for (size_t i = 0; i < sizeof failing / sizeof *failing; i++)
		if (strcmp(type, failing[i]) == 0)
			return true;
	return false;
}

static bool has_contact(const struct recipient_record *r)
{
	return r->contact_id && *r->contact_id;
}

bool summary_note(struct recipient_record *r, const struct events *events, size_t first)
{
	bool delivered = false;

	for (size_t i = first; has_contact(r) && i < events->n; i++) {
		const struct event *ev = &events->v[i];
		delivered = delivered || strcmp(ev->type, "recipient.delivered") == 0;
		if (is_failing(ev->type) && (r->unreached_ms == 0 || ev->time_ms < r->unreached_ms))
			r->unreached_ms = ev->time_ms;
	}
	return delivered;
}

bool summary_fails(const struct recipient_record *before, const struct events *events, size_t first)
{
	bool fails = false;

	if (before && before->states & (BIT(STATE_FAILED) | BIT(STATE_BOUNCED)))
		return false;
	for (size_t i = first; i < events->n; i++)
		fails = fails || !strcmp(events->v[i].type, "recipient.failed") ||
			!strcmp(events->v[i].type, "recipient.bounced");
	return fails;
}

/* ---- rows by contact ---- */

void contact_rows_add(struct contact_rows *c, const struct recipient_record *r,
		      enum contact_row_kind kind)
{
	if (!has_contact(r))
		return;
	c->v = mem_grow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n++] = (struct contact_row){r, kind};
}

void contact_rows_release(struct contact_rows *c)
{
	free(c->v);
	*c = (struct contact_rows){0};
}

/* Of one row what was read comes before what was held. */
static int by_contact(const void *a, const void *b)
{
	const struct contact_row *x = a, *y = b;
	int order = strcmp(x->r->contact_id, y->r->contact_id);

	if (order)
		return order;
	if (x->r->number != y->r->number)
		return x->r->number < y->r->number ? -1 : 1;
	return (x->kind == ROW_HELD) - (y->kind == ROW_HELD);
}

void contact_rows_sort(struct contact_rows *c)
{
	if (c->n)
		qsort(c->v, c->n, sizeof *c->v, by_contact);
}

void contact_rows_next(const struct contact_rows *c, size_t from, struct contact *ret)
{
	size_t end = from;

	while (end < c->n && !strcmp(c->v[end].r->contact_id, c->v[from].r->contact_id))
		end++;
	*ret = (struct contact){.v = c->v + from, .n = end - from};
	if (ret->n)
		ret->id = ret->v->r->contact_id;
}

bool contact_rose(const struct contact *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == ROW_ROSE)
			return true;
	return false;
}

/* ---- what is told ---- */

/* It is as the row before it in the list was read now. */
static bool is_outdated(const struct contact *c, size_t i)
{
	return i > 0 && c->v[i].r->number == c->v[i - 1].r->number;
}

static size_t rows_of(const struct contact *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += !is_outdated(c, i);
	return n;
}

static void write_row(struct buf *data, const struct diff_place *at,
		      const struct recipient_record *r)
{
	fact_comma(data);
	buf_addc(data, '{');
	fact_text(data, "recipient_id", r->id);
	fact_text(data, "integration_id", r->integration_id);
	fact_key(data, "states");
	buf_addc(data, '[');
	for (unsigned i = 0; i < STATES_MAX && i < at->states->n; i++) {
		if (!is_true(r->states, i))
			continue;
		fact_comma(data);
		json_write_string(data, at->states->v[i]);
	}
	buf_adds(data, "]}");
}

/* by: the row that decides, since `ms` (below 0 or DATE_NONE: the API gives no time). */
static void tell(const struct diff_place *at, const struct contact *c, const char *type,
		 const struct recipient_record *by, int64_t ms, struct events *out)
{
	struct buf data = BUF_INIT(SIZE_MAX / 2);
	struct fact f = {.broadcast = at->broadcast,
			 .recipient = c->id,
			 .integration_id = by->integration_id,
			 .time_ms = ms < 0 ? DATE_NONE : ms};
	char part[FACT_TIME];
	size_t shown = 0;

	snprintf(f.type, sizeof f.type, "%s", type);
	fact_part(&f, fact_time(part, ms));
	diff_event_begin(&data, at, by->id, by->integration_id);
	fact_text(&data, "contact_id", c->id);
	fact_date(&data, "at", f.time_ms);
	fact_key(&data, "rows");
	buf_addi(&data, (long long)rows_of(c));
	fact_key(&data, "recipients");
	buf_addc(&data, '[');
	for (size_t i = 0; i < c->n && shown < SHOWN_MAX; i++) {
		if (is_outdated(c, i) || c->v[i].r->gone)
			continue;
		write_row(&data, at, c->v[i].r);
		shown++;
	}
	buf_adds(&data, "]}");
	fact_add(out, at, &f, &data);
	buf_release(&data);
}

static const struct state_time *delivered(const struct recipient_record *r)
{
	return recipient_record_time(r, STATE_DELIVERED);
}

/* The earlier of two; one without a time is the earlier only of such. */
static bool is_earlier(int64_t a, int64_t b)
{
	return a >= 0 && (b < 0 || a < b);
}

bool summary_reached(const struct diff_place *at, const struct contact *c, size_t most,
		     struct events *out)
{
	const struct recipient_record *first = NULL;

	if (rows_of(c) >= most)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct recipient_record *r = c->v[i].r;
		if (!delivered(r))
			continue;
		if (c->v[i].kind != ROW_ROSE)
			return false;
		if (!first || is_earlier(delivered(r)->at, delivered(first)->at))
			first = r;
	}
	if (first)
		tell(at, c, "contact.reached", first, delivered(first)->at, out);
	return first != NULL;
}

/* Since when it is failing. */
static int64_t failed_at(const struct recipient_record *r)
{
	int64_t first = INT64_MIN;

	for (unsigned i = 0; i < STATES_KNOWN; i++) {
		const struct state_time *t = recipient_record_time(r, i);
		if (!t || !is_true(r->states & FAILING, i))
			continue;
		if (first == INT64_MIN || is_earlier(t->at, first))
			first = t->at;
	}
	return first;
}

bool summary_unreached(const struct diff_place *at, const struct contact *c, size_t most,
		       struct events *out)
{
	const struct recipient_record *last = NULL;

	if (rows_of(c) >= most)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct recipient_record *r = c->v[i].r;
		if (is_outdated(c, i))
			continue;
		if (delivered(r) || r->unreached_ms == UNREACHED_TOLD)
			return false;
		if (r->gone)
			continue;
		if (!(r->states & FAILING))
			return false;
		if (!last || failed_at(r) > failed_at(last))
			last = r;
	}
	if (last)
		tell(at, c, "contact.unreached", last, failed_at(last), out);
	return last != NULL;
}
