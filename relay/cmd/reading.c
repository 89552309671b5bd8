/* reading — see the header. */
#include "relay/cmd/reading.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

int reading_open(struct reading *ret, const struct args *a, enum settings_part part,
		 struct err *err)
{
	ret->settings = cmd_settings_part(a, part);
	if (!ret->settings)
		return err_set(err, ERR_CONFIG, "the configuration cannot be used");
	const struct journal_options *j = &ret->settings->journal;
	ret->store = j->type->open(j->options, STORE_READ, err);
	return ret->store ? j->type->head(ret->store, &ret->head, err) : -1;
}

void reading_close(struct reading *r)
{
	if (r->store)
		r->store->type->close(r->store);
	store_head_release(&r->head);
	settings_free(r->settings);
	*r = (struct reading){0};
}

int reading_fail(const struct command *self, const struct err *err)
{
	return err->code == ERR_CONFIG ? EXIT_BAD_CONFIG : cmd_fail(self, err);
}

const struct destination_record *reading_find(const struct reading *r, const char *name,
					      struct err *err)
{
	const struct store_head *h = &r->head;
	const char **names = xcalloc(h->ndestinations + 1, sizeof *names);
	const struct destination_record *found = NULL;
	for (size_t i = 0; i < h->ndestinations; i++) {
		names[i] = h->destinations[i].name;
		if (!strcmp(names[i], name))
			found = &h->destinations[i];
	}
	const char *near = found ? NULL : problem_nearest(name, names);
	if (!found)
		err_set(err, ERR_USAGE, "the journal knows no destination \"%s\"%s%s%s", name,
			near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	free(names);
	return found;
}

const char *reading_name(const struct reading *r, uint32_t number)
{
	for (size_t i = 0; i < r->head.ndestinations; i++)
		if (r->head.destinations[i].number == number)
			return r->head.destinations[i].name;
	return "-";
}
