/* replay — recorded exchanges, found by their request in a normal form. Invariant: exchanges of one
 * request keep the order of the file. */
#include "examples/invent-sim/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/query.h"
#include "examples/invent-sim/state.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

#define PARAMETERS 64
#define MEMBERS	   32 /* of a line */
#define BODY_MAX   (16 << 20)

struct exchange {
	char *request; /* in its normal form */
	int status;
	struct sim_header headers[SIM_HEADERS];
	size_t nheaders;
	struct buf body;
	bool served;
};

struct replay {
	struct exchange *v;
	size_t n, cap;
};

/* ---- the normal form: the path and the sorted parameters, decoded */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *normal(const char *path, const char *query)
{
	struct buf out = BUF_INIT(1 << 20);
	char *copy = xstrdup(query ? query : ""), *rest = copy, *parts[PARAMETERS], *part;
	char text[QUERY_VALUE];
	size_t n = 0;

	query_decode(text, path, strlen(path), false);
	buf_adds(&out, text);
	while ((part = strsep(&rest, "&")) && n < PARAMETERS) {
		query_decode(text, part, strlen(part), true);
		if (*text)
			parts[n++] = xstrdup(text);
	}
	qsort(parts, n, sizeof *parts, by_text);
	for (size_t i = 0; i < n; i++) {
		buf_addc(&out, '\n');
		buf_adds(&out, parts[i]);
		free(parts[i]);
	}
	free(copy);
	return buf_detach(&out);
}

/* ---- a line of the recording */

static int take_request(struct exchange *x, const struct json *line, struct err *err)
{
	const char *request = json_string(json_get(line, "request"));
	int64_t status;

	if (!request || *request != '/')
		return err_set(err, ERR_FORMAT, "request: a path is expected");
	if (!json_int(json_get(line, "status"), &status) || status < 200 || status > 599)
		return err_set(err, ERR_FORMAT, "status: a number from 200 to 599 is expected");
	char *path = xstrdup(request), *query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	x->request = normal(path, query);
	x->status = (int)status;
	free(path);
	return 0;
}

static bool is_of_the_way(const char *name)
{
	static const char *const names[] = {"content-length", "content-encoding", "connection",
					    "transfer-encoding", "keep-alive"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcasecmp(names[i], name))
			return true;
	return false;
}

static void take_headers(struct exchange *x, const struct json *headers)
{
	bool typed = false;

	for (const struct json *v = json_first(headers); v; v = json_next(v)) {
		struct sim_header *h = &x->headers[x->nheaders];
		const char *name = json_key(v), *value = json_string(v);
		if (!name || !value || is_of_the_way(name) || strlen(name) >= sizeof h->name ||
		    strlen(value) >= sizeof h->value || strpbrk(value, "\r\n"))
			continue;
		if (x->nheaders == SIM_HEADERS - 1) /* one place is the type's */
			break;
		snprintf(h->name, sizeof h->name, "%s", name);
		snprintf(h->value, sizeof h->value, "%s", value);
		typed |= !strcasecmp(name, "content-type");
		x->nheaders++;
	}
	if (!typed)
		x->headers[x->nheaders++] = (struct sim_header){"Content-Type", "application/json"};
}

/* The body's own spelling: the line without all its other members. */
static int take_body(struct exchange *x, const struct json *line, const char *text, size_t len,
		     struct err *err)
{
	static const char before[] = "{\"body\":";
	const struct json *body = json_get(line, "body");
	const char *without[MEMBERS + 1];
	struct buf copy = BUF_INIT(BODY_MAX);
	size_t n = 0;
	int status = 0;

	buf_init(&x->body, BODY_MAX);
	if (!body)
		return 0;
	if (json_string(body)) {
		buf_adds(&x->body, json_string(body));
		return 0;
	}
	for (const struct json *v = json_first(line); v && n < MEMBERS; v = json_next(v))
		if (v != body)
			without[n++] = json_key(v);
	without[n] = NULL;
	json_copy(&copy, text, len, without);
	if (copy.full || strncmp(copy.data, before, strlen(before)))
		status = err_set(err, ERR_LIMIT, "body: too long, or among too many members");
	else
		buf_add(&x->body, copy.data + strlen(before), copy.len - strlen(before) - 1);
	buf_release(&copy);
	return status;
}

static int take_line(struct replay *r, struct json_doc *doc, const char *text, size_t len,
		     struct err *err)
{
	const struct json *line = json_parse(doc, text, len, JSON_DEPTH, err);

	if (!line)
		return -1;
	r->v = mem_grow(r->v, r->n, &r->cap, sizeof *r->v);
	struct exchange *x = &r->v[r->n++];
	*x = (struct exchange){.body = BUF_INIT(BODY_MAX)};
	if (take_request(x, line, err))
		return -1;
	take_headers(x, json_get(line, "headers"));
	return take_body(x, line, text, len, err);
}

static int read_all(struct replay *r, FILE *file, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t len;
	int status = 0;

	while (!status && (len = getline(&line, &cap, file)) > 0) {
		number++;
		if (line[strspn(line, " \t\r\n")])
			status = take_line(r, doc, line, (size_t)len, err);
	}
	free(line);
	json_doc_free(doc);
	return status ? err_wrap(err, "line %zu", number) : 0;
}

struct replay *replay_open(const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");

	if (!file) {
		err_set(err, ERR_IO, "%s: cannot be opened", path);
		return NULL;
	}
	struct replay *r = xcalloc(1, sizeof *r);
	if (read_all(r, file, err)) {
		err_wrap(err, "%s", path);
		replay_free(r);
		r = NULL;
	}
	fclose(file);
	return r;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].request);
		buf_release(&r->v[i].body);
	}
	free(r->v);
	free(r);
}

/* ---- requests */

static struct exchange *find(struct replay *r, const char *request)
{
	struct exchange *last = NULL;

	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->v[i].request, request))
			continue;
		last = &r->v[i];
		if (!last->served)
			break;
	}
	return last;
}

void replay_request(struct replay *r, const struct sim_request *rq, struct sim_reply *ret)
{
	char *request = normal(rq->path, rq->query);
	struct exchange *x = strcmp(rq->method, "GET") ? NULL : find(r, request);

	*ret = (struct sim_reply){.status = 200, .body = BUF_INIT(BODY_MAX)};
	free(request);
	if (!x) {
		reply_header(ret, "Content-Type", "application/json");
		reply_error(ret, 404, "Not recorded");
		return;
	}
	x->served = true;
	ret->status = x->status;
	ret->nheaders = x->nheaders;
	memcpy(ret->headers, x->headers, sizeof ret->headers);
	buf_add(&ret->body, x->body.data, x->body.len);
}
