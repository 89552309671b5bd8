/* From the inside out: the hash of a set is that of its members' hashes, sorted, each once. */
#include "rules/pattern_meaning.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

static int ascending(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static uint64_t hash_set(uint64_t *v, size_t n)
{
	size_t kept = 0;

	qsort(v, n, sizeof *v, ascending);
	for (size_t i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return hash64(v, kept * sizeof *v);
}

static uint64_t hash_tests(const struct test *v, size_t n);

static uint64_t hash_test(const struct test *t)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2); /* no more than the pattern's text and a bit */
	bool text =
		t->kind != TEST_CIDR && t->kind != TEST_WILDCARD; /* those have many spellings */

	buf_addf(&b, "%d,%.17g,%.17g,%.17g,%d%d,%u,%u,", t->kind, t->number, t->range.low,
		 t->range.high, t->range.low_in, t->range.high_in, t->cidr.bits, t->cidr.family);
	buf_add(&b, t->cidr.bytes, sizeof t->cidr.bytes);
	for (size_t i = 0; i < t->wildcard.n; i++) {
		buf_addf(&b, "%zu:", t->wildcard.v[i].len);
		buf_add(&b, t->wildcard.v[i].text, t->wildcard.v[i].len);
	}
	if (text && t->text)
		buf_add(&b, t->text, t->len);
	if (t->kind == TEST_BUT)
		buf_addf(&b, "%llx", (unsigned long long)hash_tests(t->v, t->n));
	uint64_t hash = hash64(b.data, b.len);
	buf_release(&b);
	return hash;
}

static uint64_t hash_tests(const struct test *v, size_t n)
{
	uint64_t *hashes = xcalloc(n, sizeof *hashes);

	for (size_t i = 0; i < n; i++)
		hashes[i] = hash_test(&v[i]);
	uint64_t hash = hash_set(hashes, n);
	free(hashes);
	return hash;
}

uint64_t condition_meaning(const struct condition *c)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	for (size_t i = 0; i < c->nkeys; i++)
		buf_add(&b, c->keys[i], strlen(c->keys[i]) + 1);
	buf_addf(&b, "%llx", (unsigned long long)hash_tests(c->v, c->n));
	uint64_t hash = hash64(b.data, b.len);
	buf_release(&b);
	return hash;
}

uint64_t pattern_meaning(const struct pattern *pt)
{
	uint64_t *alternatives = xcalloc(pt->n, sizeof *alternatives);

	for (size_t i = 0; i < pt->n; i++) {
		const struct conjunction *c = &pt->v[i];
		uint64_t *conditions = xcalloc(c->n + 1, sizeof *conditions);
		for (size_t k = 0; k < c->n; k++)
			conditions[k] = c->v[k].hash;
		alternatives[i] = hash_set(conditions, c->n);
		free(conditions);
	}
	uint64_t hash = hash_set(alternatives, pt->n);
	free(alternatives);
	return hash;
}
