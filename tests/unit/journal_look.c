/* journal_look — see the header. */
#include "tests/unit/journal_look.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "relay/delivery/cursor.h"
#include "relay/journal/sqlite.h"

static void take_row(struct look *l, const struct exception *x)
{
	assert_in_range(x->sequence, 1, LOOK_MAX);
	assert_false(l->row[x->sequence].is);
	l->row[x->sequence].is = true;
	l->row[x->sequence].state = x->state;
	l->row[x->sequence].attempts = x->attempts;
	l->row[x->sequence].key = x->order_key;
	l->nrows++;
	l->nparked += x->state == EXCEPTION_PARKED;
}

struct look *look_at(struct rig *w)
{
	struct sqlite_options options = {.path = w->path};
	struct look *l = xcalloc(1, sizeof *l);
	struct store_head head;
	struct err err = {0};
	struct store *s = store_sqlite.open(&options, STORE_READ, &err);

	if (!s || store_sqlite.head(s, &head, &err) != 0)
		fail_msg("%s", err.msg);
	l->cursor = head.destinations[0].cursor;
	l->state = head.destinations[0].state;
	l->down_ms = head.destinations[0].down_ms;
	snprintf(l->why, sizeof l->why, "%s",
		 head.destinations[0].why ? head.destinations[0].why : "");
	for (size_t i = 0; i < head.nexceptions; i++)
		if (head.exceptions[i].destination == head.destinations[0].number)
			take_row(l, &head.exceptions[i]);
	store_head_release(&head);
	store_sqlite.close(s);
	return l;
}

bool look_parked(const struct look *l, int64_t sequence)
{
	return l->row[sequence].is && l->row[sequence].state == EXCEPTION_PARKED;
}

bool look_done(const struct look *l, int64_t sequence)
{
	return cursor_has(&l->cursor, sequence) && !l->row[sequence].is;
}

size_t look_pick_parked(const struct look *l, int64_t first, int64_t last, struct again *ret)
{
	size_t n = 0;

	for (int64_t s = first; s <= last; s++)
		if (look_parked(l, s))
			ret[n++] = (struct again){s, l->row[s].key, true, false};
	return n;
}

size_t look_pick_done(const struct look *l, const struct rig *w, int64_t first, int64_t last,
		      struct again *ret)
{
	uint64_t *keys = xcalloc((size_t)last + 1, sizeof *keys);
	bool *arrived = xcalloc((size_t)last + 1, sizeof *arrived);
	size_t n = 0;

	for (size_t i = 0; i < w->receiver.n; i++) {
		const struct arrival *a = &w->receiver.log[i];

		if (a->sequence > last)
			continue;
		keys[a->sequence] = a->key;
		arrived[a->sequence] = true;
	}
	for (int64_t s = first; s <= last; s++)
		if (arrived[s] && look_done(l, s))
			ret[n++] = (struct again){s, keys[s], false, false};
	free(keys);
	free(arrived);
	return n;
}
