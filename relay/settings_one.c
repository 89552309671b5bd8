/* settings_one — one destination, as `run` would have it, of settings whose others do not matter.
 */
#include "relay/settings_parts.h"

/* The loader has told them, but of the whole file. */
static void find_unset(const struct node *n, struct problems *p)
{
	char path[256];
	if (n->unset)
		problem_in(p, n->file, n->line, n->column,
			   "%s: names an environment variable that is not set",
			   node_path(n, path, sizeof path));
	for (size_t i = 0; i < n->n; i++)
		find_unset(n->items[i], p);
}

bool settings_check_destination(const struct destination_settings *d, struct problems *p)
{
	struct destination_settings again = {.name = d->name, .node = d->node};
	size_t before = problems_count(p);
	find_unset(d->node, p);
	settings_read_whole(&again, p);
	settings_release_destination(&again);
	return problems_count(p) == before;
}
