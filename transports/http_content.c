/* http_content — rendering, and the reading of what is rendered. Invariant: the host and the names
 * of headers are the configuration's; data fills only what stands behind them. */
#include "transports/http_content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/json_redact.h"
#include "relay/base/mem.h"

#define URL_MAX	  (8 << 10) /* what servers take */
#define LINES_MAX (16 << 10)
#define DOC_KEEP  (64 << 10) /* a larger event's tree is given back at once */

static const char places[] = "{{";

/* --- reading --- */

static struct template *compile(enum template_kind kind, const char *text, const struct node *n,
				struct problems *p)
{
	struct err err = {0};
	struct template *t = template_compile(kind, text, strlen(text), &err);

	if (!t)
		problem_at(p, n, "%s", err.msg);
	return t;
}

static void read_url(const struct http_settings *s, const struct node *at, struct http_content *ret,
		     struct problems *p)
{
	const struct node *n = http_place(at, "url");
	const char *host = s->url ? strstr(s->url, "://") : NULL;
	const char *first = host ? strstr(s->url, places) : NULL;

	if (!first)
		return;
	host += 3;
	if (first <= host + strcspn(host, "/?#")) {
		problem_at(p, n, "the host is fixed; {{…}} can stand behind the / that follows it");
		return;
	}
	if (!s->network || (node_string(s->network) && strcmp(s->network->text, "public") != 0) ||
	    (!node_string(s->network) && !node_get(s->network, "allow")))
		problem_at(p, n, "with {{…}} wants network: public, or network: {allow: [CIDR …]}");
	ret->url = compile(TEMPLATE_URL, s->url, n, p);
}

static void read_line(const struct node *n, struct http_content *ret, struct problems *p)
{
	const char *value = node_string(n);
	struct http_line *line = &ret->lines[ret->nlines];

	if (!value || !strstr(value, places))
		return;
	if (n->secret) {
		problem_at(p, n,
			   "has a value of the environment beside {{…}}: give it a name in params, "
			   "and write {{params.NAME}}");
		return;
	}
	line->value = compile(TEMPLATE_LINE, value, n, p);
	if (!line->value)
		return;
	line->name = xstrdup(n->key);
	ret->nlines++;
}

static void read_lines(const struct http_settings *s, struct http_content *ret, struct problems *p)
{
	if (!s->headers || s->headers->kind != NODE_MAP)
		return;
	ret->lines = xcalloc(s->headers->n + 1, sizeof *ret->lines);
	for (size_t i = 0; i < s->headers->n; i++)
		read_line(s->headers->items[i], ret, p);
}

void http_content_read(const struct http_settings *s, const struct node *at,
		       struct http_content *ret, struct problems *p)
{
	size_t before = problems_count(p);

	*ret = (struct http_content){
		.event = BUF_INIT(JSON_REDACTED_MAX(EVENT_BODY_MAX) + HTTP_PARAMS_JSON),
		.rendered_url = BUF_INIT(URL_MAX),
		.rendered_lines = BUF_INIT(LINES_MAX),
	};
	http_params_read(s->params, &ret->params, p);
	http_body_read(s, at, ret, p);
	read_url(s, at, ret, p);
	read_lines(s, ret, p);
	if (problems_count(p) == before)
		http_params_check(s->params, http_place(at, s->preset ? "preset" : "params"), ret,
				  p);
	ret->doc = json_doc_new();
}

static void wipe(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

void http_content_release(struct http_content *c)
{
	template_free(c->url);
	template_free(c->body);
	for (size_t i = 0; i < c->nlines; i++) {
		free(c->lines[i].name);
		template_free(c->lines[i].value);
	}
	free(c->lines);
	free(c->type);
	http_params_release(&c->params);
	json_doc_free(c->doc);
	wipe(&c->event);
	wipe(&c->rendered_url);
	wipe(&c->rendered_lines);
}

void http_content_paths(const struct http_content *c, template_path_fn *fn, void *arg)
{
	if (c->url)
		template_paths(c->url, fn, arg);
	if (c->body)
		template_paths(c->body, fn, arg);
	for (size_t i = 0; i < c->nlines; i++)
		template_paths(c->lines[i].value, fn, arg);
}

/* --- rendering --- */

bool http_content_has_places(const struct http_content *c)
{
	return c->url || c->body || c->nlines;
}

bool http_content_has_line(const struct http_content *c, const char *name)
{
	for (size_t i = 0; i < c->nlines; i++)
		if (strcmp(c->lines[i].name, name) == 0)
			return true;
	return false;
}

/* The event with the params among its members, which no event has by itself. */
static const struct json *parse(const struct http_params *params, const struct event *event,
				struct json_doc *doc, struct buf *text, struct err *err)
{
	const struct json *root;

	buf_clear(text);
	if (params->json) {
		buf_adds(text, params->json);
		buf_add(text, event->body + 1, event->len - 1);
		root = json_parse(doc, text->data, text->len, JSON_DEPTH, err);
	} else {
		root = json_parse(doc, event->body, event->len, JSON_DEPTH, err);
	}
	if (!root)
		err_wrap(err, "the event");
	return root;
}

/* Does a part of the path consist of dots, as written or encoded? Servers and libcurl would take
 * it for a way up. */
static bool climbs(const char *url)
{
	const char *at = strstr(url, "://") + 3, *end = at + strcspn(at, "?#");

	for (at += strcspn(at, "/?#"); at < end; at += strcspn(at, "/?#")) {
		size_t dots = 0;

		for (at++; at < end && dots < 3; dots++) {
			if (*at == '.')
				at++;
			else if (strncasecmp(at, "%2e", 3) == 0)
				at += 3;
			else
				break;
		}
		if ((dots == 1 || dots == 2) && (at == end || *at == '/'))
			return true;
	}
	return false;
}

static int render_url(struct http_content *c, const struct json *root, const char **ret,
		      struct err *err)
{
	buf_clear(&c->rendered_url);
	if (!c->url)
		return 0;
	if (template_render(c->url, root, &c->rendered_url, err) < 0)
		return err_wrap(err, "url");
	if (climbs(c->rendered_url.data))
		return err_set(err, ERR_DENIED, "url: a part of the path would be only dots");
	*ret = c->rendered_url.data;
	return 0;
}

static bool is_blank(const char *text)
{
	return !text[strspn(text, " ")];
}

static int render_lines(struct http_content *c, const struct json *root, const char **ret,
			struct err *err)
{
	struct buf *out = &c->rendered_lines;
	const char *line;

	buf_clear(out);
	for (size_t i = 0; i < c->nlines; i++) {
		size_t from = out->len, value = from + strlen(c->lines[i].name) + 2;

		buf_addf(out, "%s: ", c->lines[i].name);
		if (template_render(c->lines[i].value, root, out, err) < 0)
			return err_wrap(err, "headers.%s", c->lines[i].name);
		if (!out->full && is_blank(out->data + value)) {
			buf_truncate(out, value - 2);
			buf_addc(out, ';'); /* libcurl's spelling of a header without value */
		}
		buf_addc(out, '\0');
	}
	if (out->full)
		return err_set(err, ERR_LIMIT, "headers: come to more than %d bytes", LINES_MAX);
	line = out->data;
	for (size_t i = 0; i < c->nlines; i++, line += strlen(line) + 1)
		ret[i] = line;
	return 0;
}

int http_content_render(struct http_content *c, const struct event *event,
			struct http_rendered *ret, struct err *err)
{
	const struct json *root = parse(&c->params, event, c->doc, &c->event, err);
	int done = -1;

	if (root && c->body && ret->body && template_render(c->body, root, ret->body, err) < 0)
		err_wrap(err, "body");
	else if (root && render_url(c, root, &ret->url, err) == 0 &&
		 render_lines(c, root, ret->lines, err) == 0)
		done = 0;
	if (event->len > DOC_KEEP)
		json_doc_trim(c->doc);
	return done;
}

int http_content_say(const struct http_content *c, const struct template *body,
		     const struct event *event, struct buf *out, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	struct buf text = BUF_INIT(c->event.max);
	const struct json *root = parse(&c->params, event, doc, &text, err);
	int done = root ? template_render(body, root, out, err) : -1;

	if (root && done < 0)
		err_wrap(err, "body");
	wipe(&text);
	json_doc_free(doc);
	return done;
}
