/* template_tag — what stands between {{ and }}: a word, a path, filters. Invariant: what it
 * returns points nowhere into the text, and reading never passes the text's end. */
#include "relay/base/template_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define CUT_MAX 100000

struct reader {
	const struct template *t;
	size_t at;
	unsigned scopes;
	struct err *err;
};

void template_path_release(struct template_path *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->names[i]);
	p->n = 0;
}

void template_tag_release(struct template_tag *tag)
{
	template_path_release(&tag->path);
	free(tag->text);
	free(tag->json);
	tag->text = tag->json = NULL;
}

static char peek(const struct reader *r)
{
	return r->at < r->t->len ? r->t->text[r->at] : '\0';
}

static bool starts(const struct reader *r, const char *with)
{
	size_t len = strlen(with);

	return r->t->len - r->at >= len && !memcmp(r->t->text + r->at, with, len);
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) && strchr(" \t\r\n", peek(r)))
		r->at++;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-$", c)) || (unsigned char)c >= 0x80;
}

/* Takes the word if it stands here whole. */
static bool take_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if (!starts(r, word) || (r->at + len < r->t->len && is_name_byte(r->t->text[r->at + len])))
		return false;
	r->at += len;
	return true;
}

/* The bytes until a blank, a bar or the tag's end, for a message. */
static int odd_length(const struct reader *r)
{
	size_t n = 0;

	while (r->at + n < r->t->len && n < 40 && !strchr(" \t\r\n|}", r->t->text[r->at + n]))
		n++;
	while (n == 40 || ((r->t->text[r->at + n] & 0xc0) == 0x80 && n)) /* a whole character */
		n--;
	return (int)n;
}

/* A JSON string at the reader: its place behind the closing quote. */
static int find_quote(struct reader *r, size_t *ret)
{
	for (size_t i = r->at + 1; i < r->t->len; i++) {
		if (r->t->text[i] == '"') {
			*ret = i + 1;
			return 0;
		}
		i += r->t->text[i] == '\\';
	}
	return template_fail(r->t, r->at, r->err, "a text in quotes does not end");
}

/* A scalar's text and spelling. */
static int take_literal(struct reader *r, char **ret_text, char **ret_json)
{
	const char *from = r->t->text + r->at;
	struct json_doc *doc;
	const struct json *v;
	struct err why = {0};
	size_t end = r->at;
	bool quoted = peek(r) == '"';

	if (!quoted)
		end += (size_t)odd_length(r);
	else if (find_quote(r, &end) < 0)
		return -1;
	doc = json_doc_new();
	v = json_parse(doc, from, end - r->at, 1, &why);
	if (v && !json_first(v) && json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT) {
		*ret_json = xstrndup(from, end - r->at);
		*ret_text = json_string(v)		? xstrdup(json_string(v))
			    : json_type(v) == JSON_NULL ? xstrdup("")
							: xstrdup(*ret_json);
	}
	json_doc_free(doc);
	if (!*ret_json)
		return template_fail(r->t, r->at, r->err,
				     quoted ? "not a text as JSON writes it"
					    : "a default is a text in double quotes, a number, "
					      "true, false or null");
	r->at = end;
	return 0;
}

static int take_name(struct reader *r, struct template_path *path)
{
	size_t from = r->at;
	char *json = NULL, *text = NULL;

	if (path->n == TEMPLATE_NAMES_MAX)
		return template_fail(r->t, r->at, r->err, "a path of more than %d names",
				     TEMPLATE_NAMES_MAX);
	if (peek(r) == '"') {
		if (take_literal(r, &text, &json) < 0)
			return -1;
		free(json);
	} else {
		while (is_name_byte(peek(r)))
			r->at++;
		if (r->at == from)
			return template_fail(r->t, r->at, r->err,
					     "a path was expected, such as data.broadcast_id, not "
					     "\"%.*s\"",
					     odd_length(r), r->t->text + r->at);
		text = xstrndup(r->t->text + from, r->at - from);
	}
	path->names[path->n++] = text;
	if (strlen(text) >= TEMPLATE_NAME_SIZE)
		return template_fail(r->t, from, r->err, "a name of more than %d bytes",
				     TEMPLATE_NAME_SIZE - 1);
	return 0;
}

/* @index and @key: what an #each says of its element. */
static int take_place(struct reader *r, struct template_path *path)
{
	size_t from = r->at++;

	if (take_word(r, "root")) {
		if (path->up)
			return template_fail(r->t, from, r->err, "no ../ before @root");
		path->up = r->scopes;
		return 0;
	}
	if (take_word(r, "index"))
		path->kind = PATH_INDEX;
	else if (take_word(r, "key"))
		path->kind = PATH_KEY;
	else
		return template_fail(r->t, from, r->err,
				     "unknown @; there are @index, @key and @root");
	if (path->up >= r->scopes)
		return template_fail(r->t, from, r->err, "stands only inside #each");
	if (peek(r) == '.')
		return template_fail(r->t, r->at, r->err, "@index and @key have no members");
	return 0;
}

static int take_path(struct reader *r, struct template_path *path)
{
	skip_blanks(r);
	for (; starts(r, "../"); r->at += 3)
		if (++path->up > r->scopes)
			return template_fail(r->t, r->at, r->err,
					     "../ leads out of what there is: each one leaves an "
					     "#each");
	if (peek(r) == '@') {
		if (take_place(r, path) < 0)
			return -1;
	} else if (!take_word(r, "this") && take_name(r, path) < 0) {
		return -1;
	}
	while (peek(r) == '.') {
		r->at++;
		if (take_name(r, path) < 0)
			return -1;
	}
	return 0;
}

static int take_cut(struct reader *r, struct template_tag *tag)
{
	size_t from = r->at, most = 0;

	while (peek(r) >= '0' && peek(r) <= '9' && most <= CUT_MAX)
		most = most * 10 + (size_t)(r->t->text[r->at++] - '0');
	if (tag->kind == TAG_JSON)
		return template_fail(r->t, from, r->err, "only {{…}} can be cut, not {{json …}}");
	if (!most || most > CUT_MAX)
		return template_fail(r->t, from, r->err,
				     "cut wants a number of characters, 1 to %d", CUT_MAX);
	tag->cut = most;
	return 0;
}

static int take_filters(struct reader *r, struct template_tag *tag)
{
	for (skip_blanks(r); peek(r) == '|'; skip_blanks(r)) {
		size_t from = ++r->at;
		int done;

		skip_blanks(r);
		if (!tag->text && !tag->cut && take_word(r, "default")) {
			skip_blanks(r);
			done = take_literal(r, &tag->text, &tag->json);
		} else if (!tag->cut && take_word(r, "cut")) {
			skip_blanks(r);
			done = take_cut(r, tag);
		} else {
			done = template_fail(r->t, from, r->err,
					     "behind | can stand default \"…\", then | cut 100");
		}
		if (done < 0)
			return -1;
	}
	return 0;
}

static int take_end(struct reader *r, struct template_tag *tag)
{
	skip_blanks(r);
	if (r->at >= r->t->len)
		return template_fail(r->t, tag->at, r->err, "{{ without }}");
	if (!starts(r, "}}"))
		return template_fail(r->t, r->at, r->err, "}} was expected, not \"%.*s\"",
				     odd_length(r) ? odd_length(r) : 1, r->t->text + r->at);
	tag->end = r->at + 2;
	return 0;
}

static int take_block(struct reader *r, struct template_tag *tag, bool end)
{
	skip_blanks(r);
	size_t from = r->at;

	if (take_word(r, "if"))
		tag->kind = end ? TAG_END_IF : TAG_IF;
	else if (take_word(r, "each"))
		tag->kind = end ? TAG_END_EACH : TAG_EACH;
	else
		return template_fail(r->t, from, r->err,
				     "unknown block \"%.*s\"; there are #if and #each",
				     odd_length(r), r->t->text + r->at);
	return end ? 0 : take_path(r, &tag->path);
}

static int take_inside(struct reader *r, struct template_tag *tag)
{
	skip_blanks(r);
	switch (peek(r)) {
	case '{':
		return template_fail(r->t, tag->at, r->err,
				     r->t->kind == TEMPLATE_JSON
					     ? "{{{ is not known: put a blank between a { of JSON "
					       "and {{"
					     : "{{{ is not known: a value is always escaped for "
					       "its place");
	case '#': r->at++; return take_block(r, tag, false);
	case '/': r->at++; return take_block(r, tag, true);
	case '\0': return 0; /* take_end says it */
	default: break;
	}
	if (take_word(r, "else")) {
		tag->kind = TAG_ELSE;
		return 0;
	}
	tag->kind = take_word(r, "json") ? TAG_JSON : TAG_VALUE;
	if (take_path(r, &tag->path) < 0)
		return -1;
	return take_filters(r, tag);
}

int template_tag_read(const struct template *t, size_t at, unsigned scopes,
		      struct template_tag *ret, struct err *err)
{
	struct reader r = {t, at + 2, scopes, err};
	struct template_tag tag = {.at = at};

	if (peek(&r) == '!') {
		const char *end = memmem(t->text + at, t->len - at, "}}", 2);

		if (!end)
			return template_fail(t, at, err, "{{ without }}");
		tag.kind = TAG_NOTE;
		tag.end = (size_t)(end - t->text) + 2;
	} else if (take_inside(&r, &tag) < 0 || take_end(&r, &tag) < 0) {
		template_tag_release(&tag);
		return -1;
	}
	*ret = tag;
	return 0;
}
