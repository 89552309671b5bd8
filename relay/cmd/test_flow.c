/* test_flow — see the header. Invariant: what is appended is read by YAML as the value it shows. */
#include "relay/cmd/test_flow.h"

#include <string.h>

#include "relay/config/yaml.h"

#define PATH_MAX_LEN 512

/* Letters and signs that mean nothing in YAML, and no null, bool or number. */
static bool is_plain(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_./:@+- ";
	size_t len = strspn(s, allowed);
	const struct node n = {.kind = NODE_SCALAR, .text = s, .len = len};
	double number;
	bool yes;
	if (!len || s[len] || strchr(": ", s[len - 1]) || strchr(":-@ ", s[0]) || strstr(s, ": "))
		return false;
	return !node_is_null(&n) && !node_bool(&n, &yes) && !node_number(&n, &number);
}

static void add_text(struct buf *out, const char *s)
{
	if (is_plain(s))
		buf_adds(out, s);
	else
		json_write_string(out, s);
}

static void add_members(struct buf *out, const struct json *v, bool object)
{
	const char *between = object ? " " : "";
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		buf_adds(out, between);
		between = ", ";
		if (object) {
			add_text(out, json_key(m));
			buf_adds(out, ": ");
		}
		test_flow(out, m);
	}
}

void test_flow(struct buf *out, const struct json *v)
{
	enum json_type type = json_type(v);
	if (type == JSON_STRING) {
		add_text(out, json_string(v));
	} else if (type == JSON_OBJECT) {
		buf_addc(out, '{');
		add_members(out, v, true);
		buf_adds(out, json_first(v) ? " }" : "}");
	} else if (type == JSON_ARRAY) {
		buf_addc(out, '[');
		add_members(out, v, false);
		buf_addc(out, ']');
	} else {
		json_write(out, v);
	}
}

static bool fits(const struct json *v)
{
	struct buf line = BUF_INIT(TEST_FLOW_LINE);
	test_flow(&line, v);
	bool full = line.full;
	buf_release(&line);
	return !full;
}

void test_block(struct buf *out, const struct json *v, unsigned indent)
{
	bool first = true;
	if (json_type(v) != JSON_OBJECT || fits(v)) {
		test_flow(out, v);
		return;
	}
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		if (!first)
			buf_addf(out, "\n%*s", (int)indent, "");
		first = false;
		add_text(out, json_key(m));
		buf_addc(out, ':');
		if (json_type(m) == JSON_OBJECT && !fits(m))
			buf_addf(out, "\n%*s", (int)indent + 2, "");
		else
			buf_addc(out, ' ');
		test_block(out, m, indent + 2);
	}
}

static void walk(const struct json *v, struct buf *path, test_leaf_fn *fn, void *arg)
{
	if (json_type(v) != JSON_OBJECT || !json_first(v)) {
		fn(arg, path->data, v);
		return;
	}
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		size_t len = path->len;
		buf_adds(path, len ? "." : "");
		buf_adds(path, json_key(m));
		walk(m, path, fn, arg);
		path->full = false; /* too long a path is shown without its end */
		buf_truncate(path, len);
	}
}

void test_leaves(const struct json *v, test_leaf_fn *fn, void *arg)
{
	struct buf path = BUF_INIT(PATH_MAX_LEN);
	walk(v, &path, fn, arg);
	buf_release(&path);
}
