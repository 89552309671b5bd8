/* option — a map of the file read into a struct by a table. Invariant: every field ends as a value
 * of its type, from the file, from the preset or zero, so that release needs nothing but the
 * table. */
#include "relay/config/option.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/config/option_value.h"

static void *field_of(const struct option *row, void *into)
{
	return (char *)into + row->offset;
}

static bool is_secret(const struct option *row)
{
	return row->type == OPT_SECRET || row->type == OPT_SECRETS;
}

static bool is_list(const struct option *row)
{
	return row->type == OPT_STRINGS || row->type == OPT_SECRETS || row->type == OPT_DURATIONS;
}

/* Is key "NAME_file" for this row? */
static bool is_twin(const struct option *row, const char *key)
{
	size_t len = strlen(row->name);

	return is_secret(row) && strncmp(key, row->name, len) == 0 &&
	       strcmp(key + len, "_file") == 0;
}

static const struct option *find_row(const struct option *table, const char *key)
{
	for (; table->name; table++)
		if (strcmp(table->name, key) == 0 || is_twin(table, key))
			return table;
	return NULL;
}

static size_t count_rows(const struct option *table)
{
	size_t n = 0;
	while (table[n].name)
		n++;
	return n;
}

static void refuse_key(const struct option *table, const struct node *n, struct problems *p)
{
	size_t rows = count_rows(table), known = 0;

	if (p->n == PROBLEMS_MAX) { /* it is only counted: no search for what it might mean */
		problem_at_key(p, n, "unknown key");
		return;
	}
	char **names = xcalloc(2 * rows + 1, sizeof *names);
	for (size_t i = 0; i < rows; i++) {
		names[known++] = xstrdup(table[i].name);
		if (is_secret(&table[i]))
			names[known++] = xasprintf("%s_file", table[i].name);
	}
	const char *nearest = problem_nearest(n->key, (const char *const *)names);
	if (nearest)
		problem_at_key(p, n, "unknown key; did you mean \"%s\"?", nearest);
	else
		problem_at_key(p, n, "unknown key");
	for (size_t i = 0; i < known; i++)
		free(names[i]);
	free(names);
}

static bool has_value(const struct reading *r)
{
	char shown[NODE_SHOWN];

	if (r->node->kind == NODE_SCALAR && !r->node->unset && !node_is_null(r->node))
		return true;
	if (r->node->kind == NODE_SCALAR)
		problem_at(r->p, r->node, "has no value");
	else
		problem_at(r->p, r->node, "must be one value, not %s", node_shown(r->node, shown));
	return false;
}

/* One scalar, or the file that it names. */
static bool read_one(const struct reading *r, bool from_file)
{
	if (!has_value(r))
		return false;
	if (!from_file)
		return option_read_scalar(r);
	*(char **)r->field = option_read_secret_file(r->node, r->p);
	return *(char **)r->field != NULL;
}

static void clear(const struct option *row, void *field);

/* Appends the lines of a text; blanks around them do not count, nor do empty ones. */
static void add_lines(struct strings *out, size_t *cap, const char *text)
{
	static const char blanks[] = " \t\r\n";

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t line = strcspn(text, "\n"), len = line;

		while (strchr(blanks, text[len - 1]))
			len--;
		out->v = mem_grow(out->v, out->n, cap, sizeof *out->v);
		out->v[out->n++] = xstrndup(text, len);
		text += line;
	}
}

/* The file of a list holds one a line. */
static void split_files(struct strings *list)
{
	struct strings lines = {0};
	size_t cap = 0;

	for (size_t i = 0; i < list->n; i++) {
		add_lines(&lines, &cap, list->v[i]);
		explicit_bzero(list->v[i], strlen(list->v[i]));
		free(list->v[i]);
	}
	free(list->v);
	*list = lines;
}

/* A list, or a scalar that stands for a list of one. */
static bool read_list(const struct reading *r, bool from_file)
{
	const struct node *one[] = {r->node}, *const *items = one;
	size_t n = 1;
	bool numbers = r->row->type == OPT_DURATIONS, good = true;

	if (r->node->kind == NODE_MAP) {
		problem_at(r->p, r->node, "must be a list, not a map");
		return false;
	}
	if (r->node->kind == NODE_LIST) {
		items = r->node->items;
		n = r->node->n;
	}
	struct strings strings = {0};
	struct numbers values = {0};
	if (numbers)
		values = (struct numbers){xcalloc(n, sizeof *values.v), n};
	else
		strings = (struct strings){xcalloc(n, sizeof *strings.v), n};
	for (size_t i = 0; i < n; i++) {
		struct reading element = *r;
		element.node = items[i];
		element.field = numbers ? (void *)&values.v[i] : (void *)&strings.v[i];
		good = read_one(&element, from_file) && good;
	}
	if (numbers)
		*(struct numbers *)r->field = values;
	else
		*(struct strings *)r->field = strings;
	if (!good)
		clear(r->row, r->field);
	else if (from_file)
		split_files(r->field);
	return good;
}

static bool read_value(const struct reading *r, bool from_file)
{
	if (r->row->type == OPT_NODE) {
		*(const struct node **)r->field = r->node;
		return true;
	}
	return is_list(r->row) ? read_list(r, from_file) : read_one(r, from_file);
}

/* A preset is read as if it stood in the file. */
static void read_preset(const struct option *row, const struct node *map, void *field)
{
	struct problems p = {0};
	struct yaml *list = NULL;
	struct node scalar = {.kind = NODE_SCALAR, .text = row->preset};
	const struct node *value = &scalar;

	if (!row->preset)
		return;
	scalar.len = strlen(row->preset);
	scalar.source = map ? map->source : NULL;
	if (row->preset[0] == '[') {
		char *text = xasprintf("preset: %s", row->preset);
		list = yaml_parse(row->name, text, strlen(text), &p);
		value = list ? node_get(yaml_root(list), "preset") : NULL;
		free(text);
	}
	struct reading r = {row, value, field, &p};
	if (!value || !read_value(&r, false) || p.n) {
		problems_print(&p, stderr);
		abort(); /* a preset that its own type refuses: a mistake of ours */
	}
	yaml_free(list);
	problems_release(&p);
}

enum found { ABSENT, WRONG, GOOD };

static void read_members(const struct option *table, const struct reading *in, enum found *found)
{
	const struct node *map = in->node;

	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		const struct option *row = find_row(table, n->key);
		if (!row) {
			refuse_key(table, n, in->p);
			continue;
		}
		enum found *state = &found[row - table];
		if (*state != ABSENT) {
			problem_at_key(in->p, n, "give either %s or %s_file", row->name, row->name);
			continue;
		}
		struct reading r = {row, n, field_of(row, in->field), in->p};
		*state = read_value(&r, strcmp(n->key, row->name) != 0) ? GOOD : WRONG;
	}
}

void options_read(const struct option *table, const struct node *map, void *into,
		  struct problems *p)
{
	enum found *found = xcalloc(count_rows(table), sizeof *found);
	struct reading in = {NULL, map, into, p};
	bool wrong_kind = map && map->kind != NODE_MAP && !node_is_null(map);

	if (map && map->kind == NODE_MAP)
		read_members(table, &in, found);
	else if (wrong_kind)
		problem_at(p, map, "must be a map (name: value …)");
	for (const struct option *row = table; row->name; row++) {
		enum found state = found[row - table];
		if (state == ABSENT && row->required && !wrong_kind)
			problem_at(p, map, "%s%s is missing", row->name,
				   is_secret(row) ? " (or its file, with _file)" : "");
		if (state != GOOD)
			read_preset(row, map, field_of(row, into));
	}
	free(found);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void clear(const struct option *row, void *field)
{
	struct strings *list = field;

	switch (row->type) {
	case OPT_SECRET:
	case OPT_STRING:
	case OPT_URL:
	case OPT_PATH:
		wipe(*(char **)field);
		*(char **)field = NULL;
		break;
	case OPT_STRINGS:
	case OPT_SECRETS:
		for (size_t i = 0; i < list->n; i++)
			wipe(list->v[i]);
		free(list->v);
		*list = (struct strings){0};
		break;
	case OPT_DURATIONS:
		free(((struct numbers *)field)->v);
		*(struct numbers *)field = (struct numbers){0};
		break;
	case OPT_NODE: *(const struct node **)field = NULL; break;
	default: break;
	}
}

void options_release(const struct option *table, void *from)
{
	if (!from)
		return;
	for (; table->name; table++)
		clear(table, field_of(table, from));
}
