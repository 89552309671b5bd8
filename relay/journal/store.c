/* store — what all back ends share: which there are, the release of what they hand out, and a place
 * in a broadcast as text. */
#include "relay/journal/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"

const struct store_type *const store_types[] = {&store_sqlite, NULL};

void store_head_release(struct store_head *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nbroadcasts; i++)
		broadcast_record_release(&h->broadcasts[i]);
	for (size_t i = 0; i < h->ndestinations; i++)
		destination_record_release(&h->destinations[i]);
	for (size_t i = 0; i < h->nrules; i++)
		free(h->rules[i].name);
	for (size_t i = 0; i < h->nexceptions; i++)
		exception_release(&h->exceptions[i]);
	for (size_t i = 0; i < h->nfolds; i++)
		fold_record_release(&h->folds[i]);
	free(h->broadcasts);
	free(h->destinations);
	free(h->rules);
	free(h->exceptions);
	free(h->folds);
	*h = (struct store_head){0};
}

void page_release(struct page *p)
{
	if (!p)
		return;
	broadcast_record_release(&p->broadcast);
	recipient_records_release(&p->rows);
	*p = (struct page){0};
}

struct page_place page_place_of(const struct recipient_record *r)
{
	return (struct page_place){r->number, hash64(r->id, strlen(r->id))};
}

void page_place_write(char ret[PAGE_PLACE_TEXT], struct page_place p)
{
	snprintf(ret, PAGE_PLACE_TEXT, "%" PRIu32 "-%016" PRIx64, p.number, p.id);
}

/* Whatever else strtoull takes does not read the same when it is written again. */
bool page_place_read(struct page_place *ret, const char *text)
{
	char again[PAGE_PLACE_TEXT], *end;
	struct page_place p = {.number = (uint32_t)strtoull(text, &end, 10)};

	if (*end != '-')
		return false;
	p.id = strtoull(end + 1, NULL, 16);
	page_place_write(again, p);
	if (strcmp(again, text) != 0)
		return false;
	*ret = p;
	return true;
}

void delivery_routes_release(struct delivery_routes *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		event_release(&r->v[i].event);
	free(r->v);
	*r = (struct delivery_routes){0};
}

void decisions_release(struct decisions *d)
{
	if (!d)
		return;
	free(d->v);
	*d = (struct decisions){0};
}

void picks_release(struct picks *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].why);
		free(p->v[i].subject);
	}
	free(p->v);
	*p = (struct picks){0};
}

void event_fates_release(struct event_fates *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		struct event_fate *fate = &f->v[i];

		free(fate->destination);
		free(fate->rule);
		free(fate->topic);
		exception_release(&fate->exception);
		for (size_t k = 0; k < fate->nattempts; k++)
			free(fate->attempts[k].why);
		free(fate->attempts);
	}
	free(f->v);
	*f = (struct event_fates){0};
}
