/* Wildcards by their literal pieces: the first and the last are anchored, those between are looked
 * for from left to right, and the first place of each is as good as any. */
#include "rules/pattern_wildcard.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static size_t count_pieces(const char *text, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '*')
			n++;
	}
	return n;
}

static int check(const char *text, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		char next = i + 1 < len ? text[i + 1] : '\0';
		if (text[i] == '*' && next == '*')
			return err_set(err, ERR_CONFIG,
				       "two wildcards side by side; one * stands for anything");
		if (text[i] != '\\')
			continue;
		if (next != '*' && next != '\\')
			return err_set(err, ERR_CONFIG,
				       "a backslash stands before * or \\ in a wildcard");
		i++;
	}
	return 0;
}

int wildcard_parse(struct wildcard *ret, const char *text, size_t len, struct err *err)
{
	if (check(text, len, err) < 0)
		return -1;
	struct wildcard w = {.n = count_pieces(text, len)};
	char *out = xmalloc(len + 1);
	size_t piece = 0;

	w.v = xcalloc(w.n, sizeof *w.v);
	w.v[0].text = out;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '*') {
			w.v[++piece].text = out;
			continue;
		}
		i += text[i] == '\\';
		*out++ = text[i];
		w.v[piece].len++;
	}
	*ret = w;
	return 0;
}

void wildcard_release(struct wildcard *w)
{
	if (w->v)
		free(w->v[0].text);
	free(w->v);
	*w = (struct wildcard){0};
}

bool wildcard_match(const struct wildcard *w, const char *text, size_t len)
{
	const struct piece *first = &w->v[0], *last = &w->v[w->n - 1];

	if (w->n == 1)
		return len == first->len && memcmp(text, first->text, len) == 0;
	if (len < first->len + last->len || memcmp(text, first->text, first->len) != 0 ||
	    memcmp(text + len - last->len, last->text, last->len) != 0)
		return false;
	const char *at = text + first->len, *end = text + len - last->len;
	for (size_t i = 1; i + 1 < w->n; i++) {
		const char *found = memmem(at, (size_t)(end - at), w->v[i].text, w->v[i].len);
		if (!found)
			return false;
		at = found + w->v[i].len;
	}
	return true;
}
