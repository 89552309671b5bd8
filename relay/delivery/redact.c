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

void redaction_open(struct redaction *r, const struct delivery_options *o,
		    const struct transport_history *whole)
{
	*r = (struct redaction){.whole = whole, .history = {.arg = r, .routes = routes}};
	r->names = xcalloc(o->redact.n + 1, sizeof *r->names);
	for (r->n = 0; r->n < o->redact.n; r->n++)
		r->names[r->n] = xstrdup(o->redact.v[r->n]);
}

void redaction_close(struct redaction *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->names[i]);
	free(r->names);
}
