/* How often which value came. Invariant: what is counted is in `v` or in `others`, never lost. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "rules/window_parts.h"

void tally_add(struct tally *t, const char *text, uint64_t n)
{
	if (!text)
		return;
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].text, text) == 0) {
			t->v[i].count += n;
			return;
		}
	if (t->n == TALLY_MAX) {
		t->others += n;
		return;
	}
	t->v = mem_grow(t->v, t->n, &t->cap, sizeof *t->v);
	t->v[t->n++] = (struct tally_value){xstrdup(text), n};
}

void tally_release(struct tally *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].text);
	free(t->v);
	*t = (struct tally){0};
}

size_t tally_bytes(const struct tally *t)
{
	size_t bytes = t->cap * sizeof *t->v;

	for (size_t i = 0; i < t->n; i++)
		bytes += strlen(t->v[i].text) + 1;
	return bytes;
}

static int falling(const void *a, const void *b)
{
	const struct tally_value *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void write_value(struct buf *out, const char *text, uint64_t count)
{
	json_add_element(out);
	json_add_text(out, "value", text);
	json_add_int(out, "count", (int64_t)count);
	buf_addc(out, '}');
}

void tally_write(struct buf *out, const struct tally *t, size_t most)
{
	struct tally_value sorted[TALLY_MAX];
	uint64_t others = t->others;

	if (t->n)
		memcpy(sorted, t->v, t->n * sizeof *sorted);
	qsort(sorted, t->n, sizeof *sorted, falling);
	buf_addc(out, '[');
	for (size_t i = 0; i < t->n; i++) {
		if (i < most)
			write_value(out, sorted[i].text, sorted[i].count);
		else
			others += sorted[i].count;
	}
	if (others)
		write_value(out, NULL, others);
	buf_addc(out, ']');
}

void tally_read(struct tally *t, const struct json *list)
{
	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		const char *text = json_string(json_get(v, "value"));
		int64_t count;
		if (!json_int(json_get(v, "count"), &count) || count < 0)
			continue;
		if (text)
			tally_add(t, text, (uint64_t)count);
		else
			t->others += (uint64_t)count;
	}
}
