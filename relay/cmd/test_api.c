/*
 * Broadcasts and rows as the API holds them, each with the record that the journal would keep of
 * it. A row goes through a page of its own, an entry through a list of its own, so that what is
 * wrong with one has its place in the test's file.
 */
#include "relay/cmd/test_api.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"
#include "relay/cmd/test_fields.h"
#include "relay/source/listing.h"

#define ROWS_TOTAL_MAX 20000	  /* of one test */
#define SHOWN_MAX      (64 << 20) /* bytes of rows as they are shown, all together */
#define UNNAMED	       "bc_1"	  /* the broadcast of rows where a test names none */

struct api_row {
	char *id;
	struct test_fields fields;
	struct recipient_record record;
	bool seen;
};

struct api_broadcast {
	char *id;
	struct test_fields fields;
	struct broadcast_record record;
	bool seen;
	struct api_row *v;
	size_t n, cap;
	uint32_t *slots; /* by hash of the id: a row's place plus one, 0: empty; open addressing */
	size_t nslots;	 /* a power of two, more than twice n; or 0 */
};

struct test_api {
	const struct source_options *options;
	int64_t since_ms;
	struct names states, statuses;
	struct api_broadcast *v;
	size_t n, cap;
	size_t current; /* the broadcast named last */
	size_t rows, shown;
	struct snapshot page;
	struct listing list;
};

/* One step as it is taken. */
struct taking {
	struct test_api *api;
	int64_t now_ms;
	struct events *out;
	struct problems *p;
};

struct test_api *test_api_new(const struct source_options *o, int64_t since_ms)
{
	struct test_api *api = xcalloc(1, sizeof *api);
	api->options = o;
	api->since_ms = since_ms;
	states_init(&api->states);
	return api;
}

static void release_broadcast(struct api_broadcast *b)
{
	for (size_t i = 0; i < b->n; i++) {
		test_fields_release(&b->v[i].fields);
		recipient_record_release(&b->v[i].record);
		free(b->v[i].id);
	}
	free(b->v);
	free(b->slots);
	test_fields_release(&b->fields);
	broadcast_record_release(&b->record);
	free(b->id);
}

void test_api_free(struct test_api *api)
{
	if (!api)
		return;
	for (size_t i = 0; i < api->n; i++)
		release_broadcast(&api->v[i]);
	free(api->v);
	snapshot_release(&api->page);
	listing_release(&api->list);
	free(api);
}

/* ---- broadcasts ---- */

static struct api_broadcast *find_broadcast(struct test_api *api, const char *id)
{
	for (size_t i = 0; i < api->n; i++)
		if (!strcmp(api->v[i].id, id))
			return &api->v[i];
	return NULL;
}

static struct api_broadcast *add_broadcast(struct test_api *api, const char *id)
{
	api->v = mem_grow(api->v, api->n, &api->cap, sizeof *api->v);
	struct api_broadcast *b = &api->v[api->n++];
	*b = (struct api_broadcast){.id = xstrdup(id)};
	return b;
}

/* Its own organization, where the entry names it; else the first that is followed. */
static const char *org_of(const struct taking *t, const struct node *entry)
{
	const char *org = node_string(node_get(entry, "org_id"));
	const struct strings *orgs = &t->api->options->orgs;
	return org ? org : orgs->n ? orgs->v[0] : "c";
}

static struct diff_place place_of(const struct taking *t, const struct broadcast_record *b)
{
	const struct test_api *api = t->api;
	return (struct diff_place){
		.base_url = api->options->base_url,
		.org = b->org,
		.broadcast = b->id,
		.broadcast_name = b->name,
		.broadcast_created_ms = b->created_ms,
		.states = &api->states,
		.statuses = &api->statuses,
		.since_ms = api->since_ms,
		.recorded_ms = t->now_ms,
		.updates = api->options->updates,
		.channels = api->options->channels,
		.partial = api->options->state_filter,
	};
}

static void tell_skipped(const struct taking *t, const struct node *at,
			 const size_t skipped[SKIP_KINDS], const struct err *err)
{
	for (int kind = 0; kind < SKIP_KINDS; kind++)
		if (skipped[kind])
			problem_at(t->p, at, "Relay would skip it as one %s", skip_names[kind]);
	if (err->code)
		problem_at(t->p, at, "Relay could not read it: %s", err->msg);
}

/* As relay/intake_listing.c takes an entry. */
static void see_broadcast(const struct taking *t, struct api_broadcast *b, const struct node *entry,
			  const char *org)
{
	struct listing *list = &t->api->list;
	struct buf text = BUF_INIT(YAML_FILE_MAX * 8);
	struct err err = {0};
	buf_addc(&text, '[');
	test_fields_write(&b->fields, &text);
	buf_addc(&text, ']');
	if (listing_read(list, text.data, text.len, &err) < 0 || !list->n) {
		tell_skipped(t, entry, list->skipped, &err);
	} else {
		struct broadcast_record fresh = {.org = (char *)org, .id = b->id}, now;
		struct diff_place at = place_of(t, &fresh);
		at.broadcast_name = list->v[0].name;
		at.broadcast_created_ms = list->v[0].created_ms;
		diff_broadcast(&at, b->seen ? &b->record : NULL, &list->v[0], text.data, t->out,
			       &now);
		broadcast_record_release(&b->record);
		b->record = now;
		b->seen = true;
	}
	buf_release(&text);
}

static void take_broadcast(const struct taking *t, const struct node *entry)
{
	const char *id = node_string(node_get(entry, "id"));
	if (!id || !*id) {
		problem_at(t->p, entry, "id is missing");
		return;
	}
	struct api_broadcast *b = find_broadcast(t->api, id);
	b = b ? b : add_broadcast(t->api, id);
	t->api->current = (size_t)(b - t->api->v);
	test_fields_check(TEST_BROADCAST, entry, t->now_ms, t->p);
	test_fields_merge(&b->fields, entry, t->now_ms);
	see_broadcast(t, b, entry, b->seen ? b->record.org : org_of(t, entry));
}

/* Of which no event tells. */
static struct api_broadcast *current_broadcast(const struct taking *t)
{
	struct test_api *api = t->api;
	if (api->n)
		return &api->v[api->current];
	struct api_broadcast *b = add_broadcast(api, UNNAMED);
	test_fields_set(&b->fields, "id", UNNAMED);
	b->record = (struct broadcast_record){.org = xstrdup(org_of(t, NULL)),
					      .id = xstrdup(UNNAMED),
					      .created_ms = DATE_NONE,
					      .updated_ms = DATE_NONE};
	b->seen = true;
	return b;
}

/* ---- recipients ---- */

/* The slot of the row of that id, or the empty one where it belongs. */
static uint32_t *slot_of(const struct api_broadcast *b, const char *id)
{
	size_t i = hash64(id, strlen(id)) & (b->nslots - 1);
	while (b->slots[i] && strcmp(b->v[b->slots[i] - 1].id, id) != 0)
		i = (i + 1) & (b->nslots - 1);
	return &b->slots[i];
}

static struct api_row *find_row(struct api_broadcast *b, const char *id)
{
	uint32_t place = b->nslots ? *slot_of(b, id) : 0;
	return place ? &b->v[place - 1] : NULL;
}

static void make_room(struct api_broadcast *b)
{
	if (b->nslots > 2 * (b->n + 1))
		return;
	free(b->slots);
	b->nslots = b->nslots ? 2 * b->nslots : 64;
	b->slots = xcalloc(b->nslots, sizeof *b->slots);
	for (size_t i = 0; i < b->n; i++)
		*slot_of(b, b->v[i].id) = (uint32_t)i + 1;
}

static struct api_row *add_row(const struct taking *t, struct api_broadcast *b, const char *id)
{
	make_room(b);
	b->v = mem_grow(b->v, b->n, &b->cap, sizeof *b->v);
	*slot_of(b, id) = (uint32_t)b->n + 1;
	struct api_row *r = &b->v[b->n++];
	*r = (struct api_row){.id = xstrdup(id)};
	t->api->rows++;
	return r;
}

/* As relay/intake.c takes a row of a page. */
static void see_row(const struct taking *t, struct api_broadcast *b, struct api_row *r,
		    const struct node *row)
{
	struct test_api *api = t->api;
	struct buf text = BUF_INIT(YAML_FILE_MAX * 8);
	struct err err = {0};
	buf_addc(&text, '[');
	test_fields_write(&r->fields, &text);
	buf_addc(&text, ']');
	api->shown += text.len;
	if (snapshot_read(&api->page, text.data, text.len, &api->states, &api->statuses, &err) <
		    0 ||
	    !api->page.n) {
		tell_skipped(t, row, api->page.skipped, &err);
	} else {
		struct diff_place at = place_of(t, &b->record);
		struct row *after = &api->page.v[0];
		struct recipient_record now;
		after->states |= r->record.states & after->odd;
		diff_recipient(&at, r->seen ? &r->record : NULL, after, text.data, t->out, &now);
		recipient_record_release(&r->record);
		r->record = now;
		r->seen = true;
	}
	buf_release(&text);
}

static void take_row(const struct taking *t, struct api_broadcast *b, const struct node *row,
		     const char *id)
{
	struct api_row *r = find_row(b, id);
	if (!r && t->api->rows == ROWS_TOTAL_MAX) {
		problem_at(t->p, row, "more than %d recipients in one test", ROWS_TOTAL_MAX);
		return;
	}
	if (t->api->shown > SHOWN_MAX) {
		problem_at(t->p, row, "more than %d MiB of rows in one test", SHOWN_MAX >> 20);
		return;
	}
	r = r ? r : add_row(t, b, id);
	test_fields_merge(&r->fields, row, t->now_ms);
	test_fields_set(&r->fields, "id", id);
	see_row(t, b, r, row);
}

/* "rcp_001..100": a hundred rows that are alike but for the number, which keeps its width. */
struct range {
	int prefix, width;
	int64_t first, last;
};

static bool read_range(const char *id, struct range *ret)
{
	const char *dots = strstr(id, ".."), *start = dots;
	while (start && start > id && start[-1] >= '0' && start[-1] <= '9')
		start--;
	if (!dots || start == dots || dots - start > 9)
		return false;
	size_t digits = strspn(dots + 2, "0123456789");
	if (!digits || digits > 9 || dots[2 + digits])
		return false;
	*ret = (struct range){.prefix = (int)(start - id),
			      .width = (int)(dots - start),
			      .first = strtol(start, NULL, 10),
			      .last = strtol(dots + 2, NULL, 10)};
	return true;
}

/* Until something is wrong with one of them: it is with all. */
static void take_range(const struct taking *t, struct api_broadcast *b, const struct node *row,
		       const struct range *range)
{
	const char *id = node_string(node_get(row, "id"));
	size_t before = problems_count(t->p);
	for (int64_t k = range->first; k <= range->last && problems_count(t->p) == before; k++) {
		char *one = xasprintf("%.*s%0*lld", range->prefix, id, range->width, (long long)k);
		take_row(t, b, row, one);
		free(one);
	}
}

static void take_recipients(const struct taking *t, const struct node *list)
{
	struct api_broadcast *b = current_broadcast(t);
	for (size_t i = 0; i < list->n; i++) {
		const struct node *row = list->items[i];
		const char *id = node_string(node_get(row, "id"));
		struct range range;
		if (!id || !*id) {
			problem_at(t->p, row, "a row with an id is expected");
			continue;
		}
		test_fields_check(TEST_RECIPIENT, row, t->now_ms, t->p);
		if (!read_range(id, &range))
			take_row(t, b, row, id);
		else if (range.last < range.first || range.last - range.first >= ROWS_TOTAL_MAX)
			problem_at(t->p, row, "\"%s\" is no range of 1 to %d rows", id,
				   ROWS_TOTAL_MAX);
		else
			take_range(t, b, row, &range);
	}
}

/* ---- what is gone ---- */

static void take_removed(const struct taking *t, const struct node *n)
{
	struct test_api *api = t->api;
	const char *id = node_string(n);
	struct api_broadcast *gone = id ? find_broadcast(api, id) : NULL;
	struct api_broadcast *b = api->n ? &api->v[api->current] : NULL;
	struct api_row *r = id && b ? find_row(b, id) : NULL;
	struct diff_place at;
	if (r && !r->record.gone) {
		at = place_of(t, &b->record);
		diff_removed(&at, &r->record, t->out);
		r->record.gone = true;
	} else if (!r && gone && !gone->record.gone) {
		at = place_of(t, &gone->record);
		diff_broadcast_removed(&at, &gone->record, t->out);
		gone->record.gone = true;
	} else {
		problem_at(t->p, n, "no such recipient or broadcast is there to be removed");
	}
}

void test_api_step(struct test_api *api, const struct test_step *step, int64_t now_ms,
		   struct events *out, struct problems *p)
{
	struct taking t = {api, now_ms, out, p};
	if (step->broadcast)
		take_broadcast(&t, step->broadcast);
	if (step->recipients)
		take_recipients(&t, step->recipients);
	for (size_t i = 0; step->removed && i < step->removed->n; i++)
		take_removed(&t, step->removed->items[i]);
}
