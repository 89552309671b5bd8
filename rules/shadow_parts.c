/* shadow_parts — a table from (path, value) to parts. Invariant: a part stands at all values of one
 * of its conditions, which has nothing but values; whatever implies it names one of them there, for
 * no other test implies a value. */
#include "rules/shadow_parts.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "rules/pattern_implies.h"

#define FIRST_PLACES 64

static uint64_t path_hash(const struct condition *c)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < c->nkeys; i++)
		hash = hash * 31 + hash64(c->keys[i], strlen(c->keys[i]));
	return hash;
}

static uint64_t path_bits(const struct conjunction *c)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < c->n; i++)
		bits |= UINT64_C(1) << (path_hash(&c->v[i]) >> 58);
	return bits;
}

/* Never 0. */
static uint64_t key_of(const struct condition *c, const struct test *t)
{
	double number = t->number + 0.0; /* of -0 too */
	uint64_t both[2] = {path_hash(c), t->kind == TEST_STRING ? hash64(t->text, t->len)
								 : hash64(&number, sizeof number)};
	uint64_t key = hash64(both, sizeof both);

	return key ? key : 1;
}

static struct place *find_place(const struct parts *p, uint64_t key)
{
	size_t i = key & (p->places_cap - 1);

	while (p->places[i].key && p->places[i].key != key)
		i = (i + 1) & (p->places_cap - 1);
	return &p->places[i];
}

static void grow(struct parts *p)
{
	struct place *old = p->places;
	size_t n = p->places_cap;

	p->places_cap = n ? 2 * n : FIRST_PLACES;
	p->places = xcalloc(p->places_cap, sizeof *p->places);
	for (size_t i = 0; i < n; i++) {
		if (old[i].key)
			*find_place(p, old[i].key) = old[i];
	}
	free(old);
}

static void put(struct parts *p, uint64_t key, size_t part)
{
	struct place *at;

	if (2 * (p->nplaces + 1) > p->places_cap)
		grow(p);
	at = find_place(p, key);
	p->nplaces += !at->key;
	at->key = key;
	at->v = mem_grow(at->v, at->n, &at->cap, sizeof *at->v);
	at->v[at->n++] = part;
}

static bool is_value(const struct test *t)
{
	return t->kind == TEST_STRING || t->kind == TEST_NUMBER;
}

/* How many parts stand at its values already; SIZE_MAX: it has not only values. */
static size_t crowd(const struct parts *p, const struct condition *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (!is_value(&c->v[i]))
			return SIZE_MAX;
		if (p->places_cap)
			n += 1 + find_place(p, key_of(c, &c->v[i]))->n;
	}
	return n;
}

static const struct condition *least_crowded(const struct parts *p, const struct conjunction *c)
{
	const struct condition *best = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < c->n; i++) {
		size_t n = crowd(p, &c->v[i]);

		if (n < least) {
			least = n;
			best = &c->v[i];
		}
	}
	return best;
}

void parts_add(struct parts *p, const struct conjunction *c, size_t rule)
{
	const struct condition *by = least_crowded(p, c);

	p->v = mem_grow(p->v, p->n, &p->cap, sizeof *p->v);
	p->v[p->n] = (struct part){c, path_bits(c), rule};
	for (size_t i = 0; by && i < by->n; i++)
		put(p, key_of(by, &by->v[i]), p->n);
	if (!by) {
		p->loose = mem_grow(p->loose, p->nloose, &p->loose_cap, sizeof *p->loose);
		p->loose[p->nloose++] = p->n;
	}
	p->n++;
}

static const struct part *look_through(const struct parts *p, const size_t *v, size_t n,
				       const struct conjunction *narrow, uint64_t *fuel)
{
	uint64_t bits = path_bits(narrow);

	for (size_t i = 0; i < n && *fuel; i++) {
		const struct part *part = &p->v[v[i]];

		--*fuel;
		if (!(part->paths & ~bits) && conjunction_implies(narrow, part->c))
			return part;
	}
	return NULL;
}

const struct part *parts_find(const struct parts *p, const struct conjunction *narrow,
			      uint64_t *fuel)
{
	const struct part *found = look_through(p, p->loose, p->nloose, narrow, fuel);

	for (size_t i = 0; i < narrow->n && !found && p->places_cap; i++) {
		const struct condition *c = &narrow->v[i];

		if (!is_value(&c->v[0]))
			continue;
		const struct place *at = find_place(p, key_of(c, &c->v[0]));
		found = look_through(p, at->v, at->n, narrow, fuel);
	}
	return found;
}

void parts_release(struct parts *p)
{
	for (size_t i = 0; i < p->places_cap; i++)
		free(p->places[i].v);
	free(p->places);
	free(p->loose);
	free(p->v);
	*p = (struct parts){0};
}
