/* Page memory. A memo is used only as a whole: hash, digest and numbers are of one reading. */
#include "relay/source/pages.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct page_kept {
	struct hash128 hash;
	uint64_t digest; /* of what is held of the rows */
	uint32_t *runs;	 /* first and length of each; nruns 0: n plain numbers; NULL: not known */
	uint32_t nruns, n, rows;
	uint16_t skipped, told;
};

static uint64_t digest(struct held *held, const uint32_t *numbers, uint32_t n)
{
	uint64_t sum = n;

	for (uint32_t i = 0; i < n; i++) {
		const struct held_row *row = held_at(held, numbers[i]);
		uint64_t words[] = {
			sum,
			row->key.low,
			row->states | (uint64_t)row->status << 41 | (uint64_t)row->gone << 48,
			row->identity,
			row->error,
			row->contact};
		sum = hash64(words, sizeof words);
	}
	return sum;
}

static uint32_t run_length(const uint32_t *numbers, uint32_t n, uint32_t at)
{
	uint32_t k = 1;

	while (at + k < n && numbers[at + k] == numbers[at] + k)
		k++;
	return k;
}

static uint32_t count_runs(const uint32_t *numbers, uint32_t n)
{
	uint32_t runs = 0;

	for (uint32_t i = 0; i < n; i += run_length(numbers, n, i))
		runs++;
	return runs;
}

static size_t words_of(const struct page_kept *k)
{
	return k->nruns ? k->nruns * (size_t)2 : k->n;
}

/* Runs, where those take less. */
static void pack(struct page_kept *k, const uint32_t *numbers)
{
	uint32_t runs = count_runs(numbers, k->n);
	uint32_t *at;

	k->nruns = runs < k->n / 2 ? runs : 0;
	k->runs = at = xrealloc(k->runs, words_of(k), sizeof *k->runs);
	if (!k->nruns)
		memcpy(at, numbers, k->n * sizeof *numbers);
	for (uint32_t i = 0, len; k->nruns && i < k->n; i += len) {
		len = run_length(numbers, k->n, i);
		*at++ = numbers[i];
		*at++ = len;
	}
}

static void unpack(struct pages *p, const struct page_kept *k)
{
	if (p->room < k->n) {
		p->room = k->n;
		p->numbers = xrealloc(p->numbers, p->room, sizeof *p->numbers);
	}
	if (!k->nruns && k->n)
		memcpy(p->numbers, k->runs, k->n * sizeof *p->numbers);
	uint32_t *at = p->numbers;
	for (uint32_t run = 0; run < k->nruns; run++)
		for (uint32_t i = 0; i < k->runs[2 * run + 1]; i++)
			*at++ = k->runs[2 * run] + i;
}

bool pages_same(struct pages *p, struct held *held, unsigned page, struct hash128 hash,
		struct page_memo *ret)
{
	if (page > p->n)
		return false;
	const struct page_kept *k = &p->v[page - 1];
	if (!k->runs || !hash128_equal(k->hash, hash))
		return false;
	unpack(p, k);
	if (digest(held, p->numbers, k->n) != k->digest)
		return false;
	*ret = (struct page_memo){k->hash, p->numbers, k->n, k->rows, k->skipped, k->told};
	return true;
}

static void make_room(struct pages *p, unsigned page)
{
	size_t n = p->n ? p->n : 1;

	while (n < page)
		n += n / 2 + 1;
	if (n == p->n)
		return;
	p->v = xrealloc(p->v, n, sizeof *p->v);
	memset(p->v + p->n, 0, (n - p->n) * sizeof *p->v);
	p->bytes += (n - p->n) * sizeof *p->v;
	p->n = n;
}

void pages_keep(struct pages *p, struct held *held, unsigned page, const struct page_memo *memo)
{
	make_room(p, page);
	struct page_kept *k = &p->v[page - 1];
	if (k->runs)
		p->bytes -= words_of(k) * sizeof *k->runs;
	else
		p->known++;
	*k = (struct page_kept){
		.hash = memo->hash,
		.digest = digest(held, memo->numbers, memo->n),
		.runs = k->runs,
		.n = memo->n,
		.rows = memo->rows,
		.skipped = memo->skipped,
		.told = memo->told,
	};
	pack(k, memo->numbers);
	p->bytes += words_of(k) * sizeof *k->runs;
}

uint16_t pages_told(const struct pages *p, unsigned page)
{
	return page <= p->n ? p->v[page - 1].told : 0;
}

void pages_release(struct pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].runs);
	free(p->v);
	free(p->numbers);
	*p = (struct pages){0};
}
