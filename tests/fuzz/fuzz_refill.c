/* Fuzzes requests to the refill address, of events and of rows: whatever comes in, one JSON object
 * of bounded size goes out. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "transports/nng_frame.h"
#include "transports/nng_refill.h"

#define LATEST 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int routes(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		  struct history_end *ret, struct err *err)
{
	static const char body[] = "{\"sequence\":\"0000000000000005\",\"data\":{}}";

	(void)arg, (void)err;
	assert(strlen(q->prefix) <= FRAME_TOPIC_MAX && q->limit >= 1 &&
	       q->limit <= FRAME_EVENTS_MAX);
	assert(q->after >= 0 && q->after < FRAME_SEQUENCE_MAX);
	if (q->after < LATEST)
		each(each_arg, &(struct history_event){LATEST, 3, "t", body, sizeof body - 1});
	*ret = (struct history_end){LATEST, false, 1, LATEST};
	return 0;
}

static int rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		void *each_arg, struct history_rows_end *ret, struct err *err)
{
	(void)arg, (void)err;
	assert(*q->broadcast && strlen(q->broadcast) <= FRAME_ID_MAX);
	assert(strlen(q->after) <= HISTORY_PLACE_MAX &&
	       (!q->org || strlen(q->org) <= FRAME_ID_MAX));
	assert(q->limit >= 1 && q->limit <= FRAME_EVENTS_MAX);
	for (int i = 0; i < 2; i++)
		each(each_arg, &(struct history_row){i ? "r" : q->after, "{}", 2});
	*ret = (struct history_rows_end){.sequence = LATEST,
					 .ambiguous = !strcmp(q->broadcast, "two"),
					 .broadcast = q->org ? NULL : xstrdup("{}")};
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct transport_history history = {.routes = routes, .rows = rows};
	struct buf reply = BUF_INIT(FRAME_REPLY_MAX);
	struct json_doc *doc = json_doc_new();
	struct err err;

	refill_answer(&history, 1, (const char *)data, size, &reply);
	assert(!reply.full);
	const struct json *root = json_parse(doc, reply.data, reply.len, JSON_DEPTH, &err);
	assert(root && json_type(root) == JSON_OBJECT);
	const struct json *error = json_get(root, "error");
	assert(!error || (json_count(root) <= 2 && *json_string(error)));
	json_doc_free(doc);
	buf_release(&reply);
	return 0;
}
