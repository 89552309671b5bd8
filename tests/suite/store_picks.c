/* store_picks — routes that people look for, and what a destination is owed: random contents and
 * random questions, against a plain model. */
#include "tests/suite/store_world.h"

#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/unit/random_runs.h"

static void commit_destinations(struct world *w, uint32_t n)
{
	struct batch *b = batch_new();

	for (uint32_t i = 1; i <= n; i++)
		fixture_destination(b, i, DESTINATION_ENABLED);
	world_commit(w, b, NULL);
}

static void drop(struct world *w, uint32_t number)
{
	struct batch *b = batch_new();

	fixture_destination(b, number, DESTINATION_DROPPED);
	world_commit(w, b, NULL);
}

/* ---- a store that both know, the model and the store */

#define EVENTS	     300
#define DESTINATIONS 3

struct model_route {
	bool is_there, excepted;
	struct exception x;
};
struct model {
	struct world *w;
	struct prng random;
	int64_t recorded[EVENTS + 1];
	char id[EVENTS + 1][EVENT_ID_SIZE], type[EVENTS + 1][EVENT_TYPE_SIZE];
	char subject[EVENTS + 1][24];
	uint64_t key[EVENTS + 1];
	struct model_route routes[DESTINATIONS + 1][EVENTS + 1];
	struct cursor cursors[DESTINATIONS + 1];
	bool dropped[DESTINATIONS + 1];
};

static const char *const types[] = {"recipient.sent", "recipient.failed", "recipient.sent_twice",
				    "broadcast.added"};
static const char *const whys[] = {"404: no such hook", "404", "410: gone", NULL};

static uint64_t below(struct model *m, uint64_t n)
{
	return prng_next(&m->random) % n;
}

/* One event, ten seconds or so behind the one before, now and then in another order. */
static void put_event(struct model *m, struct batch *b, int64_t sequence)
{
	char subject[24];
	const char *type = types[below(m, 4)];

	snprintf(subject, sizeof subject, "r\"%d", (int)below(m, 20));
	struct event *ev = fixture_event(
		b, type, subject,
		(int)sequence * 10000 + (int)(below(m, 2) * 10000 + below(m, 900)), 50);
	m->recorded[sequence] = event_recorded_ms(ev->body, ev->len);
	m->key[sequence] = ev->order_key;
	memcpy(m->id[sequence], ev->id, sizeof ev->id);
	memcpy(m->type[sequence], ev->type, sizeof ev->type);
	memcpy(m->subject[sequence], subject, sizeof subject);
	for (uint32_t d = 1; d <= DESTINATIONS; d++) {
		m->routes[d][sequence].is_there = below(m, 3) > 0;
		if (m->routes[d][sequence].is_there)
			fixture_route(b, d, d == 1);
	}
}

static bool model_settled(const struct cursor *c, int64_t sequence)
{
	int64_t bit = sequence - c->position - 1;

	return bit < 0 || (bit < SETTLE_WINDOW && c->done[bit / 64] >> bit % 64 & 1);
}

static void except(struct model *m, struct settle *s, int64_t sequence)
{
	struct model_route *r = &m->routes[s->destination][sequence];
	struct exception *x =
		fixture_exception(s, sequence, (enum exception_state)(below(m, 10) % 3));

	free(x->why);
	x->why = (char *)whys[below(m, 4)];
	x->held = below(m, 2);
	r->excepted = true;
	r->x = *x;
	x->why = xstrdup(x->why);
}

/* Some are settled below the cursor, some in its window, some excepted. */
static void settle_some(struct model *m, struct batch *b)
{
	for (uint32_t d = 1; d <= DESTINATIONS; d++) {
		struct settle *s = fixture_settle(b, d, (int64_t)below(m, EVENTS / 2));

		for (int i = 0; i < 4; i++)
			s->cursor.done[i] = prng_next(&m->random) & prng_next(&m->random);
		for (int64_t i = 1; i <= EVENTS; i++)
			if (m->routes[d][i].is_there && model_settled(&s->cursor, i) &&
			    below(m, 4) == 0)
				except(m, s, i);
		m->cursors[d] = s->cursor;
	}
}

/* Routes that come late: of events that have one already, of others, and of none. */
static void route_late(struct model *m, struct batch *b)
{
	for (int i = 0; i < 20; i++) {
		uint32_t d = 1 + (uint32_t)below(m, DESTINATIONS);
		int64_t sequence = 1 + (int64_t)below(m, EVENTS + 20);

		*batch_late(b) = (struct late_route){sequence, d, 2};
		if (sequence <= EVENTS)
			m->routes[d][sequence].is_there = true;
	}
}

static int64_t newest(const struct model *m, int64_t end)
{
	int64_t ret = 0;

	for (int64_t i = 1; i < end; i++)
		ret = m->recorded[i] > ret ? m->recorded[i] : ret;
	return ret;
}

static struct model *new_model(struct world *w, uint64_t seed)
{
	struct model *m = xcalloc(1, sizeof *m);
	struct batch *settled = batch_new(), *late = batch_new();

	*m = (struct model){.w = w, .random.state = seed};
	commit_destinations(w, DESTINATIONS);
	for (int64_t i = 1; i <= EVENTS;) {
		struct batch *b = batch_new();
		int64_t end = i + 1 + (int64_t)below(m, 40);

		for (; i <= EVENTS && i < end; i++)
			put_event(m, b, i);
		world_commit(w, b, NULL);
		if (below(m, 2))
			world_tidy(w, newest(m, i));
	}
	settle_some(m, settled);
	world_commit(w, settled, NULL);
	route_late(m, late);
	world_commit(w, late, NULL);
	if (below(m, 2))
		world_reopen(w);
	return m;
}

/* ---- picks */

static bool model_type_fits(const char *type, const char *asked)
{
	size_t len = asked ? strlen(asked) : 0;

	return !asked ||
	       (asked[len - 1] == '.' ? !strncmp(type, asked, len) : !strcmp(type, asked));
}

static bool model_event_fits(const struct model *m, const struct pick_query *q, int64_t sequence)
{
	bool listed = !q->nsequences;

	for (size_t i = 0; i < q->nsequences; i++)
		listed |= q->sequences[i] == sequence;
	return listed && (!q->last || sequence <= q->last) &&
	       (!q->since_ms || m->recorded[sequence] >= q->since_ms) &&
	       (!q->until_ms || m->recorded[sequence] < q->until_ms) &&
	       (!q->id || !strcmp(q->id, m->id[sequence])) &&
	       model_type_fits(m->type[sequence], q->type);
}

static bool model_fits(const struct model *m, const struct pick_query *q, uint32_t d,
		       int64_t sequence)
{
	const struct model_route *r = &m->routes[d][sequence];
	bool passed =
		d < q->after_destination || (d == q->after_destination && sequence <= q->after);

	if (!r->is_there || m->dropped[d] || passed || (q->destination && q->destination != d))
		return false;
	if (q->parked && (!r->excepted || r->x.state != EXCEPTION_PARKED))
		return false;
	if (q->why && (!r->excepted || !r->x.why || strncmp(r->x.why, q->why, strlen(q->why)) != 0))
		return false;
	return model_event_fits(m, q, sequence);
}

static void expect_pick(const struct model *m, const struct pick *p, uint32_t d, int64_t sequence)
{
	const struct model_route *r = &m->routes[d][sequence];

	assert_int_equal(p->destination, d);
	assert_int_equal(p->sequence, sequence);
	assert_int_equal(p->recorded_ms, m->recorded[sequence]);
	assert_int_equal(p->order_key, m->key[sequence]);
	assert_int_equal(p->settled, model_settled(&m->cursors[d], sequence));
	assert_string_equal(p->id, m->id[sequence]);
	assert_string_equal(p->type, m->type[sequence]);
	assert_string_equal(p->subject, m->subject[sequence]);
	assert_int_equal(p->excepted, r->excepted);
	if (!r->excepted)
		return;
	assert_int_equal(p->state, r->x.state);
	assert_int_equal(p->attempts, r->x.attempts);
	assert_int_equal(!p->why, !r->x.why);
	if (p->why)
		assert_string_equal(p->why, r->x.why);
}

/* Where a search that goes on has got to. */
struct search {
	struct model *m;
	struct pick_query q;
	struct picks found;
	size_t at, calls;
};

/* The next that is found, over as many calls as the limits make; NULL: none. */
static const struct pick *next_pick(struct search *s)
{
	struct world *w = s->m->w;

	while (s->at == s->found.n && (s->found.more || !s->calls)) {
		if (s->calls++) {
			s->q.after_destination = s->found.scanned_destination;
			s->q.after = s->found.scanned;
		}
		picks_release(&s->found);
		PASS(w, w->store->type->picks(w->store, &s->q, &s->found, &w->err));
		assert_true(s->found.n <= s->q.limit && s->calls < 10000);
		s->at = 0;
	}
	return s->at < s->found.n ? &s->found.v[s->at++] : NULL;
}

static void compare_picks(struct model *m, const struct pick_query *q)
{
	struct search s = {.m = m, .q = *q};

	for (uint32_t d = 1; d <= DESTINATIONS; d++)
		for (int64_t i = 1; i <= EVENTS; i++) {
			if (!model_fits(m, q, d, i))
				continue;
			const struct pick *p = next_pick(&s);
			if (!p)
				fail_msg("%lld at %u is not found", (long long)i, d);
			expect_pick(m, p, d, i);
		}
	assert_null(next_pick(&s));
	picks_release(&s.found);
}

static void ask_at_random(struct model *m)
{
	static const char *const asked[] = {"recipient.", "recipient.sent", "broadcast.added",
					    "x."};
	static const char *const reasons[] = {"404", "404:", "410: gone", "5"};
	static const size_t limits[] = {1, 7, 1000};
	int64_t sequences[40], from = 1 + (int64_t)below(m, 5);
	struct pick_query q = {
		.destination = (uint32_t)below(m, DESTINATIONS + 2),
		.parked = below(m, 2),
		.limit = limits[below(m, 3)],
		.scan_limit = below(m, 2) ? 1 + below(m, 50) : 0,
	};

	if (below(m, 3) == 0)
		q.since_ms = m->recorded[1 + below(m, EVENTS)] + (int64_t)below(m, 3) - 1;
	if (below(m, 3) == 0)
		q.until_ms = m->recorded[1 + below(m, EVENTS)] + (int64_t)below(m, 3) - 1;
	q.last = below(m, 3) ? 0 : (int64_t)below(m, EVENTS);
	q.type = below(m, 3) ? NULL : asked[below(m, 4)];
	q.why = below(m, 3) ? NULL : reasons[below(m, 4)];
	q.id = below(m, 6) ? NULL : m->id[1 + below(m, EVENTS)];
	for (size_t i = 0; i < 40; i++)
		sequences[i] = from += 1 + (int64_t)below(m, 12);
	if (below(m, 3) == 0) {
		q.sequences = sequences;
		q.nsequences = 1 + below(m, 40);
	}
	if (below(m, 3) == 0) {
		q.after_destination = 1 + (uint32_t)below(m, DESTINATIONS);
		q.after = (int64_t)below(m, EVENTS);
	}
	compare_picks(m, &q);
}

/* ---- what is owed */

static void compare_owed(struct model *m, const struct owed_query *q)
{
	struct owed found;
	int64_t n = 0;

	PASS(m->w, m->w->store->type->owed(m->w->store, q, &found, &m->w->err));
	for (int64_t i = q->after + 1; i <= q->until && i <= EVENTS; i++) {
		if (q->destination > DESTINATIONS || m->dropped[q->destination])
			break;
		const struct model_route *r = &m->routes[q->destination][i];
		bool owed = r->excepted ? r->x.state != EXCEPTION_PARKED
					: !model_settled(&m->cursors[q->destination], i);

		if (!r->is_there || !owed)
			continue;
		if (n < OWED_SHOWN && (size_t)n < found.nids)
			assert_string_equal(found.ids[n], m->id[i]);
		n++;
	}
	assert_int_equal(found.n, n);
	assert_int_equal(found.nids, n < OWED_SHOWN ? n : OWED_SHOWN);
}

static void owe_at_random(struct model *m)
{
	struct owed_query q = {
		.destination = 1 + (uint32_t)below(m, DESTINATIONS + 1),
		.after = (int64_t)below(m, EVENTS),
		.until = below(m, 2) ? INT64_MAX : (int64_t)below(m, EVENTS + 10),
	};

	if (below(m, 4) == 0)
		q.after = 0;
	compare_owed(m, &q);
}

static void whatever_is_asked_is_what_a_plain_search_finds(void **state)
{
	struct world *w = *state;
	struct random_runs runs = random_runs(600, random_u64());
	struct model *m = new_model(w, runs.seed);

	for (size_t i = 0; i < runs.n; i++) {
		if (i == runs.n / 2) {
			m->dropped[2] = true;
			drop(w, 2);
		}
		ask_at_random(m);
		owe_at_random(m);
	}
	free(m);
}

const struct CMUnitTest store_picks[] = {
	cmocka_unit_test(whatever_is_asked_is_what_a_plain_search_finds),
};
const size_t nstore_picks = sizeof store_picks / sizeof *store_picks;
