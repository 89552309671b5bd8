/* A pattern in YAML, a NUL, an event in JSON: whatever they are, no crash, no leak, no hang; each
 * refusal says something, explaining says what matching says, and compiling again means the same.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_finding(void *arg, const struct pattern_finding *f)
{
	(void)arg;
	assert(f->path && f->wanted && f->seen);
	assert(utf8_valid(f->wanted, strlen(f->wanted)) && utf8_valid(f->seen, strlen(f->seen)));
}

static void take_path(void *arg, const char *path)
{
	*(size_t *)arg += strlen(path) > 0;
}

/* "when:" and the text, each line of it further in. */
static char *inside(const uint8_t *text, size_t len, size_t *ret_len)
{
	char *out = xmalloc(7 + len * 2), *to = out;

	memcpy(to, "when:\n ", 7);
	to += 7;
	for (size_t i = 0; i < len; i++) {
		*to++ = (char)text[i];
		if (text[i] == '\n')
			*to++ = ' ';
	}
	*ret_len = (size_t)(to - out);
	return out;
}

static void meet(const struct pattern *pt, const struct node *when, const char *text, size_t len)
{
	struct problems p = {0};
	struct err err = {0};
	struct json_doc *doc = json_doc_new();
	size_t paths = 0;
	const struct json *event = json_parse(doc, text, len, JSON_DEPTH, &err);
	struct pattern *again = pattern_compile(when, &p);

	assert(again && pattern_hash(again) == pattern_hash(pt));
	pattern_paths(pt, take_path, &paths);
	if (event) {
		bool answer = pattern_match(pt, event);
		assert(pattern_match(again, event) == answer);
		assert(pattern_explain(pt, event, take_finding, NULL) == answer);
	}
	pattern_free(again);
	problems_release(&p);
	json_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems p = {0};
	const uint8_t *nul = memchr(data, 0, size);
	size_t len = nul ? (size_t)(nul - data) : size, yaml_len;

	if (memmem(data, size, "include", 7)) /* no files here */
		return 0;
	char *text = inside(data, len, &yaml_len);
	struct yaml *y = yaml_parse("fuzz.yaml", text, yaml_len, &p);
	const struct node *when = y ? node_get(yaml_root(y), "when") : NULL;
	struct pattern *pt = y ? pattern_compile(when, &p) : NULL;
	assert(pt || p.n);
	if (pt)
		meet(pt, when, nul ? (const char *)nul + 1 : "{}", nul ? size - len - 1 : 2);
	for (size_t i = 0; i < p.n; i++)
		assert(strlen(p.v[i]) > strlen("fuzz.yaml:1:1: "));
	pattern_free(pt);
	problems_release(&p);
	yaml_free(y);
	free(text);
	return 0;
}
