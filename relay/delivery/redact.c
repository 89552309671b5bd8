/*
 * redact — what a destination is not to get is null in the events it gets: in each attempt, by the
 * settings of that moment, and in what its transport asks of the past, by those it was opened with.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json_redact.h"
#include "relay/base/mem.h"

static void redact(struct buf *out, const char *body, size_t len, char *const *names, size_t n)
{
	out->max = JSON_REDACTED_MAX(len);
	json_redact(out, body, len, "data", (const char *const *)names, n);
}

const struct event *delivery_redact(const struct delivery_options *o, const struct event *event,
				    struct event *room)
{
	const struct strings *names = &o->redact;
	struct buf out = BUF_INIT(0);

	if (!names->n)
		return event;
	redact(&out, event->body, event->len, names->v, names->n);
	*room = *event; /* but for the body its parts are borrowed */
	room->len = out.len;
	room->body = buf_detach(&out);
	room->sequence_at = event_sequence_at(room->body, room->len);
	return room;
}

void delivery_redact_release(struct event *room)
{
	free(room->body);
	*room = (struct event){0};
}

/* ---- the past, on the transport's thread ---- */

struct passing {
	const struct redaction *redaction;
	history_each *each;
	void *arg;
	struct buf body;
};

static void pass(void *arg, const struct history_event *ev)
{
	struct passing *p = arg;
	struct history_event changed = *ev;

	buf_clear(&p->body);
	redact(&p->body, ev->body, ev->len, p->redaction->names, p->redaction->n);
	changed.body = p->body.data;
	changed.len = p->body.len;
	p->each(p->arg, &changed);
}

static int routes(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		  struct history_end *ret, struct err *err)
{
	const struct redaction *r = arg;
	struct passing p = {.redaction = r, .each = each, .arg = each_arg, .body = BUF_INIT(0)};
	int failed;

	if (!r->n)
		return r->whole->routes(r->whole->arg, q, each, each_arg, ret, err);
	failed = r->whole->routes(r->whole->arg, q, pass, &p, ret, err);
	buf_release(&p.body);
	return failed;
}

/* What a row has under a name of its own, or at its top, and events only inside or under another:
 * contact_id is their recipient.contact.id. */
static const struct {
	const char *redacted, *member;
} elsewhere[] = {
	{"recipient", "contact_id"}, {"contact", "contact_id"},	  {"id", "contact_id"},
	{"recipient", "status"},     {"recipient", "created_at"}, {"recipient", "updated_at"},
};
#define ELSEWHERE (sizeof elsewhere / sizeof *elsewhere)

struct passing_rows {
	const struct redaction *redaction;
	history_row_each *each;
	void *arg;
	struct buf body;
};

static void pass_row(void *arg, const struct history_row *row)
{
	struct passing_rows *p = arg;

	const struct redaction *r = p->redaction;

	buf_clear(&p->body);
	p->body.max = JSON_REDACTED_MAX(row->len);
	json_redact(&p->body, row->body, row->len, NULL, (const char *const *)r->names, r->nrow);
	p->each(p->arg, &(struct history_row){row->place, p->body.data, p->body.len});
}

static int rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		void *each_arg, struct history_rows_end *ret, struct err *err)
{
	const struct redaction *r = arg;
	struct passing_rows p = {r, each, each_arg, BUF_INIT(0)};

	if (!r->n)
		return r->whole->rows(r->whole->arg, q, each, each_arg, ret, err);
	int failed = r->whole->rows(r->whole->arg, q, pass_row, &p, ret, err);
	if (!failed && ret->broadcast) {
		size_t len = strlen(ret->broadcast);
		buf_clear(&p.body);
		p.body.max = JSON_REDACTED_MAX(len);
		json_redact(&p.body, ret->broadcast, len, NULL, (const char *const *)r->names,
			    r->n);
		free(ret->broadcast);
		ret->broadcast = buf_detach(&p.body);
	}
	buf_release(&p.body);
	return failed;
}

static bool is_redacted(const struct redaction *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->names[i], name))
			return true;
	return false;
}

void redaction_open(struct redaction *r, const struct delivery_options *o,
		    const struct transport_history *whole)
{
	*r = (struct redaction){.whole = whole,
				.history = {.arg = r, .routes = routes, .rows = rows}};
	r->names = xcalloc(o->redact.n + ELSEWHERE, sizeof *r->names);
	for (r->n = 0; r->n < o->redact.n; r->n++)
		r->names[r->n] = xstrdup(o->redact.v[r->n]);
	r->nrow = r->n;
	for (size_t i = 0; i < ELSEWHERE; i++)
		if (is_redacted(r, elsewhere[i].redacted))
			r->names[r->nrow++] = xstrdup(elsewhere[i].member);
}

void redaction_close(struct redaction *r)
{
	for (size_t i = 0; i < r->nrow; i++)
		free(r->names[i]);
	free(r->names);
}
