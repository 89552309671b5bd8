/* record — values of recipients and broadcasts. Invariants: times are ascending by state, each
 * state once; a name's number never changes. */
#include "relay/base/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static bool is_name(const char *name)
{
	size_t len =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len > 0 && len < NAME_SIZE && name[len] == '\0';
}

int names_find(const struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++) {
		if (strcmp(names->v[i], name) == 0)
			return (int)i;
	}
	return -1;
}

int names_number(struct names *names, const char *name, unsigned max)
{
	int found = names_find(names, name);

	if (found >= 0)
		return found;
	if (!is_name(name) || names->n >= max || names->n >= STATUSES_MAX)
		return -1;
	memcpy(names->v[names->n], name, strlen(name) + 1);
	return (int)names->n++;
}

void recipient_record_release(struct recipient_record *r)
{
	if (!r)
		return;
	free(r->id);
	free(r->contact_id);
	free(r->integration_id);
	*r = (struct recipient_record){0};
}

void recipient_records_release(struct recipient_records *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		recipient_record_release(&r->v[i]);
	free(r->v);
	*r = (struct recipient_records){0};
}

/* Where the state's time is, or belongs. */
static size_t time_place(const struct recipient_record *r, unsigned state)
{
	size_t i = 0;

	while (i < r->ntimes && r->times[i].state < state)
		i++;
	return i;
}

const struct state_time *recipient_record_time(const struct recipient_record *r, unsigned state)
{
	size_t i = time_place(r, state);

	return i < r->ntimes && r->times[i].state == state ? &r->times[i] : NULL;
}

void recipient_record_set_time(struct recipient_record *r, unsigned state, int64_t at)
{
	assert(state < STATES_MAX);
	size_t i = time_place(r, state);
	struct state_time *place = &r->times[i];

	if (i == r->ntimes || place->state != state) {
		memmove(place + 1, place, (r->ntimes - i) * sizeof *place);
		r->ntimes++;
	}
	*place = (struct state_time){.state = (uint8_t)state, .at = at};
}

void recipient_record_copy(struct recipient_record *ret, const struct recipient_record *r)
{
	struct recipient_record copy = *r;

	copy.id = xstrdup(r->id);
	copy.contact_id = xstrdup(r->contact_id);
	copy.integration_id = xstrdup(r->integration_id);
	*ret = copy;
}

void broadcast_record_release(struct broadcast_record *b)
{
	if (!b)
		return;
	free(b->org);
	free(b->id);
	free(b->name);
	free(b->status);
	free(b->counters);
	free(b->templates);
	*b = (struct broadcast_record){0};
}

void broadcast_record_copy(struct broadcast_record *ret, const struct broadcast_record *b)
{
	struct broadcast_record copy = *b;

	copy.org = xstrdup(b->org);
	copy.id = xstrdup(b->id);
	copy.name = xstrdup(b->name);
	copy.status = xstrdup(b->status);
	copy.counters = xstrdup(b->counters);
	copy.templates = xstrdup(b->templates);
	*ret = copy;
}
