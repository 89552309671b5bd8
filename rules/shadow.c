/* shadow — goes through the list once and keeps, per destination and for `stop`, what the rules so
 * far take. Invariant: an alternative is "taken" only where one earlier alternative is implied by
 * it, and a rule only where all of its alternatives are. */
#include "rules/shadow.h"

#include <stdlib.h>

#include "relay/base/mem.h"
#include "rules/shadow_never.h"
#include "rules/shadow_parts.h"

/* Alternatives looked at: a second's work, and what lies behind is not told. */
#define LOOKS_MAX 50000000

struct shadows {
	const struct shadow_rule *rules;
	struct parts stopped; /* of the rules with `stop` */
	struct parts *taken;  /* per destination */
	uint64_t fuel;
	shadow_fn *fn;
	void *arg;
};

/* Are all events of the rule taken? Then *ret says by whom. */
static bool is_taken(struct shadows *s, const struct pattern *p, const struct parts *of,
		     struct shadow *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct part *by;

		if (shadow_never(&p->v[i], NULL))
			continue;
		by = parts_find(of, &p->v[i], &s->fuel);
		if (!by)
			return false;
		if (i && by->rule != ret->by)
			ret->by_more = true;
		else
			ret->by = by->rule;
	}
	return true;
}

static void add(struct parts *to, const struct pattern *p, size_t rule)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!shadow_never(&p->v[i], NULL))
			parts_add(to, &p->v[i], rule);
	}
}

/* Tells why, when no alternative can hold. */
static bool never_matches(struct shadows *s, size_t rule)
{
	const struct pattern *p = s->rules[rule].pattern;
	struct buf why = BUF_INIT(SHADOW_WHY_MAX);
	size_t i = 0;

	while (i < p->n && shadow_never(&p->v[i], i ? NULL : &why))
		i++;
	if (i == p->n)
		s->fn(s->arg, &(struct shadow){
				      .kind = SHADOW_NEVER_MATCHES, .rule = rule, .why = why.data});
	buf_release(&why);
	return i == p->n;
}

static void look_at(struct shadows *s, size_t rule)
{
	const struct shadow_rule *r = &s->rules[rule];
	struct shadow found = {.kind = SHADOW_NEVER_TRIED, .rule = rule};

	if (never_matches(s, rule) || r->alert)
		return;
	if (is_taken(s, r->pattern, &s->stopped, &found)) {
		s->fn(s->arg, &found);
		return;
	}
	for (size_t i = 0; i < r->nto; i++) {
		found = (struct shadow){
			.kind = SHADOW_TAKEN, .rule = rule, .destination = r->to[i]};
		if (is_taken(s, r->pattern, &s->taken[r->to[i]], &found))
			s->fn(s->arg, &found);
		else
			add(&s->taken[r->to[i]], r->pattern, rule);
	}
	if (r->stop)
		add(&s->stopped, r->pattern, rule);
}

void shadow_find(const struct shadow_rule *rules, size_t n, size_t ndestinations, shadow_fn *fn,
		 void *arg)
{
	struct shadows s = {.rules = rules, .fuel = LOOKS_MAX, .fn = fn, .arg = arg};

	s.taken = xcalloc(ndestinations + 1, sizeof *s.taken);
	for (size_t i = 0; i < n; i++) {
		if (rules[i].enabled)
			look_at(&s, i);
	}
	for (size_t i = 0; i < ndestinations; i++)
		parts_release(&s.taken[i]);
	free(s.taken);
	parts_release(&s.stopped);
}
