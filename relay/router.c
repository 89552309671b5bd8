/*
 * A rule is known to the journal by a number for its (name, version). New pairs get the next
 * number and travel with every batch until one that carried them is committed.
 */
#include "relay/router.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define NOWHERE 0 /* destinations are numbered from 1 */

struct known_rule {
	struct rule_record record;
	bool committed;
};

struct router {
	struct known_rule *known;
	size_t nknown, known_cap;
	const struct rules *rules;
	uint32_t *number; /* of each rule in force: its place in known, plus one */
	struct router_destination *destinations;
	size_t ndestinations;
	struct rule_hit *hits;
	struct rules_scratch *scratch;
};

static size_t remember(struct router *r, uint32_t number, const char *name, uint64_t version,
		       bool committed)
{
	r->known = mem_grow(r->known, r->nknown, &r->known_cap, sizeof *r->known);
	r->known[r->nknown] = (struct known_rule){{number, xstrdup(name), version}, committed};
	return r->nknown++;
}

struct router *router_new(const struct rule_record *known, size_t n)
{
	struct router *r = xcalloc(1, sizeof *r);
	r->scratch = rules_scratch_new();
	for (size_t i = 0; i < n; i++)
		remember(r, known[i].number, known[i].name, known[i].version, true);
	return r;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nknown; i++)
		free(r->known[i].record.name);
	free(r->known);
	free(r->number);
	free(r->destinations);
	free(r->hits);
	rules_scratch_free(r->scratch);
	free(r);
}

static uint32_t highest_number(const struct router *r)
{
	uint32_t most = 0;
	for (size_t i = 0; i < r->nknown; i++)
		if (r->known[i].record.number > most)
			most = r->known[i].record.number;
	return most;
}

static size_t find_known(struct router *r, const char *name, uint64_t version)
{
	for (size_t i = 0; i < r->nknown; i++)
		if (r->known[i].record.version == version && !strcmp(r->known[i].record.name, name))
			return i;
	return remember(r, highest_number(r) + 1, name, version, false);
}

void router_use(struct router *r, const struct rules *rules,
		const struct router_destination *destinations, size_t n)
{
	r->rules = rules;
	r->destinations = xrealloc(r->destinations, n + 1, sizeof *r->destinations);
	memcpy(r->destinations, destinations, n * sizeof *destinations);
	r->ndestinations = n;
	r->hits = xrealloc(r->hits, n + 1, sizeof *r->hits);
	r->number = xrealloc(r->number, rules_count(rules) + 1, sizeof *r->number);
	for (size_t i = 0; i < rules_count(rules); i++)
		r->number[i] = 0;
}

/* Looked up at the first hit, so that thousands of rules that never match cost nothing. */
static struct known_rule *rule_in_force(struct router *r, size_t rule)
{
	if (!r->number[rule])
		r->number[rule] = 1 + (uint32_t)find_known(r, rules_name(r->rules, rule),
							   rules_version(r->rules, rule));
	return &r->known[r->number[rule] - 1];
}

static void announce(struct batch *b, const struct known_rule *k)
{
	if (k->committed)
		return;
	for (size_t i = 0; i < b->nrules; i++)
		if (b->rules[i].number == k->record.number)
			return;
	struct rule_record *record = batch_rule(b);
	*record = k->record;
	record->name = xstrdup(k->record.name);
}

void router_route(struct router *r, struct batch *b, size_t first)
{
	router_route_but(r, b, first, NOWHERE);
}

void router_route_but(struct router *r, struct batch *b, size_t first, uint32_t but)
{
	for (size_t e = first; e < b->events.n; e++) {
		size_t n = rules_route(r->rules, r->scratch, &b->events.v[e], r->hits);
		for (size_t i = 0; i < n; i++) {
			const struct router_destination *d =
				&r->destinations[r->hits[i].destination];
			if (d->number == but)
				continue;
			const struct known_rule *k = rule_in_force(r, r->hits[i].rule);
			announce(b, k);
			struct route *route = batch_route(b);
			route->event = e;
			route->destination = d->number;
			route->rule = k->record.number;
			route->topical = d->topical;
		}
	}
}

void router_committed(struct router *r, const struct batch *b)
{
	for (size_t i = 0; i < b->nrules; i++)
		for (size_t k = 0; k < r->nknown; k++)
			if (r->known[k].record.number == b->rules[i].number)
				r->known[k].committed = true;
}
