/*
 * A rule is known to the journal by a number for its (name, version). New pairs get the next
 * number and travel with every batch until one that carried them is committed. Invariants: `known`
 * is ascending by number, and `places` has each of it. Nothing here takes longer the more rules
 * there are, or were.
 */
#include "relay/router.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/base/table.h"

#define NOWHERE 0 /* destinations are numbered from 1 */

struct known_rule {
	struct rule_record record;
	bool committed;
	size_t announced; /* its place in the batch that announced it last */
};

struct known_place {
	struct table_head head; /* of name and version */
	size_t place;		/* in `known` */
};

struct router {
	struct known_rule *known;
	size_t nknown, known_cap;
	struct table places;
	const struct rules *rules;
	uint32_t *number; /* of each rule in force: its place in known, plus one */
	struct router_destination *destinations;
	size_t ndestinations;
	struct rule_hit *hits;
	struct rules_scratch *scratch;
};

static struct hash128 identity(const char *name, uint64_t version)
{
	struct hash128 ret = hash128(name, strlen(name));
	ret.low ^= version;
	return ret;
}

static size_t remember(struct router *r, const struct rule_record *record, bool committed)
{
	struct hash128 key = identity(record->name, record->version);
	r->known = mem_grow(r->known, r->nknown, &r->known_cap, sizeof *r->known);
	r->known[r->nknown] = (struct known_rule){.record = *record, .committed = committed};
	r->known[r->nknown].record.name = xstrdup(record->name);
	if (!table_get(&r->places, key, 0)) {
		struct known_place *at = table_add(&r->places, key, 0);
		at->place = r->nknown;
	}
	return r->nknown++;
}

struct router *router_new(const struct rule_record *known, size_t n)
{
	struct router *r = xcalloc(1, sizeof *r);
	table_init(&r->places, sizeof(struct known_place), TABLE_NONE);
	for (size_t i = 0; i < n; i++)
		remember(r, &known[i], true);
	return r;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nknown; i++)
		free(r->known[i].record.name);
	free(r->known);
	table_release(&r->places);
	free(r->number);
	free(r->destinations);
	free(r->hits);
	rules_scratch_free(r->scratch);
	free(r);
}

static uint32_t highest_number(const struct router *r)
{
	return r->nknown ? r->known[r->nknown - 1].record.number : 0;
}

static size_t find_known(struct router *r, const char *name, uint64_t version)
{
	const struct known_place *at = table_get(&r->places, identity(name, version), 0);
	if (at)
		return at->place;
	return remember(r, &(struct rule_record){highest_number(r) + 1, (char *)name, version},
			false);
}

void router_use(struct router *r, const struct rules *rules,
		const struct router_destination *destinations, size_t n)
{
	rules_scratch_free(r->scratch);
	r->rules = rules;
	r->scratch = rules_scratch_new(rules);
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

/* Twice where two batches grow by turns; that does no harm. */
static void announce(struct batch *b, struct known_rule *k)
{
	if (k->committed ||
	    (k->announced < b->nrules && b->rules[k->announced].number == k->record.number))
		return;
	k->announced = b->nrules;
	struct rule_record *record = batch_rule(b);
	*record = k->record;
	record->name = xstrdup(k->record.name);
}

static void add_routes(struct router *r, struct batch *b, size_t event, size_t hits, uint32_t but)
{
	for (size_t i = 0; i < hits; i++) {
		const struct router_destination *d = &r->destinations[r->hits[i].destination];
		if (d->number == but)
			continue;
		struct known_rule *k = rule_in_force(r, r->hits[i].rule);
		announce(b, k);
		struct route *route = batch_route(b);
		route->event = event;
		route->destination = d->number;
		route->rule = k->record.number;
		route->topical = d->topical;
		route->topic = xstrdup(r->hits[i].topic);
	}
}

void router_route(struct router *r, struct batch *b, size_t first)
{
	router_route_but(r, b, first, NOWHERE);
}

void router_route_but(struct router *r, struct batch *b, size_t first, uint32_t but)
{
	for (size_t e = first; e < b->events.n; e++) {
		size_t n = rules_route(r->scratch, &b->events.v[e], r->hits);
		add_routes(r, b, e, n, but);
	}
}

void router_route_alert(struct router *r, struct batch *b, size_t event, size_t rule)
{
	size_t n = rules_route_alert(r->scratch, &b->events.v[event], rule, r->hits);
	add_routes(r, b, event, n, NOWHERE);
}

/* An alert goes where its rule says, then as any event. */
static size_t route_again(struct router *r, const struct event *ev)
{
	bool alert = strncmp(ev->type, "alert.", 6) == 0;
	char *name = alert ? event_subject(ev->body, ev->len) : NULL;
	size_t rule = name ? rules_find(r->rules, name) : SIZE_MAX;
	free(name);
	return rule != SIZE_MAX && rules_is_alert(r->rules, rule)
		       ? rules_route_alert(r->scratch, ev, rule, r->hits)
		       : rules_route(r->scratch, ev, r->hits);
}

bool router_add_late(struct router *r, struct batch *b, const struct event *ev,
		     uint32_t destination)
{
	size_t n = route_again(r, ev);
	for (size_t i = 0; i < n; i++) {
		if (r->destinations[r->hits[i].destination].number != destination)
			continue;
		struct known_rule *k = rule_in_force(r, r->hits[i].rule);
		announce(b, k);
		*batch_late(b) = (struct late_route){ev->sequence, destination, k->record.number};
		return true;
	}
	return false;
}

static int by_number(const void *key, const void *at)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct known_rule *)at)->record.number;
	return (x > y) - (x < y);
}

/* NULL: there is none of that number. */
static struct known_rule *known_of(const struct router *r, uint32_t number)
{
	return r->nknown ? bsearch(&number, r->known, r->nknown, sizeof *r->known, by_number)
			 : NULL;
}

const struct template *router_body(const struct router *r, uint32_t rule)
{
	if (!rules_have_bodies(r->rules))
		return NULL;
	const struct known_rule *k = known_of(r, rule);
	return k ? rules_body(r->rules, k->record.name) : NULL;
}

void router_committed(struct router *r, const struct batch *b)
{
	for (size_t i = 0; i < b->nrules; i++) {
		struct known_rule *k = known_of(r, b->rules[i].number);
		if (k)
			k->committed = true;
	}
}
