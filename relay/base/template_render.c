/* template_render — ops and data to text. Invariant: a value is written only through the escape of
 * the template's kind, and the work is bounded by steps and bytes whatever template and data are.
 */
#include "relay/base/template_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/event.h"
#include "relay/base/http.h"
#include "relay/base/mem.h"

struct scope {
	const struct scope *outer;
	const struct json *value;
	size_t index; /* among its list's elements */
};

struct renderer {
	const struct template *t;
	struct buf *out;
	size_t start; /* of what is appended */
	struct buf text, escaped;
	size_t steps;
};

/* What a path leads to. */
struct found {
	const struct json *value; /* NULL: nothing, or one of the two below */
	const char *key;
	bool is_index;
	size_t index;
};

static bool step(struct renderer *r)
{
	return r->steps < TEMPLATE_STEPS_MAX && ++r->steps;
}

static bool over(const struct renderer *r)
{
	return r->out->full || r->steps >= TEMPLATE_STEPS_MAX;
}

/* --- looking up --- */

/* Decimal without a sign; false when it is no number or can be no place. */
static bool read_place(const char *name, size_t *ret)
{
	size_t n = 0;

	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9' || n > TEMPLATE_OUTPUT_MAX)
			return false;
		n = n * 10 + (size_t)(*p - '0');
	}
	*ret = n;
	return *name != '\0';
}

static const struct json *member(struct renderer *r, const struct json *of, const char *name)
{
	bool list = json_type(of) == JSON_ARRAY;
	size_t place = 0;

	if (list && !read_place(name, &place))
		return NULL;
	for (const struct json *v = json_first(of); v && step(r); v = json_next(v))
		if (list ? !place-- : !strcmp(json_key(v), name))
			return v;
	return NULL;
}

static struct found look_up(struct renderer *r, const struct template_path *path,
			    const struct scope *scope)
{
	struct found found = {0};
	const struct json *v;

	for (unsigned up = path->up; up; up--)
		scope = scope->outer;
	v = scope->value;
	if (path->kind == PATH_INDEX) {
		found.is_index = true;
		found.index = scope->index;
	} else if (path->kind == PATH_KEY) {
		found.key = json_key(v);
	} else {
		for (size_t i = 0; v && i < path->n; i++)
			v = member(r, v, path->names[i]);
		found.value = v;
	}
	return found;
}

/* Missing, null, or an empty text: what a default stands in for. */
static bool is_empty(const struct found *f)
{
	const char *text = f->value ? json_string(f->value) : f->key;

	if (f->is_index || (f->value && !text && json_type(f->value) != JSON_NULL))
		return false;
	return !text || !*text;
}

static bool is_true(const struct found *f)
{
	if (f->is_index)
		return f->index > 0;
	if (is_empty(f))
		return false;
	if (!f->value)
		return true;
	switch (json_type(f->value)) {
	case JSON_BOOL: return json_bool(f->value, false);
	case JSON_NUMBER: return json_number(f->value, 0) != 0;
	case JSON_STRING: return true;
	default: return json_first(f->value) != NULL;
	}
}

/* --- writing --- */

/* One line, for a header: C0, DEL and C1 give way to a space. */
static void put_line(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)s[i + 1] < 0xa0;

		i += c1;
		buf_addc(out, c < ' ' || c == 0x7f || c1 ? ' ' : s[i]);
	}
}

static void put_json(struct renderer *r, const char *s, size_t len)
{
	buf_clear(&r->escaped);
	json_write_bytes(&r->escaped, s, len);
	if (r->escaped.full)
		r->out->full = true;
	else
		buf_add(r->out, r->escaped.data + 1, r->escaped.len - 2); /* without its quotes */
}

static void put(struct renderer *r, const struct template_op *op, const char *s, size_t len)
{
	switch (r->t->kind) {
	case TEMPLATE_JSON: put_json(r, s, len); break;
	case TEMPLATE_TEXT: buf_add(r->out, s, len); break;
	case TEMPLATE_LINE: put_line(r->out, s, len); break;
	case TEMPLATE_URL: http_escape(r->out, s); break;
	case TEMPLATE_TOPIC:
		event_topic_part(r->out, s, op->full && !strcmp(op->full, "type"));
		break;
	}
}

/* As text, or as JSON, into r->text. */
static void write_found(struct renderer *r, const struct found *f, bool json)
{
	const char *text = f->value ? json_string(f->value) : f->key;

	buf_clear(&r->text);
	if (f->is_index)
		buf_addi(&r->text, (long long)f->index);
	else if (text && !json)
		buf_adds(&r->text, text);
	else if (text)
		json_write_string(&r->text, text);
	else if (f->value && (json || json_type(f->value) != JSON_NULL))
		json_write(&r->text, f->value);
	else if (json)
		buf_adds(&r->text, "null");
	if (r->text.full)
		r->out->full = true;
}

/* To so many characters, the last of them an ellipsis. */
static void cut(struct buf *text, size_t most)
{
	size_t characters = 0, last = 0;

	for (size_t i = 0; i < text->len; i++) {
		if (((unsigned char)text->data[i] & 0xc0) == 0x80)
			continue;
		if (++characters == most)
			last = i;
	}
	if (characters <= most)
		return;
	buf_truncate(text, last);
	buf_adds(text, "…");
}

static void render_value(struct renderer *r, const struct template_op *op,
			 const struct scope *scope)
{
	struct found found = look_up(r, &op->path, scope);
	bool json = op->kind == OP_JSON, otherwise = op->text && is_empty(&found);

	if (otherwise) {
		buf_clear(&r->text);
		buf_adds(&r->text, json ? op->json : op->text);
	} else {
		write_found(r, &found, json);
	}
	if (r->out->full)
		return;
	if (op->cut)
		cut(&r->text, op->cut);
	if (json && r->t->kind == TEMPLATE_JSON)
		buf_add(r->out, r->text.data, r->text.len);
	else
		put(r, op, r->text.data, r->text.len);
}

/* The last byte that is no blank opens the list or is a comma: outside of strings no other [ and
 * no other comma can stand there. */
static void render_comma(struct renderer *r)
{
	size_t at = r->out->len;

	while (at > r->start && strchr(" \t\r\n", r->out->data[at - 1]))
		at--;
	if (at > r->start && r->out->data[at - 1] != '[' && r->out->data[at - 1] != ',')
		buf_addc(r->out, ',');
}

static void render_ops(struct renderer *r, size_t from, size_t to, const struct scope *scope);

static void render_each(struct renderer *r, size_t at, const struct scope *scope)
{
	const struct template_op *op = &r->t->ops[at];
	struct found found = look_up(r, &op->path, scope);
	struct scope inner = {.outer = scope};

	for (inner.value = json_first(found.value); inner.value && !over(r) && step(r);
	     inner.value = json_next(inner.value)) {
		render_ops(r, at + 1, op->end, &inner);
		inner.index++;
	}
}

static void render_if(struct renderer *r, size_t at, const struct scope *scope)
{
	const struct template_op *op = &r->t->ops[at];
	struct found found = look_up(r, &op->path, scope);

	if (is_true(&found))
		render_ops(r, at + 1, op->otherwise, scope);
	else
		render_ops(r, op->otherwise, op->end, scope);
}

static void render_ops(struct renderer *r, size_t from, size_t to, const struct scope *scope)
{
	for (size_t at = from; at < to && !over(r) && step(r); at = r->t->ops[at].end) {
		const struct template_op *op = &r->t->ops[at];

		switch (op->kind) {
		case OP_TEXT: buf_add(r->out, r->t->text + op->at, op->len); break;
		case OP_COMMA: render_comma(r); break;
		case OP_VALUE:
		case OP_JSON: render_value(r, op, scope); break;
		case OP_IF: render_if(r, at, scope); break;
		case OP_EACH: render_each(r, at, scope); break;
		}
	}
}

int template_render(const struct template *t, const struct json *root, struct buf *out,
		    struct err *err)
{
	size_t most = out->max;
	bool failed, was_full = out->full;
	struct renderer r = {
		.t = t,
		.out = out,
		.start = out->len,
		.text = BUF_INIT(TEMPLATE_OUTPUT_MAX + 2),
		.escaped = BUF_INIT(TEMPLATE_OUTPUT_MAX + 2), /* and two quotes */
	};

	if (out->max - out->len > TEMPLATE_OUTPUT_MAX)
		out->max = out->len + TEMPLATE_OUTPUT_MAX;
	render_ops(&r, 0, t->n, &(struct scope){.value = root});
	failed = over(&r);
	if (out->full)
		err_set(err, ERR_LIMIT, "comes to more than %zu bytes", out->max - r.start);
	else if (failed)
		err_set(err, ERR_LIMIT, "takes more than %d steps", TEMPLATE_STEPS_MAX);
	if (failed)
		buf_truncate(out, r.start);
	out->full = was_full;
	out->max = most;
	buf_release(&r.text);
	buf_release(&r.escaped);
	return failed ? -1 : 0;
}
