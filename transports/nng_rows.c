/* nng_rows — see the header. Invariant: `next` is the place of the last row given, so that a row
 * that found no room is the first of the next page. */
#include "transports/nng_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "transports/nng_frame.h"

#define BEHIND_ROWS (512 << 10) /* room for what is known of the broadcast, and the rest */

struct given {
	struct buf *out;
	char last[HISTORY_PLACE_MAX + 1];
	bool cut; /* no room for more */
};

static void add_row(void *arg, const struct history_row *row)
{
	struct given *g = arg;
	size_t len = strlen(row->place);

	assert(len < sizeof g->last);
	if (g->cut || g->out->len + row->len + 1 + BEHIND_ROWS > FRAME_REPLY_MAX) {
		g->cut = true;
		return;
	}
	if (g->out->data[g->out->len - 1] != '[')
		buf_addc(g->out, ',');
	buf_add(g->out, row->body, row->len);
	memcpy(g->last, row->place, len + 1);
}

static void add_end(struct buf *out, const struct given *g, const struct history_rows_end *end)
{
	buf_addc(out, ']');
	json_add_name(out, "broadcast");
	buf_adds(out, end->broadcast ? end->broadcast : "null");
	json_add_int(out, "sequence", end->sequence);
	json_add_text(out, "next", g->last);
	json_add_bool(out, "more", g->cut || end->more);
	buf_addc(out, '}');
}

int refill_rows(const struct transport_history *h, const struct refill_request *q, struct buf *out,
		struct err *err)
{
	const struct history_rows_query query = {q->state, q->org, q->after_row, (size_t)q->limit};
	struct history_rows_end end = {0};
	struct given g = {.out = out};

	memcpy(g.last, q->after_row, strlen(q->after_row) + 1);
	buf_addc(out, '{');
	json_add_text(out, "state", q->state);
	json_add_name(out, "rows");
	buf_addc(out, '[');
	if (h->rows(h->arg, &query, add_row, &g, &end, err) < 0)
		return -1;
	add_end(out, &g, &end);
	free(end.broadcast);
	if (end.ambiguous)
		return err_set(err, ERR_FORMAT,
			       "state: several organizations have a broadcast of that id; say "
			       "which with org");
	if (out->full)
		return err_set(err, ERR_LIMIT, "what is known of the broadcast is too long");
	return 0;
}
