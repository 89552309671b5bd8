/* fault_kinds — the table of what can go wrong, and what each kind does to its share of the work.
 */
#include "examples/invent-sim/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"

/* ---- instead of an answer */

static void too_many(struct fault_work *w)
{
	const char *wait = w->fault->value;
	char date[32];

	reply_error(w->reply, 429, "Too Many Requests");
	if (!strncmp(wait, "date:", 5)) {
		render_http_date(date, w->m->now_ms + strtol(wait + 5, NULL, 10) * 1000);
		wait = date;
	}
	if (*wait)
		reply_header(w->reply, "Retry-After", "%s", wait);
}

static long value_or(const struct fault_work *w, long otherwise)
{
	return *w->fault->value ? strtol(w->fault->value, NULL, 10) : otherwise;
}

static void server_error(struct fault_work *w)
{
	int status = (int)value_or(w, 500);

	reply_error(w->reply, status >= 500 && status <= 599 ? status : 500,
		    "Internal Server Error");
}

static void unauthorized(struct fault_work *w)
{
	reply_error(w->reply, 401, "Unauthorized");
}

static void not_found(struct fault_work *w)
{
	reply_error(w->reply, 404, "Not Found");
}

static void html(struct fault_work *w)
{
	for (size_t i = 0; i < w->reply->nheaders; i++)
		if (!strcmp(w->reply->headers[i].name, "Content-Type"))
			snprintf(w->reply->headers[i].value, sizeof w->reply->headers[i].value,
				 "text/html");
	buf_adds(&w->reply->body, "<!DOCTYPE html>\n<html><head><title>Just a moment...</title>"
				  "</head><body><h1>Checking your browser</h1></body></html>\n");
}

static void empty(struct fault_work *w)
{
	buf_adds(&w->reply->body, "[]");
	reply_header(w->reply, "pagination-count", "0");
}

/* ---- which page */

static uint32_t rows_or(const struct fault_work *w, uint32_t otherwise)
{
	long n = value_or(w, (long)otherwise);

	return n < 1 ? 1 : n > SIM_TAKE ? SIM_TAKE : (uint32_t)n;
}

static void own_take(struct fault_work *w)
{
	uint32_t most = rows_or(w, SIM_TAKE / 2);

	if (w->listing->take > most)
		w->listing->take = most;
}

static void overlap(struct fault_work *w)
{
	w->listing->overlap = rows_or(w, 1);
}

static void repeat(struct fault_work *w)
{
	w->listing->served = 1;
}

static void endless(struct fault_work *w)
{
	w->listing->endless = true;
}

/* ---- the page's rows */

static void double_row(struct fault_work *w)
{
	struct listing *l = w->listing;

	if (!l->n)
		return;
	uint32_t from = (uint32_t)(prng_next(&w->m->chance) % l->n);
	uint32_t to = from + (uint32_t)(prng_next(&w->m->chance) % (l->n - from)) + 1;
	memmove(&l->rows[to + 1], &l->rows[to], (l->n - to) * sizeof *l->rows);
	l->rows[to] = l->rows[from];
	l->n++;
}

static void miss_rows(struct fault_work *w)
{
	struct listing *l = w->listing;

	for (long n = value_or(w, 1); n > 0 && l->n > 0; n--) {
		uint32_t at = (uint32_t)(prng_next(&w->m->chance) % l->n);
		memmove(&l->rows[at], &l->rows[at + 1], (l->n - at - 1) * sizeof *l->rows);
		l->n--;
	}
}

/* ---- one row's text */

static void splice(struct buf *text, size_t at, size_t cut, const char *with)
{
	struct buf made = BUF_INIT(text->max);

	buf_add(&made, text->data, at);
	buf_adds(&made, with);
	buf_add(&made, text->data + at + cut, text->len - at - cut);
	buf_release(text);
	*text = made;
}

/* Puts a text in the place of a plain member's value; where `only` is given, only of that one. */
static void replace(struct buf *text, const char *key, const char *only, const char *with)
{
	char *at = strstr(text->data, key);

	if (!at)
		return;
	at += strlen(key);
	size_t len = *at == '"' ? strcspn(at + 1, "\"") + 2 : strcspn(at, ",}");
	if (!only || (strlen(only) == len && !memcmp(at, only, len)))
		splice(text, (size_t)(at - text->data), len, with);
}

static void bad_utf8(struct fault_work *w)
{
	replace(w->text, "\"name\":", NULL, "\"Jos\xE9 \xC3(\"");
}

static void nul_in_id(struct fault_work *w)
{
	splice(w->text, strlen("{\"id\":\"rcp_abc"), 0, "\\u0000");
}

static void wrong_types(struct fault_work *w)
{
	switch (prng_next(&w->m->chance) % 6) {
	case 0: replace(w->text, "\"is_sent\":", NULL, "\"yes\""); break;
	case 1: replace(w->text, "\"id\":", NULL, "42"); break;
	case 2: replace(w->text, "\"created_at\":", NULL, "1700000000"); break;
	case 3: replace(w->text, "\"is_failed\":", NULL, "{\"value\":true}"); break;
	case 4: splice(w->text, 0, w->text->len, "[1,2,3]"); break;
	default: splice(w->text, 0, w->text->len, "null"); break;
	}
}

static void new_words(struct fault_work *w)
{
	replace(w->text, "\"integration_id\":", NULL, "\"carrier_pigeon\"");
	replace(w->text, "\"status\":", "\"SENDING\"", "\"QUEUED\"");
}

/* The flag is a fact from now on, and in the ledger. */
static void new_flag(struct fault_work *w)
{
	if (!model_change_row(w->m, w->b, w->row, SIM_REPLIED, true))
		return;
	buf_clear(w->text);
	render_row(w->text, w->m, w->b, w->row);
}

/* ---- the reply and its way */

static void bare_headers(struct fault_work *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->reply->nheaders; i++)
		if (strncmp(w->reply->headers[i].name, "pagination-", 11))
			w->reply->headers[n++] = w->reply->headers[i];
	w->reply->nheaders = n;
}

static size_t kept(const struct fault_work *w)
{
	size_t len = w->reply->body.len, n = (size_t)value_or(w, (long)len / 2);

	return n < len ? n : len ? len - 1 : 0;
}

static void truncate_body(struct fault_work *w)
{
	buf_truncate(&w->reply->body, kept(w));
}

static void cut(struct fault_work *w)
{
	w->reply->ending = SIM_CUT;
	w->reply->sent = kept(w);
}

static void reset(struct fault_work *w)
{
	w->reply->ending = SIM_RESET;
}

static void slow(struct fault_work *w)
{
	w->reply->delay_ms += value_or(w, 1000);
}

static void hang(struct fault_work *w)
{
	w->reply->ending = SIM_HANG;
}

static void flood(struct fault_work *w)
{
	long n = value_or(w, SIM_FLOOD_MAX);

	w->reply->ending = SIM_FLOOD;
	w->reply->sent = n > 0 && n < SIM_FLOOD_MAX ? (size_t)n : SIM_FLOOD_MAX;
}

const struct fault_kind fault_kinds[] = {
	{"429", "too many requests; the value becomes Retry-After, or date:SECONDS a date in it",
	 STAGE_INSTEAD, SPOILS_REPLY, too_many},
	{"500", "a server's error; 500=503 for another", STAGE_INSTEAD, SPOILS_REPLY, server_error},
	{"401", "the key is refused", STAGE_INSTEAD, SPOILS_REPLY, unauthorized},
	{"404", "not found", STAGE_INSTEAD, SPOILS_REPLY, not_found},
	{"empty", "an empty list, as if nothing were there", STAGE_INSTEAD, SPOILS_REPLY, empty},
	{"html", "200 with a page of HTML", STAGE_INSTEAD, SPOILS_REPLY, html},
	{"take", "pages of at most the value's rows (50), whatever is asked for", STAGE_PAGE,
	 SPOILS_NOTHING, own_take},
	{"overlap", "a page begins with the last row, or the value's rows, of the one before it",
	 STAGE_PAGE, SPOILS_NOTHING, overlap},
	{"repeat", "the first page, whichever is asked for", STAGE_PAGE, SPOILS_NOTHING, repeat},
	{"endless", "of recipients: behind the last row comes the first, so every page is full",
	 STAGE_PAGE, SPOILS_NOTHING, endless},
	{"double", "a row stands twice on the page", STAGE_ROWS, SPOILS_NOTHING, double_row},
	{"missing", "rows are left out; missing=5 for five", STAGE_ROWS, SPOILS_NOTHING, miss_rows},
	{"utf8", "a row with invalid UTF-8", STAGE_ROW, SPOILS_REPLY, bad_utf8},
	{"nul", "a row with \\u0000 in its id", STAGE_ROW, SPOILS_REPLY, nul_in_id},
	{"types", "a row with a value of the wrong type, or no object at all", STAGE_ROW,
	 SPOILS_ROW, wrong_types},
	{"words", "a row with an unknown integration_id (and status, while SENDING)", STAGE_ROW,
	 SPOILS_NOTHING, new_words},
	{"flag", "a row gets is_replied, a flag nobody documented, for good", STAGE_ROW,
	 SPOILS_NOTHING, new_flag},
	{"headers", "no pagination headers", STAGE_REPLY, SPOILS_NOTHING, bare_headers},
	{"truncate", "JSON that ends early (after half, or the value's bytes), sent whole",
	 STAGE_REPLY, SPOILS_REPLY, truncate_body},
	{"cut", "the connection ends within the body (after half, or the value's bytes)",
	 STAGE_SEND, SPOILS_REPLY, cut},
	{"reset", "the connection ends without an answer", STAGE_SEND, SPOILS_REPLY, reset},
	{"slow", "the reply takes the value's ms longer (1000)", STAGE_SEND, SPOILS_NOTHING, slow},
	{"hang", "no answer at all, until the client gives up", STAGE_SEND, SPOILS_REPLY, hang},
	{"flood", "a chunked body that goes on for 64 MiB, or the value's bytes", STAGE_SEND,
	 SPOILS_REPLY, flood},
	{.name = NULL},
};
