/*
 * Broadcast list entries. The texts made here (counters, templates) lie behind one another in one
 * buf; since it moves while it grows, rows hold offsets until the page is read, then pointers.
 */
#include "relay/source/listing.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define TEXTS_MAX (8 << 20) /* of one page; more than its body cannot be meant */
#define NO_TEXT	  0	    /* the buf starts with a NUL, so that no text has this offset */

struct made { /* offsets in texts */
	size_t counters, templates;
};

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* {"sent_count":3,…} in the order of the text. */
static size_t write_counters(struct buf *out, const struct json *entry)
{
	size_t at = out->len;
	int64_t count;

	buf_addc(out, '{');
	for (const struct json *m = json_first(entry); m; m = json_next(m)) {
		if (!ends_in(json_key(m), "_count") || !json_int(m, &count))
			continue;
		if (out->len > at + 1)
			buf_addc(out, ',');
		json_write_string(out, json_key(m));
		buf_addc(out, ':');
		buf_addi(out, count);
	}
	buf_add(out, "}", 2);
	return at;
}

static void write_error(struct buf *out, const struct json *error)
{
	struct buf text = BUF_INIT(TEXTS_MAX);

	if (json_type(error) == JSON_STRING) {
		json_write(out, error);
	} else {
		json_write(&text, error);
		json_write_string(out, text.data);
	}
	buf_release(&text);
}

/* {"template id":"error text",…}; NO_TEXT when no template has one. */
static size_t write_templates(struct buf *out, const struct json *templates)
{
	size_t at = out->len;

	if (!templates || json_type(templates) != JSON_ARRAY)
		return NO_TEXT;
	buf_addc(out, '{');
	for (const struct json *t = json_first(templates); t; t = json_next(t)) {
		const char *id = json_string(json_get(t, "id"));
		const struct json *error = json_get(t, "error");
		if (!id || !error || json_type(error) == JSON_NULL)
			continue;
		if (out->len > at + 1)
			buf_addc(out, ',');
		json_write_string(out, id);
		buf_addc(out, ':');
		write_error(out, error);
	}
	if (out->len == at + 1) {
		buf_truncate(out, at);
		return NO_TEXT;
	}
	buf_add(out, "}", 2);
	return at;
}

static int64_t date_of(const struct json *entry, const char *name)
{
	const char *text = json_string(json_get(entry, name));
	int64_t ms;

	return text && date_parse(text, strlen(text), &ms) ? ms : DATE_NONE;
}

static bool is_known(const struct listing *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].id, id) == 0)
			return true;
	}
	return false;
}

/* Counts what cannot be used; true when *ret is filled. */
static bool read_entry(struct listing *l, const struct json *entry, struct listing_row *ret)
{
	const char *id = json_string(json_get(entry, "id"));

	if (json_type(entry) != JSON_OBJECT) {
		l->skipped[SKIP_NO_OBJECT]++;
	} else if (!id || !*id) {
		l->skipped[SKIP_NO_ID]++;
	} else if (strlen(id) > ID_MAX) {
		l->skipped[SKIP_LONG_ID]++;
	} else if (l->n == ROWS_MAX) {
		l->skipped[SKIP_TOO_MANY]++;
	} else if (is_known(l, id)) {
		l->doubled++;
	} else {
		const char *status = json_string(json_get(entry, "status"));
		*ret = (struct listing_row){
			.id = id,
			.name = json_string(json_get(entry, "name")),
			.status = status ? status : "",
			.created_ms = date_of(entry, "created_at"),
			.updated_ms = date_of(entry, "updated_at"),
			.clicks = -1,
		};
		json_int(json_get(entry, "click_count"), &ret->clicks);
		return true;
	}
	return false;
}

static void empty(struct listing *l)
{
	if (!l->doc)
		l->doc = json_doc_new();
	if (!l->texts.data)
		buf_init(&l->texts, TEXTS_MAX);
	buf_clear(&l->texts);
	buf_addc(&l->texts, '\0');
	l->n = l->doubled = 0;
	memset(l->skipped, 0, sizeof l->skipped);
}

int listing_read(struct listing *l, const char *text, size_t len, struct err *err)
{
	const struct json_span *spans;
	struct made *made = NULL;
	size_t i = 0, made_cap = 0;

	empty(l);
	const struct json *page = json_parse(l->doc, text, len, JSON_DEPTH, err);
	if (!page)
		return -1;
	if (json_type(page) != JSON_ARRAY)
		return err_set(err, ERR_FORMAT, "no JSON array");
	size_t nspans = json_elements(l->doc, &spans);
	for (const struct json *e = json_first(page); e && i < nspans; e = json_next(e), i++) {
		struct listing_row row;
		if (!read_entry(l, e, &row))
			continue;
		row.text = spans[i];
		made = mem_grow(made, l->n, &made_cap, sizeof *made);
		made[l->n].counters = write_counters(&l->texts, e);
		made[l->n].templates = write_templates(&l->texts, json_get(e, "templates"));
		l->v = mem_grow(l->v, l->n, &l->cap, sizeof *l->v);
		l->v[l->n++] = row;
	}
	for (i = 0; i < l->n && !l->texts.full; i++) {
		l->v[i].counters = l->texts.data + made[i].counters;
		if (made[i].templates != NO_TEXT)
			l->v[i].templates = l->texts.data + made[i].templates;
	}
	free(made);
	if (l->texts.full)
		return err_set(err, ERR_LIMIT, "the counters are longer than %d bytes", TEXTS_MAX);
	return 0;
}

void listing_release(struct listing *l)
{
	if (!l)
		return;
	json_doc_free(l->doc);
	free(l->v);
	if (l->texts.data)
		buf_release(&l->texts);
	*l = (struct listing){0};
}
