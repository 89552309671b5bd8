/* Whatever the bytes are, reading them for an index stays inside of them; and where they are an
 * event, the index finds what walking the tree finds. Each input stands once for the whole text and
 * once for the `data` of one. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const whens[] = {
	"{type: [a, {prefix: b}, {anything-but: c}]}",
	"{data: {a: [1, {numeric: [\">=\", -1, \"<\", 2.5]}, null, true]}}",
	"{data: {a: [{wildcard: \"*ab*c\"}, {wildcard: \"*a*\"}, {wildcard: \"*abcde*\"}]}}",
	"{data: {a: [{suffix: bc}, {regex: \"a+b\"}, {cidr: 10.0.0.0/8}, \"::1\"]}}",
	"{data: {a: [{equals-ignore-case: éA}, {prefix: {equals-ignore-case: é}}]}}",
	"{data: {a: {b: [x, {exists: false}]}, b: [{exists: true}]}}",
	"{data: {a: {b: [x], c: [{exists: false}], a: {b: [1, y]}}}}",
	"{data: {$or: [{a: [x]}, {b: {a: [x], b: [y]}}]}}",
	"{data: {\"\": [\"\"]}}",
	"{data: {a long name of a member: [{exists: true}]}}",
};
#define WHENS (sizeof whens / sizeof *whens)

static const struct pattern *patterns[WHENS];
static struct index *ix;
static struct index_scratch *scratch;
static struct json_doc *doc;

static void prepare(void)
{
	for (size_t i = 0; i < WHENS; i++) {
		struct problems p = {0};
		char *text = xasprintf("when: %s\n", whens[i]);
		struct yaml *y = yaml_parse("fuzz", text, strlen(text), &p);

		assert(y);
		patterns[i] = pattern_compile(node_get(yaml_root(y), "when"), &p);
		assert(patterns[i]);
		yaml_free(y);
		free(text);
	}
	ix = index_build(patterns, WHENS);
	scratch = index_scratch_new(ix);
	doc = json_doc_new();
}

static void try_text(const char *text, size_t len)
{
	struct err err = {0};
	const struct json *event = json_parse(doc, text, len, JSON_DEPTH, &err);
	const uint32_t *found;
	size_t n, at = 0;

	index_read(ix, scratch, text, len);
	n = index_match(ix, scratch, &found);
	if (!event || json_type(event) != JSON_OBJECT)
		return;
	for (uint32_t i = 0; i < WHENS; i++) {
		bool hit = at < n && found[at] == i;

		assert(hit == pattern_match(patterns[i], event));
		at += hit;
	}
	assert(at == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size); /* so that its end is the memory's */
	struct buf wrapped = BUF_INIT(SIZE_MAX / 2);

	if (!ix)
		prepare();
	if (size)
		memcpy(text, data, size);
	try_text(text, size);
	buf_adds(&wrapped, "{\"type\":\"bc\",\"data\":");
	buf_add(&wrapped, text, size);
	buf_addc(&wrapped, '}');
	free(text);
	text = xmalloc(wrapped.len);
	memcpy(text, wrapped.data, wrapped.len);
	try_text(text, wrapped.len);
	free(text);
	buf_release(&wrapped);
	return 0;
}
