/* causes — a short list, searched from its beginning. Invariants: no two of it have both channel
 * and text in common; what is counted once is counted until the end, if only among the others. */
#include "relay/source/causes.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/cause.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

#define CHANNEL_MAX 64 /* bytes of an integration_id that is told apart */

static void release(struct cause *c)
{
	free(c->channel);
	free(c->text);
}

void causes_release(struct causes *c)
{
	for (size_t i = 0; i < c->n; i++)
		release(&c->v[i]);
	free(c->v);
	*c = (struct causes){0};
}

static struct cause *find(const struct causes *c, const char *channel, const char *text)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->v[i].text, text) && !strcmp(c->v[i].channel, channel))
			return &c->v[i];
	return NULL;
}

static void drop_rarest(struct causes *c)
{
	size_t least = 0;

	for (size_t i = 1; i < c->n; i++)
		if (c->v[i].n <= c->v[least].n)
			least = i;
	c->other += c->v[least].n;
	release(&c->v[least]);
	c->v[least] = c->v[--c->n];
}

static void count(struct causes *c, const char *channel, const char *text, uint64_t n)
{
	struct cause *known = find(c, channel, text);

	if (known) {
		known->n += n;
		return;
	}
	if (c->n == CAUSES_MAX)
		drop_rarest(c);
	c->v = mem_grow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n++] = (struct cause){xstrdup(channel), xstrdup(text), n};
}

void causes_add(struct causes *c, const char *channel, const char *error_message)
{
	struct buf text = BUF_INIT(CAUSE_MAX + 1);

	if (!channel || strlen(channel) > CHANNEL_MAX)
		channel = "";
	cause_normalise(&text, error_message ? error_message : "");
	count(c, channel, text.data, 1);
	buf_release(&text);
}

void causes_add_all(struct causes *c, const struct causes *more)
{
	for (size_t i = 0; i < more->n; i++)
		count(c, more->v[i].channel, more->v[i].text, more->v[i].n);
	c->other += more->other;
}

uint64_t causes_total(const struct causes *c)
{
	uint64_t total = c->other;

	for (size_t i = 0; i < c->n; i++)
		total += c->v[i].n;
	return total;
}

static int by_frequency(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return order ? order : strcmp(x->channel, y->channel);
}

void causes_sort(struct causes *c)
{
	if (c->n)
		qsort(c->v, c->n, sizeof *c->v, by_frequency);
}

void causes_write(const struct causes *c, struct buf *out)
{
	buf_addc(out, '{');
	json_add_int(out, "other", (int64_t)c->other);
	json_add_name(out, "causes");
	buf_addc(out, '[');
	for (size_t i = 0; i < c->n; i++) {
		json_add_element(out);
		json_add_text(out, "channel", c->v[i].channel);
		json_add_text(out, "text", c->v[i].text);
		json_add_int(out, "n", (int64_t)c->v[i].n);
		buf_addc(out, '}');
	}
	buf_adds(out, "]}");
}

static bool read_cause(struct causes *c, const struct json *v)
{
	const char *channel = json_string(json_get(v, "channel"));
	const char *text = json_string(json_get(v, "text"));
	int64_t n;

	if (!channel || !text || !json_int(json_get(v, "n"), &n) || n < 1)
		return false;
	count(c, channel, text, (uint64_t)n);
	return true;
}

bool causes_read(struct causes *c, const char *text)
{
	struct json_doc *doc = text ? json_doc_new() : NULL;
	struct err err;
	int64_t other;

	if (!text)
		return true;
	const struct json *all = json_parse(doc, text, strlen(text), 4, &err);
	bool good = json_int(json_get(all, "other"), &other) && other >= 0;
	if (good)
		c->other += (uint64_t)other;
	for (const struct json *v = json_first(json_get(all, "causes")); v && good;
	     v = json_next(v))
		good = read_cause(c, v);
	json_doc_free(doc);
	return good;
}
