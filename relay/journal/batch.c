/* batch — lists that grow, gathered for one commit. Invariant: an element handed out is zeroed and
 * counted, so a half-filled batch can always be freed. */
#include "relay/journal/batch.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

/* The element behind the n there are, now counted. */
static void *append(void *v, size_t *n, size_t size)
{
	void *place = (char *)v + *n * size;

	memset(place, 0, size);
	++*n;
	return place;
}

struct batch *batch_new(void)
{
	return xcalloc(1, sizeof(struct batch));
}

struct recipient_write *batch_recipient(struct batch *b)
{
	b->recipients =
		mem_grow(b->recipients, b->nrecipients, &b->recipients_cap, sizeof *b->recipients);
	return append(b->recipients, &b->nrecipients, sizeof *b->recipients);
}

struct decided_write *batch_decided(struct batch *b)
{
	b->decided = mem_grow(b->decided, b->ndecided, &b->decided_cap, sizeof *b->decided);
	return append(b->decided, &b->ndecided, sizeof *b->decided);
}

struct broadcast_record *batch_broadcast(struct batch *b)
{
	b->broadcasts =
		mem_grow(b->broadcasts, b->nbroadcasts, &b->broadcasts_cap, sizeof *b->broadcasts);
	return append(b->broadcasts, &b->nbroadcasts, sizeof *b->broadcasts);
}

struct event *batch_event(struct batch *b)
{
	b->events.v = mem_grow(b->events.v, b->events.n, &b->events.cap, sizeof *b->events.v);
	return append(b->events.v, &b->events.n, sizeof *b->events.v);
}

struct route *batch_route(struct batch *b)
{
	b->routes = mem_grow(b->routes, b->nroutes, &b->routes_cap, sizeof *b->routes);
	return append(b->routes, &b->nroutes, sizeof *b->routes);
}

struct late_route *batch_late(struct batch *b)
{
	b->late = mem_grow(b->late, b->nlate, &b->late_cap, sizeof *b->late);
	return append(b->late, &b->nlate, sizeof *b->late);
}

struct settle *batch_settle(struct batch *b)
{
	b->settles = mem_grow(b->settles, b->nsettles, &b->settles_cap, sizeof *b->settles);
	return append(b->settles, &b->nsettles, sizeof *b->settles);
}

struct destination_record *batch_destination(struct batch *b)
{
	b->destinations = mem_grow(b->destinations, b->ndestinations, &b->destinations_cap,
				   sizeof *b->destinations);
	return append(b->destinations, &b->ndestinations, sizeof *b->destinations);
}

struct rule_record *batch_rule(struct batch *b)
{
	b->rules = mem_grow(b->rules, b->nrules, &b->rules_cap, sizeof *b->rules);
	return append(b->rules, &b->nrules, sizeof *b->rules);
}

struct name_write *batch_name(struct batch *b)
{
	b->names = mem_grow(b->names, b->nnames, &b->names_cap, sizeof *b->names);
	return append(b->names, &b->nnames, sizeof *b->names);
}

struct fold_record *batch_fold(struct batch *b)
{
	b->folds = mem_grow(b->folds, b->nfolds, &b->folds_cap, sizeof *b->folds);
	return append(b->folds, &b->nfolds, sizeof *b->folds);
}

bool batch_is_empty(const struct batch *b)
{
	return b->nrecipients + b->nbroadcasts + b->events.n + b->nroutes + b->nsettles +
		       b->ndestinations + b->nrules + b->nnames + b->nfolds + b->ndecided +
		       b->nlate ==
	       0;
}

void exception_release(struct exception *x)
{
	if (!x)
		return;
	free(x->why);
	*x = (struct exception){0};
}

void destination_record_release(struct destination_record *d)
{
	if (!d)
		return;
	free(d->name);
	free(d->why);
	*d = (struct destination_record){0};
}

void fold_record_release(struct fold_record *f)
{
	if (!f)
		return;
	free(f->fold);
	free(f->key);
	free(f->state);
	*f = (struct fold_record){0};
}

static void settle_release(struct settle *s)
{
	for (size_t i = 0; i < s->nchanged; i++)
		exception_release(&s->changed[i]);
	for (size_t i = 0; i < s->nattempts; i++)
		free(s->attempts[i].why);
	free(s->changed);
	free(s->gone);
	free(s->attempts);
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->nrecipients; i++)
		recipient_record_release(&b->recipients[i].r);
	for (size_t i = 0; i < b->nbroadcasts; i++)
		broadcast_record_release(&b->broadcasts[i]);
	for (size_t i = 0; i < b->nroutes; i++)
		free(b->routes[i].topic);
	for (size_t i = 0; i < b->nsettles; i++)
		settle_release(&b->settles[i]);
	for (size_t i = 0; i < b->ndestinations; i++)
		destination_record_release(&b->destinations[i]);
	for (size_t i = 0; i < b->nrules; i++)
		free(b->rules[i].name);
	for (size_t i = 0; i < b->nfolds; i++)
		fold_record_release(&b->folds[i]);
	events_release(&b->events);
	free(b->recipients);
	free(b->decided);
	free(b->broadcasts);
	free(b->routes);
	free(b->late);
	free(b->settles);
	free(b->destinations);
	free(b->rules);
	free(b->names);
	free(b->folds);
	free(b);
}
