/* A seed's text, and what it changes at the start. */
#include "relay/source/seed.h"

#include <string.h>

#include "relay/base/json.h"
#include "relay/base/json_add.h"

const char *const seed_counters_names[] = {
	[COUNTERS_UNKNOWN] = "unknown", [COUNTERS_EXACT] = "exact",   [COUNTERS_BEHIND] = "behind",
	[COUNTERS_WRONG] = "wrong",	[COUNTERS_ABSENT] = "absent",
};

static const char *const orders[] = {
	[SORT_UNKNOWN] = "unknown", [SORT_UPDATED] = "updated_at", [SORT_CREATED] = "created_at",
	[SORT_ID] = "id",	    [SORT_STABLE] = "stable",	   [SORT_NONE] = "none",
};

void seed_write(struct buf *out, const struct seed *s, const char *base_url, int64_t made_ms)
{
	buf_addc(out, '{');
	json_add_text(out, "base_url", base_url);
	json_add_date(out, "made", made_ms);
	json_add_text(out, "order", orders[s->order]);
	json_add_bool(out, "newest_first", s->newest_first);
	json_add_text(out, "counters", seed_counters_names[s->counters]);
	json_add_int(out, "take", s->take);
	json_add_bool(out, "counts", s->counts);
	json_add_bool(out, "filters", s->filters);
	buf_adds(out, "}\n");
}

/* 0, which stands for nothing known, also for a word that is not among them. */
static unsigned word_number(const struct json *v, const char *const *words, unsigned n)
{
	const char *text = json_string(v);

	for (unsigned i = 0; text && i < n; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return 0;
}

int seed_read(struct seed *ret, const char *text, size_t len, const char *base_url, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json *v = json_parse(doc, text, len, JSON_DEPTH, err);
	const char *url = json_string(json_get(v, "base_url"));
	int64_t take = 0;
	int status = v ? 0 : -1;

	if (v && !url)
		status = err_set(err, ERR_FORMAT, "no base_url in it");
	else if (v && strcmp(url, base_url) != 0)
		status = err_set(err, ERR_FORMAT, "it is of another base_url");
	if (status == 0) {
		json_int(json_get(v, "take"), &take);
		*ret = (struct seed){
			.order = word_number(json_get(v, "order"), orders,
					     sizeof orders / sizeof *orders),
			.newest_first = json_bool(json_get(v, "newest_first"), false),
			.counters = word_number(json_get(v, "counters"), seed_counters_names,
						COUNTERS_ABSENT + 1),
			.take = take > 0 && take <= ROWS_MAX ? (unsigned)take : 0,
			.counts = json_bool(json_get(v, "counts"), false),
			.filters = json_bool(json_get(v, "filters"), false),
		};
	}
	json_doc_free(doc);
	return status;
}

void seed_apply(struct chase *c, const struct seed *s)
{
	if (s->order == SORT_UPDATED || s->order == SORT_NONE) {
		c->order.assumed = s->order;
		c->order.assumed_newest_first = s->newest_first;
	}
	if (s->counters == COUNTERS_BEHIND)
		counts_distrust(&c->counts);
	if (s->take)
		c->take = s->take;
}
