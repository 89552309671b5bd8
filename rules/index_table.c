/* index_table — lays the keys out. Invariant: at least a third of the rows is free, so that every
 * search ends. */
#include "rules/index_table.h"

#include <stdlib.h>

#include "relay/base/mem.h"

#define FILTER_KEYS 8 /* a word: one probe in 20 that should end there does not */

static unsigned bits_for(size_t n)
{
	unsigned bits = 0;

	while ((size_t)1 << bits < n)
		bits++;
	return bits;
}

static void put(struct key_table *t, const struct probe *p, const struct row *row)
{
	size_t mask = ((size_t)1 << t->bits) - 1, i = row_of(t, p);

	while (t->rows[i & mask].shape)
		i++;
	t->rows[i & mask] = *row;
	if (p->len > ROW_ENDS + ROW_MIDDLE)
		t->texts[i & mask] = p->text;
	else if (p->len > ROW_ENDS)
		memcpy(t->rows[i & mask].middle, p->text + ROW_ENDS / 2, p->len - ROW_ENDS);
	t->filter[filter_word(t, p)] |= filter_mask(p);
}

void key_table_build(struct key_table *t, const struct keys *keys, const struct span *lists,
		     const struct posting *postings)
{
	size_t n;

	t->bits = bits_for(keys->n + keys->n / 2 + 2);
	t->filter_bits = bits_for(keys->n / FILTER_KEYS + 1);
	n = (size_t)1 << t->bits;
	t->rows = mem_lines(n, sizeof *t->rows);
	t->texts = xcalloc(n, sizeof *t->texts);
	t->filter = xcalloc((size_t)1 << t->filter_bits, sizeof *t->filter);
	for (size_t i = 0; i < keys->n; i++) {
		const struct key *k = &keys->v[i];
		struct probe p = probe_of(k->text, k->len, k->field, k->kind);
		struct row row = {.head = p.head,
				  .tail = p.tail,
				  .field = p.field,
				  .shape = p.shape | k->bit,
				  .postings = lists[k->list]};

		if (k->kind == KEY_GRAM)
			row.postings = (struct span){k->list, k->uses};
		else if (row.postings.n == 1)
			row.only = postings[row.postings.first];
		put(t, &p, &row);
	}
}

void key_table_release(struct key_table *t)
{
	free(t->rows);
	free(t->texts);
	free(t->filter);
	*t = (struct key_table){0};
}

size_t key_table_bytes(const struct key_table *t)
{
	return ((size_t)1 << t->bits) * (sizeof *t->rows + sizeof *t->texts) +
	       ((size_t)1 << t->filter_bits) * sizeof *t->filter;
}
