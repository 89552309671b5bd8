/* nats_courier_items — lists of parcels in hand. Invariant: in the order of hand-over, so that
 * deadlines rise. */
#include <stdlib.h>

#include "transports/nats_courier_parts.h"

/* Its place is the last one, or near it, as a rule. */
void items_insert(struct nats_items *list, struct nats_item *i)
{
	struct nats_item *before = list->last;

	while (before && before->turn > i->turn)
		before = before->prev;
	i->prev = before;
	i->next = before ? before->next : list->first;
	*(i->prev ? &i->prev->next : &list->first) = i;
	*(i->next ? &i->next->prev : &list->last) = i;
}

void items_remove(struct nats_items *list, struct nats_item *i)
{
	*(i->prev ? &i->prev->next : &list->first) = i->next;
	*(i->next ? &i->next->prev : &list->last) = i->prev;
}

/* Streams answer in order, so it is the first as a rule. */
struct nats_item *items_find(const struct nats_items *list, uint64_t number)
{
	struct nats_item *i = list->first;

	while (i && i->number != number)
		i = i->next;
	return i;
}

void items_free(struct nats_items *list)
{
	struct nats_item *next;

	for (struct nats_item *i = list->first; i; i = next) {
		next = i->next;
		free(i);
	}
	*list = (struct nats_items){0};
}
