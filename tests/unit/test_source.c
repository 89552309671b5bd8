/* source: against an API that answers from a script, what reaches the owner — pages, lists and
 * notices — is what was sent, whatever was sent. The owner here keeps rows as intake does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/buf.h"
#include "relay/source/snapshot.h"
#include "relay/source/planner_parts.h"
#include "relay/source/source.h"
#include "tests/unit/fake_api.h"

#define ROWS 400

static char base_url[] = "http://127.0.0.1:1", key[] = "k3y-abcdef";
static char *orgs[] = {(char *)"c"};

struct notice {
	enum source_notice what;
	char why[256];
	int64_t number;
};

struct stage {
	struct fake_api api;
	struct source_options options;
	struct source *source;
	struct names states, statuses;
	struct instant now;

	/* what the API has */
	unsigned rows;		      /* of bc_1 */
	const char *row[ROWS];	      /* NULL: a plain one */
	unsigned counter;	      /* sent_count */
	struct fake_reply list, page; /* given instead, when status or failure is set */
	bool countless;
	unsigned more;	     /* broadcasts: bc_1 and so many; the list is paged like the rows */
	int behind;	     /* status of a page behind the last one; 0: an empty list */
	bool tokens;	     /* pages of rows have tokens, and only a token leads to a second … */
	bool stale;	     /* … but all are refused, and page numbers lead there */
	const char *refused; /* 401 for URLs with this in them; NULL: none */

	/* what the owner got */
	struct notice notices[512];
	size_t nnotices;
	unsigned listings, pages, unchanged, lasts, rows_read, added, followed_counter;
	unsigned page_asked; /* of the last page */
	bool complete;
	size_t fail_pages;	  /* so many commits fail */
	bool hold;		  /* pages are not done at once … */
	struct source_page *held; /* … but kept here */
};

/* ---- the owner ---- */

static void take_rows(struct stage *t, struct source_page *p, struct page_result *result)
{
	struct held *held = p->broadcast->held;

	for (size_t i = 0; i < p->rows->n; i++) {
		const struct row *row = &p->rows->v[i];
		uint32_t number = held_find(held, row->key);
		if (number == HELD_NONE) {
			held_add(held, &(struct held_row){.key = row->key,
							  .states = row->states,
							  .status = row->status & 0x7f,
							  .sweep = p->sweep & 0x1fff});
			result->added++;
		} else if (held_at(held, number)->states != row->states) {
			struct held_row known = *held_at(held, number);
			known.states = row->states;
			held_replace(held, number, &known);
			result->changed++;
		}
	}
	t->added += (unsigned)result->added;
}

static void on_page(void *arg, struct source_page *p)
{
	struct stage *t = arg;
	struct page_result result = {.failed = t->fail_pages > 0};

	t->pages++;
	t->unchanged += p->unchanged;
	t->lasts += p->last;
	t->rows_read += (unsigned)p->rows->n;
	t->page_asked = p->page;
	for (size_t i = 0; i < p->rows->n; i++)
		assert_int_equal(p->text[p->rows->v[i].text.at], '{');
	if (t->fail_pages > 0)
		t->fail_pages--;
	else
		take_rows(t, p, &result);
	if (p->last && !result.failed)
		p->broadcast->record.baseline_done = true;
	if (t->hold)
		t->held = p;
	else
		source_page_done(t->source, p, &result);
}

static void on_listing(void *arg, const struct source_listing *l)
{
	struct stage *t = arg;

	t->listings++;
	t->complete = l->complete;
	for (size_t i = 0; i < l->n; i++) {
		struct followed *b = source_find(t->source, l->org, l->v[i].id);
		if (!b) {
			struct broadcast_record record = {.org = strdup(l->org),
							  .id = strdup(l->v[i].id)};
			b = source_follow(t->source, &record, NULL);
			assert_null(record.id);
			b->track->chase.ignored = true; /* this API obeys no filter */
			b->track->chase.ignored_ms = INT64_MAX;
		}
		source_listed(t->source, b, &l->v[i], t->counter != t->followed_counter, l->date_ms,
			      t->now);
		t->followed_counter = t->counter;
	}
}

static void on_notice(void *arg, enum source_notice what, const struct followed *b, const char *why,
		      int64_t number)
{
	struct stage *t = arg;

	if (what == SOURCE_SWEPT)
		return;
	assert_true(t->nnotices < 512);
	struct notice *n = &t->notices[t->nnotices++];
	n->what = what;
	n->number = number;
	snprintf(n->why, sizeof n->why, "%s", why);
	assert_true(what != SOURCE_GONE || b);
}

static unsigned count_notices(const struct stage *t, enum source_notice what, const char *why)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->nnotices; i++)
		n += t->notices[i].what == what && strstr(t->notices[i].why, why) != NULL;
	return n;
}

static void open_source(struct stage *t)
{
	struct err err = {0};
	struct source_env env = {.fetch = fake_fetch,
				 .fetch_arg = &t->api,
				 .states = &t->states,
				 .statuses = &t->statuses,
				 .seed = 1,
				 .page = on_page,
				 .listing = on_listing,
				 .notice = on_notice,
				 .arg = t};
	t->source = source_open(&t->options, &env, t->now, &err);
	assert_non_null(t->source);
}

/* With options that were changed. */
static void reopen(struct stage *t)
{
	source_close(t->source);
	open_source(t);
}

static struct stage *open_stage(unsigned rows)
{
	struct stage *t = calloc(1, sizeof *t);

	t->options = (struct source_options){.base_url = base_url,
					     .api_key = key,
					     .orgs = {orgs, 1},
					     .poll_every_ms = 5000,
					     .poll_every_max_ms = 300000,
					     .full_sweep_every_ms = 6 * 3600000,
					     .timeout_ms = 30000};
	t->rows = rows;
	t->now = (struct instant){.wall_ms = 1700000000000, .mono_ms = 1000};
	states_init(&t->states);
	open_source(t);
	return t;
}

static void close_stage(struct stage *t)
{
	source_pause(t->source, true);
	while (t->api.n > 0)
		fake_answer(&t->api, &(struct fake_reply){.failure = HTTP_ABORTED});
	source_close(t->source);
	free(t);
}

/* ---- the API ---- */

static void write_rows(const struct stage *t, struct buf *out, unsigned page, unsigned take)
{
	for (unsigned i = (page - 1) * take; i < t->rows && i < page * take; i++) {
		if (i % take)
			buf_addc(out, ',');
		if (t->row[i])
			buf_adds(out, t->row[i]);
		else
			buf_addf(out, "{\"id\":\"r%u\",\"status\":\"SENDING\",\"is_sent\":true}",
				 i);
	}
}

/* Asked for a page that begins at or behind the end? Then it is answered, when that is special. */
static bool answer_behind(struct stage *t, unsigned n)
{
	unsigned first = (fake_number(&t->api, "page") - 1) * fake_number(&t->api, "take");

	if (!t->behind || first == 0 || first < n)
		return false;
	fake_answer(&t->api, &(struct fake_reply){.status = t->behind});
	return true;
}

static void answer_page(struct stage *t)
{
	struct buf body = BUF_INIT(1 << 20);
	char headers[128] = "";
	unsigned take = fake_number(&t->api, "take"), page = fake_number(&t->api, "page");
	const char *token = strstr(t->api.v[0].url, "next=");

	if (t->page.status || t->page.failure) {
		fake_answer(&t->api, &t->page);
		return;
	}
	if (token && t->stale) {
		fake_answer(&t->api, &(struct fake_reply){.status = 400});
		return;
	}
	if (t->tokens && !t->stale)
		page = token ? (unsigned)strtoul(token + strlen("next=t%25"), NULL, 10) : 1;
	else if (answer_behind(t, t->rows))
		return;
	buf_addc(&body, '[');
	write_rows(t, &body, page, take);
	buf_addc(&body, ']');
	if (!t->countless)
		snprintf(headers, sizeof headers, "pagination-count: %u\n", t->rows);
	if (t->tokens && page * take < t->rows)
		snprintf(headers + strlen(headers), 64, "pagination-next: t%%%u\n", page + 1);
	fake_answer(&t->api,
		    &(struct fake_reply){.status = 200, .body = body.data, .headers = headers});
	buf_release(&body);
}

static void answer_list(struct stage *t)
{
	struct buf body = BUF_INIT(1 << 20);
	char headers[64];
	unsigned take = fake_number(&t->api, "take"), page = fake_number(&t->api, "page");

	if (t->list.status || t->list.failure) {
		fake_answer(&t->api, &t->list);
		return;
	}
	if (answer_behind(t, 1 + t->more))
		return;
	for (unsigned i = (page - 1) * take; i < 1 + t->more && i < page * take; i++)
		buf_addf(&body, "%s{\"id\":\"bc_%u\",\"status\":\"SENDING\",\"sent_count\":%u}",
			 body.len ? "," : "[", i + 1, t->counter);
	buf_adds(&body, body.len ? "]" : "[]");
	snprintf(headers, sizeof headers, "pagination-count: %u\n", 1 + t->more);
	fake_answer(&t->api, &(struct fake_reply){
				     .status = 200,
				     .body = body.data,
				     .headers = headers,
				     .date_ms = t->now.wall_ms,
			     });
	buf_release(&body);
}

static bool asks_for_rows(const struct stage *t)
{
	return strstr(t->api.v[0].url, "/recipients?") != NULL;
}

static void answer(struct stage *t)
{
	if (t->refused && strstr(t->api.v[0].url, t->refused))
		fake_answer(&t->api, &(struct fake_reply){.status = 401});
	else if (asks_for_rows(t))
		answer_page(t);
	else
		answer_list(t);
}

/* Runs until nothing more is to be done at this moment; ms to the next work. */
static int settle(struct stage *t)
{
	int wait = source_tick(t->source, t->now);

	while (t->api.n > 0) {
		answer(t);
		wait = source_tick(t->source, t->now);
	}
	return wait;
}

static void pass(struct stage *t, int64_t ms)
{
	t->now.mono_ms += ms;
	t->now.wall_ms += ms;
}

/* Lets time pass as the source wants it to. */
static void run_for(struct stage *t, int64_t ms)
{
	int64_t end = t->now.mono_ms + ms;

	while (t->now.mono_ms < end) {
		int64_t wait = settle(t), left = end - t->now.mono_ms;
		pass(t, wait < left ? wait : left);
	}
	settle(t);
}

static struct followed *bc_1(const struct stage *t)
{
	struct followed *b = source_find(t->source, "c", "bc_1");

	assert_non_null(b);
	return b;
}

static struct source_status status_of(const struct stage *t)
{
	struct source_status status;

	source_status(t->source, &status);
	return status;
}

/* ---- the good days ---- */

static void follows_a_broadcast(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	int wait = settle(t);
	assert_int_equal(wait, 5000);
	assert_true(t->complete);
	assert_int_equal(t->pages, 3);
	assert_int_equal(t->lasts, 1);
	assert_int_equal(t->rows_read, 250);
	assert_int_equal(held_live(bc_1(t)->held), 250);
	assert_int_equal(t->nnotices, 0);
	struct source_status status = status_of(t);
	assert_int_equal(status.requests, 4);
	assert_int_equal(status.pages, 3);
	assert_int_equal(status.rows, 250);
	assert_int_equal(status.sweeps, 1);
	assert_int_equal(status.rows_held, 250);
	assert_int_equal(status.followed, 1);
	assert_false(status.down);
	assert_false(source_busy(t->source));
	assert_ptr_equal(source_at(t->source, 0), bc_1(t));
	assert_null(source_at(t->source, 1));
	close_stage(t);
	source_close(NULL);
}

/* Where the API names the next page, that is what is asked for; a name that it refuses costs one
 * request, and the number goes on. */
static void tokens_lead_to_pages(void **state)
{
	(void)state;
	for (int stale = 0; stale < 2; stale++) {
		struct stage *t = open_stage(250);
		t->tokens = true;
		t->stale = stale;
		run_for(t, 60000);
		assert_int_equal(t->added, 250);
		assert_true(t->lasts > 0);
		assert_int_equal(count_notices(t, SOURCE_TROUBLE, ""), 0);
		close_stage(t);
	}
}

static void unchanged_pages_are_not_parsed(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	settle(t);
	t->counter = 1;
	t->row[120] =
		"{\"id\":\"r120\",\"status\":\"SENDING\",\"is_sent\":true,\"is_failed\":true}";
	pass(t, 5000);
	settle(t);
	assert_int_equal(t->unchanged, 2);
	assert_int_equal(t->rows_read, 350);
	assert_int_equal(t->lasts, 2); /* what was not parsed was seen all the same */
	t->counter = 2;
	pass(t, 5000);
	settle(t);
	assert_int_equal(t->unchanged, 5);
	assert_int_equal(t->lasts, 3);
	assert_int_equal(status_of(t).unchanged_pages, 5);
	close_stage(t);
}

/* The bytes of a page come back, but its row was seen in another state meanwhile: it reverted. */
static void the_same_bytes_are_read_when_the_rows_changed(void **state)
{
	struct stage *t = open_stage(50);

	(void)state;
	settle(t);
	struct held_row seventh = *held_at(bc_1(t)->held, 7);
	seventh.states |= 64;
	held_replace(bc_1(t)->held, 7, &seventh);
	t->counter = 1;
	pass(t, 5000);
	settle(t);
	assert_int_equal(t->unchanged, 0);
	assert_int_equal(t->rows_read, 100);
	assert_int_equal(held_at(bc_1(t)->held, 7)->states, held_at(bc_1(t)->held, 8)->states);
	close_stage(t);
}

static void works_without_counts(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	t->countless = true;
	settle(t);
	assert_int_equal(t->lasts, 1);
	assert_int_equal(t->rows_read, 250);
	close_stage(t);
}

/* Rows 0 … 9 are gone from the API: two complete sweeps end without their stamp. */
static void missing_rows_lack_the_stamp(void **state)
{
	static const char *const other = "{\"id\":\"r0\",\"is_sent\":true}";
	struct stage *t = open_stage(50);

	(void)state;
	settle(t);
	uint16_t first = held_at(bc_1(t)->held, 0)->sweep;
	t->rows = 40;
	t->row[0] = other;
	t->counter = 1;
	pass(t, 5000);
	settle(t);
	assert_int_equal(t->lasts, 2);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(held_at(bc_1(t)->held, i)->sweep, i < 40 ? first + 1 : first);
	close_stage(t);
}

/* After 8191 sweeps the stamps begin again: a row last seen so long ago must not look seen. */
static void old_stamps_do_not_come_back(void **state)
{
	struct stage *t = open_stage(1);

	(void)state;
	settle(t);
	assert_int_equal(held_at(bc_1(t)->held, 0)->sweep, 1);
	t->row[0] = "{\"id\":\"other\"}";
	for (int i = 0; i < 8191; i++) {
		t->counter++;
		pass(t, 5000);
		settle(t);
	}
	assert_int_equal(held_at(bc_1(t)->held, 1)->sweep, 1);
	assert_int_equal(held_at(bc_1(t)->held, 0)->sweep, 0);
	close_stage(t);
}

static void doubled_rows_make_no_complete_sweep(void **state)
{
	struct stage *t = open_stage(150);

	(void)state;
	t->row[130] = "{\"id\":\"r5\",\"status\":\"SENDING\",\"is_sent\":true}";
	settle(t);
	assert_int_equal(t->lasts, 0);
	assert_int_equal(held_live(bc_1(t)->held), 149);
	t->row[130] = NULL;
	run_for(t, 20000);
	assert_true(t->lasts > 0);
	assert_int_equal(held_live(bc_1(t)->held), 150);
	close_stage(t);
}

static void a_failed_commit_is_repeated(void **state)
{
	struct stage *t = open_stage(150);

	(void)state;
	t->fail_pages = 2;
	settle(t);
	assert_int_equal(t->added, 0);
	run_for(t, 4000);
	assert_int_equal(t->pages, 4);
	assert_int_equal(t->lasts, 1);
	assert_int_equal(t->added, 150);
	t->counter = 1; /* and of a page that is known already */
	t->fail_pages = 1;
	pass(t, 5000);
	run_for(t, 3000);
	assert_int_equal(t->lasts, 2);
	assert_int_equal(t->pages, 7); /* the sweep was good: none more was needed */
	close_stage(t);
}

static void one_request_of_a_broadcast_at_a_time(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	t->hold = true;
	settle(t);
	assert_int_equal(t->pages, 1);
	assert_true(source_busy(t->source));
	for (unsigned i = 2; i <= 3; i++) {
		source_page_done(t->source, t->held, &(struct page_result){0});
		settle(t);
		assert_int_equal(t->pages, i);
	}
	source_page_done(t->source, t->held, &(struct page_result){0});
	assert_false(source_busy(t->source));
	close_stage(t);
}

static void unfollowing_waits_for_what_is_under_way(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	t->hold = true;
	settle(t);
	source_unfollow(t->source, bc_1(t));
	assert_null(source_find(t->source, "c", "bc_1"));
	source_page_done(t->source, t->held, &(struct page_result){0});
	t->hold = false;
	assert_false(source_busy(t->source));
	pass(t, 5000); /* the list shows it: it is followed anew */
	source_tick(t->source, t->now);
	answer(t);
	source_tick(t->source, t->now);
	assert_true(asks_for_rows(t));
	source_unfollow(t->source, bc_1(t)); /* now with a request under way */
	answer(t);
	assert_int_equal(t->pages, 1);
	source_tick(t->source, t->now);
	close_stage(t);
}

static void a_close_ends_what_is_in_intake(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	t->hold = true;
	settle(t);
	source_unfollow(t->source, bc_1(t));
	close_stage(t);
}

static void following_twice_keeps_the_first(void **state)
{
	struct stage *t = open_stage(5);
	struct broadcast_record again = {.org = strdup("c"), .id = strdup("bc_1")};

	(void)state;
	settle(t);
	struct held *other = held_new();
	assert_ptr_equal(source_follow(t->source, &again, other), bc_1(t));
	assert_int_equal(held_count(bc_1(t)->held), 5);
	close_stage(t);
}

static void a_first_sweep_goes_on_where_it_was(void **state)
{
	struct stage *t = open_stage(250);
	struct broadcast_record record = {
		.org = strdup("c"), .id = strdup("bc_1"), .baseline_page = 2};
	struct held *held = held_new();

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char id[16];
		int len = snprintf(id, sizeof id, "r%u", i);
		held_add(held, &(struct held_row){.key = hash128(id, (size_t)len)});
	}
	source_follow(t->source, &record, held);
	settle(t);
	assert_int_equal(t->pages, 1);
	assert_int_equal(t->page_asked, 3);
	assert_int_equal(t->lasts, 1);
	assert_int_equal(t->added, 50);
	close_stage(t);
}

static void handing_over_goes_on(void **state)
{
	struct stage *t = open_stage(250), *u = open_stage(250);

	(void)state;
	settle(t);
	source_hand_over(t->source, u->source);
	assert_null(source_at(t->source, 0));
	assert_int_equal(held_count(bc_1(u)->held), 250);
	u->counter = 1;
	pass(u, 5000);
	settle(u);
	assert_int_equal(u->unchanged, 3);
	assert_int_equal(u->added, 0);
	source_use(u->source, &t->options);
	close_stage(u);
	close_stage(t);
}

/* Another filter or API has other lists: nothing that was learned of the old ones is used, and a
 * sweep that was under way begins anew. The rows stay. */
static void handing_over_learns_other_lists_anew(void **state)
{
	static char other[] = "http://127.0.0.1:2";
	static char *filters[] = {(char *)"email", (char *)"a@b"};
	enum { SAME, FILTER, API, CASES };

	(void)state;
	for (int what = SAME; what < CASES; what++) {
		struct stage *t = open_stage(250), *u = open_stage(250);
		if (what == FILTER)
			u->options.filter = (struct strings){.v = filters, .n = 2};
		if (what == API)
			u->options.base_url = other;
		reopen(u);
		while (t->pages < 2) {
			source_tick(t->source, t->now);
			answer(t);
		}
		bc_1(t)->record.baseline_page = 2;
		bc_1(t)->track->chase.ignored = true;
		bc_1(t)->track->chase.active = bc_1(t)->track->chase.lost = 1;
		uint32_t spent = bc_1(t)->track->spent[FOR_SWEEP];
		source_pause(t->source, true);
		while (t->api.n > 0)
			answer(t);
		u->pages = 0;
		source_hand_over(t->source, u->source);
		const struct track *k = bc_1(u)->track;
		bool renewed = what != SAME;
		assert_int_equal(k->chase.ignored, !renewed);
		assert_int_equal(k->chase.active | k->chase.lost, !renewed);
		assert_int_equal(k->chase.counts.v[ASK_ALL].paged < 0, renewed);
		assert_int_equal(k->chase.order.id.up + k->chase.order.id.down == 0, renewed);
		assert_int_equal(k->chase.order.places.rows, held_count(bc_1(u)->held));
		assert_int_equal(k->sweep.active, !renewed);
		assert_true(k->spent[FOR_SWEEP] >= spent);
		settle(u);
		assert_int_equal(u->lasts, 1);
		assert_int_equal(u->pages, renewed ? 3 : 1);
		assert_int_equal(u->unchanged, 0);
		assert_int_equal(held_live(bc_1(u)->held), 250);
		if (what == FILTER)
			u->options.filter = (struct strings){0};
		close_stage(u);
		close_stage(t);
	}
}

/* The API counts by address: a reload is no way round its "wait". Another API has said nothing. */
static void handing_over_keeps_waiting(void **state)
{
	static char other[] = "http://127.0.0.1:2";

	(void)state;
	for (int same = 0; same < 2; same++) {
		struct stage *t = open_stage(5), *u = open_stage(5);
		u->options.base_url = same ? base_url : other;
		reopen(u);
		t->list = (struct fake_reply){.status = 429, .retry_after_ms = 12000};
		settle(t);
		source_hand_over(t->source, u->source);
		settle(u);
		assert_int_equal(u->api.asked > 0, !same);
		pass(u, 12000);
		settle(u);
		assert_true(u->listings > 0);
		close_stage(u);
		close_stage(t);
	}
}

static void a_pause_asks_nothing(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	source_pause(t->source, true);
	source_tick(t->source, t->now);
	assert_int_equal(t->api.n, 0);
	source_pause(t->source, false);
	source_tick(t->source, t->now);
	fake_answer(&t->api, &(struct fake_reply){.failure = HTTP_ABORTED});
	assert_int_equal(t->nnotices, 0); /* we ended it: nothing is said of the API */
	settle(t);
	assert_int_equal(t->lasts, 1);
	close_stage(t);
}

static void keeps_to_the_budget(void **state)
{
	struct stage *t = open_stage(400);

	(void)state;
	t->options.rate_limit = 1; /* 60 a minute: 57 and a burst of 3 */
	reopen(t);
	for (int i = 0; i < 12; i++) {
		t->counter++;
		run_for(t, 5000);
	}
	assert_in_range(t->api.asked, 50, 57);
	close_stage(t);
}

/* ---- bad input ---- */

#define GOOD "{\"id\":\"a\",\"status\":\"SENDING\",\"is_sent\":true}"

static const struct bad_input {
	const char *name;
	struct fake_reply reply;
	enum source_notice notice;
	const char *why;
	unsigned rows; /* that come through all the same */
} bad_inputs[] = {
	{"unreachable", {.failure = HTTP_UNREACHABLE}, SOURCE_TROUBLE, "could not connect", 0},
	{"timeout", {.failure = HTTP_TIMEOUT}, SOURCE_TROUBLE, "could not connect", 0},
	{"401", {.status = 401, .body = "no"}, SOURCE_TROUBLE, "HTTP 401: no", 0},
	{"404", {.status = 404}, SOURCE_TROUBLE, "HTTP 404", 0},
	{"429 with seconds",
	 {.status = 429, .retry_after_ms = 3000},
	 SOURCE_TROUBLE,
	 "HTTP 429",
	 0},
	{"429 without", {.status = 429, .retry_after_ms = -1}, SOURCE_TROUBLE, "HTTP 429", 0},
	{"500", {.status = 500, .body = "oops"}, SOURCE_TROUBLE, "HTTP 500: oops", 0},
	{"503 with Retry-After",
	 {.status = 503, .retry_after_ms = 1},
	 SOURCE_TROUBLE,
	 "HTTP 503",
	 0},
	{"400", {.status = 400, .body = "take"}, SOURCE_TROUBLE, "HTTP 400: take", 0},
	{"HTML", {.status = 200, .body = "<html>login</html>"}, SOURCE_TROUBLE, "HTML instead", 0},
	{"an object", {.status = 200, .body = "{\"error\":1}"}, SOURCE_TROUBLE, "no JSON array", 0},
	{"empty", {.status = 200}, SOURCE_TROUBLE, "empty body", 0},
	{"truncated",
	 {.status = 200, .body = "[" GOOD ",{\"id\":\"b"},
	 SOURCE_TROUBLE,
	 "page 1",
	 0},
	{"garbage behind", {.status = 200, .body = "[" GOOD "]]"}, SOURCE_TROUBLE, "page 1", 0},
	{"invalid UTF-8",
	 {.status = 200, .body = "[{\"id\":\"\xff\"}," GOOD "]"},
	 SOURCE_SKIPPED,
	 "no sound JSON",
	 1},
	{"a NUL in a string",
	 {.status = 200, .body = "[" GOOD ",{\"id\":\"b\",\"name\":\"a\\u0000]\"}]"},
	 SOURCE_SKIPPED,
	 "no sound JSON",
	 1},
	{"half a surrogate pair, and then it ends early",
	 {.status = 200, .body = "[" GOOD ",{\"id\":\"b\",\"name\":\"\\ud83d\"}"},
	 SOURCE_TROUBLE,
	 "page 1",
	 0},
	{"a NUL byte", {.status = 200, .body = "[\0]", .len = 3}, SOURCE_TROUBLE, "page 1", 0},
	{"no object", {.status = 200, .body = "[" GOOD ",3]"}, SOURCE_SKIPPED, "", 1},
	{"no id", {.status = 200, .body = "[{\"is_sent\":true}," GOOD "]"}, SOURCE_SKIPPED, "", 1},
	{"an id that is a number",
	 {.status = 200, .body = "[{\"id\":5}," GOOD "]"},
	 SOURCE_SKIPPED,
	 "",
	 1},
	{"a flag that is a word",
	 {.status = 200, .body = "[{\"id\":\"b\",\"is_sent\":\"yes\"}," GOOD "]"},
	 SOURCE_SKIPPED,
	 "",
	 1},
	{"a new flag",
	 {.status = 200, .body = "[{\"id\":\"b\",\"is_clicked\":true,\"is_clicked_at\":null}]"},
	 SOURCE_NEW_NAME,
	 "state clicked",
	 1},
	{"a new status",
	 {.status = 200, .body = "[{\"id\":\"b\",\"status\":\"PAUSED\"}]"},
	 SOURCE_NEW_NAME,
	 "status PAUSED",
	 1},
};

static void bad_input_is_told_and_does_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_inputs / sizeof *bad_inputs; i++) {
		const struct bad_input *bad = &bad_inputs[i];
		struct stage *t = open_stage(3);
		bool passes = bad->notice != SOURCE_TROUBLE;
		source_tick(t->source, t->now);
		answer(t);
		source_tick(t->source, t->now);
		assert_true(asks_for_rows(t));
		fake_answer(&t->api, &bad->reply);
		if (!count_notices(t, bad->notice, bad->why) || t->pages != passes ||
		    t->rows_read != bad->rows)
			fail_msg("%s: %zu notices, %u pages, %u rows; %s", bad->name, t->nnotices,
				 t->pages, t->rows_read, t->notices[0].why);
		assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
		/* and afterwards all goes on as if nothing had been */
		run_for(t, 20000);
		if (held_find(bc_1(t)->held, hash128("r2", 2)) == HELD_NONE)
			fail_msg("%s: the rows were never read", bad->name);
		assert_true(passes || t->lasts > 0);
		close_stage(t);
	}
}

static void bad_lists_are_told_and_repeated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_inputs / sizeof *bad_inputs; i++) {
		const struct bad_input *bad = &bad_inputs[i];
		struct stage *t = open_stage(3);
		if (bad->notice != SOURCE_TROUBLE) {
			close_stage(t);
			continue;
		}
		source_tick(t->source, t->now);
		fake_answer(&t->api, &bad->reply);
		assert_int_equal(t->listings, 0);
		assert_int_equal(t->nnotices, 1);
		assert_int_equal(t->notices[0].what, SOURCE_TROUBLE);
		run_for(t, 20000);
		if (!t->lasts)
			fail_msg("%s", bad->name);
		close_stage(t);
	}
}

static void a_bad_entry_hides_no_other(void **state)
{
	struct stage *t = open_stage(3);

	(void)state;
	source_tick(t->source, t->now);
	fake_answer(&t->api,
		    &(struct fake_reply){.status = 200,
					 .headers = "pagination-count: 2\n",
					 .body = "[{\"id\":\"bc_0\",\"name\":\"\\udead\"},"
						 "{\"id\":\"bc_1\",\"status\":\"SENT\"}]"});
	assert_int_equal(t->listings, 1);
	assert_false(t->complete);
	assert_int_equal(count_notices(t, SOURCE_SKIPPED, "no sound JSON"), 1);
	assert_int_equal(t->nnotices, 1);
	run_for(t, 20000);
	assert_int_equal(t->rows_read, 3);
	close_stage(t);
}

static void skipped_rows_are_told_once_and_end_no_sweep(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	t->row[3] = "{\"id\":\"r3\",\"is_failed\":\"maybe\"}";
	run_for(t, 60000);
	t->row[2] = "{\"id\":\"r2\",\"is_opened\":true}";
	t->counter++;
	run_for(t, 60000);
	assert_int_equal(count_notices(t, SOURCE_SKIPPED, ""), 1);
	assert_int_equal(t->notices[0].number, 1);
	assert_int_equal(t->lasts, 0); /* r3 was not seen, and must not count as gone */
	assert_true(t->pages < 40);
	close_stage(t);
}

static void odd_flags_are_told_once_and_cost_no_row(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	t->row[1] = "{\"id\":\"r1\",\"is_tier\":false}";
	t->row[3] = "{\"id\":\"r3\",\"is_tier\":\"gold\"}";
	run_for(t, 60000);
	t->row[2] = "{\"id\":\"r2\",\"is_tier\":1}";
	t->counter++;
	run_for(t, 60000);
	assert_int_equal(count_notices(t, SOURCE_ODD_FLAG, "tier"), 1);
	assert_int_equal(count_notices(t, SOURCE_SKIPPED, ""), 0);
	assert_int_equal(t->added, 5);
	assert_true(t->lasts > 0);
	close_stage(t);
}

static void a_lost_request_is_trouble(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	t->api.unable = true;
	run_for(t, 10000);
	assert_true(count_notices(t, SOURCE_TROUBLE, "no such URL") >= 3);
	assert_int_equal(count_notices(t, SOURCE_DOWN, "no such URL"), 1);
	t->api.unable = false;
	run_for(t, 60000);
	assert_int_equal(count_notices(t, SOURCE_UP, ""), 1);
	assert_int_equal(t->lasts > 0, 1);
	close_stage(t);
}

/* ---- outages ---- */

static void an_outage_is_told_once(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->list = t->page = (struct fake_reply){.failure = HTTP_UNREACHABLE};
	run_for(t, 600000);
	assert_int_equal(count_notices(t, SOURCE_DOWN, "could not connect"), 1);
	assert_true(status_of(t).down);
	size_t asked = t->api.asked;
	run_for(t, 600000);
	assert_in_range(t->api.asked - asked, 10, 20); /* one a minute, with jitter */
	t->list = t->page = (struct fake_reply){0};
	t->counter = 1;
	unsigned pages = t->pages;
	run_for(t, 70000);
	assert_int_equal(count_notices(t, SOURCE_UP, ""), 1);
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 1);
	assert_true(t->pages > pages);
	close_stage(t);
}

static void one_broken_broadcast_is_no_outage(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->page = (struct fake_reply){.status = 500};
	for (int i = 0; i < 60; i++) {
		t->counter++;
		run_for(t, 5000);
	}
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
	assert_in_range(count_notices(t, SOURCE_TROUBLE, ""), 5, 12); /* it backs off */
	close_stage(t);
}

static void an_outage_over_ends_all_backoffs(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->page = (struct fake_reply){.status = 500};
	t->counter++;
	run_for(t, 1000000); /* by now the broadcast waits for minutes */
	t->list = (struct fake_reply){.failure = HTTP_UNREACHABLE};
	while (!status_of(t).down)
		run_for(t, 1000);
	t->list = t->page = (struct fake_reply){0};
	unsigned pages = t->pages;
	while (status_of(t).down)
		run_for(t, 100);
	run_for(t, 1000);
	assert_true(t->pages > pages);
	close_stage(t);
}

static void a_dead_key_is_proved_on_another_path(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->list = t->page = (struct fake_reply){.status = 401, .body = "key"};
	run_for(t, 10000);
	assert_int_equal(count_notices(t, SOURCE_DOWN, "the API key is refused: HTTP 401"), 1);
	size_t asked = t->api.asked;
	run_for(t, 600000);
	assert_in_range(t->api.asked - asked, 9, 11); /* one probe a minute */
	t->list = t->page = (struct fake_reply){0};
	run_for(t, 60000);
	assert_int_equal(count_notices(t, SOURCE_UP, ""), 1);
	close_stage(t);
}

static void a_refused_path_is_no_dead_key(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->page = (struct fake_reply){.status = 403};
	t->counter = 1;
	run_for(t, 60000);
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
	assert_true(count_notices(t, SOURCE_TROUBLE, "HTTP 403") > 1);
	unsigned listings = t->listings;
	run_for(t, 60000);
	assert_true(t->listings - listings >= 10);
	t->page = (struct fake_reply){0};
	t->list = (struct fake_reply){.status = 401};
	run_for(t, 300000);
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
	close_stage(t);
}

/* Two organizations, the key has lost access to one: nothing of the other waits for that. */
static void a_refused_organization_is_no_dead_key(void **state)
{
	static char *two[][2] = {{(char *)"org_2", (char *)"c"}, {(char *)"c", (char *)"org_2"}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct stage *t = open_stage(5);
		t->options.orgs = (struct strings){two[i], 2};
		reopen(t);
		run_for(t, 10000);
		assert_non_null(source_find(t->source, "org_2", "bc_1"));
		t->refused = "/orgs/org_2/";
		unsigned listings = t->listings;
		run_for(t, 1200000);
		assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
		assert_true(count_notices(t, SOURCE_TROUBLE, "HTTP 401") > 10);
		assert_in_range(t->listings - listings, 200, 400);
		t->refused = "/orgs/";
		run_for(t, 60000);
		assert_int_equal(count_notices(t, SOURCE_DOWN, "the API key is refused"), 1);
		close_stage(t);
	}
}

/* What one organization refuses costs the others nothing, however many broadcasts it has. */
static void a_refused_organization_burns_no_budget(void **state)
{
	static char *two[] = {(char *)"c", (char *)"org_2"};
	struct stage *t = open_stage(5);

	(void)state;
	t->options.orgs = (struct strings){two, 2};
	t->more = 59;
	reopen(t);
	run_for(t, 10000);
	t->refused = "/orgs/org_2/";
	run_for(t, 60000); /* the list, and what was asked for before it */
	uint64_t requests = status_of(t).requests;
	unsigned pages = t->pages, listings = t->listings;
	run_for(t, 600000);
	assert_true(t->pages - pages >= 2 * 60);
	assert_in_range(status_of(t).requests - requests - (t->pages - pages) -
				(t->listings - listings),
			10, 40);
	t->refused = NULL;
	run_for(t, 70000);
	pages = t->pages;
	run_for(t, 600000);
	assert_true(t->pages - pages >= 4 * 60);
	close_stage(t);
}

static void without_broadcasts_the_key_is_tried_on_the_organizations(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	t->list = (struct fake_reply){.status = 401};
	source_tick(t->source, t->now);
	answer(t);
	source_tick(t->source, t->now);
	assert_non_null(strstr(t->api.v[0].url, "/orgs/c/orgs?"));
	answer(t);
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 1);
	close_stage(t);
}

static void retry_after_stops_all(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	t->list = (struct fake_reply){.status = 429, .retry_after_ms = 12000};
	settle(t);
	assert_int_equal(t->api.asked, 1);
	assert_int_equal(source_tick(t->source, t->now), 12000);
	t->list = (struct fake_reply){0};
	pass(t, 11999);
	settle(t);
	assert_int_equal(t->api.asked, 1);
	pass(t, 1);
	settle(t);
	assert_int_equal(t->lasts, 1);
	assert_int_equal(status_of(t).refusals, 1);
	close_stage(t);
}

static void a_slow_answer_is_timed_from_its_end(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	source_tick(t->source, t->now);
	fake_answer(&t->api,
		    &(struct fake_reply){.status = 429, .retry_after_ms = 10000, .took_ms = 4000});
	pass(t, 4000);
	assert_int_equal(source_tick(t->source, t->now), 10000);
	close_stage(t);
}

static void gone_is_missing_twice(void **state)
{
	struct stage *t = open_stage(5);

	(void)state;
	settle(t);
	t->page = (struct fake_reply){.status = 404};
	t->counter = 1;
	pass(t, 5000);
	settle(t);
	assert_int_equal(count_notices(t, SOURCE_GONE, ""), 0);
	t->page = (struct fake_reply){0};
	run_for(t, 5000);
	t->page = (struct fake_reply){.status = 404};
	t->counter = 2;
	run_for(t, 2700);
	assert_int_equal(count_notices(t, SOURCE_GONE, ""), 0); /* not in a row */
	run_for(t, 5000);
	assert_true(count_notices(t, SOURCE_GONE, "HTTP 404") >= 1);
	assert_int_equal(count_notices(t, SOURCE_DOWN, ""), 0);
	source_unfollow(t->source, bc_1(t));
	close_stage(t);
}

static void a_missing_second_page_is_not_gone(void **state)
{
	struct stage *t = open_stage(250);

	(void)state;
	source_tick(t->source, t->now);
	answer(t);
	source_tick(t->source, t->now);
	answer(t);
	t->page = (struct fake_reply){.status = 404};
	for (int i = 0; i < 3; i++) {
		source_tick(t->source, t->now);
		while (t->api.n > 0)
			answer(t);
		pass(t, 5000);
	}
	assert_true(count_notices(t, SOURCE_TROUBLE, "HTTP 404") >= 2);
	assert_int_equal(count_notices(t, SOURCE_GONE, ""), 0);
	close_stage(t);
}

/* An API may refuse what lies behind the last page, which a full page makes us look at. */
static void a_refusal_behind_the_end_is_the_end(void **state)
{
	static const int statuses[] = {404, 400, 422, 416};

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct stage *t = open_stage(200);
		t->more = 99;
		t->behind = statuses[i];
		run_for(t, 4000);
		assert_int_equal(t->listings, 2);
		assert_true(t->complete);
		assert_true(bc_1(t)->record.baseline_done);
		assert_int_equal(t->nnotices, 0);
		run_for(t, 6000);
		assert_int_equal(t->listings, 6);
		close_stage(t);
	}
}

/* What is behind a page of the list that fails, and before it, does not wait for ever. */
static void a_bad_page_of_the_list_is_passed_over(void **state)
{
	struct stage *t = open_stage(0);

	(void)state;
	t->more = 99;
	t->behind = 500;
	settle(t);
	assert_int_equal(t->listings, 1);
	run_for(t, 60000);
	assert_true(t->listings >= 3);
	assert_false(t->complete);
	close_stage(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_a_broadcast),
		cmocka_unit_test(tokens_lead_to_pages),
		cmocka_unit_test(unchanged_pages_are_not_parsed),
		cmocka_unit_test(the_same_bytes_are_read_when_the_rows_changed),
		cmocka_unit_test(works_without_counts),
		cmocka_unit_test(missing_rows_lack_the_stamp),
		cmocka_unit_test(old_stamps_do_not_come_back),
		cmocka_unit_test(doubled_rows_make_no_complete_sweep),
		cmocka_unit_test(a_failed_commit_is_repeated),
		cmocka_unit_test(one_request_of_a_broadcast_at_a_time),
		cmocka_unit_test(unfollowing_waits_for_what_is_under_way),
		cmocka_unit_test(a_close_ends_what_is_in_intake),
		cmocka_unit_test(following_twice_keeps_the_first),
		cmocka_unit_test(a_first_sweep_goes_on_where_it_was),
		cmocka_unit_test(handing_over_goes_on),
		cmocka_unit_test(handing_over_learns_other_lists_anew),
		cmocka_unit_test(handing_over_keeps_waiting),
		cmocka_unit_test(a_pause_asks_nothing),
		cmocka_unit_test(keeps_to_the_budget),
		cmocka_unit_test(bad_input_is_told_and_does_no_harm),
		cmocka_unit_test(bad_lists_are_told_and_repeated),
		cmocka_unit_test(a_bad_entry_hides_no_other),
		cmocka_unit_test(skipped_rows_are_told_once_and_end_no_sweep),
		cmocka_unit_test(odd_flags_are_told_once_and_cost_no_row),
		cmocka_unit_test(a_lost_request_is_trouble),
		cmocka_unit_test(an_outage_is_told_once),
		cmocka_unit_test(one_broken_broadcast_is_no_outage),
		cmocka_unit_test(an_outage_over_ends_all_backoffs),
		cmocka_unit_test(a_dead_key_is_proved_on_another_path),
		cmocka_unit_test(a_refused_path_is_no_dead_key),
		cmocka_unit_test(a_refused_organization_is_no_dead_key),
		cmocka_unit_test(a_refused_organization_burns_no_budget),
		cmocka_unit_test(without_broadcasts_the_key_is_tried_on_the_organizations),
		cmocka_unit_test(retry_after_stops_all),
		cmocka_unit_test(a_slow_answer_is_timed_from_its_end),
		cmocka_unit_test(gone_is_missing_twice),
		cmocka_unit_test(a_missing_second_page_is_not_gone),
		cmocka_unit_test(a_refusal_behind_the_end_is_the_end),
		cmocka_unit_test(a_bad_page_of_the_list_is_passed_over),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
