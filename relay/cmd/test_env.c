/* test_env — see the header. The process has one thread while files are tested. */
#include "relay/cmd/test_env.h"

#include <stdlib.h>
#include <unistd.h>

#include "relay/base/mem.h"

void test_env_begin(struct test_env *e, const struct node *map)
{
	size_t n = map && map->kind == NODE_MAP ? map->n : 0;
	*e = (struct test_env){.before = environ, .now = xcalloc(n + 1, sizeof *e->now)};
	for (size_t i = 0; i < n; i++)
		e->now[i] = xasprintf("%s=%s", map->items[i]->key, map->items[i]->text);
	environ = e->now;
}

void test_env_end(struct test_env *e)
{
	environ = e->before;
	for (size_t i = 0; e->now[i]; i++)
		free(e->now[i]);
	free(e->now);
}
