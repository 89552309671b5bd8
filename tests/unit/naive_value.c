/* naive_value — each operator by its definition. */
#include "tests/unit/naive_value.h"

#include <arpa/inet.h>
#include <assert.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define TEXT 1000

static bool holds(const struct node *wanted, const struct json *leaf);

static bool is_string(const struct node *n)
{
	bool truth;
	double number;

	return n->kind == NODE_SCALAR && !node_is_null(n) && !node_bool(n, &truth) &&
	       !node_number(n, &number);
}

/* 4 or 6, 0: it is no address. */
static int address_of(const char *text, unsigned char bytes[16])
{
	memset(bytes, 0, 16);
	if (inet_pton(AF_INET, text, bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, int bits)
{
	for (int i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* An address is the same however it is spelled. */
static bool same_text(const char *wanted, const char *seen)
{
	unsigned char a[16], b[16];
	int family = address_of(wanted, a);

	if (family && family == address_of(seen, b))
		return memcmp(a, b, 16) == 0;
	return strcmp(wanted, seen) == 0;
}

static bool in_block(const char *block, const char *seen)
{
	unsigned char a[16], b[16];
	char text[TEXT];
	int bits, family;

	snprintf(text, sizeof text, "%s", block);
	*strchr(text, '/') = '\0';
	assert(sscanf(strchr(block, '/') + 1, "%d", &bits) == 1);
	family = address_of(text, a);
	return family == address_of(seen, b) && same_bits(a, b, bits);
}

/* The small form of A to Z, É and Я; everything else as it is. */
static const char *small(const char *s, char ret[TEXT])
{
	size_t n = 0;

	for (; *s; s++) {
		assert(n + 2 < TEXT);
		if (*s >= 'A' && *s <= 'Z')
			ret[n++] = (char)(*s + 32);
		else if (!strncmp(s, "É", 2))
			ret[n++] = *s++, ret[n++] = (char)0xa9;
		else if (!strncmp(s, "Я", 2))
			ret[n++] = (char)0xd1, s++, ret[n++] = (char)0x8f;
		else
			ret[n++] = *s;
	}
	ret[n] = '\0';
	return ret;
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool ends(const char *s, const char *with)
{
	return strlen(s) >= strlen(with) && !strcmp(s + strlen(s) - strlen(with), with);
}

static bool wild(const char *wildcard, const char *s)
{
	if (!*wildcard)
		return !*s;
	if (*wildcard == '*')
		return wild(wildcard + 1, s) || (*s && wild(wildcard, s + 1));
	wildcard += *wildcard == '\\';
	return *wildcard == *s && wild(wildcard + 1, s + 1);
}

static bool regular(const char *expression, const char *s)
{
	regex_t r;
	bool found;

	assert(regcomp(&r, expression, REG_EXTENDED | REG_NOSUB) == 0);
	found = regexec(&r, s, 0, NULL, 0) == 0;
	regfree(&r);
	return found;
}

/* A number beyond what a double holds is in no range. */
static bool numeric(const struct node *list, double seen)
{
	if (isinf(seen))
		return false;
	for (size_t i = 0; i < list->n; i += 2) {
		const char *sign = list->items[i]->text;
		double bound = 0;
		bool good;

		assert(node_number(list->items[i + 1], &bound));
		if (*sign == '=')
			good = seen == bound;
		else if (*sign == '<')
			good = sign[1] ? seen <= bound : seen < bound;
		else
			good = sign[1] ? seen >= bound : seen > bound;
		if (!good)
			return false;
	}
	return true;
}

/* "prefix: x" and "prefix: {equals-ignore-case: x}" */
static bool end(const struct node *n, const char *s, bool (*fn)(const char *, const char *))
{
	char a[TEXT], b[TEXT];

	if (n->kind == NODE_SCALAR)
		return fn(s, n->text);
	return fn(small(s, a), small(n->items[0]->text, b));
}

static bool text_operator(const struct node *n, const char *s)
{
	char a[TEXT], b[TEXT];

	if (!strcmp(n->key, "prefix"))
		return end(n, s, begins);
	if (!strcmp(n->key, "suffix"))
		return end(n, s, ends);
	if (!strcmp(n->key, "equals-ignore-case"))
		return !strcmp(small(s, a), small(n->text, b));
	if (!strcmp(n->key, "wildcard"))
		return wild(n->text, s);
	if (!strcmp(n->key, "cidr"))
		return in_block(n->text, s);
	assert(!strcmp(n->key, "regex"));
	return regular(n->text, s);
}

static bool is_excluded(const struct node *n, const char *name, const struct json *leaf)
{
	struct node named = *n;
	double number;

	if (name) {
		named.key = name;
		return json_string(leaf) && text_operator(&named, json_string(leaf));
	}
	if (node_number(n, &number))
		return json_type(leaf) == JSON_NUMBER && json_number(leaf, 0) == number;
	return json_string(leaf) && !strcmp(json_string(leaf), n->text);
}

static bool anything_but(const struct node *n, const struct json *leaf)
{
	const char *name = NULL;

	if (n->kind == NODE_MAP) {
		n = n->items[0];
		name = n->key;
	}
	if (n->kind == NODE_SCALAR)
		return !is_excluded(n, name, leaf);
	for (size_t i = 0; i < n->n; i++)
		if (is_excluded(n->items[i], name, leaf))
			return false;
	return true;
}

static bool operator_holds(const struct node *n, const struct json *leaf)
{
	bool truth = false;

	if (!strcmp(n->key, "exists"))
		return node_bool(n, &truth) && truth;
	if (!strcmp(n->key, "anything-but"))
		return anything_but(n, leaf);
	if (!strcmp(n->key, "numeric"))
		return json_type(leaf) == JSON_NUMBER && numeric(n, json_number(leaf, 0));
	return json_string(leaf) && text_operator(n, json_string(leaf));
}

static bool value_holds(const struct node *n, const struct json *leaf)
{
	bool truth;
	double number;

	if (is_string(n))
		return json_string(leaf) && same_text(n->text, json_string(leaf));
	if (node_bool(n, &truth))
		return json_type(leaf) == JSON_BOOL && json_bool(leaf, !truth) == truth;
	if (node_number(n, &number))
		return json_type(leaf) == JSON_NUMBER && json_number(leaf, 0) == number;
	return json_type(leaf) == JSON_NULL;
}

static bool holds(const struct node *wanted, const struct json *leaf)
{
	return wanted->kind == NODE_MAP ? operator_holds(wanted->items[0], leaf)
					: value_holds(wanted, leaf);
}

bool naive_holds(const struct node *wanted, const struct json *leaf)
{
	if (wanted->kind != NODE_LIST)
		return holds(wanted, leaf);
	for (size_t i = 0; i < wanted->n; i++)
		if (holds(wanted->items[i], leaf))
			return true;
	return false;
}

bool naive_allows_absence(const struct node *wanted)
{
	bool truth;

	if (wanted->kind != NODE_LIST)
		return false;
	for (size_t i = 0; i < wanted->n; i++) {
		const struct node *n = wanted->items[i];

		if (n->kind == NODE_MAP && !strcmp(n->items[0]->key, "exists") &&
		    node_bool(n->items[0], &truth) && !truth)
			return true;
	}
	return false;
}
