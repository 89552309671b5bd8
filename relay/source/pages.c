/* Page memory. A memo is used only as a whole: hash, digest and numbers are of one reading. */
#include "relay/source/pages.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

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

const struct page_memo *pages_same(const struct pages *p, struct held *held, unsigned page,
				   struct hash128 hash)
{
	if (page > p->n)
		return NULL;
	const struct page_memo *m = &p->v[page - 1];
	if (!m->numbers || !hash128_equal(m->hash, hash))
		return NULL;
	return digest(held, m->numbers, m->n) == m->digest ? m : NULL;
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
	struct page_memo *m = &p->v[page - 1];
	uint32_t *numbers = m->numbers;
	if (numbers)
		p->bytes -= m->n * sizeof *numbers;
	else
		p->known++;
	if (!numbers || m->n != memo->n)
		numbers = xrealloc(numbers, memo->n, sizeof *numbers);
	memcpy(numbers, memo->numbers, memo->n * sizeof *numbers);
	*m = *memo;
	m->numbers = numbers;
	m->digest = digest(held, numbers, m->n);
	p->bytes += m->n * sizeof *numbers;
}

uint16_t pages_told(const struct pages *p, unsigned page)
{
	return page <= p->n ? p->v[page - 1].told : 0;
}

void pages_release(struct pages *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].numbers);
	free(p->v);
	*p = (struct pages){0};
}
