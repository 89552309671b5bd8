/* Exchanges kept as they came, and written without what is anybody's. Invariant: a text from a
 * reply is written only where a rule here says what it may look like. */
#include "relay/source/recording.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/source/made_ids.h"

#define NAME_MAX_LEN 40 /* of a member */
#define WORD_MAX     32

struct exchange {
	char *path, *body;
	size_t len;
	int status;
	struct buf headers;
};

struct recording {
	struct exchange *v;
	size_t n, cap, bytes;
	char **tokens; /* owned; the n-th is written as its number */
	size_t ntokens, tokens_cap;
};

struct recording *recording_new(void)
{
	return xcalloc(1, sizeof(struct recording));
}

void recording_free(struct recording *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].path);
		free(r->v[i].body);
		buf_release(&r->v[i].headers);
	}
	for (size_t i = 0; i < r->ntokens; i++)
		free(r->tokens[i]);
	free(r->tokens);
	free(r->v);
	free(r);
}

static void keep_token(struct recording *r, const char *token)
{
	if (!token)
		return;
	for (size_t i = 0; i < r->ntokens; i++)
		if (strcmp(r->tokens[i], token) == 0)
			return;
	r->tokens = mem_grow(r->tokens, r->ntokens, &r->tokens_cap, sizeof *r->tokens);
	r->tokens[r->ntokens++] = xstrdup(token);
}

void recording_add(struct recording *r, const char *path, const struct http_reply *reply)
{
	if (reply->failure || reply->status < 200 || r->bytes + reply->len > RECORDING_MAX)
		return;
	r->v = mem_grow(r->v, r->n, &r->cap, sizeof *r->v);
	struct exchange *x = &r->v[r->n++];
	*x = (struct exchange){.path = xstrdup(path),
			       .body = xstrndup(reply->body, reply->len),
			       .len = reply->len,
			       .status = reply->status,
			       .headers = BUF_INIT(1 << 16)};
	if (reply->headers)
		buf_add(&x->headers, reply->headers->data, reply->headers->len);
	struct err bad = {0};
	if (json_check(x->body, x->len, JSON_DEPTH, &bad) < 0)
		json_mend(x->body, x->len,
			  JSON_DEPTH); /* a row that is no JSON is written as null */
	r->bytes += reply->len;
	keep_token(r, http_header(reply, "pagination-next"));
}

/* ---- what a text may be ---- */

static bool ends_in(const char *key, const char *end)
{
	size_t len = strlen(key), n = strlen(end);

	return len >= n && strcmp(key + len - n, end) == 0;
}

static bool is_one_of(const char *key, const char *const *names)
{
	while (*names && strcmp(*names, key) != 0)
		names++;
	return *names != NULL;
}

static bool is_id(const char *key)
{
	static const char *const others[] = {"user_id", "external_message_id", "integration_id",
					     NULL};

	return strcmp(key, "id") == 0 || (ends_in(key, "_id") && !is_one_of(key, others));
}

static bool is_word(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");

	return len > 0 && len <= WORD_MAX && !text[len];
}

static bool is_name(const char *key)
{
	size_t letters = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");
	size_t len = letters + strspn(key + letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
						     "abcdefghijklmnopqrstuvwxyz0123456789");

	return letters > 0 && len <= NAME_MAX_LEN && !key[len];
}

static bool is_date(const char *text)
{
	int64_t ms;

	return date_parse(text, strlen(text), &ms);
}

/* The code of the channel, if no other digits are there: they could be a number to call. */
static void write_error(struct buf *out, const char *text)
{
	const char *code = text + strcspn(text, "0123456789");
	size_t len = strspn(code, "0123456789");
	bool alone = !code[len + strcspn(code + len, "0123456789")];

	buf_adds(out, "\"error");
	if (alone && len >= 3 && len <= 6) {
		buf_addc(out, ' ');
		buf_add(out, code, len);
	}
	buf_addc(out, '"');
}

/* ---- bodies ---- */

typedef void id_fn(void *arg, const char *id);

/* Every id of a body, wherever it would be written. */
static void each_id(const struct json *v, const char *key, id_fn *fn, void *arg)
{
	if (key && json_string(v) && is_id(key))
		fn(arg, json_string(v));
	for (const struct json *m = json_first(v); m; m = json_next(m))
		each_id(m, json_key(m), fn, arg);
}

static void write_text(struct buf *out, const char *key, const char *text,
		       const struct made_ids *ids)
{
	static const char *const words[] = {"status", "type", "integration_id", NULL};
	static const char *const errors[] = {"error", "error_message", NULL};
	bool as_it_is = key && ((is_one_of(key, words) && is_word(text)) ||
				(ends_in(key, "_at") && is_date(text)));

	if (key && is_id(key))
		json_write_string(out, made_ids_of(ids, text));
	else if (key && is_one_of(key, errors))
		write_error(out, text);
	else
		json_write_string(out, as_it_is ? text : "x");
}

static void write_number(struct buf *out, const char *key, const struct json *v)
{
	static const char *const codes[] = {"status", "statusCode", "code", NULL};
	int64_t n = 0;
	bool whole = json_int(v, &n);
	bool counts = key && ends_in(key, "_count");
	bool code = key && is_one_of(key, codes) && n >= 100 && n <= 599;

	buf_addi(out, whole && (counts || code) ? n : 0);
}

static void write_value(struct buf *out, const char *key, const struct json *v,
			const struct made_ids *ids)
{
	static const char *const kept[] = {"contact", "templates", NULL};
	bool list = json_type(v) == JSON_ARRAY, open = !key || is_one_of(key, kept);

	switch (json_type(v)) {
	case JSON_NULL: buf_adds(out, "null"); return;
	case JSON_BOOL: buf_adds(out, json_bool(v, false) ? "true" : "false"); return;
	case JSON_NUMBER: write_number(out, key, v); return;
	case JSON_STRING: write_text(out, key, json_string(v), ids); return;
	case JSON_ARRAY:
	case JSON_OBJECT: break;
	}
	buf_addc(out, list ? '[' : '{');
	for (const struct json *m = open ? json_first(v) : NULL; m; m = json_next(m)) {
		if (!list && !is_name(json_key(m)))
			continue;
		if (out->data[out->len - 1] != '[' && out->data[out->len - 1] != '{')
			buf_addc(out, ',');
		if (!list) {
			json_write_string(out, json_key(m));
			buf_addc(out, ':');
		}
		write_value(out, list ? NULL : json_key(m), m, ids);
	}
	buf_addc(out, list ? ']' : '}');
}

/* ---- paths and headers ---- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return c >= '0' && c <= '9' ? c - '0' : at ? (int)(at - digits) : -1;
}

/* Undoes http_escape; yours. */
static char *decode(const char *text, size_t len)
{
	char *out = xcalloc(len + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool coded = text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 &&
			     hex(text[i + 2]) >= 0;
		out[n++] = coded ? (char)(hex(text[i + 1]) << 4 | hex(text[i + 2])) : text[i];
		i += coded ? 2 : 0;
	}
	return out;
}

/* "/orgs/ORG/broadcasts/ID/…": the n-th part between slashes, from 0; yours. NULL: none. */
static char *path_part(const char *path, unsigned nth)
{
	size_t end = strcspn(path, "?");

	for (const char *at = path; at < path + end && *at == '/';) {
		size_t len = strcspn(at + 1, "/?");
		if (nth-- == 0)
			return decode(at + 1, len);
		at += 1 + len;
	}
	return NULL;
}

#define PART_ORG       1
#define PART_BROADCAST 3

static void add_token(struct buf *out, const struct recording *r, const char *token)
{
	size_t i = 0;

	while (i < r->ntokens && strcmp(r->tokens[i], token) != 0)
		i++;
	buf_addf(out, "t%zu", i + 1);
}

static void write_query(struct buf *out, const struct recording *r, const char *path)
{
	for (const char *at = strchr(path, '?'); at; at = strchr(at + 1, '&')) {
		size_t name = strcspn(at + 1, "="), value = strcspn(at + 1, "&");
		if (strncmp(at + 1, "next=", 5) != 0) {
			buf_add(out, at, 1 + value);
			continue;
		}
		char *token = decode(at + 1 + name + 1, value - name - 1);
		buf_add(out, at, 1 + strlen("next="));
		add_token(out, r, token);
		free(token);
	}
}

static void write_path(struct buf *out, const struct recording *r, const char *path,
		       const struct made_ids *ids)
{
	char *first = path_part(r->v[0].path, PART_ORG), *part;
	struct buf text = BUF_INIT(RECORDING_MAX);

	for (unsigned i = 0; (part = path_part(path, i)); i++) {
		const char *made = i == PART_BROADCAST ? made_ids_of(ids, part) : part;
		if (i == PART_ORG)
			made = first && strcmp(first, part) == 0 ? "c" : made_ids_of(ids, part);
		buf_addc(&text, '/');
		http_escape(&text, made ? made : "x");
		free(part);
	}
	write_query(&text, r, path);
	json_write_string(out, text.data);
	buf_release(&text);
	free(first);
}

static bool is_made_of(const char *value, const char *characters)
{
	return *value && strlen(value) <= 40 && !value[strspn(value, characters)];
}

/* False: it is not kept. */
static bool write_header(struct buf *out, const struct recording *r, const char *name,
			 const char *value)
{
	int64_t ms;

	if (strcasecmp(name, "pagination-next") == 0) {
		add_token(out, r, value);
		return true;
	}
	if (strcasecmp(name, "content-type") == 0) {
		bool json = strncasecmp(value, "application/json", 16) == 0;
		buf_adds(out, json ? "application/json" : "text/plain");
		return true;
	}
	bool number =
		strncasecmp(name, "pagination-", 11) == 0 || strcasecmp(name, "retry-after") == 0;
	bool limit = strncasecmp(name, "x-ratelimit-", 12) == 0 ||
		     strncasecmp(name, "ratelimit", 9) == 0;
	bool date = strcasecmp(name, "date") == 0 || strcasecmp(name, "retry-after") == 0;
	if (!(number && is_made_of(value, "0123456789")) &&
	    !(limit && is_made_of(value, "0123456789;=, w")) && !(date && http_date(value, &ms)))
		return false;
	buf_adds(out, value);
	return true;
}

static void write_headers(struct buf *out, const struct recording *r, const struct buf *headers)
{
	struct buf value = BUF_INIT(1 << 16);
	bool first = true;

	for (size_t at = 0; at < headers->len; at += strlen(headers->data + at) + 1) {
		const char *line = headers->data + at, *colon = strchr(line, ':'), *text;
		char name[WORD_MAX + 1];
		if (!colon || colon == line || (size_t)(colon - line) > WORD_MAX)
			continue;
		memcpy(name, line, (size_t)(colon - line));
		name[colon - line] = '\0';
		buf_clear(&value);
		text = http_header(&(struct http_reply){.headers = headers}, name);
		if (!write_header(&value, r, name, text))
			continue;
		buf_adds(out, first ? "" : ",");
		json_write_string(out, name);
		buf_addc(out, ':');
		json_write_string(out, value.data);
		first = false;
	}
	buf_release(&value);
}

/* ---- all of it ---- */

static void add_id(void *arg, const char *id)
{
	made_ids_add(arg, id);
}

static void collect(const struct exchange *x, struct json_doc *doc, struct made_ids *ids)
{
	struct err unread = {0};
	const struct json *root = json_parse(doc, x->body, x->len, JSON_DEPTH, &unread);

	for (unsigned part = PART_ORG; part <= PART_BROADCAST; part += 2) {
		char *id = path_part(x->path, part);
		if (id)
			made_ids_add(ids, id);
		free(id);
	}
	each_id(root, NULL, add_id, ids);
}

static void write_exchange(struct buf *out, const struct recording *r, const struct exchange *x,
			   struct json_doc *doc, const struct made_ids *ids)
{
	struct err unread = {0};
	const struct json *root = json_parse(doc, x->body, x->len, JSON_DEPTH, &unread);

	buf_adds(out, "{\"request\":");
	write_path(out, r, x->path, ids);
	buf_addf(out, ",\"status\":%d,\"headers\":{", x->status);
	write_headers(out, r, &x->headers);
	buf_adds(out, "},\"body\":");
	if (root)
		write_value(out, NULL, root, ids);
	else
		buf_adds(out, "\"no JSON\"");
	buf_adds(out, "}\n");
}

void recording_write(const struct recording *r, struct buf *out)
{
	struct json_doc *doc = json_doc_new();
	struct made_ids ids = {0};

	for (size_t i = 0; i < r->n; i++)
		collect(&r->v[i], doc, &ids);
	made_ids_make(&ids);
	for (size_t i = 0; i < r->n; i++)
		write_exchange(out, r, &r->v[i], doc, &ids);
	made_ids_release(&ids);
	json_doc_free(doc);
}
