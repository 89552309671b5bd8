/* yaml_node — reading a tree of nodes. Invariant: nothing here changes a node, and nothing depends
 * on the process's locale. */
#include "relay/config/yaml_tree.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/mem.h"

const struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	return NULL;
}

const char *node_string(const struct node *n)
{
	return n && n->kind == NODE_SCALAR ? n->text : NULL;
}

static bool is_one_of(const struct node *n, const char *const *words)
{
	if (!n || n->kind != NODE_SCALAR || n->quoted)
		return false;
	for (; *words; words++)
		if (strcmp(n->text, *words) == 0)
			return true;
	return false;
}

bool node_is_null(const struct node *n)
{
	return is_one_of(n, (const char *const[]){"", "~", "null", "Null", "NULL", NULL});
}

bool node_bool(const struct node *n, bool *ret)
{
	bool yes = is_one_of(n, (const char *const[]){"true", "True", "TRUE", NULL});

	if (!yes && !is_one_of(n, (const char *const[]){"false", "False", "FALSE", NULL}))
		return false;
	*ret = yes;
	return true;
}

static const char *skip_digits(const char *s, bool *any)
{
	for (; *s >= '0' && *s <= '9'; s++)
		*any = true;
	return s;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *s)
{
	bool digits = false;

	s += *s == '-' || *s == '+';
	s = skip_digits(s, &digits);
	if (*s == '.')
		s = skip_digits(s + 1, &digits);
	if (!digits)
		return false;
	if (*s == 'e' || *s == 'E') {
		s += s[1] == '-' || s[1] == '+' ? 2 : 1;
		digits = false;
		s = skip_digits(s, &digits);
	}
	return digits && !*s;
}

/* 0x1F and 0o17, which have no sign in the core schema. */
static bool read_prefixed(const char *s, double *ret)
{
	unsigned base = strncmp(s, "0x", 2) == 0 ? 16 : strncmp(s, "0o", 2) == 0 ? 8 : 0;
	double value = 0;

	if (!base || !s[2])
		return false;
	for (s += 2; *s; s++) {
		unsigned digit = *s >= '0' && *s <= '9'	  ? (unsigned)(*s - '0')
				 : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a' + 10)
				 : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A' + 10)
							  : base;
		if (digit >= base)
			return false;
		value = value * base + digit;
	}
	*ret = value;
	return true;
}

bool node_number(const struct node *n, double *ret)
{
	double value;

	if (!n || n->kind != NODE_SCALAR || n->quoted)
		return false;
	if (!read_prefixed(n->text, &value)) {
		if (!is_decimal(n->text))
			return false;
		locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
		if (!c)
			return false;
		value = strtod_l(n->text, NULL, c);
		freelocale(c);
	}
	if (value - value != 0) /* 1e999 and 0x1000…: more than a double holds */
		return false;
	*ret = value;
	return true;
}

/* Appends the step from the parent; false: it does not fit. */
static bool add_step(char *ret, size_t size, size_t *at, const struct node *n)
{
	int len;

	if (n->key)
		len = snprintf(ret + *at, size - *at, "%s%s", *at ? "." : "", n->key);
	else
		len = snprintf(ret + *at, size - *at, "[%zu]", n->index);
	if (len < 0 || (size_t)len >= size - *at)
		return false;
	*at += (size_t)len;
	return true;
}

char *node_path(const struct node *n, char *ret, size_t size)
{
	const struct node *steps[YAML_DEPTH_MAX + 1];
	size_t depth = 0, at = 0;
	static const char ellipsis[] = "…";

	for (; n && n->parent && depth <= YAML_DEPTH_MAX; n = n->parent)
		steps[depth++] = n;
	ret[0] = '\0';
	while (depth > 0 && add_step(ret, size, &at, steps[depth - 1]))
		depth--;
	if (depth > 0) {
		size_t keep = size > sizeof ellipsis ? size - sizeof ellipsis : 0;
		while (keep && ((unsigned char)ret[keep] & 0xC0) == 0x80)
			keep--;
		snprintf(ret + keep, size - keep, "%s", ellipsis);
	}
	return ret;
}

char *yaml_join(const char *dir, const char *path)
{
	if (path[0] == '/' || strcmp(dir, ".") == 0)
		return xstrdup(path);
	return xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", path);
}

char *node_resolve_path(const struct node *n, const char *path)
{
	char *joined = yaml_join(n && n->source ? n->source->dir : ".", path);
	char *here = joined[0] == '/' ? NULL : getcwd(NULL, 0);

	if (!here) /* absolute already, or in a folder that is gone */
		return joined;
	char *whole = yaml_join(here, joined);
	free(here);
	free(joined);
	return whole;
}
