/* json — the tree behind json.h: cJSON over a bump arena. Invariant: a text reaches cJSON only
 * after json_scan accepted it, and cJSON allocates only from the arena of the doc being parsed. */
#include "relay/base/json.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "relay/base/json_scan.h"
#include "relay/base/mem.h"

#define CHUNK_FIRST (16 << 10) /* holds the tree of most events */
#define CHUNK_MOST  (1 << 20)  /* chunks double up to it; a page of 100 rows takes 0.6 MB in all */
#define EXACT	    9007199254740992.0 /* 2^53: from here on doubles skip integers */

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(max_align_t) char bytes[];
};

struct json_doc {
	struct chunk *first, *current; /* chunks behind `current` wait for reuse */
	struct json_scanner scanner;
	struct buf pruned; /* a text without what is left out of the tree */
};

/* cJSON's hooks are the process's and carry no argument: each thread says here whose arena its
 * parse fills. */
static _Thread_local struct json_doc *parsing;

static void *carve(struct json_doc *doc, size_t size)
{
	struct chunk **link = &doc->first, *c = doc->current;
	size_t wanted = CHUNK_FIRST;
	void *ret;

	size = (size + 7) & ~(size_t)7; /* pointers and doubles are all that cJSON keeps */
	while (c && c->size - c->used < size) {
		link = &c->next;
		wanted = c->size < CHUNK_MOST ? c->size * 2 : CHUNK_MOST;
		c = c->next;
		if (c)
			c->used = 0;
	}
	if (!c) {
		if (wanted < size)
			wanted = size;
		c = xmalloc(sizeof *c + wanted);
		*c = (struct chunk){.size = wanted};
		*link = c;
	}
	doc->current = c;
	ret = c->bytes + c->used;
	c->used += size;
	return ret;
}

static void *hook_malloc(size_t size)
{
	return parsing ? carve(parsing, size) : xmalloc(size);
}

static void hook_free(void *p)
{
	if (!parsing) /* else it lies in the arena, which goes as a whole */
		free(p);
}

static void set_hooks(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = hook_malloc, .free_fn = hook_free});
}

struct json_doc *json_doc_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_doc *doc = xcalloc(1, sizeof *doc);

	pthread_once(&once, set_hooks);
	doc->scanner.want_elements = true;
	buf_init(&doc->pruned, SIZE_MAX / 2); /* bounded by the text */
	return doc;
}

void json_doc_trim(struct json_doc *doc)
{
	for (struct chunk *c = doc->first, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	doc->first = doc->current = NULL;
	json_scanner_release(&doc->scanner);
	buf_release(&doc->pruned);
}

void json_doc_free(struct json_doc *doc)
{
	if (!doc)
		return;
	json_doc_trim(doc);
	free(doc);
}

/* The text to build the tree from. */
static const char *prune(struct json_doc *doc, const char *text, size_t *len)
{
	const struct json_spans *out = &doc->scanner.left_out;
	size_t at = 0;

	if (!out->n)
		return text;
	buf_clear(&doc->pruned);
	for (size_t i = 0; i < out->n; i++) {
		buf_add(&doc->pruned, text + at, out->v[i].at - at);
		buf_adds(&doc->pruned, "null");
		at = out->v[i].at + out->v[i].len;
	}
	buf_add(&doc->pruned, text + at, *len - at);
	*len = doc->pruned.len;
	return doc->pruned.data;
}

const struct json *json_parse(struct json_doc *doc, const char *text, size_t len,
			      unsigned max_depth, struct err *err)
{
	return json_parse_without(doc, text, len, max_depth, NULL, err);
}

const struct json *json_parse_without(struct json_doc *doc, const char *text, size_t len,
				      unsigned max_depth, const char *member, struct err *err)
{
	cJSON *root;

	doc->scanner.without = member;
	if (json_scan(&doc->scanner, text, len, max_depth, err) < 0)
		return NULL;
	text = prune(doc, text, &len);
	doc->current = doc->first;
	if (doc->first)
		doc->first->used = 0;
	parsing = doc;
	root = cJSON_ParseWithLengthOpts(text, len, NULL, false);
	parsing = NULL;
	assert(root); /* what the scan accepts, cJSON parses */
	return (const struct json *)root;
}

int json_check(const char *text, size_t len, unsigned max_depth, struct err *err)
{
	struct json_scanner sc = {0};

	return json_scan(&sc, text, len, max_depth, err);
}

static const cJSON *node(const struct json *v)
{
	return (const cJSON *)v;
}

enum json_type json_type(const struct json *v)
{
	switch (node(v)->type & 0xff) {
	case cJSON_False:
	case cJSON_True: return JSON_BOOL;
	case cJSON_Number: return JSON_NUMBER;
	case cJSON_String: return JSON_STRING;
	case cJSON_Array: return JSON_ARRAY;
	case cJSON_Object: return JSON_OBJECT;
	default: return JSON_NULL;
	}
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (!object || json_type(object) != JSON_OBJECT)
		return NULL;
	for (const cJSON *c = node(object)->child; c; c = c->next)
		if (strcmp(c->string, key) == 0)
			return (const struct json *)c;
	return NULL;
}

const struct json *json_first(const struct json *v)
{
	return v ? (const struct json *)node(v)->child : NULL;
}

const struct json *json_next(const struct json *v)
{
	return (const struct json *)node(v)->next;
}

const char *json_key(const struct json *v)
{
	return node(v)->string;
}

size_t json_count(const struct json *v)
{
	size_t n = 0;

	for (v = json_first(v); v; v = json_next(v))
		n++;
	return n;
}

const char *json_string(const struct json *v)
{
	return v && json_type(v) == JSON_STRING ? node(v)->valuestring : NULL;
}

bool json_bool(const struct json *v, bool otherwise)
{
	if (!v || json_type(v) != JSON_BOOL)
		return otherwise;
	return (node(v)->type & 0xff) == cJSON_True;
}

bool json_int(const struct json *v, int64_t *ret)
{
	double value;

	if (!v || json_type(v) != JSON_NUMBER)
		return false;
	value = node(v)->valuedouble;
	if (!(value > -EXACT && value < EXACT) || value != (double)(int64_t)value)
		return false;
	*ret = (int64_t)value;
	return true;
}

double json_number(const struct json *v, double otherwise)
{
	if (!v || json_type(v) != JSON_NUMBER)
		return otherwise;
	return node(v)->valuedouble;
}

size_t json_elements(const struct json_doc *doc, const struct json_span **ret)
{
	*ret = doc->scanner.elements.v;
	return doc->scanner.elements.n;
}
