/* The model's rows and lists, and the way from a plan to its answer. */
#include "tests/unit/chase_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

#define BASE_MS	   INT64_C(1700000000000) /* wall, at mono 0 */
#define MISSED_MAX 2
#define LATENCY_MS 150 /* at least; at most three times that */

static char *orgs[] = {(char *)"org"};

void chase_rig_open(struct rig *r, int64_t full_sweep_ms, uint64_t seed)
{
	struct source_options o = {.orgs = {orgs, 1},
				   .rate_limit = RIG_PER_S,
				   .poll_every_ms = RIG_EVERY,
				   .poll_every_max_ms = RIG_MOST,
				   .full_sweep_every_ms = full_sweep_ms};

	*r = (struct rig){.random = {seed}, .planner = planner_new(&o)};
	budget_init(&r->budget, RIG_PER_S, 0);
}

void chase_rig_close(struct rig *r)
{
	planner_free(r->planner);
	for (size_t i = 0; i < r->n; i++) {
		held_free(r->models[i].followed.held);
		free(r->models[i].rows);
		free(r->models[i].list);
	}
}

/* ---- rows ---- */

static bool is_listed(const struct rig_row *row, unsigned ask)
{
	return !row->gone && (ask == ASK_ALL || row->states >> ask & 1);
}

static void touch(struct rig *r, struct model *m, struct rig_row *row)
{
	row->touched = ++r->touches;
	row->updated_ms = BASE_MS + r->now;
	if (m->mood.order == BY_UPDATED)
		m->sorted = false;
	if (m->mood.order != MOVING)
		return;
	row->place = prng_next(&r->random);
	m->sorted = false;
}

static struct rig_row *add_row(struct rig *r, struct model *m, int64_t created_ms)
{
	m->rows = mem_grow(m->rows, m->n, &m->cap, sizeof *m->rows);
	struct rig_row *row = &m->rows[m->n++];
	*row = (struct rig_row){.place = prng_next(&r->random), .created_ms = created_ms};
	snprintf(row->id, sizeof row->id, "%016llx", (unsigned long long)row->place);
	row->key = hash128(row->id, strlen(row->id));
	touch(r, m, row);
	m->sorted = false;
	return row;
}

static uint64_t sort_key(const struct model *m, const struct rig_row *row)
{
	if (m->mood.order == BY_CREATED)
		return UINT64_MAX - (uint64_t)row->created_ms;
	if (m->mood.order == BY_UPDATED)
		return UINT64_MAX - row->touched;
	return m->mood.order == BY_ID ? row->place : row->place * 31; /* no order of ids */
}

struct keyed {
	uint64_t key;
	uint32_t row;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static void sort_list(struct model *m)
{
	if (m->sorted)
		return;
	struct keyed *v = xcalloc(m->n + 1, sizeof *v);
	size_t n = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!m->rows[i].gone)
			v[n++] = (struct keyed){sort_key(m, &m->rows[i]), (uint32_t)i};
	qsort(v, n, sizeof *v, by_key);
	m->list = xrealloc(m->list, m->n + 1, sizeof *m->list);
	for (size_t i = 0; i < n; i++)
		m->list[i] = v[i].row;
	m->listed = n;
	m->sorted = true;
	free(v);
}

static void count_rows(const struct model *m, int64_t counts[ASKS])
{
	for (unsigned ask = 0; ask < ASKS; ask++) {
		counts[ask] = 0;
		for (size_t i = 0; i < m->n; i++)
			counts[ask] += is_listed(&m->rows[i], ask);
	}
}

void chase_rig_raise(struct rig *r, struct model *m, size_t row, unsigned flag)
{
	m->rows[row].states |= UINT64_C(1) << flag;
	touch(r, m, &m->rows[row]);
}

void chase_rig_lower(struct rig *r, struct model *m, size_t row, unsigned flag)
{
	m->rows[row].states &= ~(UINT64_C(1) << flag);
	touch(r, m, &m->rows[row]);
}

void chase_rig_remove(struct rig *r, struct model *m, size_t row)
{
	(void)r;
	m->rows[row].gone = true;
	m->sorted = false;
}

static size_t any(struct rig *r, size_t n)
{
	return (size_t)(prng_unit(&r->random) * (double)n);
}

void chase_rig_change(struct rig *r, struct model *m)
{
	static const unsigned often[] = {ASK_SENT,   ASK_SENT,	 ASK_SENT,   ASK_DELIVERED,
					 ASK_OPENED, ASK_OPENED, ASK_FAILED, ASK_UNSUBSCRIBED};
	size_t row = any(r, m->n), kind = any(r, 100);
	unsigned flag = often[any(r, 8)];

	if (kind < m->added)
		add_row(r, m, BASE_MS + r->now);
	else if (m->rows[row].gone)
		return;
	else if ((kind -= m->added) < m->fallen)
		chase_rig_lower(r, m, row, flag);
	else if (kind - m->fallen < m->removed)
		chase_rig_remove(r, m, row);
	else if (!is_listed(&m->rows[row], flag))
		chase_rig_raise(r, m, row, flag);
}

struct model *chase_rig_follow(struct rig *r, struct mood mood, size_t rows)
{
	struct model *m = &r->models[r->n++];

	*m = (struct model){.mood = mood, .followed.held = held_new()};
	m->followed.record.org = orgs[0];
	for (size_t i = 0; i < rows; i++) {
		struct rig_row *row = add_row(r, m, BASE_MS - 1000 * (int64_t)(rows - i));
		for (unsigned flag = 0; flag < ASK_ALL; flag++)
			row->states |= (uint64_t)(any(r, flag == ASK_FAILED ? 40 : 4) == 0) << flag;
	}
	for (unsigned s = 0; s < RIG_LAG_S; s++)
		count_rows(m, m->history[s]);
	planner_add(r->planner, &m->followed, r->now);
	return m;
}

size_t chase_rig_differing(const struct model *m)
{
	size_t differing = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct rig_row *row = &m->rows[i];
		uint32_t number = held_find(m->followed.held, row->key);
		if (number == HELD_NONE) {
			differing += !row->gone;
			continue;
		}
		const struct held_row *held = held_at(m->followed.held, number);
		differing += held->gone != row->gone || (!row->gone && held->states != row->states);
	}
	return differing;
}

/* ---- answers ---- */

static const char *write_counters(struct rig *r, struct model *m)
{
	static const char *const names[ASKS] = {"skipped",   "failed",	   "sent",
						"delivered", "complained", "unsubscribed",
						"opened",    "played",	   "recipients"};
	int64_t counts[ASKS];
	size_t len = 0;

	if (m->mood.counters == ABSENT)
		return NULL;
	count_rows(m, counts);
	if (m->mood.counters == LAGGING)
		memcpy(counts, m->history[(r->now / 1000 + 1) % RIG_LAG_S], sizeof counts);
	for (unsigned i = 0; i < ASKS; i++) {
		int64_t n = counts[i] + (m->mood.counters == WRONG ? m->wrong : 0);
		len += (size_t)snprintf(m->counters[0] + len, sizeof m->counters[0] - len,
					"%c\"%s_count\":%lld", i ? ',' : '{', names[i],
					(long long)(n < 0 ? 0 : n));
	}
	snprintf(m->counters[0] + len, sizeof m->counters[0] - len, "}");
	return m->counters[0];
}

static void answer_list(struct rig *r, const struct plan *plan)
{
	struct plan_answer a = {.count = (int64_t)r->n, .rows = r->n, .hash = r->touches};

	for (size_t i = 0; i < r->n; i++) {
		struct model *m = &r->models[i];
		const char *counters = write_counters(r, m);
		struct planner_entry entry = {.moved = strcmp(m->counters[0], m->counters[1]) != 0,
					      .live = !m->over,
					      .counters = counters,
					      .date_ms = BASE_MS + r->now};
		memcpy(m->counters[1], m->counters[0], sizeof m->counters[1]);
		m->followed.record.counters = counters ? m->counters[1] : NULL;
		planner_listed(r->planner, &m->followed, &entry, r->now);
	}
	planner_read(r->planner, plan, &a, r->now);
}

/* Two complete sweeps without a row: it is gone. */
static void look_for_missing(struct held *held, uint16_t sweep)
{
	for (uint32_t i = 0; i < held_count(held); i++) {
		struct held_row *row = held_at(held, i);
		if (row->gone || row->sweep == sweep)
			continue;
		row->sweep = sweep & 0x1fff;
		if (++row->missed >= MISSED_MAX)
			held_set_gone(held, i, true);
	}
}

struct taken {
	size_t n, added, changed;
	int64_t count;
	uint32_t of[TAKE]; /* the model's */
	uint32_t numbers[TAKE];
	struct row rows[TAKE];
};

static void take_page(struct model *m, const struct offer *o, struct taken *t)
{
	t->n = 0;
	t->count = 0;
	sort_list(m);
	for (size_t i = 0; i < m->listed; i++) {
		const struct rig_row *row = &m->rows[m->list[i]];
		if (!is_listed(row, m->disobeys ? ASK_ALL : o->ask))
			continue;
		if (t->count / TAKE == o->page - 1) {
			t->rows[t->n] = (struct row){.id = row->id,
						     .key = row->key,
						     .states = row->states,
						     .created_ms = row->created_ms,
						     .updated_ms = row->updated_ms};
			t->of[t->n++] = m->list[i];
		}
		t->count++;
	}
}

static void stamp(const struct plan *plan, struct held_row *row, size_t *fresh)
{
	row->missed = 0;
	if (!plan->sweep)
		return;
	*fresh += row->sweep != plan->sweep;
	row->sweep = plan->sweep & 0x1fff;
}

/* What intake does: new rows are held, changed ones as they are now. */
static void hold_rows(const struct plan *plan, struct held *held, struct taken *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct row *row = &t->rows[i];
		struct held_row fresh = {.key = row->key,
					 .states = row->states & ((UINT64_C(1) << STATES_MAX) - 1),
					 .created = held_date(held, row->created_ms),
					 .sweep = plan->sweep & 0x1fff};
		if (t->numbers[i] == HELD_NONE) {
			t->numbers[i] = held_add(held, &fresh);
			t->added++;
			continue;
		}
		const struct held_row *old = held_at(held, t->numbers[i]);
		if (old->states == fresh.states && !old->gone)
			continue;
		held_replace(held, t->numbers[i], &fresh);
		t->changed++;
	}
}

static void answer_page(struct rig *r, const struct plan *plan)
{
	static struct taken t;
	struct model *m = (struct model *)plan->broadcast;
	struct held *held = m->followed.held;
	struct plan_answer a = {.hash = 1};

	t.added = t.changed = 0;
	take_page(m, &plan->offer, &t);
	for (size_t i = 0; i < t.n; i++) {
		a.hash = a.hash * 31 + t.rows[i].key.low + t.rows[i].states;
		t.numbers[i] = held_find(held, t.rows[i].key);
		if (t.numbers[i] == HELD_NONE)
			a.fresh++;
		else
			stamp(plan, held_at(held, t.numbers[i]), &a.fresh);
	}
	a.count = m->mood.uncounted ? -1 : t.count;
	a.rows = a.n = t.n;
	planner_saw(r->planner, &m->followed, t.rows, t.n);
	bool last = planner_completes(r->planner, plan, &a);
	bool first_sight = !m->followed.record.baseline_done && plan->in_turn;
	hold_rows(plan, held, &t);
	if (last)
		look_for_missing(held, plan->sweep);
	m->followed.record.baseline_done = m->followed.record.baseline_done || last;
	a.changes = t.changed + (first_sight ? 0 : t.added);
	a.numbers = t.numbers;
	a.v = t.rows;
	m->busy = false;
	assert_int_equal(planner_read(r->planner, plan, &a, r->now), last);
}

/* ---- time ---- */

/* Asks what may be asked now; when there may be more. */
static int64_t ask(struct rig *r)
{
	while (r->nasks < RIG_ASKS) {
		int64_t closed = budget_wait_ms(&r->budget, r->now);
		struct plan plan;
		if (closed > 0)
			return r->now + closed;
		planner_next(r->planner, r->now, &plan);
		if (plan.kind == PLAN_NOTHING)
			return plan.wait_ms == INT64_MAX ? INT64_MAX : r->now + plan.wait_ms;
		assert_true(budget_take(&r->budget, r->now));
		r->asked[plan.offer.purpose]++;
		if (plan.kind == PLAN_PAGE) {
			struct model *m = (struct model *)plan.broadcast;
			assert_false(m->busy);
			m->busy = true;
			m->asked[plan.offer.purpose]++;
		}
		int64_t at = r->now + LATENCY_MS + (int64_t)any(r, 2 * LATENCY_MS);
		r->asks[r->nasks++] = (struct rig_ask){plan, at};
	}
	return INT64_MAX;
}

static void answer(struct rig *r)
{
	for (size_t i = 0; i < r->nasks;) {
		struct plan plan = r->asks[i].plan;
		if (r->asks[i].at > r->now) {
			i++;
			continue;
		}
		r->asks[i] = r->asks[--r->nasks];
		if (plan.kind == PLAN_LIST)
			answer_list(r, &plan);
		else
			answer_page(r, &plan);
	}
}

static void pass_second(struct rig *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct model *m = &r->models[i];
		double changes = m->per_s;
		for (; changes >= 1 || prng_unit(&r->random) < changes; changes--)
			chase_rig_change(r, m);
		if (m->mood.counters == LAGGING)
			count_rows(m, m->history[r->now / 1000 % RIG_LAG_S]);
	}
}

void chase_rig_run(struct rig *r, int64_t ms)
{
	int64_t end = r->now + ms;

	while (r->now < end) {
		int64_t next = ask(r), second = (r->now / 1000 + 1) * 1000;
		for (size_t i = 0; i < r->nasks; i++)
			next = r->asks[i].at < next ? r->asks[i].at : next;
		r->now = next < second ? next : second;
		if (r->now == second)
			pass_second(r);
		answer(r);
	}
}

void chase_rig_settle(struct rig *r)
{
	int64_t end = r->now + 3600000;
	bool done = false;

	while (!done) {
		chase_rig_run(r, 1000);
		assert_true(r->now < end);
		done = true;
		for (size_t i = 0; i < r->n; i++)
			done = done && !r->models[i].followed.track->sweep.baseline &&
			       !r->models[i].followed.track->sweep.active;
	}
}

uint32_t chase_rig_requests(const struct rig *r)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < PURPOSES; i++)
		sum += r->asked[i];
	return sum;
}
