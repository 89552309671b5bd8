/* Tokens by list. One is dropped with the last page of its list, so there are about as many as
 * lists that are being read; a linear search over them is nothing beside a request. */
#include "relay/source/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

#define TOKENS_MAX 1000 /* of lists that were left in the middle; the others use page numbers */
#define TEXT_MAX   2048 /* a longer one does not fit every proxy's URL */

static uint64_t text_of(const char *text)
{
	return text ? hash64(text, strlen(text)) : 0;
}

uint64_t tokens_list(const struct request *r)
{
	uint64_t parts[] = {r->kind, text_of(r->org), text_of(r->broadcast), r->take, 0};

	for (const char *const *f = r->filter; f && *f; f++) {
		uint64_t more[] = {parts[4], text_of(*f)};
		parts[4] = hash64(more, sizeof more);
	}
	return hash64(parts, sizeof parts);
}

static struct token *find(const struct tokens *t, uint64_t list)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].list == list)
			return &t->v[i];
	return NULL;
}

const char *tokens_find(const struct tokens *t, uint64_t list, unsigned page)
{
	const struct token *k = find(t, list);

	return k && k->page == page ? k->text : NULL;
}

static void drop(struct tokens *t, struct token *k)
{
	free(k->text);
	*k = t->v[--t->n];
}

void tokens_keep(struct tokens *t, uint64_t list, unsigned page, const char *text)
{
	struct token *k = find(t, list);

	if (k)
		drop(t, k);
	if (!text || !*text || strlen(text) > TEXT_MAX || t->n == TOKENS_MAX)
		return;
	t->v = mem_grow(t->v, t->n, &t->cap, sizeof *t->v);
	t->v[t->n++] = (struct token){list, page, xstrdup(text)};
}

void tokens_release(struct tokens *t)
{
	while (t->n > 0)
		drop(t, t->v);
	free(t->v);
	*t = (struct tokens){0};
}
