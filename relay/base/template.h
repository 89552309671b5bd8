/*
 * template — text with places that an event fills in: `{{path}}`, `{{json path}}`,
 * `{{path | default "x" | cut 100}}`, `{{#each path}} … {{/each}}`, `{{#if path}} … {{else}} …
 * {{/if}}`,
 * `{{! a note }}`. Small and poor in logic on purpose. docs/templates.md has the language.
 *
 * Mistakes are found when a template is compiled, not when it is rendered. A JSON template is
 * proved there to give valid JSON whatever the data: the compiler follows JSON's grammar through
 * every branch. Values cannot leave the place they stand in: a body gets no second key, a header no
 * second line, a topic no second part. Immutable once compiled; any thread may render.
 */
#ifndef RELAY_TEMPLATE_H
#define RELAY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"
#include "relay/base/json.h"

#define TEMPLATE_SIZE_MAX   (64 << 10)
#define TEMPLATE_OUTPUT_MAX (256 << 10)
#define TEMPLATE_STEPS_MAX  1000000 /* of one rendering: values looked at, parts written */

enum template_kind {
	TEMPLATE_JSON,	/* a body: {{path}} only inside a JSON string, {{json path}} only outside */
	TEMPLATE_TEXT,	/* a body, a label: values as they are */
	TEMPLATE_LINE,	/* a header: a space for each control character of a value */
	TEMPLATE_URL,	/* values percent-encoded (RFC 3986 unreserved bytes stay) */
	TEMPLATE_TOPIC, /* values as event_topic encodes them: {{type}} keeps its dots, what is
			   missing is "-" */
};

struct template;

/* The error says where: "line 3, column 7: …". */
struct template *template_compile(enum template_kind kind, const char *text, size_t len,
				  struct err *err);
void template_free(struct template *t); /* NULL is allowed */

/* Each path that it looks at from the root, dotted; those inside #each with the list's before. A
 * path that is looked at twice comes twice. */
typedef void template_path_fn(void *arg, const char *path);
void template_paths(const struct template *t, template_path_fn *fn, void *arg);
/* Does it want that path filled? Not where each place has a default, nor where an #if asks first
 * whether it is there. */
bool template_requires(const struct template *t, const char *path);

/* Appends what it says of `root`. Fails only when that would be larger than `out` may become or
 * than TEMPLATE_OUTPUT_MAX, or takes too many steps; then what was appended is taken back. */
int template_render(const struct template *t, const struct json *root, struct buf *out,
		    struct err *err);

#endif
