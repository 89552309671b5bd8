/* alert_truth — see the header. Each rule counts by broadcast. */
#include "tests/sim/alert_truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define STEPS 30 /* of a window */

/* ---- what happened ---- */

static void copy(char *to, size_t size, const struct json *from)
{
	const char *text = json_string(from);

	snprintf(to, size, "%s", text ? text : "");
}

static int64_t date_of(const struct json *object, const char *name)
{
	const char *text = json_string(json_get(object, name));
	int64_t ms;

	return text && date_parse(text, strlen(text), &ms) ? ms : 0;
}

static int64_t number(const struct json *object, const char *key)
{
	int64_t n = -1;

	json_int(json_get(object, key), &n);
	return n;
}

/* The value of its only member. */
static void copy_key(char *to, size_t size, const struct json *key)
{
	copy(to, size, json_first(key));
}

static void take_alert(struct past *p, const struct json *event, const char *type)
{
	const struct json *data = json_get(event, "data");

	p->told = mem_grow(p->told, p->ntold, &p->told_cap, sizeof *p->told);
	struct told *t = &p->told[p->ntold++];
	*t = (struct told){.time_ms = date_of(event, "time"),
			   .seen_ms = date_of(event, "recordedtime"),
			   .count = number(data, "count"),
			   .n = number(data, "n")};
	snprintf(t->type, sizeof t->type, "%s", type);
	copy(t->id, sizeof t->id, json_get(event, "id"));
	copy(t->rule, sizeof t->rule, json_get(data, "rule"));
	copy(t->reason, sizeof t->reason, json_get(data, "reason"));
	copy_key(t->key, sizeof t->key, json_get(data, "key"));
}

static void take_event(struct past *p, const struct json *event)
{
	const char *type = json_string(json_get(event, "type"));
	const struct json *data = json_get(event, "data");

	if (!strncmp(type, "alert.", 6))
		take_alert(p, event, type + 6);
	if (strncmp(type, "recipient.", 10) != 0)
		return;
	p->facts = mem_grow(p->facts, p->nfacts, &p->facts_cap, sizeof *p->facts);
	struct fact *f = &p->facts[p->nfacts++];
	*f = (struct fact){.time_ms = date_of(event, "time")};
	snprintf(f->type, sizeof f->type, "%s", type + 10);
	copy(f->broadcast, sizeof f->broadcast, json_get(data, "broadcast_id"));
	copy(f->recipient, sizeof f->recipient, json_get(data, "recipient_id"));
	copy(f->integration, sizeof f->integration, json_get(data, "integration_id"));
}

/* A restart may deliver an event again. */
void past_read(struct past *p, const struct scene *s)
{
	char *path = xasprintf("%s/events.ndjson", s->dir), *line = NULL;
	struct json_doc *doc = json_doc_new();
	size_t room = 0, seen_cap = 0, nseen = 0;
	bool *seen = NULL;
	ssize_t len;

	drive_drain(s->d);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while ((len = getline(&line, &room, f)) > 0) {
		struct err err = {0};
		const struct json *event = json_parse(doc, line, (size_t)len, JSON_DEPTH, &err);
		assert_non_null(event);
		size_t sequence = strtoul(json_string(json_get(event, "sequence")), NULL, 10);
		while (nseen <= sequence) {
			seen = mem_grow(seen, nseen, &seen_cap, sizeof *seen);
			seen[nseen++] = false;
		}
		if (!seen[sequence])
			take_event(p, event);
		seen[sequence] = true;
	}
	fclose(f);
	free(seen);
	free(line);
	free(path);
	json_doc_free(doc);
}

void past_forget(struct past *p)
{
	free(p->facts);
	free(p->told);
	*p = (struct past){0};
}

/* ---- what there should have been ---- */

struct hold {
	const char *key;
	int64_t end_ms;
};
struct holds {
	struct hold *v;
	size_t n, cap;
};

void lines_add(struct lines *to, char *line)
{
	to->v = mem_grow(to->v, to->n, &to->cap, sizeof *to->v);
	to->v[to->n++] = line;
}

void lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct lines){0};
}

static const char *part_of(const struct fact *f, enum part part)
{
	switch (part) {
	case NOTHING: return "";
	case BROADCAST: return f->broadcast;
	case RECIPIENT: return f->recipient;
	case INTEGRATION: return f->integration;
	}
	return NULL;
}

/* A broadcast is always part of the key. */
static bool same_key(const struct rule *r, const struct fact *a, const struct fact *b)
{
	return !strcmp(a->broadcast, b->broadcast) &&
	       !strcmp(part_of(a, r->per), part_of(b, r->per));
}

static bool is_other(const struct rule *r, const struct fact *f)
{
	for (size_t i = 0; i < 3 && r->other[i]; i++)
		if (!strcmp(r->other[i], f->type))
			return true;
	return false;
}

static int64_t step_of(const struct rule *r)
{
	int64_t step = r->within_ms / STEPS;

	return step > SECOND_MS ? step : SECOND_MS;
}

static int64_t step_at_or_after(const struct rule *r, int64_t ms)
{
	int64_t step = step_of(r);

	return (ms + step - 1) / step * step;
}

static void hold(struct holds *h, const struct rule *r, const struct fact *f, int64_t end_ms)
{
	h->v = mem_grow(h->v, h->n, &h->cap, sizeof *h->v);
	h->v[h->n++] = (struct hold){part_of(f, r->fold), end_ms};
}

/* Of one failure the steps whose window it is in; one of each key and step is enough, but more do
 * no harm. */
static void hold_shares(struct holds *h, const struct rule *r, const struct past *p)
{
	int64_t step = step_of(r);

	for (size_t i = 0; i < p->nfacts; i++) {
		const struct fact *f = &p->facts[i];
		if (strcmp(f->type, r->when) != 0)
			continue;
		int64_t from = step_at_or_after(r, f->time_ms);
		for (int64_t end = from; end - r->within_ms < f->time_ms; end += step) {
			int64_t n = 0, of = 0;
			for (size_t k = 0; k < p->nfacts; k++) {
				const struct fact *o = &p->facts[k];
				if (o->time_ms > end || o->time_ms <= end - r->within_ms ||
				    !same_key(r, f, o))
					continue;
				n += !strcmp(o->type, r->when);
				of += is_other(r, o);
			}
			if (of >= r->min && (double)n > r->above * (double)of)
				hold(h, r, f, end);
		}
	}
}

static bool is_waited_for(const struct rule *r, const struct past *p, const struct fact *f)
{
	for (size_t k = 0; k < p->nfacts; k++) {
		const struct fact *o = &p->facts[k];
		if (!same_key(r, f, o))
			continue;
		bool sooner = o->time_ms < f->time_ms || (o->time_ms == f->time_ms && o < f);
		if (!strcmp(o->type, r->when) && sooner &&
		    o->time_ms / r->within_ms == f->time_ms / r->within_ms)
			return false;
		if (is_other(r, o) && llabs(o->time_ms - f->time_ms) <= r->within_ms)
			return false;
	}
	return true;
}

static void hold_absences(struct holds *h, const struct rule *r, const struct past *p)
{
	for (size_t i = 0; i < p->nfacts; i++) {
		const struct fact *f = &p->facts[i];
		if (!strcmp(f->type, r->when) && is_waited_for(r, p, f))
			hold(h, r, f, step_at_or_after(r, f->time_ms + r->within_ms));
	}
}

static int by_key_and_end(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->end_ms > y->end_ms) - (x->end_ms < y->end_ms);
}

/* An alert is over when its condition held no more for so long. */
void alerts_expected(struct lines *to, const struct rule *r, const struct past *p)
{
	struct holds h = {0};

	if (r->above > 0)
		hold_shares(&h, r, p);
	else
		hold_absences(&h, r, p);
	if (h.n)
		qsort(h.v, h.n, sizeof *h.v, by_key_and_end);
	for (size_t i = 0, first = 0; i < h.n; i++) {
		bool last = i + 1 == h.n || strcmp(h.v[i].key, h.v[i + 1].key) != 0 ||
			    h.v[i + 1].end_ms > h.v[i].end_ms + r->after_ms;
		if (!last)
			continue;
		lines_add(to, xasprintf("%s %s firing +%lld", r->name, h.v[i].key,
					(long long)h.v[first].end_ms));
		lines_add(to, xasprintf("%s %s resolved +%lld %lld", r->name, h.v[i].key,
					(long long)(h.v[i].end_ms + r->after_ms),
					r->above > 0 ? 0 : (long long)(i + 1 - first)));
		first = i + 1;
	}
	free(h.v);
}
