/*
 * Pages of recipients on their way: from the answer to intake and back. A page is remembered, and
 * the planner told, only in source_page_done, when its rows are known to be kept.
 */
#include "relay/source/source_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"

static struct slot *take_slot(struct source *s)
{
	struct slot *slot = s->slots;

	while (slot && slot->used)
		slot = slot->next;
	if (!slot) {
		slot = xcalloc(1, sizeof *slot);
		buf_init(&slot->text, API_BODY_MAX);
		slot->next = s->slots;
		s->slots = slot;
	}
	slot->used = true;
	s->pages++;
	return slot;
}

/* One idle slot is kept: a page needs 0.8 MB, and most of the time there is one at a time. */
static void put_slot(struct source *s, struct slot *slot)
{
	struct slot **link = &s->slots;
	bool idle = false;

	slot->used = false;
	s->pages--;
	for (const struct slot *i = s->slots; i; i = i->next)
		idle = idle || (i != slot && !i->used);
	if (!idle)
		return;
	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
	slot_free(slot);
}

static void reserve(struct slot *slot, size_t n)
{
	if (n <= slot->cap && slot->fresh)
		return;
	slot->cap = n > TAKE ? n : TAKE;
	slot->fresh = xrealloc(slot->fresh, slot->cap, sizeof *slot->fresh);
	slot->page.numbers = xrealloc(slot->page.numbers, slot->cap, sizeof *slot->page.numbers);
}

/* A known row is seen: it missed no sweep. */
static void stamp(struct slot *slot, uint32_t number)
{
	struct held_row *row = held_at(slot->watch->followed.held, number);

	row->missed = 0;
	if (!slot->plan.sweep)
		return;
	if (row->sweep != slot->plan.sweep) {
		slot->fresh[slot->nfresh++] = number;
		slot->answer.fresh++;
	}
	row->sweep = slot->plan.sweep & 0x1fff;
}

static void recognize(struct slot *slot, const struct page_memo *memo)
{
	slot->page.unchanged = true;
	slot->answer.rows = memo->rows;
	slot->answer.skipped = memo->skipped;
	slot->rows.n = 0;
	reserve(slot, memo->n);
	if (memo->n > 0)
		memcpy(slot->page.numbers, memo->numbers, memo->n * sizeof *memo->numbers);
	slot->answer.n = memo->n;
	for (uint32_t i = 0; i < memo->n; i++)
		stamp(slot, memo->numbers[i]);
}

static void look_up_rows(struct slot *slot)
{
	const struct snapshot *rows = &slot->rows;
	const struct held *held = slot->watch->followed.held;

	slot->answer.rows = rows->n + rows->doubled;
	for (int i = 0; i < SKIP_KINDS; i++)
		slot->answer.skipped += rows->skipped[i];
	slot->answer.rows += slot->answer.skipped;
	reserve(slot, rows->n);
	for (size_t i = 0; i < rows->n; i++) {
		uint32_t number = held_find(held, rows->v[i].key);
		slot->page.numbers[i] = number;
		if (number == HELD_NONE)
			slot->answer.fresh++;
		else
			stamp(slot, number);
	}
}

/* Statuses are numbered as they are met; these two the API documents. */
static bool is_documented(const char *status)
{
	return strcmp(status, "SENDING") == 0 || strcmp(status, "PROCESSED") == 0;
}

static void tell_names(const struct source *s, const struct watch *w, const struct names *names,
		       uint32_t fresh)
{
	bool states = names == s->env.states;
	char text[NAME_SIZE + 16];

	for (unsigned i = names->n - fresh; i < names->n; i++) {
		if (!states && is_documented(names->v[i]))
			continue;
		snprintf(text, sizeof text, "%s %s", states ? "state" : "status", names->v[i]);
		source_tell(s, SOURCE_NEW_NAME, w, text, i);
	}
}

static void tell_odd_flags(struct source *s, const struct watch *w, uint64_t odd)
{
	uint64_t fresh = odd & ~s->odd_told;

	s->odd_told |= odd;
	for (unsigned i = 0; i < s->env.states->n && i < STATES_MAX; i++)
		if (fresh >> i & 1)
			source_tell(s, SOURCE_ODD_FLAG, w, s->env.states->v[i], i);
}

static void tell_oddities(struct source *s, struct slot *slot)
{
	const struct snapshot *rows = &slot->rows;
	uint16_t told = pages_told(&slot->watch->pages, slot->plan.page);

	slot->told = 0;
	for (int i = 0; i < SKIP_KINDS; i++) {
		if (!rows->skipped[i])
			continue;
		slot->told |= (uint16_t)(1 << i);
		if (!(told & 1 << i))
			source_tell(s, SOURCE_SKIPPED, slot->watch, skip_names[i],
				    (int64_t)rows->skipped[i]);
	}
	tell_names(s, slot->watch, s->env.states, rows->new_states);
	tell_names(s, slot->watch, s->env.statuses, rows->new_statuses);
	tell_odd_flags(s, slot->watch, rows->odd);
}

static struct slot *open_slot(struct ask *a, const struct answer *answer)
{
	struct slot *slot = take_slot(a->source);
	uint32_t *numbers = slot->page.numbers;

	slot->watch = a->watch;
	slot->plan = a->plan;
	slot->nfresh = 0;
	slot->baseline = !a->watch->followed.record.baseline_done;
	slot->hash = hash128(answer->body, answer->len);
	slot->answer = (struct plan_answer){.count = answer->count,
					    .hash = slot->hash.low,
					    .date_ms = source_asked_ms(a, answer)};
	slot->page = (struct source_page){
		.broadcast = &a->watch->followed,
		.rows = &slot->rows,
		.page = a->plan.page,
		.count = answer->count,
		.sweep = a->plan.sweep,
		.in_turn = a->plan.in_turn,
		.asked_ms = a->asked.wall_ms,
		.numbers = numbers,
		.impl = slot,
	};
	return slot;
}

static int read_rows(struct source *s, struct slot *slot, const struct answer *answer,
		     struct err *err)
{
	struct err again = {0};

	buf_clear(&slot->text);
	buf_add(&slot->text, answer->body, answer->len);
	slot->page.text = slot->text.data;
	if (snapshot_read(&slot->rows, slot->text.data, slot->text.len, s->env.states,
			  s->env.statuses, err) == 0)
		return 0;
	size_t mended = json_mend(slot->text.data, slot->text.len, JSON_DEPTH);
	if (!mended || snapshot_read(&slot->rows, slot->text.data, slot->text.len, s->env.states,
				     s->env.statuses, &again) < 0)
		return -1;
	skip_mended(slot->rows.skipped, mended);
	return 0;
}

/* Pages of the whole list are; those of filters change with every find. */
static bool is_remembered(const struct slot *slot)
{
	return slot->plan.offer.ask == ASK_ALL;
}

void source_take_page(struct ask *a, const struct answer *answer)
{
	struct source *s = a->source;
	struct watch *w = a->watch;
	struct err err = {0};

	if (w->dropped) {
		source_worked(s);
		source_end_ask(a);
		return;
	}
	struct slot *slot = open_slot(a, answer);
	struct page_memo memo;
	bool same = is_remembered(slot) &&
		    pages_same(&w->pages, w->followed.held, slot->plan.page, slot->hash, &memo);
	if (!same && read_rows(s, slot, answer, &err) < 0) {
		put_slot(s, slot);
		err_wrap(&err, "page %u", a->plan.page);
		source_fail(a, err.msg, answer->status);
		return;
	}
	source_worked(s);
	w->missing = 0;
	s->stats.pages++;
	if (same) {
		s->stats.unchanged_pages++;
		recognize(slot, &memo);
	} else {
		s->stats.rows += slot->rows.n;
		look_up_rows(slot);
		planner_saw(s->planner, &w->followed, slot->rows.v, slot->rows.n);
		tell_oddities(s, slot);
	}
	slot->page.last = planner_completes(s->planner, &slot->plan, &slot->answer);
	free(a); /* w stays busy until source_page_done */
	s->env.page(s->env.arg, &slot->page);
}

/* The numbers of the rows, now that they are held. False: some are not. */
static bool number_rows(struct slot *slot)
{
	struct held *held = slot->watch->followed.held;
	uint32_t *numbers = slot->page.numbers;
	bool all = true;

	for (size_t i = 0; i < slot->rows.n; i++) {
		struct hash128 key = slot->rows.v[i].key;
		if (numbers[i] >= held_count(held) ||
		    !hash128_equal(held_at(held, numbers[i])->key, key))
			numbers[i] = held_find(held, key);
		all = all && numbers[i] != HELD_NONE;
	}
	return all;
}

static size_t pages_known(const struct source *s)
{
	size_t known = 0;

	for (size_t i = 0; i < s->n; i++)
		known += s->v[i]->pages.known;
	return known;
}

static void remember(const struct source *s, struct slot *slot)
{
	struct watch *w = slot->watch;
	struct page_memo memo = {
		.hash = slot->hash,
		.numbers = slot->page.numbers,
		.n = (uint32_t)slot->rows.n,
		.rows = (uint32_t)slot->answer.rows,
		.skipped = (uint16_t)slot->answer.skipped,
		.told = slot->told,
	};

	if (slot->page.unchanged || !is_remembered(slot) || pages_known(s) >= PAGES_KEPT_MAX)
		return;
	pages_keep(&w->pages, w->followed.held, slot->plan.page, &memo);
}

/* The page is asked for again: what it stamped counts as unseen until then. */
static void unstamp(struct slot *slot)
{
	for (size_t i = 0; i < slot->nfresh; i++)
		held_at(slot->watch->followed.held, slot->fresh[i])->sweep = 0;
}

static void tell_read(const struct source *s, const struct slot *slot)
{
	const struct offer *o = &slot->plan.offer;
	const char *filter = ask_filters[o->ask];

	log_debug("read", log_str("broadcast", slot->watch->followed.record.id),
		  log_str("for", purpose_names[o->purpose]),
		  log_str("filter", filter ? filter : "-"), log_num("page", o->page),
		  log_num("rows", (int64_t)slot->answer.rows), log_num("count", slot->answer.count),
		  log_num("changes", (int64_t)slot->answer.changes),
		  log_num("expected", (int64_t)o->finds),
		  log_num("waited_ms", slot->plan.asked_ms - o->since_ms),
		  log_num("at_ms", s->now.mono_ms), log_str("why", slot->plan.reason));
}

void source_page_done(struct source *s, struct source_page *p, const struct page_result *r)
{
	struct slot *slot = p->impl;
	struct watch *w = slot->watch;

	w->busy = false;
	if (w->dropped) {
		watch_free(w);
	} else if (r->failed) {
		unstamp(slot);
		s->stats.failures++;
		planner_failed(s->planner, &slot->plan, prng_unit(&s->random), s->now.mono_ms);
	} else {
		/* A first sweep finds nothing but new rows; that says nothing about movement. */
		bool first_sight = slot->baseline && slot->plan.in_turn;
		slot->answer.changes = r->changed + (first_sight ? 0 : r->added);
		if (!slot->page.unchanged) {
			slot->answer.n = slot->rows.n;
			slot->answer.v = slot->rows.v;
			if (number_rows(slot))
				remember(s, slot);
		}
		slot->answer.numbers = slot->page.numbers;
		tell_read(s, slot);
		if (planner_read(s->planner, &slot->plan, &slot->answer, s->now.mono_ms)) {
			s->stats.sweeps++;
			report_swept(s, w);
			source_tell(s, SOURCE_SWEPT, w, "", slot->answer.count);
		}
	}
	put_slot(s, slot);
}
