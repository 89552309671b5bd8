/* The types that a pattern names. Invariant: an event of a type that is not in the list matches
 * none of the patterns. */
#include "rules/pattern_types.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/pattern_form.h"

struct types {
	const char **v;
	size_t n, cap;
};

static void add(struct types *t, const char *type)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i], type) == 0)
			return;
	t->v = mem_grow(t->v, t->n, &t->cap, sizeof *t->v);
	t->v[t->n++] = type;
}

static const struct condition *of_type(const struct conjunction *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].nkeys == 1 && strcmp(c->v[i].keys[0], "type") == 0)
			return &c->v[i];
	return NULL;
}

static bool add_all(struct types *t, const struct pattern *pt)
{
	for (size_t i = 0; pt && i < pt->n; i++) {
		const struct condition *c = of_type(&pt->v[i]);
		if (!c)
			return false;
		for (size_t k = 0; k < c->n; k++) {
			if (c->v[k].kind != TEST_STRING)
				return false;
			add(t, c->v[k].text);
		}
	}
	return true;
}

const char **pattern_types(const struct pattern *a, const struct pattern *b)
{
	struct types t = {0};

	if (!add_all(&t, a) || !add_all(&t, b)) {
		free(t.v);
		return NULL;
	}
	t.v = mem_grow(t.v, t.n, &t.cap, sizeof *t.v);
	t.v[t.n] = NULL;
	return t.v;
}
