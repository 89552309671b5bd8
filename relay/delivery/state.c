/*
 * state — what a person makes of a whole destination: disabled, enabled again, forgotten.
 * Invariant: a forgotten one is found by nobody and settles nothing more; its memory stays until
 * neither a read nor a commit that knows of it is under way.
 */
#include "relay/delivery/destination.h"

#include <stdlib.h>

void destination_clear_why(struct destination *t)
{
	free(t->why);
	t->why = NULL;
}

void destination_enable(struct destination *t)
{
	t->state = DESTINATION_ENABLED;
	t->changed = true;
	destination_clear_why(t);
	outage_end(t);
}

static void disable(struct destination *t, const char *why)
{
	char *copy = why_copy(why);

	destination_clear_why(t);
	t->why = copy;
	t->state = DESTINATION_DISABLED;
	t->changed = true;
}

bool delivery_set_state(struct delivery *d, uint32_t number, enum destination_state state,
			const char *why)
{
	struct destination *t = destination_find(d, number);

	if (!t || !t->attached)
		return false;
	if (state == DESTINATION_DISABLED)
		disable(t, why);
	else if (t->state == DESTINATION_DISABLED)
		destination_enable(t);
	return true;
}

bool delivery_forget(struct delivery *d, uint32_t number)
{
	struct destination *t = destination_find(d, number);

	if (!t || t->attached || t->prepared)
		return false;
	t->forgotten = true;
	return true;
}

void discard_forgotten(struct delivery *d)
{
	if (d->committing)
		return;
	for (size_t i = d->n; i-- > 0;) {
		const struct destination *t = d->v[i];

		if (t->forgotten && !t->reading && !t->loading)
			destination_discard(d->v[i]);
	}
}
