/* template — the compiler: from a text to ops, one a piece of text, place or block. Invariant: an
 * op's `end` lies behind it and behind all it holds, so that rendering always comes to an end. */
#include "relay/base/template_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

struct block {
	size_t op;
	size_t at; /* of its tag */
	bool each, has_else;
	struct proof_branch branch;
};

struct compiler {
	struct template *t;
	struct proof proof;
	struct block blocks[TEMPLATE_NEST_MAX];
	size_t nblocks;
	unsigned scopes; /* those of the blocks that are #each */
	struct err *err;
};

int template_fail(const struct template *t, size_t at, struct err *err, const char *fmt, ...)
{
	unsigned line = 1, column = 1;
	char what[300];
	va_list args;

	for (size_t i = 0; i < at; i++) {
		if (t->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)t->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	va_start(args, fmt);
	vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	return err_set(err, ERR_FORMAT, "line %u, column %u: %s", line, column, what);
}

/* --- ops --- */

static struct template_op *add_op(struct compiler *c, enum op_kind kind)
{
	struct template *t = c->t;
	struct template_op *op;

	t->ops = mem_grow(t->ops, t->n, &t->cap, sizeof *t->ops);
	op = &t->ops[t->n++];
	*op = (struct template_op){.kind = kind, .end = t->n};
	return op;
}

static void add_text(struct compiler *c, size_t from, size_t to)
{
	if (from == to)
		return;
	struct template_op *op = add_op(c, OP_TEXT);
	op->at = from;
	op->len = to - from;
}

/* The path from the root of what #each gives one by one, `up` scopes outwards; NULL: the root. */
static const char *scope_path(const struct compiler *c, unsigned up)
{
	for (size_t i = c->nblocks; i--;)
		if (c->blocks[i].each && !up--)
			return c->t->ops[c->blocks[i].op].full;
	return NULL;
}

static char *full_path(const struct compiler *c, const struct template_path *path)
{
	struct buf full = BUF_INIT(SIZE_MAX / 2); /* names and blocks have ceilings */
	const char *outer = scope_path(c, path->up);

	if (path->kind != PATH_VALUE)
		return NULL;
	if (outer)
		buf_adds(&full, outer);
	for (size_t i = 0; i < path->n; i++) {
		if (full.len)
			buf_addc(&full, '.');
		buf_adds(&full, path->names[i]);
	}
	return buf_detach(&full);
}

/* Takes over what the tag owns. */
static void add_place(struct compiler *c, enum op_kind kind, struct template_tag *tag)
{
	char *full = full_path(c, &tag->path);
	struct template_op *op = add_op(c, kind);

	op->full = full;
	op->path = tag->path;
	op->text = tag->text;
	op->json = tag->json;
	op->cut = tag->cut;
	tag->path.n = 0;
	tag->text = tag->json = NULL;
}

/* --- text --- */

static const char *text_refuses(enum template_kind kind, unsigned char c)
{
	switch (kind) {
	case TEMPLATE_LINE: return c < ' ' || c == 0x7f ? "a control character in a line" : NULL;
	case TEMPLATE_URL: return c <= ' ' || c == 0x7f ? "a blank in a URL" : NULL;
	case TEMPLATE_TOPIC:
		return c <= ' ' || c > 0x7e ? "a blank or a letter that is not ASCII in a topic"
					    : NULL;
	default: return NULL;
	}
}

static int take_json(struct compiler *c, size_t from, size_t to)
{
	while (from < to) {
		size_t at;

		if (proof_text(&c->proof, from, to, &at, c->err) < 0)
			return -1;
		add_text(c, from, at);
		if (at < to)
			add_op(c, OP_COMMA);
		from = at;
	}
	return 0;
}

static int take_text(struct compiler *c, size_t from, size_t to)
{
	if (c->t->kind == TEMPLATE_JSON)
		return take_json(c, from, to);
	for (size_t i = from; i < to; i++) {
		const char *why = text_refuses(c->t->kind, (unsigned char)c->t->text[i]);

		if (why)
			return template_fail(c->t, i, c->err, "%s", why);
	}
	add_text(c, from, to);
	return 0;
}

/* --- tags --- */

static int take_place(struct compiler *c, struct template_tag *tag)
{
	bool json = tag->kind == TAG_JSON, comma = false;

	if (c->t->kind == TEMPLATE_JSON) {
		if (proof_value(&c->proof, tag, &comma, c->err) < 0)
			return -1;
		if (comma)
			add_op(c, OP_COMMA);
	}
	add_place(c, json ? OP_JSON : OP_VALUE, tag);
	return 0;
}

static int open_block(struct compiler *c, struct template_tag *tag)
{
	struct block *b = &c->blocks[c->nblocks];

	if (c->nblocks == TEMPLATE_NEST_MAX)
		return template_fail(c->t, tag->at, c->err, "more than %d blocks in one another",
				     TEMPLATE_NEST_MAX);
	*b = (struct block){.op = c->t->n, .at = tag->at, .each = tag->kind == TAG_EACH};
	if (c->t->kind == TEMPLATE_JSON && proof_open(&c->proof, tag, &b->branch, c->err) < 0)
		return -1;
	add_place(c, b->each ? OP_EACH : OP_IF, tag);
	c->nblocks++;
	c->scopes += b->each;
	return 0;
}

static int take_else(struct compiler *c, const struct template_tag *tag)
{
	struct block *b = c->nblocks ? &c->blocks[c->nblocks - 1] : NULL;

	if (!b || b->each || b->has_else)
		return template_fail(c->t, tag->at, c->err,
				     b && b->has_else ? "a second {{else}}"
						      : "{{else}} stands only in #if");
	b->has_else = true;
	c->t->ops[b->op].otherwise = c->t->n;
	if (c->t->kind == TEMPLATE_JSON)
		return proof_else(&c->proof, tag->at, &b->branch, c->err);
	return 0;
}

static int close_block(struct compiler *c, const struct template_tag *tag)
{
	struct block *b = c->nblocks ? &c->blocks[c->nblocks - 1] : NULL;
	struct template_op *op;

	if (!b)
		return template_fail(c->t, tag->at, c->err, "there is no block to end here");
	if (b->each != (tag->kind == TAG_END_EACH))
		return template_fail(c->t, tag->at, c->err, "{{/%s}} was expected",
				     b->each ? "each" : "if");
	op = &c->t->ops[b->op];
	op->end = c->t->n;
	if (!b->has_else)
		op->otherwise = op->end;
	c->nblocks--;
	c->scopes -= b->each;
	if (c->t->kind == TEMPLATE_JSON)
		return proof_close(&c->proof, tag, &b->branch, c->err);
	return 0;
}

static int take_tag(struct compiler *c, struct template_tag *tag)
{
	switch (tag->kind) {
	case TAG_VALUE:
	case TAG_JSON: return take_place(c, tag);
	case TAG_IF:
	case TAG_EACH: return open_block(c, tag);
	case TAG_ELSE: return take_else(c, tag);
	case TAG_END_IF:
	case TAG_END_EACH: return close_block(c, tag);
	case TAG_NOTE: break;
	}
	return 0;
}

/* A block's tag or note that has a line for itself takes the whole line with it. */
static void widen(const struct template *t, struct template_tag *tag)
{
	size_t from = tag->at, to = tag->end;

	if (tag->kind == TAG_VALUE || tag->kind == TAG_JSON)
		return;
	while (from && (t->text[from - 1] == ' ' || t->text[from - 1] == '\t'))
		from--;
	while (to < t->len && strchr(" \t\r", t->text[to]))
		to++;
	if ((from && t->text[from - 1] != '\n') || (to < t->len && t->text[to] != '\n'))
		return;
	tag->at = from;
	tag->end = to < t->len ? to + 1 : to;
}

static int take_all(struct compiler *c)
{
	const struct template *t = c->t;
	size_t at = 0;

	for (;;) {
		const char *open = memmem(t->text + at, t->len - at, "{{", 2);
		struct template_tag tag, wide;
		int done;

		if (!open)
			return take_text(c, at, t->len);
		if (template_tag_read(t, (size_t)(open - t->text), c->scopes, &tag, c->err) < 0)
			return -1;
		wide = tag;
		widen(t, &wide);
		done = take_text(c, at, wide.at) < 0 ? -1 : take_tag(c, &tag);
		template_tag_release(&tag);
		if (done < 0)
			return -1;
		at = wide.end;
	}
}

static int check_bytes(const struct template *t, struct err *err)
{
	const char *p = t->text, *end = p + t->len;

	while (p < end) {
		size_t step = utf8_step(p, end);

		if (!step || !*p)
			return template_fail(t, (size_t)(p - t->text), err,
					     step ? "a NUL character" : "no UTF-8");
		p += step;
	}
	return 0;
}

static int compile(struct compiler *c)
{
	if (check_bytes(c->t, c->err) < 0 || take_all(c) < 0)
		return -1;
	if (c->nblocks)
		return template_fail(c->t, c->blocks[c->nblocks - 1].at, c->err,
				     "this block has no {{/%s}}",
				     c->blocks[c->nblocks - 1].each ? "each" : "if");
	return c->t->kind == TEMPLATE_JSON ? proof_end(&c->proof, c->err) : 0;
}

struct template *template_compile(enum template_kind kind, const char *text, size_t len,
				  struct err *err)
{
	struct compiler c = {.err = err};
	int done;

	if (len > TEMPLATE_SIZE_MAX) {
		err_set(err, ERR_LIMIT, "a template of more than %d KiB", TEMPLATE_SIZE_MAX >> 10);
		return NULL;
	}
	c.t = xcalloc(1, sizeof *c.t);
	c.t->kind = kind;
	c.t->text = xstrndup(text, len);
	c.t->len = len;
	proof_begin(&c.proof, c.t);
	done = compile(&c);
	proof_release(&c.proof);
	if (done == 0)
		return c.t;
	template_free(c.t);
	return NULL;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		template_path_release(&t->ops[i].path);
		free(t->ops[i].full);
		free(t->ops[i].text);
		free(t->ops[i].json);
	}
	free(t->ops);
	free(t->text);
	free(t);
}

/* --- what it says of itself --- */

void template_paths(const struct template *t, template_path_fn *fn, void *arg)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ops[i].full)
			fn(arg, t->ops[i].full);
}

bool template_requires(const struct template *t, const char *path)
{
	bool required = false;

	for (size_t i = 0; i < t->n; i++) {
		const struct template_op *op = &t->ops[i];

		if (!op->full || strcmp(op->full, path) != 0)
			continue;
		if (op->kind == OP_IF)
			return false;
		required |= (op->kind == OP_VALUE || op->kind == OP_JSON) && !op->text;
	}
	return required;
}
