/* nng_request — see the header. Invariant: a member that the kind of request does not have is
 * refused, so that a misspelt one is never taken for its preset. */
#include "transports/nng_request.h"

#include <string.h>

#include "transports/nng_frame.h"
#include "transports/transport.h"

typedef int read_member(const struct json *v, struct refill_request *ret, struct err *err);

struct member {
	const char *name;
	read_member *read;
};

static bool is_sequence(const struct json *v, int64_t *ret)
{
	if (json_type(v) == JSON_STRING)
		return frame_sequence(json_string(v), ret);
	return json_int(v, ret) && *ret >= 0 && *ret < FRAME_SEQUENCE_MAX;
}

static int read_topic(const struct json *v, struct refill_request *ret, struct err *err)
{
	ret->topic = json_string(v);
	if (ret->topic && strlen(ret->topic) <= FRAME_TOPIC_MAX)
		return 0;
	return err_set(err, ERR_FORMAT, "topic: a string of at most %d bytes is expected",
		       FRAME_TOPIC_MAX);
}

static int read_after(const struct json *v, struct refill_request *ret, struct err *err)
{
	if (is_sequence(v, &ret->after))
		return 0;
	return err_set(err, ERR_FORMAT,
		       "after: a sequence is expected, as a number below 2^53 or 1 to 16 digits");
}

static int read_limit(const struct json *v, struct refill_request *ret, struct err *err)
{
	if (json_int(v, &ret->limit) && ret->limit >= 1 && ret->limit <= FRAME_EVENTS_MAX)
		return 0;
	return err_set(err, ERR_FORMAT, "limit: 1 to %d is expected", FRAME_EVENTS_MAX);
}

static int read_id(const struct json *v, const char **ret, struct err *err)
{
	const char *id = json_string(v);
	size_t len = id ? strlen(id) : 0;

	if (len < 1 || len > FRAME_ID_MAX)
		return err_set(err, ERR_FORMAT, "%s: a string of 1 to %d bytes is expected",
			       json_key(v), FRAME_ID_MAX);
	*ret = id;
	return 0;
}

static int read_state(const struct json *v, struct refill_request *ret, struct err *err)
{
	return read_id(v, &ret->state, err);
}

static int read_org(const struct json *v, struct refill_request *ret, struct err *err)
{
	return read_id(v, &ret->org, err);
}

static int read_after_row(const struct json *v, struct refill_request *ret, struct err *err)
{
	const char *place = json_string(v);

	if (!place || strlen(place) > HISTORY_PLACE_MAX)
		return err_set(err, ERR_FORMAT, "after: the `next` of a page is expected");
	ret->after_row = place;
	return 0;
}

static const struct member of_events[] = {
	{"topic", read_topic}, {"after", read_after}, {"limit", read_limit}, {NULL, NULL}};
static const struct member of_state[] = {{"state", read_state},
					 {"after", read_after_row},
					 {"limit", read_limit},
					 {"org", read_org},
					 {NULL, NULL}};

int refill_request_read(struct refill_request *ret, const struct json *root, struct err *err)
{
	struct refill_request q = {.after_row = "", .limit = FRAME_EVENTS_MAX};
	bool topic = json_get(root, "topic"), state = json_get(root, "state");

	if (json_type(root) != JSON_OBJECT)
		return err_set(err, ERR_FORMAT, "a JSON object is expected");
	if (topic == state)
		return err_set(err, ERR_FORMAT,
			       topic ? "topic and state: only one of them is expected"
				     : "topic or state is missing");
	for (const struct json *v = json_first(root); v; v = json_next(v)) {
		const struct member *m = state ? of_state : of_events;
		while (m->name && strcmp(m->name, json_key(v)) != 0)
			m++;
		if (!m->name) /* the name last, for it may be cut */
			return err_set(err, ERR_FORMAT, "only %s are known, not %s",
				       state ? "state, after, limit and org"
					     : "topic, after and limit",
				       json_key(v));
		if (m->read(v, &q, err) < 0)
			return -1;
	}
	*ret = q;
	return 0;
}
