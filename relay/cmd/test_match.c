/* test_match — see the header. The trees' ceilings bound the recursion. */
#include "relay/cmd/test_match.h"

#include <string.h>

#include "relay/base/clock.h"

#define DEPTH (2 * JSON_DEPTH) /* an event within a callback within a test */

/* Inside two arrays, where json_parse has no mind to what an object may hold at most. */
const struct json *test_parse(struct json_doc *doc, const char *text)
{
	static const char nothing[] = "[[null]]";
	struct buf inside = BUF_INIT(SIZE_MAX / 2);
	struct err err;
	buf_adds(&inside, "[[");
	buf_adds(&inside, text);
	buf_adds(&inside, "]]");
	const struct json *v = json_parse(doc, inside.data, inside.len, DEPTH, &err);
	if (!v)
		v = json_parse(doc, nothing, sizeof nothing - 1, DEPTH, &err);
	buf_release(&inside);
	return json_first(json_first(v));
}

static bool is_absent(const struct json *v)
{
	return !v || json_type(v) == JSON_NULL;
}

/* "2026-11-22T10:00:00Z" and "2026-11-22T10:00:00.000Z"; a date alone is a text like others. */
static bool same_moment(const char *a, const char *b)
{
	int64_t x, y;
	return strlen(a) > 10 && strlen(b) > 10 && date_parse(a, strlen(a), &x) &&
	       date_parse(b, strlen(b), &y) && x == y;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || same_moment(a, b);
}

static bool object_matches(const struct json *wanted, const struct json *got)
{
	for (const struct json *m = json_first(wanted); m; m = json_next(m))
		if (!test_matches(m, json_get(got, json_key(m))))
			return false;
	return true;
}

static bool array_matches(const struct json *wanted, const struct json *got)
{
	const struct json *a = json_first(wanted), *b = json_first(got);
	for (; a && b; a = json_next(a), b = json_next(b))
		if (!test_matches(a, b))
			return false;
	return !a && !b;
}

bool test_matches(const struct json *wanted, const struct json *got)
{
	if (is_absent(wanted))
		return is_absent(got);
	if (!got || json_type(wanted) != json_type(got))
		return false;
	switch (json_type(wanted)) {
	case JSON_BOOL: return json_bool(wanted, false) == json_bool(got, false);
	case JSON_NUMBER: return json_number(wanted, 0) == json_number(got, 0);
	case JSON_STRING: return same_text(json_string(wanted), json_string(got));
	case JSON_ARRAY: return array_matches(wanted, got);
	default: return object_matches(wanted, got);
	}
}

size_t test_likeness(const struct json *wanted, const struct json *got)
{
	size_t like = 0;
	if (!got || json_type(wanted) != json_type(got))
		return 0;
	if (json_type(wanted) != JSON_OBJECT)
		return test_matches(wanted, got);
	for (const struct json *m = json_first(wanted); m; m = json_next(m))
		like += test_likeness(m, json_get(got, json_key(m)));
	return like;
}

void test_project(struct buf *out, const struct json *wanted, const struct json *got)
{
	bool first = true;
	if (json_type(wanted) != JSON_OBJECT || json_type(got) != JSON_OBJECT) {
		json_write(out, got);
		return;
	}
	buf_addc(out, '{');
	for (const struct json *m = json_first(wanted); m; m = json_next(m)) {
		const struct json *value = json_get(got, json_key(m));
		if (!value)
			continue;
		buf_adds(out, first ? "" : ",");
		first = false;
		json_write_string(out, json_key(m));
		buf_addc(out, ':');
		test_project(out, m, value);
	}
	buf_addc(out, '}');
}
