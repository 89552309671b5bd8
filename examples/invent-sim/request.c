/* request — one request in, one reply out: route, key, limit, faults, page, headers. Invariant: a
 * row's mark is in the reply exactly when its unspoilt text is in the body. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/query.h"
#include "examples/invent-sim/state.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define BODY_MAX (16 << 20)

void reply_header(struct sim_reply *reply, const char *name, const char *fmt, ...)
{
	va_list args;

	if (reply->nheaders == SIM_HEADERS)
		return;
	struct sim_header *h = &reply->headers[reply->nheaders++];
	snprintf(h->name, sizeof h->name, "%s", name);
	va_start(args, fmt);
	vsnprintf(h->value, sizeof h->value, fmt, args);
	va_end(args);
}

const char *sim_reply_header(const struct sim_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->nheaders; i++)
		if (!strcasecmp(reply->headers[i].name, name))
			return reply->headers[i].value;
	return NULL;
}

void sim_reply_release(struct sim_reply *reply)
{
	buf_release(&reply->body);
	free(reply->marks);
	reply->marks = NULL;
	reply->nmarks = reply->marks_cap = 0;
}

void reply_error(struct sim_reply *reply, int status, const char *why)
{
	reply->status = status;
	reply->nmarks = 0;
	buf_clear(&reply->body);
	buf_addf(&reply->body, "{\"statusCode\":%d,\"message\":", status);
	json_write_string(&reply->body, why);
	buf_addc(&reply->body, '}');
}

static void mark(struct sim_reply *reply, struct sim_mark what)
{
	reply->marks =
		mem_grow(reply->marks, reply->nmarks, &reply->marks_cap, sizeof *reply->marks);
	reply->marks[reply->nmarks++] = what;
}

/* One request on its way. */
struct work {
	struct model *m;
	const struct sim_request *rq;
	struct sim_reply *reply;
	enum sim_endpoint on;
	struct broadcast *b; /* ON_RECIPIENTS */
	char org[QUERY_VALUE];
	uint32_t strikes; /* the faults that do */
	struct listing listing;
};

static void apply_faults(struct work *w, enum fault_stage stage)
{
	for (size_t i = 0; i < w->m->faults.n; i++) {
		const struct fault *f = &w->m->faults.v[i];
		struct fault_work fw = {.m = w->m,
					.b = w->b,
					.fault = f,
					.reply = w->reply,
					.listing = &w->listing};
		if (!(w->strikes >> i & 1) || f->kind->stage != stage)
			continue;
		f->kind->apply(&fw);
		if (f->kind->spoils == SPOILS_REPLY)
			w->reply->nmarks = 0;
		if (stage == STAGE_INSTEAD)
			return;
	}
}

static bool strikes_at(const struct work *w, enum fault_stage stage)
{
	for (size_t i = 0; i < w->m->faults.n; i++)
		if ((w->strikes >> i & 1) && w->m->faults.v[i].kind->stage == stage)
			return true;
	return false;
}

/* ---- the three lists */

static void put_paging(struct work *w)
{
	const struct listing *l = &w->listing;

	reply_header(w->reply, "pagination-count", "%llu", (unsigned long long)l->total);
	reply_header(w->reply, "pagination-page", "%u", l->page);
	reply_header(w->reply, "pagination-take", "%u", l->take);
	if (w->m->next_tokens && (l->endless || listing_offset(l) + l->take < l->total))
		reply_header(w->reply, "pagination-next", "pg_%u", l->page + 1);
}

/* Which of the page's rows each fault of that stage hits: chosen before any is written. */
static void choose_victims(struct work *w, uint32_t victims[FAULTS_MAX])
{
	for (size_t i = 0; i < w->m->faults.n; i++) {
		victims[i] = UINT32_MAX;
		if ((w->strikes >> i & 1) && w->m->faults.v[i].kind->stage == STAGE_ROW &&
		    w->listing.n)
			victims[i] = (uint32_t)(prng_next(&w->m->chance) % w->listing.n);
	}
}

static void put_row(struct work *w, uint32_t nth, const uint32_t victims[FAULTS_MAX])
{
	struct buf text = BUF_INIT(BODY_MAX);
	uint32_t row = w->listing.rows[nth];
	bool spoilt = false;

	render_row(&text, w->m, w->b, row);
	for (size_t i = 0; i < w->m->faults.n; i++) {
		if (victims[i] != nth)
			continue;
		struct fault_work fw = {.m = w->m,
					.b = w->b,
					.fault = &w->m->faults.v[i],
					.reply = w->reply,
					.text = &text,
					.row = row};
		fw.fault->kind->apply(&fw);
		spoilt |= fw.fault->kind->spoils == SPOILS_ROW;
	}
	buf_add(&w->reply->body, text.data, text.len);
	buf_release(&text);
	if (!spoilt)
		mark(w->reply, (struct sim_mark){w->b->number, row, w->b->flags[row]});
}

/* False: the request is no good, and the reply says so. */
static bool choose_rows(struct work *w)
{
	const char *why, *query = w->rq->query;
	struct listing *l = &w->listing;
	int status = listing_paging(query, l, &why);

	if (status == 200) {
		apply_faults(w, STAGE_PAGE);
		status = w->on == ON_RECIPIENTS ? listing_recipients(w->m, w->b, query, l, &why)
						: listing_broadcasts(w->m, w->org, query, l, &why);
	}
	if (status != 200)
		reply_error(w->reply, status, why);
	return status == 200;
}

static void list_recipients(struct work *w)
{
	uint32_t victims[FAULTS_MAX];

	if (!choose_rows(w))
		return;
	apply_faults(w, STAGE_ROWS);
	choose_victims(w, victims);
	buf_addc(&w->reply->body, '[');
	for (uint32_t i = 0; i < w->listing.n; i++) {
		if (i)
			buf_addc(&w->reply->body, ',');
		put_row(w, i, victims);
	}
	buf_addc(&w->reply->body, ']');
	put_paging(w);
	for (size_t i = 0; i < w->m->faults.n; i++) /* one bad byte can cost the whole page */
		if (victims[i] != UINT32_MAX && w->m->faults.v[i].kind->spoils == SPOILS_REPLY)
			w->reply->nmarks = 0;
}

static void list_broadcasts(struct work *w)
{
	if (!choose_rows(w))
		return;
	buf_addc(&w->reply->body, '[');
	for (uint32_t i = 0; i < w->listing.n; i++) {
		struct broadcast *b = &w->m->broadcasts[w->listing.rows[i]];
		if (i)
			buf_addc(&w->reply->body, ',');
		render_broadcast(&w->reply->body, w->m, b);
		mark(w->reply, (struct sim_mark){b->number, THE_BROADCAST, b->nstatuses});
	}
	buf_addc(&w->reply->body, ']');
	put_paging(w);
}

static void list_orgs(struct work *w)
{
	buf_addc(&w->reply->body, '[');
	for (char **org = w->m->sub_orgs; *org; org++) {
		if (org > w->m->sub_orgs)
			buf_addc(&w->reply->body, ',');
		render_org(&w->reply->body, w->m, *org);
		w->listing.total++;
	}
	buf_addc(&w->reply->body, ']');
	w->listing.page = w->listing.served = 1;
	w->listing.take = SIM_TAKE;
	put_paging(w);
}

/* ---- the way to them */

/* Cuts the next decoded segment off a path; false at its end. */
static bool segment(const char **path, char ret[QUERY_VALUE])
{
	if (**path != '/')
		return false;
	size_t len = strcspn(++*path, "/");
	query_decode(ret, *path, len, false);
	*path += len;
	return true;
}

static bool org_exists(const struct model *m, const char *org)
{
	if (!strcmp(org, m->org))
		return true;
	for (char **sub = m->sub_orgs; *sub; sub++)
		if (!strcmp(*sub, org))
			return true;
	return false;
}

/* /orgs/{org}/… to the endpoint; false: there is nothing there. */
static bool find_endpoint(struct work *w)
{
	char part[QUERY_VALUE], id[QUERY_VALUE];
	const char *path = w->rq->path;

	if (!segment(&path, part) || strcmp(part, "orgs") || !segment(&path, w->org) ||
	    !segment(&path, part))
		return false;
	if (!strcmp(w->org, "c")) /* the key's own organization */
		snprintf(w->org, sizeof w->org, "%s", w->m->org);
	if (!org_exists(w->m, w->org))
		return false;
	w->on = strcmp(part, "orgs") ? ON_BROADCASTS : ON_ORGS;
	if (!*path)
		return w->on == ON_ORGS || !strcmp(part, "broadcasts");
	if (strcmp(part, "broadcasts") || !segment(&path, id) || !segment(&path, part) || *path)
		return false;
	w->on = ON_RECIPIENTS;
	w->b = model_broadcast(w->m, id);
	return w->b && !strcmp(w->b->org, w->org) && !strcmp(part, "recipients");
}

static bool key_is_good(const struct work *w)
{
	const char *given = w->rq->authorization;

	if (w->m->revoked_ms && w->m->now_ms >= w->m->revoked_ms)
		return false;
	return !w->m->key ||
	       (given && !strncasecmp(given, "Bearer ", 7) && !strcmp(given + 7, w->m->key));
}

static bool under_limit(struct work *w)
{
	int64_t wait_ms = 0;

	if (limit_take(&w->m->limit, w->rq->client, w->rq->arrived_ms, &wait_ms))
		return true;
	w->m->counts.limited++;
	reply_error(w->reply, 429, "Too Many Requests");
	if (w->m->retry_after)
		reply_header(w->reply, "Retry-After", "%lld", (long long)(wait_ms + 999) / 1000);
	return false;
}

static void count(struct work *w)
{
	uint64_t *by_endpoint[ENDPOINTS] = {&w->m->counts.lists, &w->m->counts.recipients,
					    &w->m->counts.orgs};

	++*by_endpoint[w->on];
	w->strikes = faults_strike(w->m, w->on, w->b);
	w->m->counts.faulted += w->strikes != 0;
}

static void answer(struct work *w)
{
	static void (*const lists[ENDPOINTS])(struct work *) = {
		[ON_BROADCASTS] = list_broadcasts,
		[ON_RECIPIENTS] = list_recipients,
		[ON_ORGS] = list_orgs,
	};

	w->m->counts.requests++;
	if (!under_limit(w))
		return;
	if (!key_is_good(w)) {
		reply_error(w->reply, 401, "Unauthorized");
		return;
	}
	if (!find_endpoint(w) || strcmp(w->rq->method, "GET")) {
		reply_error(w->reply, 404, "Not Found");
		return;
	}
	count(w);
	if (strikes_at(w, STAGE_INSTEAD))
		apply_faults(w, STAGE_INSTEAD);
	else
		lists[w->on](w);
	apply_faults(w, STAGE_REPLY);
	apply_faults(w, STAGE_SEND);
}

void model_request(struct model *m, int64_t now_ms, const struct sim_request *rq,
		   struct sim_reply *ret)
{
	struct work w = {.m = m, .rq = rq, .reply = ret};
	char date[32];

	model_advance(m, now_ms);
	*ret = (struct sim_reply){.status = 200, .body = BUF_INIT(BODY_MAX), .at_ms = m->now_ms};
	render_http_date(date, m->now_ms);
	reply_header(ret, "Date", "%s", date);
	reply_header(ret, "Content-Type", "application/json; charset=utf-8");
	answer(&w);
	ret->changes = (uint32_t)m->history.n;
}

void model_served(struct model *m, const struct sim_reply *reply)
{
	for (size_t i = 0; i < reply->nmarks; i++) {
		const struct sim_mark *k = &reply->marks[i];
		struct broadcast *b = &m->broadcasts[k->broadcast];
		if (k->row == THE_BROADCAST) {
			b->statuses[k->flags - 1].shown = true;
		} else if (!(b->flags[k->row] & TOUCHED)) {
			b->shown[k->row] |= k->flags & STATE_FLAGS;
		} else {
			struct sighting s = {(uint64_t)b->number << 32 | k->row,
					     k->flags & STATE_FLAGS, reply->changes, reply->at_ms};
			history_shown(&m->history, &s);
		}
	}
}

void model_counts(const struct model *m, struct sim_counts *ret)
{
	*ret = m->counts;
	ret->peak = m->limit.peak;
}
