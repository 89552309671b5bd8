/* naive_matcher — alternatives, leaves, and all choices. Invariant: of a `when` nothing is
 * prepared; each call starts from the YAML. */
#include "tests/unit/naive_matcher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "tests/unit/naive_value.h"

#define DEPTH	 16
#define LEAVES	 500
#define CLAUSES	 32
#define ELEMENTS 24 /* that a leaf, or all that were chosen, lie in */

struct place {
	int array; /* its number in the event */
	int index;
};

struct places {
	struct place v[ELEMENTS];
	size_t n;
};

struct key {
	const char *text;
	size_t len;
};

struct path {
	struct key keys[DEPTH];
	size_t n;
};

struct leaf {
	struct path path;
	struct places in;
	const struct json *value;
};

struct clause {
	struct path path;
	const struct node *wanted;
};

struct naive_event {
	struct leaf v[LEAVES];
	size_t n;
	int arrays;
};

static void push(struct path *p, const char *text, size_t len)
{
	assert(p->n < DEPTH);
	p->keys[p->n++] = (struct key){text, len};
}

/* ---- leaves */

static void add_value(struct naive_event *e, const struct json *v, struct path path,
		      struct places in);

static void add_members(struct naive_event *e, const struct json *object, struct path path,
			struct places in)
{
	for (const struct json *m = json_first(object); m; m = json_next(m)) {
		struct path inner = path;

		if (json_get(object, json_key(m)) != m) /* the second of two equal names */
			continue;
		push(&inner, json_key(m), strlen(json_key(m)));
		add_value(e, m, inner, in);
	}
}

static void add_elements(struct naive_event *e, const struct json *array, struct path path,
			 struct places in)
{
	int number = e->arrays++, index = 0;

	for (const struct json *m = json_first(array); m; m = json_next(m), index++) {
		struct places inner = in;

		assert(inner.n < ELEMENTS);
		/* a scalar in an array leaves open in which element the others are */
		if (json_type(m) == JSON_OBJECT || json_type(m) == JSON_ARRAY)
			inner.v[inner.n++] = (struct place){number, index};
		add_value(e, m, path, inner);
	}
}

static void add_value(struct naive_event *e, const struct json *v, struct path path,
		      struct places in)
{
	if (json_type(v) == JSON_OBJECT) {
		add_members(e, v, path, in);
	} else if (json_type(v) == JSON_ARRAY) {
		add_elements(e, v, path, in);
	} else {
		assert(e->n < LEAVES);
		e->v[e->n++] = (struct leaf){path, in, v};
	}
}

/* ---- choices */

static int compare_paths(const struct path *a, const struct path *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		const struct key *x = &a->keys[i], *y = &b->keys[i];
		int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

		if (order || x->len != y->len)
			return order ? order : x->len < y->len ? -1 : 1;
	}
	return (int)a->n - (int)b->n;
}

static void add_places(struct places *chosen, const struct places *in)
{
	for (size_t i = 0; i < in->n; i++) {
		bool known = false;

		for (size_t k = 0; k < chosen->n; k++)
			known = known || chosen->v[k].array == in->v[i].array;
		if (known)
			continue;
		assert(chosen->n < ELEMENTS);
		chosen->v[chosen->n++] = in->v[i];
	}
}

static bool fits(const struct places *chosen, const struct places *in)
{
	for (size_t i = 0; i < in->n; i++)
		for (size_t k = 0; k < chosen->n; k++)
			if (chosen->v[k].array == in->v[i].array &&
			    chosen->v[k].index != in->v[i].index)
				return false;
	return true;
}

/* Do the clauses from v on hold, now that these elements are chosen? */
static bool choose(const struct naive_event *e, const struct clause *v, size_t n,
		   struct places chosen)
{
	bool present = false;

	if (!n)
		return true;
	for (size_t i = 0; i < e->n; i++) {
		const struct leaf *leaf = &e->v[i];
		struct places both = chosen;

		if (compare_paths(&leaf->path, &v->path) != 0 || !fits(&chosen, &leaf->in))
			continue;
		present = true;
		if (!naive_holds(v->wanted, leaf->value))
			continue;
		add_places(&both, &leaf->in);
		if (choose(e, v + 1, n - 1, both))
			return true;
	}
	return !present && naive_allows_absence(v->wanted) && choose(e, v + 1, n - 1, chosen);
}

/* ---- alternatives */

struct alternative {
	struct clause v[CLAUSES];
	size_t n;
};

/* What is still to be read of a `when`: maps within maps, each at its path. */
struct rest {
	const struct node *map;
	size_t next;
	struct path path;
	const struct rest *outer;
};

static bool any_alternative(const struct naive_event *e, struct alternative a,
			    const struct rest *rest);

static bool sorted_choose(const struct naive_event *e, struct alternative *a)
{
	for (size_t i = 1; i < a->n; i++)
		for (size_t k = i; k && compare_paths(&a->v[k].path, &a->v[k - 1].path) < 0; k--) {
			struct clause swap = a->v[k];

			a->v[k] = a->v[k - 1];
			a->v[k - 1] = swap;
		}
	return choose(e, a->v, a->n, (struct places){.n = 0});
}

static bool any_branch(const struct naive_event *e, const struct alternative *a,
		       const struct node * or, const struct rest *rest)
{
	for (size_t i = 0; i < or->n; i++) {
		struct rest branch = { or->items[i], 0, rest->path, rest};

		if (any_alternative(e, *a, &branch))
			return true;
	}
	return false;
}

static bool any_alternative(const struct naive_event *e, struct alternative a,
			    const struct rest *rest)
{
	const struct node *n;
	struct rest after;

	if (!rest)
		return sorted_choose(e, &a);
	if (rest->next == rest->map->n)
		return any_alternative(e, a, rest->outer);
	after = *rest;
	n = after.map->items[after.next++];
	if (!strcmp(n->key, "$or"))
		return any_branch(e, &a, n, &after);
	struct path path = rest->path;
	/* a dot in a pattern's key goes inside; one in an event's is a letter */
	for (const char *at = n->key; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL)
		push(&path, at, strcspn(at, "."));
	assert(a.n < CLAUSES);
	if (n->kind == NODE_MAP)
		return any_alternative(e, a, &(struct rest){n, 0, path, &after});
	a.v[a.n++] = (struct clause){path, n};
	return any_alternative(e, a, &after);
}

struct naive_event *naive_event_new(const struct json *event)
{
	struct naive_event *e = xcalloc(1, sizeof *e);

	add_value(e, event, (struct path){.n = 0}, (struct places){.n = 0});
	return e;
}

void naive_event_free(struct naive_event *e)
{
	free(e);
}

bool naive_match(const struct node *when, const struct naive_event *e)
{
	return any_alternative(e, (struct alternative){.n = 0},
			       &(struct rest){when, 0, {.n = 0}, NULL});
}
