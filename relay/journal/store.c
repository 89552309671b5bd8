/* store — what all back ends share: which there are, and the release of what they hand out. */
#include "relay/journal/store.h"

#include <stdlib.h>

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
