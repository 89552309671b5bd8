/* Ids of one prefix are a group: the n-th of it, in order, gets n as its first characters, counted
 * in the group's alphabet; what follows is noise. */
#include "relay/source/made_ids.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"

#define PREFIX_MAX 4  /* letters: longer ones could be a name */
#define LEAST	   10 /* characters, so that none is met by chance */

/* Ascending by code, so that what counts in them sorts as it counts. */
static const char *const alphabets[] = {
	"0123456789",
	"0123456789abcdef",
	"0123456789ABCDEFGHJKMNPQRSTVWXYZ",
	"0123456789abcdefghijklmnopqrstuvwxyz",
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
};
#define ALPHABETS (sizeof alphabets / sizeof *alphabets)

void made_ids_add(struct made_ids *m, const char *id)
{
	m->v = mem_grow(m->v, m->n, &m->cap, sizeof *m->v);
	m->v[m->n++] = (struct made_id){.id = xstrdup(id)};
}

static size_t prefix_len(const char *id)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz");

	return len > 0 && len <= PREFIX_MAX && id[len] == '_' ? len + 1 : 0;
}

/* By prefix, then by the rest, so that a group stands together. */
static int by_id(const void *a, const void *b)
{
	const char *x = ((const struct made_id *)a)->id, *y = ((const struct made_id *)b)->id;
	size_t px = prefix_len(x), py = prefix_len(y);
	int order = memcmp(x, y, px < py ? px : py);

	if (order == 0 && px != py)
		return px < py ? -1 : 1;
	return order ? order : strcmp(x, y);
}

static void sort(struct made_ids *m)
{
	size_t kept = 0;

	if (m->n == 0)
		return;
	qsort(m->v, m->n, sizeof *m->v, by_id);
	for (size_t i = 0; i < m->n; i++) {
		if (kept && strcmp(m->v[kept - 1].id, m->v[i].id) == 0)
			free(m->v[i].id);
		else
			m->v[kept++] = m->v[i];
	}
	m->n = kept;
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_mark(char c)
{
	return c == '-' || c == '_' || c == '.' || c == ':';
}

struct group {
	const struct made_ids *all;
	struct made_id *v;
	size_t n, prefix;
	const char *model; /* a body of the one shape all have; NULL: they have several */
	const char *alphabet;
};

/* Same length, and the same marks at the same places. */
static bool same_shape(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (is_plain(*a) ? !is_plain(*b) : *a != *b)
			return false;
	return *a == *b;
}

static size_t plain_count(const char *body)
{
	size_t n = 0;

	for (; *body; body++)
		n += is_plain(*body);
	return n;
}

static bool has_odd(const char *body)
{
	for (; *body; body++)
		if (!is_plain(*body) && !is_mark(*body))
			return true;
	return false;
}

static bool fits(const struct group *g, const char *alphabet)
{
	for (size_t i = 0; i < g->n; i++)
		for (const char *c = g->v[i].id + g->prefix; *c; c++)
			if (is_plain(*c) && !strchr(alphabet, *c))
				return false;
	return true;
}

static void study(struct group *g)
{
	size_t i = 0;

	g->model = g->v[0].id + g->prefix;
	for (size_t k = 1; k < g->n && g->model; k++)
		if (!same_shape(g->model, g->v[k].id + g->prefix))
			g->model = NULL;
	if (g->model && (plain_count(g->model) < LEAST || has_odd(g->model)))
		g->model = NULL;
	while (i + 1 < ALPHABETS && !fits(g, alphabets[i]))
		i++;
	g->alphabet = alphabets[i];
}

/* How many characters count up to n. */
static size_t digits_for(size_t n, size_t base)
{
	size_t digits = 1;

	for (; n >= base; n /= base)
		digits++;
	return digits;
}

static char *make(const struct group *g, size_t nth, uint64_t salt)
{
	size_t base = strlen(g->alphabet), count = digits_for(g->n, base);
	const char *id = g->v[nth].id, *model = g->model;
	size_t len = model ? strlen(model) : count + LEAST, plain = 0;
	struct prng noise = {hash64(g->alphabet, base) + nth * 1000003 + salt};
	char *made = xcalloc(g->prefix + len + 1, 1), *at = made + g->prefix;

	memcpy(made, id, g->prefix);
	for (size_t i = 0; i < len; i++) {
		if (model && !is_plain(model[i])) {
			at[i] = model[i];
			continue;
		}
		size_t digit = nth;
		for (size_t k = plain + 1; k < count; k++)
			digit /= base;
		at[i] = g->alphabet[(plain < count ? digit : prng_next(&noise)) % base];
		plain++;
	}
	return made;
}

static const struct made_id *find(const struct made_ids *m, const char *id)
{
	const struct made_id key = {.id = (char *)id};

	return m->n ? bsearch(&key, m->v, m->n, sizeof *m->v, by_id) : NULL;
}

static void make_group(struct group *g)
{
	study(g);
	for (size_t i = 0; i < g->n; i++) {
		uint64_t salt = 0;
		g->v[i].made = make(g, i, salt);
		while (find(g->all, g->v[i].made)) { /* that is a real one */
			free(g->v[i].made);
			g->v[i].made = make(g, i, ++salt);
		}
	}
}

void made_ids_make(struct made_ids *m)
{
	size_t n;

	sort(m);
	for (size_t i = 0; i < m->n; i += n) {
		size_t prefix = prefix_len(m->v[i].id);
		n = 1;
		while (i + n < m->n && prefix_len(m->v[i + n].id) == prefix &&
		       strncmp(m->v[i + n].id, m->v[i].id, prefix) == 0)
			n++;
		make_group(&(struct group){.all = m, .v = m->v + i, .n = n, .prefix = prefix});
	}
}

const char *made_ids_of(const struct made_ids *m, const char *id)
{
	const struct made_id *found = find(m, id);

	return found ? found->made : NULL;
}

void made_ids_release(struct made_ids *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].id);
		free(m->v[i].made);
	}
	free(m->v);
	*m = (struct made_ids){0};
}
