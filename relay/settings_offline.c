/*
 * A configuration read only as far as rules and callbacks need it. Invariant: no secret and no file
 * of the machine it is meant for is looked at, so that the same test passes everywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/settings_parts.h"

#define URL_UNSET "https://unset.invalid/" /* for a url whose variable is not set */

/* ---- a section without what belongs to the machine ---- */

/* Lives as long as the settings, which keep nodes of it. */
struct offline_section {
	struct offline_section *next;
	struct option *table; /* the owner's, but that what was left out is not required */
	struct node map;
	const struct node **items;
	struct node *made; /* as many as items: what stands for them */
	/* Of the one that is a map of secrets. */
	const struct node **secrets;
	struct node *texts;
	char **names; /* of files, without _file */
	size_t nsecrets;
};

static bool is_unset(const struct node *n)
{
	bool unset = n->kind == NODE_SCALAR && n->unset;
	for (size_t i = 0; n->kind == NODE_LIST && i < n->n; i++)
		unset = unset || is_unset(n->items[i]);
	return unset;
}

static bool is_secret(const struct option *row)
{
	return row->type == OPT_SECRET || row->type == OPT_SECRETS;
}

/* Its key, or the key of its twin that names a file. */
static bool is_key_of(const struct option *row, const char *key)
{
	size_t len = strlen(row->name);
	return !strncmp(key, row->name, len) &&
	       (!key[len] || (is_secret(row) && !strcmp(key + len, "_file")));
}

static struct option *row_of(struct option *table, const char *key)
{
	while (table->name && !is_key_of(table, key))
		table++;
	return table->name ? table : NULL;
}

static const struct node *stand_in(struct node *ret, const struct node *n, const char *text)
{
	*ret = *n;
	ret->text = text;
	ret->len = strlen(text);
	ret->quoted = true;
	ret->unset = false;
	return ret;
}

/* Those that are in a file, or in a variable that is not set, say their own name. */
static const struct node *name_secrets(struct offline_section *s, const struct node *map)
{
	static const char twin[] = "_file";
	struct node *copy = &s->made[s->map.n];
	s->nsecrets = map->n;
	s->secrets = xcalloc(map->n + 1, sizeof *s->secrets);
	s->texts = xcalloc(map->n + 1, sizeof *s->texts);
	s->names = xcalloc(map->n + 1, sizeof *s->names);
	for (size_t i = 0; i < map->n; i++) {
		const struct node *n = map->items[i];
		const char *end = strstr(n->key, twin);
		bool file = end && !end[sizeof twin - 1];
		s->names[i] = xstrndup(n->key, file ? (size_t)(end - n->key) : strlen(n->key));
		s->secrets[i] = n;
		if (file || is_unset(n))
			s->secrets[i] = stand_in(&s->texts[i], n, s->names[i]);
		s->texts[i].key = s->names[i];
	}
	*copy = *map;
	copy->items = s->secrets;
	return copy;
}

static void keep_item(struct offline_section *s, const struct node *n)
{
	struct option *row = row_of(s->table, n->key);
	if (row && row->type == OPT_URL && is_unset(n)) {
		s->items[s->map.n] = stand_in(&s->made[s->map.n], n, URL_UNSET);
		s->map.n++;
	} else if (row && row->secrets && n->kind == NODE_MAP && !s->texts) {
		s->items[s->map.n] = name_secrets(s, n);
		s->map.n++;
	} else if (row &&
		   (is_secret(row) || row->on_host || (row->type != OPT_NODE && is_unset(n)))) {
		row->required = false;
	} else {
		s->items[s->map.n++] = n;
	}
}

/* map NULL or no map: as it is. */
static struct offline_section *add_section(struct settings *whole, const struct option *table,
					   const struct node *map)
{
	struct offline_section *s = xcalloc(1, sizeof *s);
	s->next = whole->offline;
	whole->offline = s;
	size_t rows = 0, n = map && map->kind == NODE_MAP ? map->n : 0;
	while (table[rows].name)
		rows++;
	s->table = xcalloc(rows + 1, sizeof *s->table);
	memcpy(s->table, table, rows * sizeof *table);
	s->items = xcalloc(n + 1, sizeof *s->items);
	s->made = xcalloc(n + 1, sizeof *s->made);
	s->map = map ? *map : (struct node){.kind = NODE_MAP};
	if (map && map->kind != NODE_MAP)
		return s;
	s->map.items = s->items;
	s->map.n = 0;
	for (size_t i = 0; i < n; i++)
		keep_item(s, map->items[i]);
	return s;
}

void settings_offline_release(struct settings *whole)
{
	while (whole->offline) {
		struct offline_section *s = whole->offline;
		whole->offline = s->next;
		for (size_t i = 0; i < s->nsecrets; i++)
			free(s->names[i]);
		free(s->names);
		free(s->texts);
		free(s->secrets);
		free(s->made);
		free(s->items);
		free(s->table);
		free(s);
	}
}

/* ---- sections ---- */

static void read_source(struct settings *s, struct problems *p)
{
	struct offline_section *section = add_section(s, source_option_table, s->config.source);
	size_t before = p->n;
	options_read(section->table, &section->map, &s->source, p);
	if (!s->source.api_key) /* the check wants one; nobody is asked with it */
		s->source.api_key = xstrdup("none");
	if (p->n == before)
		source_options_check(&s->source, &section->map, p);
}

bool settings_has_callbacks(const struct destination_settings *d)
{
	return d->type->preview && !d->type->topical;
}

/* Only what a transport that has callbacks to show says of them. */
static void read_destination(struct settings *s, struct destination_settings *d, struct problems *p)
{
	const struct node *n = settings_read_destination(d, p);
	if (!n || !settings_has_callbacks(d))
		return;
	struct offline_section *section = add_section(s, d->type->options, n);
	size_t before = p->n;
	d->settings = xcalloc(1, d->type->settings_size ? d->type->settings_size : 1);
	options_read(section->table, &section->map, d->settings, p);
	if (d->type->check && p->n == before)
		d->type->check(d->settings, &section->map, p);
}

static void add_destination(struct settings *s, const char *name, const struct node *at)
{
	struct destination_settings *d = &s->destinations[s->ndestinations++];
	*d = (struct destination_settings){.name = name, .node = at, .options = {.enabled = true}};
}

static bool has_destination(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->ndestinations; i++)
		if (!strcmp(s->destinations[i].name, name))
			return true;
	return false;
}

static void add_stand_in(struct settings *s, const struct node *to)
{
	const char *name = node_string(to);
	if (name && *name && !to->unset && s->ndestinations < DESTINATIONS_MAX &&
	    !has_destination(s, name))
		add_destination(s, name, to);
}

static void add_stand_ins(struct settings *s)
{
	const struct node *rules = s->config.rules;
	for (size_t i = 0; rules && rules->kind == NODE_LIST && i < rules->n; i++) {
		const struct node *to = node_get(rules->items[i], "to");
		if (to && to->kind == NODE_SCALAR)
			add_stand_in(s, to);
		for (size_t k = 0; to && to->kind == NODE_LIST && k < to->n; k++)
			add_stand_in(s, to->items[k]);
	}
}

static void read_destinations(struct settings *s, bool stand_ins, struct problems *p)
{
	const struct node *map = s->config.destinations;
	size_t n = settings_count_destinations(s, p);
	s->destinations = xcalloc(DESTINATIONS_MAX, sizeof *s->destinations);
	for (size_t i = 0; i < n; i++) {
		add_destination(s, map->items[i]->key, map->items[i]);
		read_destination(s, &s->destinations[i], p);
	}
	if (stand_ins)
		add_stand_ins(s);
}

static void lay_over(struct config *c, const struct settings_offline *from)
{
	c->source = from->source ? from->source : c->source;
	c->destinations = from->destinations ? from->destinations : c->destinations;
	c->rules = from->rules ? from->rules : c->rules;
}

/* Why there are no rules when nothing else is wrong: a variable that one of them needs. */
static void tell_unset(struct problems *p, struct problems *unset)
{
	for (size_t i = 0; i < unset->n; i++) {
		bool in_rule = strstr(unset->v[i], ": rules");
		if (!in_rule && unset->n > 1)
			continue;
		p->v[p->n] = unset->v[i];
		p->source[p->n] = unset->source[i];
		p->column[p->n++] = unset->column[i];
		unset->v[i] = unset->source[i] = NULL;
	}
	p->more = unset->more;
}

struct settings *settings_load_offline(const struct settings_offline *from, struct problems *p)
{
	struct problems unset = {0};
	struct yaml *yaml = from->path ? yaml_load_on(from->path, &unset) : NULL;
	if (from->path && !yaml) {
		*p = unset;
		return NULL;
	}
	struct settings *s = xcalloc(1, sizeof *s);
	s->path = xstrdup(from->path);
	s->yaml = yaml;
	if (yaml)
		config_read(yaml, &s->config, p);
	lay_over(&s->config, from);
	read_source(s, p);
	read_destinations(s, from->stand_ins, p);
	settings_read_rules(s, s, p);
	settings_check_paths(s, p);
	if (!p->n && !s->rules)
		tell_unset(p, &unset);
	problems_release(&unset);
	if (!p->n)
		return s;
	settings_free(s);
	return NULL;
}
