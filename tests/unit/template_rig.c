/* template_rig — see the header. */
#include "tests/unit/template_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

char *template_said(enum template_kind kind, const char *text, const char *data)
{
	struct err err = {0};
	struct buf out = BUF_INIT(TEMPLATE_OUTPUT_MAX);
	struct json_doc *doc = json_doc_new();
	const struct json *root = json_parse(doc, data, strlen(data), JSON_DEPTH, &err);
	struct template *t;

	if (!root)
		fail_msg("%s: %s", data, err.msg);
	t = template_compile(kind, text, strlen(text), &err);
	if (!t || template_render(t, root, &out, &err) < 0) {
		assert_int_equal(out.len, 0);
		buf_adds(&out, "! ");
		buf_adds(&out, err.msg);
	}
	template_free(t);
	json_doc_free(doc);
	return buf_detach(&out);
}

void assert_json(const char *text, const char *what)
{
	struct err err = {0};

	if (json_check(text, strlen(text), 512, &err) < 0)
		fail_msg("%s: %s:\n%s", what, err.msg, text);
}
