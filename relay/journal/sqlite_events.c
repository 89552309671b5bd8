/* sqlite_events — events as destinations and people ask for them. Invariant: one call sees one
 * state of the file; a route or event is handed out complete or not at all. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

void sqlite_get_event_id(sqlite3_stmt *st, int at, char ret[EVENT_ID_SIZE])
{
	const uint8_t *bytes = sqlite3_column_blob(st, at);
	size_t len = (size_t)sqlite3_column_bytes(st, at);
	struct hash128 h = {0};

	if (sqlite3_column_type(st, at) == SQLITE_BLOB && len == 16) {
		for (int i = 0; i < 8; i++) {
			h.high = h.high << 8 | bytes[i];
			h.low = h.low << 8 | bytes[8 + i];
		}
		memcpy(ret, "evt_", 4);
		hash128_hex(ret + 4, h);
		return;
	}
	if (len >= EVENT_ID_SIZE)
		len = EVENT_ID_SIZE - 1;
	if (len)
		memcpy(ret, bytes, len);
	ret[len] = '\0';
}

/* The number of a type and a body, at these columns of the row; the body stays the row's. */
static int look_at_event(struct sqlite_store *s, sqlite3_stmt *st, int type_at, int body_at,
			 struct event *ret, struct err *err)
{
	const char *type = sqlite_word(s, sqlite3_column_int64(st, type_at), err);
	const char *body = sqlite3_column_blob(st, body_at);
	size_t len = type ? strlen(type) : 0;

	if (!type)
		return -1;
	if (len >= sizeof ret->type || !body)
		return sqlite_damaged(s, "event", sqlite3_column_int64(st, 0), err);
	memcpy(ret->type, type, len + 1);
	ret->body = (char *)body;
	ret->len = (size_t)sqlite3_column_bytes(st, body_at);
	return 0;
}

/* A row of EVENT_COLUMNS, without its topic. */
static int get_event(struct sqlite_store *s, sqlite3_stmt *st, struct event *ret, struct err *err)
{
	struct event ev = {.sequence = sqlite3_column_int64(st, 0)};

	if (look_at_event(s, st, 2, 6, &ev, err) != 0)
		return -1;
	sqlite_get_event_id(st, 1, ev.id);
	ev.order_key = (uint64_t)sqlite3_column_int64(st, 4);
	ev.time_ms = sqlite3_column_int64(st, 5);
	ev.body = xstrndup(ev.body, ev.len);
	ev.sequence_at = event_sequence_at(ev.body, ev.len);
	*ret = ev;
	return 0;
}

/* The text of a topic column; *ret NULL for a null. */
static int get_topic(struct sqlite_store *s, sqlite3_stmt *st, int at, char **ret, struct err *err)
{
	const char *text = NULL;

	if (sqlite3_column_type(st, at) != SQLITE_NULL) {
		text = sqlite_word(s, sqlite3_column_int64(st, at), err);
		if (!text)
			return -1;
	}
	*ret = xstrdup(text);
	return 0;
}

/* The route at the statement's row with its event. *ret_found is false when the event is gone. */
static int get_route(struct sqlite_store *s, sqlite3_stmt *row, struct delivery_route *ret,
		     bool *ret_found, struct err *err)
{
	struct delivery_route r = {.prevsequence = sqlite3_column_int64(row, 2),
				   .rule = (uint32_t)sqlite3_column_int64(row, 3)};
	sqlite3_stmt *st = sqlite_ready(s, SQL_EVENT, err);

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, sqlite3_column_int64(row, 0));
	int got = sqlite_row(s, st, err);
	*ret_found = got > 0;
	if (got > 0)
		got = get_event(s, st, &r.event, err);
	sqlite3_reset(st);
	if (got < 0 || !*ret_found)
		return got;
	if (get_topic(s, row, 1, &r.event.topic, err) != 0) {
		event_release(&r.event);
		return -1;
	}
	*ret = r;
	return 0;
}

struct route_read {
	const struct route_query *q;
	struct delivery_routes found;
	size_t looked_at, bytes;
	bool full; /* at a limit; the row at hand is not among those looked at */
};

static bool has_prefix(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Does the row's topic match? -1 with err. */
static int topic_fits(struct sqlite_store *s, sqlite3_stmt *row, const char *prefix,
		      struct err *err)
{
	const char *topic;

	if (!prefix)
		return 1;
	if (sqlite3_column_type(row, 1) == SQLITE_NULL)
		return 0;
	topic = sqlite_word(s, sqlite3_column_int64(row, 1), err);
	return topic ? has_prefix(topic, prefix) : -1;
}

static int take_route(struct sqlite_store *s, sqlite3_stmt *row, struct route_read *read,
		      struct err *err)
{
	struct delivery_routes *found = &read->found;
	struct delivery_route route;
	bool is_there;
	int fits = topic_fits(s, row, read->q->topic_prefix, err);

	if (fits <= 0)
		return fits;
	if (get_route(s, row, &route, &is_there, err) != 0)
		return -1;
	if (!is_there)
		return 0;
	read->bytes += route.event.len;
	if (found->n > 0 && read->q->max_bytes && read->bytes > read->q->max_bytes) {
		read->full = true;
		event_release(&route.event);
		return 0;
	}
	found->v = mem_grow(found->v, found->n, &found->cap, sizeof *found->v);
	found->v[found->n++] = route;
	return 0;
}

/* One row; afterwards `scanned` counts it, or `full` says why not. */
static int look_at(struct sqlite_store *s, sqlite3_stmt *row, struct route_read *read,
		   struct err *err)
{
	const struct route_query *q = read->q;

	if (read->found.n >= q->limit || (q->scan_limit && read->looked_at >= q->scan_limit)) {
		read->full = true;
		return 0;
	}
	if (take_route(s, row, read, err) != 0)
		return -1;
	if (!read->full) {
		read->looked_at++;
		read->found.scanned = sqlite3_column_int64(row, 0);
	}
	return 0;
}

static int scan_routes(struct sqlite_store *s, struct route_read *read, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ROUTES, err);
	int64_t latest = 0;
	int got = 0;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, read->q->destination);
	sqlite_bind_int(st, 2, read->q->after);
	read->found.scanned = read->q->after;
	while (!read->full && (got = sqlite_row(s, st, err)) > 0) {
		got = look_at(s, st, read, err);
		if (got < 0)
			break;
	}
	sqlite3_reset(st);
	if (read->full)
		return 0;
	if (got < 0 || sqlite_end(s, SQL_LATEST, &latest, err) != 0)
		return -1;
	if (latest > read->found.scanned)
		read->found.scanned = latest;
	read->found.latest = latest;
	return 0;
}

static int pick_routes(struct sqlite_store *s, struct route_read *read, struct err *err)
{
	const struct route_query *q = read->q;
	int got = 0;

	for (size_t i = 0; i < q->nsequences && !read->full && got >= 0; i++) {
		sqlite3_stmt *st = sqlite_ready(s, SQL_ROUTE, err);

		if (!st)
			return -1;
		sqlite_bind_int(st, 1, q->destination);
		sqlite_bind_int(st, 2, q->sequences[i]);
		got = sqlite_row(s, st, err);
		if (got > 0)
			got = look_at(s, st, read, err);
		if (!read->full)
			read->found.scanned = q->sequences[i];
		sqlite3_reset(st);
	}
	return got < 0 ? -1 : 0;
}

int sqlite_routes(struct store *store, const struct route_query *q, struct delivery_routes *ret,
		  struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct route_read read = {.q = q};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = q->nsequences ? pick_routes(s, &read, err) : scan_routes(s, &read, err);
	sqlite_end_read(s);
	read.found.more = read.full;
	if (failed)
		delivery_routes_release(&read.found);
	else
		*ret = read.found;
	return failed;
}

bool sqlite_type_fits(const char *type, const char *asked)
{
	size_t len = asked ? strlen(asked) : 0;
	bool open_ended = len && asked[len - 1] == '.';

	return !asked || (open_ended ? has_prefix(type, asked) : strcmp(type, asked) == 0);
}

/* "recipient." asks for all types from it up to "recipient/", the next byte's. */
static void bind_type(sqlite3_stmt *st, const char *type, struct buf *end)
{
	if (!type)
		return;
	buf_adds(end, type);
	if (end->len && end->data[end->len - 1] == '.')
		end->data[end->len - 1]++;
	else
		buf_addc(end, ' '); /* no type has a byte below it */
	sqlite_bind_text(st, 3, type);
	sqlite_bind_text(st, 4, end->data);
}

static int collect_events(struct sqlite_store *s, sqlite3_stmt *st, struct events *ret,
			  struct err *err)
{
	int got;

	while ((got = sqlite_row(s, st, err)) > 0) {
		struct event ev;

		if (get_event(s, st, &ev, err) != 0)
			return -1;
		if (get_topic(s, st, 3, &ev.topic, err) != 0) {
			event_release(&ev);
			return -1;
		}
		ret->v = mem_grow(ret->v, ret->n, &ret->cap, sizeof *ret->v);
		ret->v[ret->n++] = ev;
	}
	return got;
}

static int query_events(struct sqlite_store *s, const struct event_query *q, struct events *ret,
			struct err *err)
{
	bool down = q->newest_first || q->id;
	sqlite3_stmt *st = sqlite_ready(s, down ? SQL_EVENTS_DOWN : SQL_EVENTS_UP, err);
	struct buf end = BUF_INIT(EVENT_TYPE_SIZE), subject = BUF_INIT(EVENT_BODY_MAX);
	int64_t after = 0;
	uint8_t id[16];

	if (!st || (q->recorded_from_ms &&
		    sqlite_recorded_before(s, q->recorded_from_ms, &after, err) != 0))
		return -1;
	sqlite_bind_int(st, 1, q->after > after ? q->after : after);
	sqlite_bind_int(st, 2, q->before ? q->before : INT64_MAX);
	bind_type(st, q->type, &end);
	if (q->id)
		sqlite_bind_event_id(st, 5, q->id, id);
	if (q->subject) {
		buf_adds(&subject, "\"subject\":");
		json_write_string(&subject, q->subject);
		sqlite_bind_bytes(st, 6, subject.data, subject.len);
	}
	sqlite_bind_int(st, 7, q->limit > INT64_MAX ? -1 : (int64_t)q->limit);
	int failed = collect_events(s, st, ret, err);
	sqlite3_reset(st);
	buf_release(&end);
	buf_release(&subject);
	return failed;
}

int sqlite_events(struct store *store, const struct event_query *q, struct events *ret,
		  struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	struct events found = {0};
	int failed = sqlite_begin_read(s, err);

	if (!failed)
		failed = query_events(s, q, &found, err);
	sqlite_end_read(s);
	if (failed)
		events_release(&found);
	else
		*ret = found;
	return failed;
}

int sqlite_scan(struct store *store, int64_t first, int64_t last, store_event_fn *fn, void *arg,
		struct err *err)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	sqlite3_stmt *st = sqlite_ready(s, SQL_EVENTS_BETWEEN, err);
	struct event ev = {0};
	int got;

	if (!st)
		return -1;
	sqlite_bind_int(st, 1, first);
	sqlite_bind_int(st, 2, last);
	while ((got = sqlite_row(s, st, err)) > 0) {
		got = look_at_event(s, st, 1, 3, &ev, err);
		if (got < 0)
			break;
		ev.sequence = sqlite3_column_int64(st, 0);
		ev.time_ms = sqlite3_column_int64(st, 2);
		fn(arg, &ev);
	}
	sqlite3_reset(st);
	return got;
}
