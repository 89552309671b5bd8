/* Reads the tables of tests/data/patterns. What is not as it should be fails the test at once. */
#include "pattern_table.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

#define FOLDER "tests/data/patterns"

static bool is_yaml(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".yaml");
}

static void wrong(const struct node *n, const char *why)
{
	fail_msg("%s:%u: %s", n->file, n->line, why);
}

static bool read_match(const struct node *n)
{
	const char *text = node_string(node_get(n, "match"));

	if (!text || (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0))
		wrong(n, "match is yes or no");
	return text && !strcmp(text, "yes");
}

static void read_case(struct pattern_case *ret, const struct node *n)
{
	const struct node *event = node_get(n, "event");

	for (size_t i = 0; i < n->n; i++)
		if (!strstr(" pattern event match error why ", n->items[i]->key))
			wrong(n->items[i], "unknown key");
	*ret = (struct pattern_case){
		.pattern = node_get(n, "pattern"),
		.error = node_string(node_get(n, "error")),
		.why = node_string(node_get(n, "why")),
	};
	if (!ret->pattern || !ret->error == !event || (event && !ret->why))
		wrong(n, "a case has a pattern, and event, match and why; or error");
	if (!event)
		return;
	ret->matches = read_match(n);
	ret->n = event->kind == NODE_LIST ? event->n : 1;
	ret->events = xcalloc(ret->n, sizeof *ret->events);
	for (size_t i = 0; i < ret->n; i++) {
		const struct node *e = event->kind == NODE_LIST ? event->items[i] : event;
		ret->events[i] = node_string(e);
		if (!ret->events[i])
			wrong(e, "an event is JSON text in single quotes");
	}
}

static void read_table(struct pattern_table *ret, const char *name)
{
	struct problems p = {0};
	char *path = xasprintf(FOLDER "/%s", name);

	*ret = (struct pattern_table){.name = xstrdup(name), .yaml = yaml_load(path, &p)};
	if (!ret->yaml)
		fail_msg("%s", p.v[0]);
	const struct node *cases = node_get(yaml_root(ret->yaml), "cases");
	if (!cases || cases->kind != NODE_LIST)
		fail_msg("%s: no list of cases", path);
	ret->v = xcalloc(cases->n, sizeof *ret->v);
	for (size_t i = 0; i < cases->n; i++)
		read_case(&ret->v[ret->n++], cases->items[i]);
	free(path);
}

static int wanted(const struct dirent *d)
{
	return is_yaml(d->d_name);
}

void pattern_tables_load(struct pattern_tables *ret)
{
	struct dirent **names;
	int n = scandir(FOLDER, &names, wanted, alphasort);

	assert_true(n > 0);
	*ret = (struct pattern_tables){.v = xcalloc((size_t)n, sizeof *ret->v)};
	for (int i = 0; i < n; i++) {
		read_table(&ret->v[ret->n++], names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

void pattern_tables_release(struct pattern_tables *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < t->v[i].n; k++)
			free(t->v[i].v[k].events);
		free(t->v[i].v);
		free(t->v[i].name);
		yaml_free(t->v[i].yaml);
	}
	free(t->v);
	*t = (struct pattern_tables){0};
}
