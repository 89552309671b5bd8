/* test_text — see the header. Invariant: how much is shown is bounded, whatever came. */
#include "relay/cmd/test_text.h"

#include <string.h>

#include "relay/base/json_add.h"
#include "relay/cmd/test_flow.h"
#include "relay/cmd/test_match.h"

#define SHOWN_MAX 20 /* differences of one list */
#define TEXT_MAX  (16 << 20)

/* By which members a person tells one from another. */
static const char *const telling[GOT_KINDS] = {
	[GOT_EVENTS] = "{\"type\":0,\"subject\":0}",
	[GOT_ROUTES] = "{\"type\":0,\"subject\":0,\"to\":0,\"rule\":0,\"topic\":0}",
	[GOT_CALLBACKS] = "{\"to\":0,\"type\":0,\"subject\":0,\"rule\":0}",
	[GOT_ALERTS] = "{\"type\":0,\"subject\":0}",
};

struct telling {
	struct buf *out;
	const struct mismatch *m;
	struct json_doc *wanted_doc, *got_doc, *spare;
};

/* The members of `got` that `wanted` names. */
static const struct json *projected(struct telling *t, const struct json *wanted,
				    const struct json *got)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	test_project(&text, wanted, got);
	const struct json *v = test_parse(t->spare, text.data);
	buf_release(&text);
	return v;
}

static void begin(struct telling *t, struct buf *out, const struct mismatch *m)
{
	*t = (struct telling){out, m, json_doc_new(), json_doc_new(), json_doc_new()};
}

static void end(struct telling *t)
{
	json_doc_free(t->wanted_doc);
	json_doc_free(t->got_doc);
	json_doc_free(t->spare);
}

/* ---- an entry ---- */

struct leaves {
	struct buf *out;
	const struct json *other; /* NULL: none */
	char sign;		  /* of each leaf, where there is no other */
};

/* By a path that test_leaves gave. */
static const struct json *at_path(const struct json *v, const char *path)
{
	const struct json *m = json_first(v);
	for (; m && json_type(v) == JSON_OBJECT; m = json_next(m)) {
		size_t len = strlen(json_key(m));
		if (strncmp(path, json_key(m), len) != 0)
			continue;
		if (!path[len])
			return m;
		const struct json *below = path[len] == '.' ? at_path(m, path + len + 1) : NULL;
		if (below)
			return below;
	}
	return NULL;
}

static void add_leaf(struct buf *out, char sign, const char *path, const struct json *leaf)
{
	buf_addf(out, "      %c %s: ", sign, path);
	if (leaf)
		test_flow(out, leaf);
	else
		buf_adds(out, "(absent)");
	buf_addc(out, '\n');
}

static void show_leaf(void *arg, const char *path, const struct json *leaf)
{
	struct leaves *l = arg;
	if (!l->other) {
		add_leaf(l->out, l->sign, path, leaf);
		return;
	}
	const struct json *other = at_path(l->other, path);
	bool same = test_matches(leaf, other);
	add_leaf(l->out, same ? ' ' : '-', path, leaf);
	if (!same)
		add_leaf(l->out, '+', path, other);
}

/* True: it fitted into one line. */
static bool add_line(struct buf *out, char sign, const struct json *v, bool any_length)
{
	struct buf line = BUF_INIT(TEXT_MAX);
	test_flow(&line, v);
	bool fits = line.len <= TEST_FLOW_LINE;
	if (fits)
		buf_addf(out, "    %c %s\n", sign, line.data);
	else if (any_length) {
		size_t len = TEST_FLOW_LINE;
		while (len && ((unsigned char)line.data[len] & 0xC0) == 0x80)
			len--;
		buf_addf(out, "    %c %.*s…\n", sign, (int)len, line.data);
	}
	buf_release(&line);
	return fits;
}

/* ---- differences ---- */

/* Above an entry that is shown leaf by leaf. */
static void add_place(struct telling *t, size_t place)
{
	buf_addf(t->out, "    entry %zu:\n", place + 1);
}

static void tell_unlike(struct telling *t, const struct difference *d, const struct json *wanted)
{
	const struct json *got = test_parse(t->got_doc, t->m->got[d->got]);
	size_t before = t->out->len;
	const struct json *named = projected(t, wanted, got);
	if (add_line(t->out, '-', wanted, false) && add_line(t->out, '+', named, false))
		return;
	struct leaves l = {.out = t->out, .other = got};
	buf_truncate(t->out, before);
	add_place(t, d->wanted);
	test_leaves(wanted, show_leaf, &l);
}

static void tell_missing(struct telling *t, const struct difference *d, const struct json *wanted)
{
	struct leaves l = {.out = t->out, .sign = '-'};
	if (add_line(t->out, '-', wanted, false))
		return;
	add_place(t, d->wanted);
	test_leaves(wanted, show_leaf, &l);
}

static const struct json *brief(struct telling *t, const char *text)
{
	const struct json *names = test_parse(t->wanted_doc, telling[t->m->kind]);
	return projected(t, names, test_parse(t->got_doc, text));
}

/* From the i-th of n on, of those that look alike only one. Returns how many that was. */
static size_t tell_got(struct telling *t, char sign, char *const *got, size_t n)
{
	struct buf first = BUF_INIT(TEXT_MAX), next = BUF_INIT(TEXT_MAX);
	size_t alike = 1;
	const struct json *v = brief(t, got[0]);
	add_line(t->out, sign, v, true);
	test_flow(&first, v);
	for (; alike < n; alike++) {
		buf_clear(&next);
		test_flow(&next, brief(t, got[alike]));
		if (strcmp(next.data, first.data) != 0)
			break;
	}
	if (alike > 1) {
		buf_truncate(t->out, t->out->len - 1);
		buf_addf(t->out, " (%zu times)\n", alike);
	}
	buf_release(&first);
	buf_release(&next);
	return alike;
}

/* How many of those from the i-th on have the same to say and follow one another. */
static size_t run_of_unexpected(const struct mismatch *m, size_t i)
{
	size_t n = 1;
	while (i + n < m->n && m->v[i + n].kind == UNEXPECTED && m->v[i + n].got == m->v[i].got + n)
		n++;
	return n;
}

/* Returns how many it was. */
static size_t tell(struct telling *t, size_t i)
{
	const struct mismatch *m = t->m;
	const struct difference *d = &m->v[i];
	if (d->kind == UNEXPECTED)
		return tell_got(t, '+', m->got + d->got, run_of_unexpected(m, i));
	const struct json *wanted = test_parse(t->wanted_doc, m->wanted[d->wanted]);
	if (d->kind == AS_EXPECTED)
		add_line(t->out, ' ', wanted, true);
	else if (d->kind == MISSING)
		tell_missing(t, d, wanted);
	else
		tell_unlike(t, d, wanted);
	return 1;
}

/* What is as expected is shown beside what is not, so that one sees where. */
static bool beside_difference(const struct mismatch *m, size_t i)
{
	return (i > 0 && m->v[i - 1].kind != AS_EXPECTED) || m->v[i].kind != AS_EXPECTED ||
	       (i + 1 < m->n && m->v[i + 1].kind != AS_EXPECTED);
}

static void tell_differences(struct telling *t)
{
	const struct mismatch *m = t->m;
	size_t shown = 0, left = 0;
	bool skipped = false;
	for (size_t i = 0, told = 1; i < m->n; i += told) {
		bool differs = m->v[i].kind != AS_EXPECTED;
		left += differs && shown == SHOWN_MAX;
		told = 1;
		if (!beside_difference(m, i) || shown == SHOWN_MAX) {
			skipped = true;
			continue;
		}
		buf_adds(t->out, skipped ? "      …\n" : "");
		skipped = false;
		shown += differs;
		told = tell(t, i);
	}
	if (left)
		buf_addf(t->out, "      … and %zu more differences\n", left);
	else if (skipped)
		buf_adds(t->out, "      …\n");
}

static void add_step_name(struct buf *out, const struct test_case *t, size_t step)
{
	if (step == TEST_WHOLE)
		buf_adds(out, "all steps");
	else if (t->step[step].name)
		buf_addf(out, "step %zu (%s)", step + 1, t->step[step].name);
	else
		buf_addf(out, "step %zu", step + 1);
}

void test_text(struct buf *out, const struct test_case *t, const struct mismatch *m)
{
	struct telling tell_it;
	size_t wanted = m->count < 0 ? m->nwanted : (size_t)m->count;
	begin(&tell_it, out, m);
	buf_adds(out, "  ");
	add_step_name(out, t, m->step);
	buf_addf(out, ", %s (line %u): %zu expected, %zu came\n", got_names[m->kind],
		 m->at->key_line, wanted, m->ngot);
	tell_differences(&tell_it);
	size_t shown = 0, i = 0;
	for (; m->count >= 0 && i < m->ngot && shown < SHOWN_MAX; shown++)
		i += tell_got(&tell_it, ' ', m->got + i, m->ngot - i);
	if (m->count >= 0 && i < m->ngot)
		buf_addf(out, "      … and %zu more\n", m->ngot - i);
	end(&tell_it);
}

/* ---- for programs ---- */

void test_text_json(struct buf *out, const struct mismatch *m)
{
	buf_addc(out, '{');
	if (m->step == TEST_WHOLE)
		json_add_text(out, "step", NULL);
	else
		json_add_count(out, "step", (int64_t)m->step + 1);
	json_add_text(out, "kind", got_names[m->kind]);
	json_add_int(out, "line", m->at->key_line);
	json_add_count(out, "expected", m->count < 0 ? (int64_t)m->nwanted : m->count);
	json_add_count(out, "got", (int64_t)m->ngot);
	json_add_name(out, "differences");
	buf_addc(out, '[');
	for (size_t i = 0; i < m->n; i++) {
		const struct difference *d = &m->v[i];
		if (d->kind == AS_EXPECTED)
			continue;
		json_add_element(out);
		json_add_name(out, "expected");
		buf_adds(out, d->kind == UNEXPECTED ? "null" : m->wanted[d->wanted]);
		json_add_name(out, "got");
		buf_adds(out, d->kind == MISSING ? "null" : m->got[d->got]);
		buf_addc(out, '}');
	}
	buf_adds(out, "]}");
}

/* ---- all that came ---- */

/* What Relay sets in every event alike is left out. */
static const char *const worth_showing[GOT_KINDS] = {
	[GOT_EVENTS] = "{\"type\":0,\"subject\":0,\"time\":0,\"data\":0}",
	[GOT_ALERTS] = "{\"type\":0,\"subject\":0,\"time\":0,\"data\":0}",
};

static void show_entry(struct buf *out, const char *worth, const char *text)
{
	struct json_doc *doc = json_doc_new(), *names = json_doc_new();
	struct buf named = BUF_INIT(TEXT_MAX);
	const struct json *v = test_parse(doc, text);
	if (worth) {
		test_project(&named, test_parse(names, worth), v);
		v = test_parse(doc, named.data);
	}
	buf_adds(out, "      - ");
	test_block(out, v, 8);
	buf_addc(out, '\n');
	buf_release(&named);
	json_doc_free(names);
	json_doc_free(doc);
}

void test_text_show(struct buf *out, const struct test_case *t, const struct test_got *got)
{
	for (size_t step = 0; step < t->nsteps; step++) {
		buf_adds(out, "  ");
		add_step_name(out, t, step);
		buf_addc(out, '\n');
		for (int kind = 0; kind < GOT_KINDS; kind++) {
			size_t from = got->begins[step][kind], to = got->begins[step + 1][kind];
			buf_addf(out, "    %s:%s\n", got_names[kind], from == to ? " []" : "");
			for (size_t i = from; i < to; i++)
				show_entry(out, worth_showing[kind], got->of[kind].v[i]);
		}
	}
}
