/* store_fixture — contents for stores. Invariant: the same arguments give the same contents, and
 * different numbers differ in every column. */
#include "tests/suite/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"

#define T0 1763805600000 /* 2025-11-22T10:00:00Z */

void *fixture_sqlite(void)
{
	struct sqlite_options *o = xcalloc(1, sizeof *o);
	char *folder = fixture_folder();

	o->path = xasprintf("%s/relay.db", folder);
	o->keep_ms = FIXTURE_KEEP_MS;
	o->max_size = 1000000000;
	free(folder);
	return o;
}

void fixture_forget_sqlite(void *options)
{
	struct sqlite_options *o = options;

	fixture_remove(xstrndup(o->path, (size_t)(strrchr(o->path, '/') - o->path)));
	free(o->path);
	free(o);
}

struct event *fixture_event(struct batch *b, const char *type, const char *recipient, int n,
			    size_t padding)
{
	char number[16], id[EVENT_ID_SIZE];
	char *data = xasprintf("{\"n\":%d,\"padding\":\"%0*d\"}", n, (int)padding, 0);
	struct event *ev = batch_event(b);

	snprintf(number, sizeof number, "%d", n);
	event_id(id, (struct id_part[]){ID_PART(type), ID_PART(recipient), ID_PART(number)}, 3);
	struct event_head head = {
		.id = id,
		.type = type,
		.source = "https://api.useinvent.com/orgs/c/broadcasts/bc_1",
		.subject = recipient,
		.partitionkey = recipient,
		.integration_id = "twilio",
		.broadcast_id = "bc_1",
		.time_ms = T0 + n,
		.recorded_ms = T0 + n + 1000,
	};
	event_make(ev, &head, data, strlen(data));
	free(data);
	return ev;
}

struct route *fixture_route(struct batch *b, uint32_t destination, bool topical)
{
	struct route *r = batch_route(b);

	r->event = b->events.n - 1;
	r->destination = destination;
	r->rule = 1;
	r->topical = topical;
	return r;
}

void fixture_events(struct batch *b, int n)
{
	for (int i = 0; i < n; i++) {
		char recipient[16];

		snprintf(recipient, sizeof recipient, "r%d", i);
		fixture_event(b, "recipient.sent", recipient, i, 300);
		fixture_route(b, 1, true);
	}
}

struct recipient_write *fixture_recipient(struct batch *b, uint32_t broadcast, uint32_t number)
{
	struct recipient_write *w = batch_recipient(b);
	struct recipient_record *r = &w->r;
	bool odd = number % 2;

	w->broadcast = broadcast;
	r->number = number;
	r->id = xasprintf("rcp_%u_\xc3\xa4_%u", broadcast, number);
	r->states = number * 0x0123456789abcdefULL;
	r->status = (uint8_t)(number % 3);
	r->gone = number % 5 == 4;
	r->processed = (uint8_t)number;
	r->created_ms = odd ? DATE_NONE : T0 + number;
	r->updated_ms = odd ? T0 + 2 * (int64_t)number : DATE_NONE;
	for (unsigned state = number % 4; state < STATES_MAX; state += 1 + number % 7)
		recipient_record_set_time(r, state, state % 3 ? T0 + (int64_t)state * 1000 : -3);
	r->contact_id = odd ? NULL : xasprintf("ct_%u", number);
	r->integration_id = odd ? xstrdup("whatsapp_bot") : NULL;
	r->identity = ~(uint64_t)number;
	r->error = number * 31ULL;
	r->contact = 1ULL << number % 64;
	return w;
}

static void same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

void fixture_same_recipient(const struct recipient_record *a, const struct recipient_record *b)
{
	assert_int_equal(a->number, b->number);
	same_text(a->id, b->id);
	assert_int_equal(a->states, b->states);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->gone, b->gone);
	assert_int_equal(a->processed, b->processed);
	assert_int_equal(a->created_ms, b->created_ms);
	assert_int_equal(a->updated_ms, b->updated_ms);
	assert_int_equal(a->ntimes, b->ntimes);
	for (size_t i = 0; i < a->ntimes; i++) {
		assert_int_equal(a->times[i].state, b->times[i].state);
		assert_int_equal(a->times[i].at, b->times[i].at);
	}
	same_text(a->contact_id, b->contact_id);
	same_text(a->integration_id, b->integration_id);
	assert_int_equal(a->identity, b->identity);
	assert_int_equal(a->error, b->error);
	assert_int_equal(a->contact, b->contact);
	assert_int_equal(a->unreached_ms, b->unreached_ms);
}

struct destination_record *fixture_destination(struct batch *b, uint32_t number,
					       enum destination_state state)
{
	struct destination_record *d = batch_destination(b);

	d->number = number;
	d->name = xasprintf("dest-%u", number);
	d->state = state;
	return d;
}

struct settle *fixture_settle(struct batch *b, uint32_t destination, int64_t position)
{
	struct settle *s = batch_settle(b);

	s->destination = destination;
	s->cursor.position = position;
	return s;
}

struct exception *fixture_exception(struct settle *s, int64_t sequence, enum exception_state state)
{
	s->changed = xrealloc(s->changed, s->nchanged + 1, sizeof *s->changed);
	struct exception *x = &s->changed[s->nchanged++];

	*x = (struct exception){
		.destination = s->destination,
		.sequence = sequence,
		.order_key = UINT64_MAX - (uint64_t)sequence,
		.state = state,
		.attempts = (unsigned)sequence + 1,
		.due_ms = T0 + sequence,
		.held = sequence % 2,
		.why = state == EXCEPTION_WAITING ? NULL : xstrdup("503: try later"),
	};
	return x;
}
