/* A kind, a template and, behind a NUL, the data: no crash, no leak, no hang; refusals say where;
 * what a JSON template says is JSON, a line has no control character, a topic and a URL no blank.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "relay/base/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_path(void *arg, const char *path)
{
	assert(path);
	*(size_t *)arg += strlen(path);
}

static void check(enum template_kind kind, const struct buf *out)
{
	struct err err = {0};

	assert(utf8_valid(out->data, out->len));
	if (kind == TEMPLATE_JSON)
		assert(json_check(out->data, out->len, 512, &err) == 0);
	for (size_t i = 0; i < out->len && kind >= TEMPLATE_LINE; i++)
		assert((unsigned char)out->data[i] >= ' ' + (kind > TEMPLATE_LINE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1, *end = (const char *)data + size, *nul;
	struct buf out = BUF_INIT(TEMPLATE_OUTPUT_MAX);
	struct err err = {0};
	size_t length = 0;

	if (size < 1)
		return 0;
	enum template_kind kind = (enum template_kind)(data[0] % (TEMPLATE_TOPIC + 1));
	nul = memchr(text, '\0', (size_t)(end - text));
	struct template *t = template_compile(kind, text, (size_t)((nul ? nul : end) - text), &err);
	if (!t) {
		assert(strncmp(err.msg, "line ", 5) == 0 || err.code == ERR_LIMIT);
		return 0;
	}
	template_paths(t, ignore_path, &length);
	struct json_doc *doc = json_doc_new();
	const struct json *root = NULL;
	if (nul)
		root = json_parse(doc, nul + 1, (size_t)(end - nul - 1), JSON_DEPTH, &err);
	if (!root)
		root = json_parse(doc, "{}", 2, JSON_DEPTH, &err);
	if (template_render(t, root, &out, &err) == 0)
		check(kind, &out);
	else
		assert(out.len == 0);
	json_doc_free(doc);
	template_free(t);
	buf_release(&out);
	return 0;
}
