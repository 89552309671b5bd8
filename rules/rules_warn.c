/* rules_warn — what shadow.h finds in a list of rules, at its place in the file. */
#include <stdlib.h>

#include "relay/base/mem.h"
#include "rules/rules_parts.h"
#include "rules/shadow.h"

struct warning {
	const struct rules *rules;
	struct problems *problems;
};

/* The destination's own place in the rule's list. */
static const struct node *place_of(const struct rule *r, size_t destination)
{
	const struct node *to = node_get(r->at, "to");
	size_t i = 0;
	while (i < r->options.to.n && r->to[i] != destination)
		i++;
	return to->kind == NODE_LIST ? to->items[i] : to;
}

static void warn(void *arg, const struct shadow *s)
{
	const struct warning *w = arg;
	const struct rule *r = &w->rules->v[s->rule];
	const char *by = w->rules->v[s->by].options.name;
	const char *more = s->by_more ? " and others" : "";
	if (s->kind == SHADOW_NEVER_MATCHES)
		problem_warn(w->problems, r->at, "can never match: %s", s->why);
	else if (s->kind == SHADOW_NEVER_TRIED)
		problem_warn(w->problems, r->at,
			     "is never tried: rule %zu \"%s\"%s stop%s at each of its events",
			     s->by + 1, by, more, s->by_more ? "" : "s");
	else
		problem_warn(w->problems, place_of(r, s->destination),
			     "has no effect: rule %zu \"%s\"%s send%s each of these events there",
			     s->by + 1, by, more, s->by_more ? "" : "s");
}

void rules_warn(const struct rules *rs, struct problems *p)
{
	struct shadow_rule *v = xcalloc(rs->n + 1, sizeof *v);
	struct warning w = {rs, p};
	for (size_t i = 0; i < rs->n; i++) {
		const struct rule *r = &rs->v[i];
		v[i] = (struct shadow_rule){
			.pattern = r->pattern,
			.to = r->to,
			.nto = r->options.to.n,
			.enabled = r->options.enabled,
			.stop = r->options.stop,
			.alert = r->alert != NULL,
		};
	}
	shadow_find(v, rs->n, rs->ndestinations, warn, &w);
	free(v);
}
