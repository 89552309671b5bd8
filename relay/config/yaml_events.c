/*
 * yaml_events — libyaml's events become nodes. Invariant: every ceiling is checked at the event
 * that would pass it, before libyaml goes on, because its time is quadratic in depth and a few
 * aliases can stand for billions of nodes.
 */
#include "relay/config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "relay/base/mem.h"

struct anchor {
	char *name; /* in the arena */
	const struct node *node;
	bool open; /* its content is not complete: an alias now would be a cycle */
};

/* A list or map that is not complete. */
struct frame {
	struct node *node;
	size_t first;	 /* its values start here among the pending */
	size_t anchor;	 /* its own, plus 1; 0: none */
	const char *key; /* a map's: waits for its value */
	unsigned key_line, key_column;
};

struct builder {
	struct yaml *y;
	const struct yaml_source *src;
	struct problems *p;
	yaml_parser_t parser;
	struct frame frames[YAML_DEPTH_MAX];
	unsigned depth;
	struct node **pending; /* values of all open frames, innermost last */
	size_t npending, cap;
	struct anchor anchors[YAML_ANCHORS_MAX];
	size_t nanchors;
	size_t nodes;
	struct buf expanded;  /* one value */
	size_t expanded_left; /* bytes that the environment may still bring */
	struct node *root;
	bool complete; /* the first document has ended */
};

enum step { GO_ON, STOP };

static struct frame *innermost(struct builder *b)
{
	return b->depth ? &b->frames[b->depth - 1] : NULL;
}

static unsigned line_of(const yaml_mark_t *m)
{
	return (unsigned)m->line + 1;
}

static unsigned column_of(const yaml_mark_t *m)
{
	return (unsigned)m->column + 1;
}

__attribute__((format(printf, 3, 4))) static enum step
refuse(struct builder *b, const yaml_mark_t *at, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	problem_in_source(b->p, b->src, line_of(at), column_of(at), "%s", text);
	return STOP;
}

/* Has room for one more node? */
static bool count_node(struct builder *b, const yaml_mark_t *at)
{
	if (++b->nodes > YAML_NODES_MAX) {
		refuse(b, at, "more than %d values, aliases counted with what they stand for",
		       YAML_NODES_MAX);
		return false;
	}
	if (++b->y->nodes > YAML_TOTAL_MAX) {
		refuse(b, at, "more than %d values in all files", YAML_TOTAL_MAX);
		return false;
	}
	return true;
}

/* Makes a node the next value of the innermost frame, or the root. */
static void attach(struct builder *b, struct node *n)
{
	struct frame *f = innermost(b);

	if (!f) {
		b->root = n;
		return;
	}
	n->parent = f->node;
	n->key = f->key;
	n->key_line = f->key ? f->key_line : 0;
	n->key_column = f->key ? f->key_column : 0;
	n->index = f->node->kind == NODE_LIST ? b->npending - f->first : 0;
	f->key = NULL;
	b->pending = mem_grow(b->pending, b->npending, &b->cap, sizeof(struct node *));
	b->pending[b->npending++] = n;
}

/* NULL: a ceiling is passed. */
static struct node *add_node(struct builder *b, enum node_kind kind, const yaml_mark_t *at)
{
	if (!count_node(b, at))
		return NULL;
	struct node *n = yaml_alloc(b->y, 1, sizeof *n);
	n->kind = kind;
	n->file = b->src->name;
	n->source = b->src;
	n->line = line_of(at);
	n->column = column_of(at);
	n->text = kind == NODE_SCALAR ? "" : NULL;
	attach(b, n);
	return n;
}

/* Registers the event's anchor; *ret is its place plus 1, 0 without one. */
static enum step add_anchor(struct builder *b, const yaml_event_t *e, const yaml_char_t *name,
			    const struct node *n, size_t *ret)
{
	*ret = 0;
	if (!name)
		return GO_ON;
	if (b->nanchors == YAML_ANCHORS_MAX)
		return refuse(b, &e->start_mark, "more than %d anchors", YAML_ANCHORS_MAX);
	const char *text = (const char *)name;
	b->anchors[b->nanchors++] =
		(struct anchor){yaml_text(b->y, text, strlen(text)), n, n->kind != NODE_SCALAR};
	*ret = b->nanchors;
	return GO_ON;
}

static bool refuse_tag(struct builder *b, const yaml_event_t *e, const yaml_char_t *tag)
{
	if (tag)
		refuse(b, &e->start_mark, "tags are not allowed, and this has the tag \"%s\"",
		       (const char *)tag);
	return tag != NULL;
}

/* A scalar where a map expects a name. */
static enum step take_key(struct builder *b, struct frame *f, yaml_event_t *e)
{
	char *text = (char *)e->data.scalar.value;
	size_t len = yaml_unmask(text, e->data.scalar.length);
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (e->data.scalar.anchor)
		return refuse(b, &e->start_mark, "an anchor is not allowed on a key");
	if (refuse_tag(b, e, e->data.scalar.tag))
		return STOP;
	if (memchr(text, '\0', len))
		return refuse(b, &e->start_mark, "a key cannot hold a NUL character");
	if (!len && plain)
		return refuse(b, &e->start_mark, "a key is missing before \":\"");
	if (plain && strcmp(text, "<<") == 0)
		refuse(b, &e->start_mark, "merge keys (<<) are not allowed");
	f->key = yaml_text(b->y, text, len);
	f->key_line = line_of(&e->start_mark);
	f->key_column = column_of(&e->start_mark);
	return GO_ON;
}

/* Sets the node's text, variables replaced unless the style forbids. */
static void take_text(struct builder *b, struct node *n, yaml_event_t *e)
{
	yaml_scalar_style_t style = e->data.scalar.style;
	bool expands = style == YAML_PLAIN_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;

	n->text = (char *)e->data.scalar.value; /* for the while of expanding */
	n->len = yaml_unmask((char *)e->data.scalar.value, e->data.scalar.length);
	n->quoted = style != YAML_PLAIN_SCALAR_STYLE;
	if (memchr(n->text, '\0', n->len))
		problem_at(b->p, n, "a text cannot hold a NUL character");
	buf_init(&b->expanded, b->expanded_left + n->len);
	size_t before = problems_count(b->p);
	bool expand = expands && memchr(n->text, '$', n->len);
	if (expand && yaml_expand(&b->expanded, n, b->p, &n->secret)) {
		if (b->expanded.len > n->len)
			b->expanded_left -= b->expanded.len - n->len;
		n->text = yaml_text(b->y, b->expanded.data, b->expanded.len);
		n->len = b->expanded.len;
	} else {
		n->text = yaml_text(b->y, n->text, n->len);
		n->unset = expand;
		b->y->gaps += problems_count(b->p) - before;
	}
	buf_release(&b->expanded);
}

static enum step on_scalar(struct builder *b, yaml_event_t *e)
{
	struct frame *f = innermost(b);
	size_t anchor;

	if (f && f->node->kind == NODE_MAP && !f->key)
		return take_key(b, f, e);
	refuse_tag(b, e, e->data.scalar.tag);
	struct node *n = add_node(b, NODE_SCALAR, &e->start_mark);
	if (!n)
		return STOP;
	take_text(b, n, e);
	return add_anchor(b, e, e->data.scalar.anchor, n, &anchor);
}

static enum step on_start(struct builder *b, const yaml_event_t *e)
{
	bool map = e->type == YAML_MAPPING_START_EVENT;
	struct frame *f = innermost(b);
	size_t anchor;

	if (f && f->node->kind == NODE_MAP && !f->key)
		return refuse(b, &e->start_mark, "a key must be a plain text");
	if (b->depth == YAML_DEPTH_MAX)
		return refuse(b, &e->start_mark, "deeper than %d levels", YAML_DEPTH_MAX);
	refuse_tag(b, e, map ? e->data.mapping_start.tag : e->data.sequence_start.tag);
	struct node *n = add_node(b, map ? NODE_MAP : NODE_LIST, &e->start_mark);
	if (!n ||
	    add_anchor(b, e, map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor, n,
		       &anchor) == STOP)
		return STOP;
	b->frames[b->depth++] = (struct frame){.node = n, .first = b->npending, .anchor = anchor};
	return GO_ON;
}

static enum step on_end(struct builder *b)
{
	struct frame *f = innermost(b);
	struct node *n = f->node;
	size_t count = b->npending - f->first;
	const struct node **items = yaml_alloc(b->y, count, sizeof *items);

	if (count)
		memcpy(items, b->pending + f->first, count * sizeof *items);
	n->items = items;
	n->n = count;
	b->npending = f->first;
	if (f->anchor)
		b->anchors[f->anchor - 1].open = false;
	b->depth--;
	const struct node *again = yaml_duplicate_key(n);
	if (again)
		problem_at_key(b->p, again, "this key stands in its map already, in line %u",
			       node_get(n, again->key)->key_line);
	return GO_ON;
}

/* Copies what the anchor holds into a node that is attached already. */
static enum step copy_into(struct builder *b, struct node *to, const struct node *from,
			   const yaml_event_t *e)
{
	const struct node *parent = to;
	unsigned level = 0;

	for (; parent->parent; parent = parent->parent)
		level++;
	if (level >= YAML_DEPTH_MAX && from->kind != NODE_SCALAR)
		return refuse(b, &e->start_mark, "deeper than %d levels", YAML_DEPTH_MAX);
	*to = (struct node){.kind = from->kind,
			    .file = from->file,
			    .source = from->source,
			    .line = from->line,
			    .column = from->column,
			    .parent = to->parent,
			    .key = to->key,
			    .index = to->index,
			    .key_line = to->key_line,
			    .key_column = to->key_column,
			    .text = from->text,
			    .len = from->len,
			    .quoted = from->quoted,
			    .secret = from->secret,
			    .n = from->n};
	const struct node **items = yaml_alloc(b->y, from->n, sizeof *items);
	to->items = items;
	for (size_t i = 0; i < from->n; i++) {
		const struct node *child = from->items[i];
		if (!count_node(b, &e->start_mark))
			return STOP;
		struct node *copy = yaml_alloc(b->y, 1, sizeof *copy);
		*copy = (struct node){.parent = to,
				      .key = child->key,
				      .index = child->index,
				      .key_line = child->key_line,
				      .key_column = child->key_column};
		items[i] = copy;
		if (copy_into(b, copy, child, e) == STOP)
			return STOP;
	}
	return GO_ON;
}

static enum step on_alias(struct builder *b, yaml_event_t *e)
{
	char *name = (char *)e->data.alias.anchor;
	struct frame *f = innermost(b);
	const struct anchor *a = NULL;

	for (size_t i = b->nanchors; i > 0 && !a; i--)
		if (strcmp(b->anchors[i - 1].name, name) == 0)
			a = &b->anchors[i - 1];
	if (f && f->node->kind == NODE_MAP && !f->key)
		return refuse(b, &e->start_mark, "an alias cannot be a key");
	if (a && a->open)
		return refuse(b, &e->start_mark, "*%s stands inside what it stands for", name);
	struct node *n = add_node(b, NODE_SCALAR, &e->start_mark);
	if (!n)
		return STOP;
	if (!a) {
		yaml_unmask(name, strlen(name));
		problem_at(b->p, n, "there is no anchor &%s above", name);
	}
	return a ? copy_into(b, n, a->node, e) : GO_ON;
}

static enum step on_event(struct builder *b, yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->complete)
			return refuse(b, &e->start_mark,
				      "a second document starts here; "
				      "a file holds one");
		return GO_ON;
	case YAML_DOCUMENT_END_EVENT: b->complete = true; return GO_ON;
	case YAML_ALIAS_EVENT: return on_alias(b, e);
	case YAML_SCALAR_EVENT: return on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: return on_start(b, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return on_end(b);
	case YAML_STREAM_END_EVENT: return STOP;
	default: return GO_ON;
	}
}

/* Runs the parser to the end of the stream; false after a problem that stops it. */
static bool run(struct builder *b, const struct buf *masked)
{
	enum step step = GO_ON;
	bool ended = false;

	while (step == GO_ON) {
		yaml_event_t e;
		if (!yaml_parser_parse(&b->parser, &e)) {
			yaml_syntax_problem(b->p, b->src, &b->parser, masked);
			return false;
		}
		ended = e.type == YAML_STREAM_END_EVENT;
		step = on_event(b, &e);
		yaml_event_delete(&e);
	}
	return ended;
}

/* A file without a value, as one of comments only, is an empty map. */
static struct node *rooted(struct builder *b)
{
	if (b->root && !(b->root->kind == NODE_SCALAR && node_is_null(b->root))) {
		if (b->root->kind == NODE_MAP)
			return b->root;
		problem_at(b->p, b->root, "a file must hold a map (name: value …)");
		return NULL;
	}
	struct node *n = yaml_alloc(b->y, 1, sizeof *n);
	*n = (struct node){
		.kind = NODE_MAP, .file = b->src->name, .source = b->src, .line = 1, .column = 1};
	return n;
}

struct node *yaml_build(struct yaml *y, const struct yaml_source *src, struct problems *p)
{
	if (!yaml_acceptable(src, p))
		return NULL;

	struct builder *b = xcalloc(1, sizeof *b);
	struct buf masked = BUF_INIT((size_t)YAML_FILE_MAX * 4); /* a character may take four */
	struct node *root = NULL;
	b->y = y;
	b->src = src;
	b->p = p;
	b->expanded_left = YAML_FILE_MAX;
	yaml_mask(&masked, src->text, src->len);
	if (!yaml_parser_initialize(&b->parser))
		abort(); /* out of memory */
	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)masked.data, masked.len);
	if (run(b, &masked))
		root = rooted(b);
	yaml_parser_delete(&b->parser);
	buf_release(&masked);
	free(b->pending);
	free(b);
	return root;
}
