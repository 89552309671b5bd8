/* One request after the other. Invariant: no more than PROBE_REQUESTS, and none after the second
 * 429. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/source/client.h"
#include "relay/source/probe_parts.h"

#define REPEAT_MS	 1000  /* after a failure */
#define REFUSED_MS	 10000 /* after a 429 that does not say how long */
#define REFUSED_MAX_MS	 60000 /* more than that is not waited for */
#define ENOUGH_PAIRS	 20    /* of neighbours, for it to be said that no key sorts them */
#define MOST_FAILURES	 6     /* of all requests: then the API is not fit to be asked */
#define CLOCKS_DIFFER_MS 2000  /* the header has whole seconds, and the reply took its time */

void probe_say(struct probe *p, enum question q, const char *answer)
{
	snprintf(p->report->v[q].answer, sizeof p->report->v[q].answer, "%.*s",
		 (int)sizeof p->report->v[q].answer - 1, answer);
}

void probe_show(struct probe *p, enum question q, const char *fmt, ...)
{
	char *text = p->report->v[q].evidence;
	size_t len = strlen(text), size = sizeof p->report->v[q].evidence;
	va_list ap;

	if (len)
		len += (size_t)snprintf(text + len, size - len, "; ");
	if (len >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(text + len, size - len, fmt, ap);
	va_end(ap);
}

/* ---- paths ---- */

static void add(struct buf *out, const char *name, const char *value)
{
	buf_addc(out, strchr(out->data, '?') ? '&' : '?');
	buf_adds(out, name);
	buf_addc(out, '=');
	http_escape(out, value);
}

static void add_query(struct buf *out, const struct probe_query *q)
{
	char text[16];

	if (q->next)
		add(out, "next", q->next);
	snprintf(text, sizeof text, "%u", q->page);
	if (q->page)
		add(out, "page", text);
	snprintf(text, sizeof text, "%u", q->take);
	if (q->take)
		add(out, "take", text);
	if (q->name)
		add(out, q->name, q->value);
}

struct buf probe_list_path(const struct probe *p, const struct probe_query *q)
{
	struct buf out = BUF_INIT(PROBE_URL_MAX);

	buf_adds(&out, "/orgs/");
	http_escape(&out, p->report->org);
	buf_adds(&out, "/broadcasts");
	add_query(&out, q);
	return out;
}

struct buf probe_rows_path(const struct probe *p, const struct probe_query *q)
{
	struct buf out = probe_list_path(p, &(struct probe_query){0});

	buf_addc(&out, '/');
	http_escape(&out, p->report->broadcast);
	buf_adds(&out, "/recipients");
	add_query(&out, q);
	return out;
}

/* ---- what every reply shows ---- */

static void end(struct probe *p, const char *why)
{
	p->ended = true;
	snprintf(p->why, sizeof p->why, "%.*s", (int)sizeof p->why - 1, why);
}

/* Names of a body's members say nothing about anybody. */
static void note_error(struct probe *p)
{
	char names[120] = "", text[150];
	size_t len = 0;

	if (*p->report->v[ASKS_ERRORS].answer)
		return;
	for (const struct json *v = json_first(p->root); v && json_key(v); v = json_next(v))
		if (len < sizeof names)
			len += (size_t)snprintf(names + len, sizeof names - len, "%s%.24s",
						len ? ", " : "", json_key(v));
	snprintf(text, sizeof text, "%s%s",
		 !p->root ? "no JSON"
		 : len	  ? "JSON object: "
			  : "JSON",
		 names);
	probe_say(p, ASKS_ERRORS, text);
	probe_show(p, ASKS_ERRORS, "HTTP %d", p->reply->status);
}

static void note_header(struct probe *p, const char *name)
{
	const char *value = http_header(p->reply, name);

	if (value)
		probe_show(p, ASKS_REFUSALS, "%s: %.40s", name, value);
}

static void note_refusal(struct probe *p)
{
	static const char *const names[] = {
		"retry-after",	     "x-ratelimit-limit", "x-ratelimit-remaining",
		"x-ratelimit-reset", "ratelimit-limit",	  "ratelimit-remaining",
		"ratelimit-reset",   "ratelimit",	  "ratelimit-policy"};

	if (p->refusals++)
		return;
	bool says = p->reply->retry_after_ms >= 0;
	probe_say(p, ASKS_REFUSALS,
		  says ? "HTTP 429 with Retry-After" : "HTTP 429, not for how long");
	probe_show(p, ASKS_REFUSALS, "at request %u", p->report->requests);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		note_header(p, names[i]);
}

static void note_clock(struct probe *p)
{
	int64_t ahead = p->reply->date_ms - p->env->now_ms(p->env->arg);

	if (*p->report->v[ASKS_CLOCK].answer || p->reply->status == 0)
		return;
	if (p->reply->date_ms == DATE_NONE) {
		probe_say(p, ASKS_CLOCK, "no Date header");
	} else if (llabs(ahead) <= CLOCKS_DIFFER_MS) {
		probe_say(p, ASKS_CLOCK, "agrees with this machine's");
		probe_show(p, ASKS_CLOCK, "within %d s", CLOCKS_DIFFER_MS / 1000);
	} else {
		probe_say(p, ASKS_CLOCK,
			  ahead > 0 ? "ahead of this machine's" : "behind this machine's");
		probe_show(p, ASKS_CLOCK, "by %lld s", llabs(ahead) / 1000);
	}
}

static int64_t number_of(const char *text)
{
	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return -1;
	return strtoll(text, NULL, 10);
}

/* As the relay does, a page is read without the rows that make it no JSON. */
static void parse(struct probe *p)
{
	const struct http_reply *r = p->reply;
	struct err unread = {0};

	p->text = r->body;
	p->len = r->len;
	p->root = r->failure ? NULL : json_parse(p->doc, r->body, r->len, JSON_DEPTH, &unread);
	if (p->root || r->failure || r->status != 200)
		return;
	buf_clear(&p->mended);
	buf_add(&p->mended, r->body, r->len);
	json_mend(p->mended.data, p->mended.len, JSON_DEPTH);
	p->text = p->mended.data;
	p->len = p->mended.len;
	p->root = json_parse(p->doc, p->text, p->len, JSON_DEPTH, &unread);
}

static void note_reply(struct probe *p)
{
	const char *encoding = http_header(p->reply, "content-encoding");

	p->gzip = p->gzip || (encoding && strcasecmp(encoding, "gzip") == 0);
	p->count = number_of(http_header(p->reply, "pagination-count"));
	parse(p);
	note_clock(p);
	if (p->reply->status == 429)
		note_refusal(p);
	else if (p->reply->status >= 400)
		note_error(p);
}

/* ---- asking ---- */

static bool ask_once(struct probe *p, const struct buf *path)
{
	struct err err = {0};

	if (p->report->requests == PROBE_REQUESTS)
		end(p, "all requests are spent");
	if (p->ended)
		return false;
	p->report->requests++;
	if (p->env->get(p->env->arg, path->data, &p->reply, &err) < 0) {
		end(p, err.msg);
		return false;
	}
	note_reply(p);
	return true;
}

static bool is_failure(const struct http_reply *r)
{
	return r->failure || r->status >= 500 || r->status == 408 || r->status == 425;
}

/* Waits as the API asks; false: that is too long, or it was asked for before. */
static bool heed_refusal(struct probe *p)
{
	int64_t ms = p->reply->retry_after_ms;

	if (p->refusals > 1 || ms > REFUSED_MAX_MS) {
		end(p, "the API says that it was asked too often");
		return false;
	}
	p->env->wait(p->env->arg, ms >= 0 ? ms : REFUSED_MS);
	return true;
}

static bool heed_failure(struct probe *p)
{
	if (p->reply->failure)
		snprintf(p->why, sizeof p->why, "%s", p->reply->why ? p->reply->why : "no answer");
	else
		snprintf(p->why, sizeof p->why, "HTTP %d", p->reply->status);
	if (++p->failures >= MOST_FAILURES) {
		p->ended = true;
		return false;
	}
	p->env->wait(p->env->arg, REPEAT_MS);
	return true;
}

bool probe_ask(struct probe *p, const struct buf *path)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		if (!ask_once(p, path))
			return false;
		if (p->reply->status == 429 && !p->reply->failure) {
			if (!heed_refusal(p))
				return false;
		} else if (is_failure(p->reply)) {
			if (!heed_failure(p))
				return false;
		} else {
			return true;
		}
	}
	return false;
}

/* ---- pages of recipients ---- */

static void note_date(struct probe *p, const char *text)
{
	int64_t ms;

	if (!text || !date_parse(text, strlen(text), &ms))
		return;
	p->dates++;
	p->short_dates += strlen(text) <= strlen("2023-12-25");
}

static void note_member(struct probe *p, const struct json *row, const struct json *v)
{
	const char *key = json_key(v);
	size_t len = strlen(key);

	if (len > 3 && strcmp(key + len - 3, "_at") == 0)
		note_date(p, json_string(v));
	if (strncmp(key, "is_", 3) != 0)
		return;
	for (unsigned ask = 0; ask < ASK_ALL; ask++) {
		if (strcmp(key, ask_filters[ask]) != 0)
			continue;
		p->nulls[ask] += json_type(v) == JSON_NULL;
		p->falses[ask] += json_type(v) == JSON_BOOL && !json_bool(v, true);
	}
	if (strcmp(key, "is_bounced") == 0) {
		p->bounced++;
		p->bounces += json_bool(v, false);
	}
	if (json_type(v) == JSON_BOOL && json_bool(v, false) && len < 60) {
		char at[64];
		snprintf(at, sizeof at, "%s_at", key);
		p->rises++;
		p->untimed += json_string(json_get(row, at)) == NULL;
	}
}

static void note_rows(struct probe *p, struct probe_page *page)
{
	for (const struct json *row = json_first(p->root); row; row = json_next(row))
		for (const struct json *v = json_first(row); v && json_key(v); v = json_next(v))
			note_member(p, row, v);
	p->seen += p->rows.n;
	for (size_t i = 0; i < SKIP_KINDS; i++)
		p->unreadable += p->rows.skipped[i];
	page->rows = json_count(p->root);
	page->doubled = p->rows.doubled;
	for (; page->n < p->rows.n; page->n++)
		page->keys[page->n] = p->rows.v[page->n].key;
}

bool probe_read(struct probe *p, const struct probe_query *q, struct probe_page *ret)
{
	struct buf path = probe_rows_path(p, q);
	struct err err = {0};
	bool asked = probe_ask(p, &path);

	buf_release(&path);
	*ret = (struct probe_page){.status = asked ? p->reply->status : 0, .count = -1};
	if (!asked)
		return false;
	snprintf(p->why, sizeof p->why, "HTTP %d", ret->status);
	if (ret->status != 200)
		return false;
	ret->count = p->count;
	ret->next = xstrdup(http_header(p->reply, "pagination-next"));
	if (!p->root || json_type(p->root) != JSON_ARRAY ||
	    snapshot_read(&p->rows, p->text, p->len, &p->states, &p->statuses, &err) < 0) {
		snprintf(p->why, sizeof p->why, "no JSON array");
		return false;
	}
	note_rows(p, ret);
	return true;
}

void probe_page_release(struct probe_page *p)
{
	free(p->next);
	p->next = NULL;
}

void probe_order_text(const struct sorting *o, char *ret, size_t size)
{
	static const struct {
		size_t votes;
		const char *name, *up, *down;
	} keys[] = {
		{offsetof(struct sorting, created), "created_at", "oldest first", "newest first"},
		{offsetof(struct sorting, updated), "updated_at", "oldest first", "newest first"},
		{offsetof(struct sorting, id), "id", "ascending", "descending"},
	};
	enum sort_kind kind = sorting_of(o);

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct votes *v = (const void *)((const char *)o + keys[i].votes);
		bool named = strcmp(sort_names[kind], keys[i].name) == 0;
		bool few = kind == SORT_UNKNOWN && v->up + v->down >= 2 &&
			   (v->up == 0 || v->down == 0);
		if (!named && !few)
			continue;
		snprintf(ret, size, "%s%s, %s", few ? "it seems: " : "", keys[i].name,
			 v->up > v->down ? keys[i].up : keys[i].down);
		return;
	}
	snprintf(ret, size, "%s",
		 kind == SORT_STABLE ? "by nothing that rows show, but rows keep their places"
		 : kind == SORT_NONE ? "none: rows change places"
		 : o->id.up + o->id.down >= ENOUGH_PAIRS
			 ? "by none of created_at, updated_at and id"
			 : "");
}
