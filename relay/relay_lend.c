/*
 * What the relay lends to its stages: the loop's own connections to the source, and the past to
 * transports that refill.
 */
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/base/row_json.h"
#include "relay/relay_state.h"

/* ---- requests on the loop's own connections, timed ---- */

struct loop_call {
	struct relay *relay;
	http_done *done;
	void *arg;
};

static void loop_call_done(void *arg, const struct http_reply *reply)
{
	struct loop_call c = *(struct loop_call *)arg;
	int64_t t = clock_mono_us();
	free(arg);
	c.done(c.arg, reply);
	relay_note_call(c.relay, t);
}

int relay_fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		struct err *err)
{
	struct relay *r = arg;
	struct loop_call *c = xmalloc(sizeof *c);
	*c = (struct loop_call){r, done, done_arg};
	int failed = r->env.fetch ? r->env.fetch(r->env.fetch_arg, call, loop_call_done, c, err)
				  : http_start(r->http, call, loop_call_done, c, NULL, err);
	if (failed)
		free(c);
	return failed ? -1 : 0;
}

/* ---- the past, for transports that refill ---- */

int relay_history(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		  struct history_end *ret, struct err *err)
{
	struct relay *r = arg;
	struct delivery_routes routes = {0};
	struct route_query query = {
		.destination = q->number,
		.after = q->after,
		.topic_prefix = q->prefix,
		.limit = q->limit,
		.scan_limit = q->scan,
		.max_bytes = q->max_bytes,
	};
	if (journal_routes_wait(r->journal, &query, &routes, err) < 0)
		return -1;
	for (size_t i = 0; i < routes.n; i++)
		each(each_arg, &(struct history_event){
				       .sequence = routes.v[i].event.sequence,
				       .prevsequence = routes.v[i].prevsequence,
				       .topic = routes.v[i].event.topic,
				       .body = routes.v[i].event.body,
				       .len = routes.v[i].event.len,
			       });
	*ret = (struct history_end){routes.scanned, routes.more, journal_oldest(r->journal),
				    journal_latest(r->journal)};
	if (routes.latest > ret->latest)
		ret->latest = routes.latest; /* that commit is just being reported */
	delivery_routes_release(&routes);
	return 0;
}

static char *broadcast_text(const struct broadcast_record *b)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2); /* little more than the record */

	if (!b->id)
		return NULL;
	row_json_broadcast(&text, b);
	return buf_detach(&text);
}

static void give_rows(const struct page *p, history_row_each *each, void *each_arg)
{
	const struct row_names names = {&p->states, &p->statuses};
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	char place[PAGE_PLACE_TEXT];

	for (size_t i = 0; i < p->rows.n; i++) {
		buf_clear(&text);
		row_json(&text, &p->rows.v[i], &names);
		page_place_write(place, page_place_of(&p->rows.v[i]));
		each(each_arg, &(struct history_row){place, text.data, text.len});
	}
	buf_release(&text);
}

_Static_assert(PAGE_PLACE_TEXT - 1 <= HISTORY_PLACE_MAX, "a place fits into a request");

static int refuse_place(struct err *err)
{
	return err_set(
		err, ERR_FORMAT,
		"after: it is not the `next` of a page of this broadcast; begin again without "
		"it");
}

int relay_history_rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		       void *each_arg, struct history_rows_end *ret, struct err *err)
{
	struct relay *r = arg;
	struct page_place after;
	struct page_query query = {q->broadcast, q->org, *q->after ? &after : NULL, q->limit};
	struct page page;

	if (query.after && !page_place_read(&after, q->after))
		return refuse_place(err);
	if (journal_page_wait(r->journal, &query, &page, err) < 0)
		return -1;
	if (page.astray) {
		page_release(&page);
		return refuse_place(err);
	}
	*ret = (struct history_rows_end){page.sequence, page.more, page.ambiguous,
					 broadcast_text(&page.broadcast)};
	give_rows(&page, each, each_arg);
	page_release(&page);
	return 0;
}
