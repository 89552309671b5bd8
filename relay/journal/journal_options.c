/* journal_options — the `journal:` section: one key, the name of a store that is built in, and
 * under it that store's own options. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/journal/journal.h"
#include "relay/journal/sqlite.h"

/* A node for each row of the table below. */
struct choice {
	const struct node *sqlite;
};

const struct option journal_option_table[] = {{"sqlite", OPT_NODE, offsetof(struct choice, sqlite),
					       .help = "an embedded SQLite database, for one relay",
					       .section = sqlite_option_table},
					      {0}};

static const struct store_type *type_named(const char *name)
{
	for (size_t i = 0; store_types[i]; i++) {
		if (strcmp(store_types[i]->name, name) == 0)
			return store_types[i];
	}
	return NULL;
}

void journal_options_read(struct journal_options *ret, const struct node *map, struct problems *p)
{
	struct choice choice = {0};
	const struct node *section = NULL;
	const struct store_type *type = store_types[0];

	options_read(journal_option_table, map, &choice, p); /* refuses unknown names */
	for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++) {
		const struct store_type *named = type_named(map->items[i]->key);

		if (named && section)
			problem_at(p, map->items[i],
				   "a journal has one store; remove this one or "
				   "\"%s\"",
				   section->key);
		else if (named) {
			section = map->items[i];
			type = named;
		}
	}
	if (section && node_is_null(section))
		section = NULL; /* "sqlite:" alone: all presets */
	ret->type = type;
	ret->options = xcalloc(1, type->options_size);
	/* the preset path is seen from the file, too, when nothing of the section is written */
	struct node none = {.kind = NODE_MAP, .source = map ? map->source : NULL};
	options_read(type->options, section ? section : &none, ret->options, p);
}

const char *journal_file(const struct journal_options *o)
{
	return o->type && o->type->file ? o->type->file(o->options) : NULL;
}

int64_t journal_keep_unsent_ms(const struct journal_options *o)
{
	return o->type->keep_unsent_ms(o->options);
}

void journal_options_release(struct journal_options *o)
{
	if (!o || !o->type)
		return;
	options_release(o->type->options, o->options);
	free(o->options);
	*o = (struct journal_options){0};
}
