/* plan_state — from the journal a whole source is made and let plan; its requests go nowhere. */
#include "relay/cmd/plan_state.h"

#include <stdlib.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/cmd/ask.h"
#include "relay/seedfile.h"
#include "relay/source/report.h"

#define ANSWER_MAX (8 << 20)
#define CALLS_MAX  16 /* a source has fewer under way */

void plan_state_release(struct plan_state *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct planned *b = &p->v[i];
		char *texts[] = {b->org,   b->id,	b->name, b->status,
				 b->order, b->counters, b->next, b->why};
		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
			free(texts[k]);
	}
	free(p->v);
	*p = (struct plan_state){0};
}

static struct planned *add(struct plan_state *p)
{
	p->v = mem_grow(p->v, p->n, &p->cap, sizeof *p->v);
	p->v[p->n] = (struct planned){0};
	return &p->v[p->n++];
}

/* ---- the running relay ---- */

static char *copy_text(const struct json *o, const char *key)
{
	return xstrdup(json_string(json_get(o, key)));
}

static int64_t int_of(const struct json *o, const char *key)
{
	int64_t n;

	return json_int(json_get(o, key), &n) ? n : 0;
}

static void take_answer(struct plan_state *ret, const struct json *v)
{
	for (const struct json *b = json_first(json_get(v, "broadcasts")); b; b = json_next(b))
		*add(ret) = (struct planned){
			.org = copy_text(b, "org"),
			.id = copy_text(b, "id"),
			.name = copy_text(b, "name"),
			.status = copy_text(b, "status"),
			.order = copy_text(b, "order"),
			.counters = copy_text(b, "counters"),
			.next = copy_text(b, "next_plan"),
			.why = copy_text(b, "next_plan_why"),
			.live = json_bool(json_get(b, "live"), false),
			.rows = (uint64_t)int_of(b, "rows_held"),
			.page_rows = (uint64_t)int_of(b, "page_rows"),
			.requests = int_of(b, "next_plan_requests"),
			.next_ms = int_of(b, "next_visit_ms"),
		};
	ret->left_out = int_of(v, "broadcasts_left_out");
	ret->left_rows = (uint64_t)int_of(json_get(v, "source"), "rows_held");
	for (size_t i = 0; i < ret->n; i++)
		ret->left_rows -= ret->v[i].rows;
}

int plan_state_ask(struct plan_state *ret, const struct settings *s, struct err *err)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct json_doc *doc = json_doc_new();
	const struct json *v = NULL;
	int failed = ask_relay(s, "/api/v1/status", NULL, &answer, err);

	*ret = (struct plan_state){0};
	if (!failed)
		v = json_parse(doc, answer.data, answer.len, JSON_DEPTH, err);
	if (v)
		take_answer(ret, v);
	json_doc_free(doc);
	buf_release(&answer);
	return v ? 0 : -1;
}

/* ---- the journal ---- */

struct calls { /* requests that are never sent */
	struct {
		http_done *done;
		void *arg;
	} v[CALLS_MAX];
	size_t n;
};

static int keep_call(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		     struct err *err)
{
	struct calls *c = arg;

	(void)call;
	if (c->n == CALLS_MAX)
		return err_set(err, ERR_LIMIT, "too many requests at once");
	c->v[c->n].done = done;
	c->v[c->n++].arg = done_arg;
	return 0;
}

static void end_calls(struct calls *c)
{
	while (c->n > 0) {
		c->n--;
		c->v[c->n].done(c->v[c->n].arg, &(struct http_reply){.failure = HTTP_ABORTED,
								     .why = "never sent",
								     .retry_after_ms = -1,
								     .date_ms = DATE_NONE});
	}
}

static void no_page(void *arg, struct source_page *p)
{
	(void)arg, (void)p;
}

static void no_listing(void *arg, const struct source_listing *l)
{
	(void)arg, (void)l;
}

static void no_notice(void *arg, enum source_notice what, const struct followed *b, const char *why,
		      int64_t number)
{
	(void)arg, (void)what, (void)b, (void)why, (void)number;
}

struct holding {
	struct held *held;
	bool whole;
};

static void hold(void *arg, const struct recipient_record *r)
{
	struct holding *h = arg;

	h->whole = h->whole && held_hold(h->held, r);
}

static int follow(struct source *s, struct store *store, const struct broadcast_record *b,
		  struct instant now, struct err *err)
{
	struct holding h = {held_new(), true};
	struct broadcast_record record = {0};
	struct listing_row row = {.id = b->id, .status = b->status, .counters = b->counters};

	if (store->type->recipients(store, b->number, hold, &h, err) < 0 || !h.whole) {
		held_free(h.held);
		return h.whole ? -1
			       : err_set(err, ERR_STORE, "recipients of %s are missing", b->id);
	}
	broadcast_record_copy(&record, b);
	struct followed *f = source_follow(s, &record, h.held);
	source_listed(s, f, &row, false, DATE_NONE, now);
	return 0;
}

static void take_reports(struct plan_state *ret, const struct source *s)
{
	struct broadcast_report r;

	for (size_t i = 0; source_report(s, i, &r); i++)
		*add(ret) = (struct planned){
			.org = xstrdup(r.org),
			.id = xstrdup(r.id),
			.name = xstrdup(r.name),
			.status = xstrdup(r.status),
			.order = xstrdup(r.order),
			.counters = xstrdup(r.counters),
			.next = *r.next ? xstrdup(r.next) : NULL,
			.why = *r.next ? xstrdup(r.next_why) : NULL,
			.live = r.live,
			.rows = r.rows_held,
			.page_rows = r.page_rows,
			.requests = (int64_t)r.next_requests,
			.next_ms = r.next_ms,
		};
}

static void start_from_seed(struct source *source, const struct settings *s)
{
	char *path = seedfile_path(journal_file(&s->journal));
	struct seed seed;
	struct err no_matter = {0};

	if (seedfile_load(path, s->source.base_url, &seed, &no_matter) > 0)
		source_seed(source, &seed);
	free(path);
}

static int plan_all(struct plan_state *ret, const struct settings *s, struct store *store,
		    struct store_head *head, struct err *err)
{
	struct source_options o = s->source;
	struct calls calls = {.n = 0};
	struct source_env env = {.fetch = keep_call,
				 .fetch_arg = &calls,
				 .states = &head->states,
				 .statuses = &head->statuses,
				 .page = no_page,
				 .listing = no_listing,
				 .notice = no_notice};
	struct instant now = clock_now();
	int failed = 0;

	o.rate_limit = 0; /* what comes next, not when it may be asked */
	struct source *source = source_open(&o, &env, now, err);
	if (!source)
		return -1;
	start_from_seed(source, s);
	for (size_t i = 0; i < head->nbroadcasts && !failed; i++)
		if (!head->broadcasts[i].gone &&
		    source_names(&o, head->broadcasts[i].org, head->broadcasts[i].id))
			failed = follow(source, store, &head->broadcasts[i], now, err);
	if (!failed) {
		source_tick(source, now);
		take_reports(ret, source);
	}
	source_pause(source, true);
	end_calls(&calls);
	source_close(source);
	return failed;
}

int plan_state_read(struct plan_state *ret, const struct settings *s, struct err *err)
{
	struct store *store = s->journal.type->open(s->journal.options, STORE_READ, err);
	struct store_head head = {.nbroadcasts = 0};

	*ret = (struct plan_state){0};
	if (!store)
		return -1;
	int failed = store->type->head(store, &head, err);
	if (!failed)
		failed = plan_all(ret, s, store, &head, err);
	store_head_release(&head);
	store->type->close(store);
	if (failed)
		plan_state_release(ret);
	return failed;
}
