/* Entries of the list of sub-organizations. What the API says of money and members is not looked
 * at. */
#include "relay/source/orgs.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static bool read_entry(const struct json *entry, struct org_row *ret)
{
	if (json_type(entry) != JSON_OBJECT)
		return false;
	const char *id = json_string(json_get(entry, "id"));
	if (!id || !*id || strlen(id) > ID_MAX)
		return false;
	const struct json *features = json_get(entry, "features");
	bool object = features && json_type(features) == JSON_OBJECT;
	*ret = (struct org_row){
		.id = id,
		.broadcasts = !object || json_bool(json_get(features, "broadcasts"), true),
	};
	return true;
}

int orgs_read(struct orgs *o, const char *text, size_t len, struct err *err)
{
	o->n = o->rows = 0;
	if (!o->doc)
		o->doc = json_doc_new();
	const struct json *page = json_parse(o->doc, text, len, JSON_DEPTH, err);
	if (!page)
		return -1;
	if (json_type(page) != JSON_ARRAY)
		return err_set(err, ERR_FORMAT, "no JSON array");
	for (const struct json *e = json_first(page); e; e = json_next(e)) {
		struct org_row row;
		if (o->rows++ >= ROWS_MAX || !read_entry(e, &row))
			continue;
		o->v = mem_grow(o->v, o->n, &o->cap, sizeof *o->v);
		o->v[o->n++] = row;
	}
	return 0;
}

void orgs_release(struct orgs *o)
{
	if (!o)
		return;
	json_doc_free(o->doc);
	free(o->v);
	*o = (struct orgs){0};
}
