/* http_batch — gathers events into one call: up to 100 or as many as come within a second, and
 * those of a call that failed in one again; while too many calls are out, as many as come until one
 * has ended. Invariant: what is gathered is in exactly one callback,
 * which goes out full, at a change of group, or at a tick. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_redact.h"
#include "transports/http_parts.h"

_Static_assert(JSON_REDACTED_MAX(EVENT_BODY_MAX) + 2 <= HTTP_BATCH_BYTES, "any event fits alone");

static int by_sequence(const void *a, const void *b)
{
	const struct parcel *x = *(const struct parcel *const *)a;
	const struct parcel *y = *(const struct parcel *const *)b;

	return x->event->sequence < y->event->sequence ? -1
						       : x->event->sequence > y->event->sequence;
}

void http_batch_flush(struct http_self *h)
{
	struct callback *c = h->gathered;

	if (!c)
		return;
	h->gathered = NULL;
	qsort(c->parcels, c->n, sizeof(const struct parcel *), by_sequence);
	if (!c->group) /* no attempt of this destination ever had the number, nor will have */
		c->group = c->parcels[0]->id;
	http_call_send(c);
}

void http_batch_add(struct http_self *h, const struct parcel *parcel)
{
	struct callback *c = h->gathered;
	size_t more = parcel->event->len + 1;

	if (c && (c->group != parcel->group || c->bytes + more > HTTP_BATCH_BYTES))
		http_batch_flush(h);
	c = h->gathered;
	if (!c) {
		h->gathered = c = http_call_take(h);
		c->group = parcel->group;
		c->bytes = 2; /* the brackets */
		h->gathered_is_new = true;
	}
	c->parcels[c->n++] = parcel;
	c->bytes += more;
	if (c->n == HTTP_BATCH_EVENTS)
		http_batch_flush(h);
}

void http_batch_tick(struct http_self *h, struct instant now)
{
	if (!h->gathered)
		return;
	if (h->gathered_is_new) {
		h->gathered_is_new = false;
		h->gathered_ms = now.mono_ms;
	}
	if (http_may_call(h) &&
	    (h->gathered->group || now.mono_ms - h->gathered_ms >= HTTP_BATCH_WAIT_MS))
		http_batch_flush(h);
}

void http_batch_say(struct callback *c)
{
	struct id_part parts[HTTP_BATCH_EVENTS];

	for (size_t i = 0; i < c->n; i++) {
		const struct event *event = c->parcels[i]->event;

		parts[i] = (struct id_part)ID_PART(event->id);
		buf_addc(&c->body, i ? ',' : '[');
		buf_add(&c->body, event->body, event->len);
	}
	buf_addc(&c->body, ']');
	event_id(c->batch_id, parts, c->n);
}
