/* Texts that many records share, each held once and counted. Invariant: a name is in its table
 * exactly while something refers to it. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/window_parts.h"

uint32_t name_take(struct window *w, struct table *names, const char *text, size_t len)
{
	struct hash128 key = hash128(text, len);
	struct name *name = table_get(names, key, 0);

	if (!name) {
		name = table_add(names, key, 0);
		if (!name)
			return NAME_NONE;
		name->text = xstrndup(text, len);
		w->loose += len + 1;
	}
	name->refs++;
	return name->head.slot;
}

void name_drop(struct window *w, struct table *names, uint32_t slot)
{
	if (slot == NAME_NONE)
		return;
	struct name *name = table_at(names, slot);
	if (--name->refs)
		return;
	w->loose -= strlen(name->text) + 1;
	free(name->text);
	table_remove(names, name);
}

const char *name_text(const struct table *names, uint32_t slot)
{
	return slot == NAME_NONE ? NULL : ((struct name *)table_at(names, slot))->text;
}

void names_release(struct table *names)
{
	struct name *name;

	for (uint32_t i = 0; (name = table_from(names, i)); i = name->head.slot + 1)
		free(name->text);
	table_release(names);
}
