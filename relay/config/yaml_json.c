/* yaml_json — see the header. Invariant: what is appended is a JSON text that json_parse takes,
 * whatever the scalars are; the trees' own ceilings bound its depth. */
#include "relay/config/yaml_json.h"

#include <stdio.h>

#include "relay/base/json.h"

#define EXACT 1e15 /* whole numbers up to here are written digit by digit */

/* 0x1F, +5, .5 and 1. are numbers in YAML, but not in JSON. */
static void add_number(struct buf *out, const struct node *n, double value)
{
	struct err not_json;
	char text[32];

	if (json_check(n->text, n->len, 1, &not_json) == 0) {
		buf_add(out, n->text, n->len);
	} else if (value > -EXACT && value < EXACT && value == (double)(long long)value) {
		buf_addi(out, (long long)value);
	} else {
		snprintf(text, sizeof text, "%.17g", value);
		buf_adds(out, text);
	}
}

static void add_scalar(struct buf *out, const struct node *n)
{
	double number;
	bool yes;

	if (node_is_null(n))
		buf_adds(out, "null");
	else if (node_bool(n, &yes))
		buf_adds(out, yes ? "true" : "false");
	else if (node_number(n, &number))
		add_number(out, n, number);
	else
		json_write_bytes(out, n->text, n->len);
}

void yaml_json(struct buf *out, const struct node *n)
{
	if (n->kind == NODE_SCALAR) {
		add_scalar(out, n);
		return;
	}
	buf_addc(out, n->kind == NODE_MAP ? '{' : '[');
	for (size_t i = 0; i < n->n; i++) {
		if (i)
			buf_addc(out, ',');
		if (n->kind == NODE_MAP) {
			json_write_string(out, n->items[i]->key);
			buf_addc(out, ':');
		}
		yaml_json(out, n->items[i]);
	}
	buf_addc(out, n->kind == NODE_MAP ? '}' : ']');
}
