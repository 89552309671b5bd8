/* sim_client — see the header. Every failure here is the test's. */
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
#include "tests/unit/sim_client.h"

struct model_options sim_options(const struct sim_broadcast *b, enum sim_order order)
{
	return (struct model_options){.seed = 7,
				      .epoch_ms = SIM_EPOCH,
				      .org = "org_1",
				      .broadcasts = b,
				      .nbroadcasts = 1,
				      .ramp_ms = 60000,
				      .order = order};
}

struct model *sim_make_with(const struct model_options *o)
{
	struct err err = {0};
	struct model *m = model_new(o, &err);

	if (!m)
		fail_msg("%s", err.msg);
	return m;
}

struct model *sim_make(uint32_t n, enum sim_order order)
{
	struct sim_broadcast b = {.recipients = n};
	struct model_options o = sim_options(&b, order);

	return sim_make_with(&o);
}

void sim_ask(struct model *m, int64_t now_ms, const char *path, const char *query,
	     struct sim_reply *ret)
{
	struct sim_request rq = {.method = "GET",
				 .path = path,
				 .query = query,
				 .client = "::1",
				 .arrived_ms = now_ms};

	model_request(m, now_ms, &rq, ret);
}

const struct json *sim_read(struct model *m, int64_t now_ms, const char *path, const char *query,
			    struct json_doc *doc)
{
	struct err err = {0};
	struct sim_reply reply;

	sim_ask(m, now_ms, path, query, &reply);
	if (reply.status != 200)
		fail_msg("%s?%s: %d %s", path, query, reply.status, reply.body.data);
	const struct json *root = json_parse(doc, reply.body.data, reply.body.len, 16, &err);
	if (!root)
		fail_msg("%s", err.msg);
	model_served(m, &reply);
	sim_reply_release(&reply);
	return root;
}

uint64_t sim_count(struct model *m, int64_t now_ms, const char *query)
{
	struct sim_reply reply;

	sim_ask(m, now_ms, SIM_PATH, query, &reply);
	assert_int_equal(reply.status, 200);
	uint64_t n = strtoull(sim_reply_header(&reply, "pagination-count"), NULL, 10);
	sim_reply_release(&reply);
	return n;
}

static void copy(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
}

static int64_t date_of(const struct json *v)
{
	const char *text = json_string(v);
	int64_t ms = DATE_NONE;

	if (text)
		assert_true(date_parse(text, strlen(text), &ms));
	return ms;
}

static void read_row(const struct json *v, struct sim_row *ret)
{
	copy(ret->id, sizeof ret->id, json_string(json_get(v, "id")));
	copy(ret->integration, sizeof ret->integration, json_string(json_get(v, "integration_id")));
	copy(ret->contact, sizeof ret->contact,
	     json_string(json_get(json_get(v, "contact"), "id")));
	copy(ret->user, sizeof ret->user, json_string(json_get(v, "user_id")));
	copy(ret->username, sizeof ret->username, json_string(json_get(v, "username")));
	copy(ret->email, sizeof ret->email, json_string(json_get(v, "email")));
	ret->flags = 0;
	ret->created_ms = date_of(json_get(v, "created_at"));
	ret->updated_ms = date_of(json_get(v, "updated_at"));
	for (unsigned i = 0; i < SIM_STATES; i++) {
		char key[64];
		snprintf(key, sizeof key, "is_%s_at", sim_what_names[i]);
		ret->at[i] = date_of(json_get(v, key));
		key[strlen(key) - 3] = '\0';
		if (json_bool(json_get(v, key), false))
			ret->flags |= 1u << i;
		assert_true(!!(ret->flags >> i & 1) == (ret->at[i] != DATE_NONE));
	}
	if (!strcmp(json_string(json_get(v, "status")), "PROCESSED"))
		ret->flags |= 1u << SIM_PROCESSED;
}

void sim_rows(struct model *m, int64_t now_ms, const char *filter, unsigned take,
	      struct sim_rows *ret)
{
	struct json_doc *doc = json_doc_new();
	size_t got = take;

	*ret = (struct sim_rows){0};
	for (unsigned page = 1; got == take; page++) {
		char query[512];
		snprintf(query, sizeof query, "%s&page=%u&take=%u", filter, page, take);
		const struct json *root = sim_read(m, now_ms, SIM_PATH, query, doc);
		got = 0;
		for (const struct json *v = json_first(root); v; v = json_next(v), got++) {
			ret->v = mem_grow(ret->v, ret->n, &ret->cap, sizeof *ret->v);
			read_row(v, &ret->v[ret->n++]);
		}
	}
	json_doc_free(doc);
}

void sim_rows_release(struct sim_rows *r)
{
	free(r->v);
	*r = (struct sim_rows){0};
}

const struct sim_row *sim_rows_find(const struct sim_rows *r, const char *id)
{
	for (size_t i = 0; i < r->n; i++)
		if (!strcmp(r->v[i].id, id))
			return &r->v[i];
	return NULL;
}

char *sim_ledger(struct model *m)
{
	struct buf out = BUF_INIT(64 << 20);
	struct ledger l;

	ledger_start(&l, m);
	while (ledger_read(&l, &out, out.len + 4096))
		;
	assert_false(out.full);
	return buf_detach(&out);
}

size_t sim_lines(const char *ledger, const char *one, const char *other)
{
	size_t n = 0;

	for (const char *at = ledger; *at; at = strchr(at, '\n') + 1) {
		size_t len = strcspn(at, "\n");
		const char *a = one ? memmem(at, len, one, strlen(one)) : at;
		const char *b = other ? memmem(at, len, other, strlen(other)) : at;
		n += a && b;
	}
	return n;
}
