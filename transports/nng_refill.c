/* nng_refill — what a request means, its answer, and the thread that gives it. Invariant: whatever
 * bytes come in, one JSON object of at most FRAME_REPLY_MAX bytes goes out. */
#include "transports/nng_refill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "transports/nng_bus.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"

#define SCAN_MAX     20000     /* routes looked at in one call, so that none holds up the rest */
#define BODIES_MAX   (4 << 20) /* bytes of events in a reply */
#define REPLY_TAIL   4096      /* room for what stands around events and topics */
#define REQUEST_DEEP 8

/* ---- one request ---- */

struct request {
	const char *topic;
	int64_t after, limit;
};

struct reply {
	const char *topic; /* the subscription asked for */
	struct buf *out, topics;
	size_t n;
	int64_t last;
	bool cut; /* no room for more */
};

static bool is_sequence(const struct json *v, int64_t *ret)
{
	if (json_type(v) == JSON_STRING)
		return frame_sequence(json_string(v), ret);
	return json_int(v, ret) && *ret >= 0 && *ret < FRAME_SEQUENCE_MAX;
}

static int read_member(const struct json *v, struct request *ret, struct err *err)
{
	const char *name = json_key(v);

	if (!strcmp(name, "topic")) {
		ret->topic = json_string(v);
		if (!ret->topic || strlen(ret->topic) > FRAME_TOPIC_MAX)
			return err_set(err, ERR_FORMAT,
				       "topic: a string of at most %d bytes is "
				       "expected",
				       FRAME_TOPIC_MAX);
		return 0;
	}
	if (!strcmp(name, "after")) {
		if (!is_sequence(v, &ret->after))
			return err_set(err, ERR_FORMAT,
				       "after: a sequence is expected, as a number or digits");
		return 0;
	}
	if (!strcmp(name, "limit")) {
		if (!json_int(v, &ret->limit) || ret->limit < 1 || ret->limit > FRAME_EVENTS_MAX)
			return err_set(err, ERR_FORMAT, "limit: 1 to %d is expected",
				       FRAME_EVENTS_MAX);
		return 0;
	}
	return err_set(err, ERR_FORMAT, "only topic, after and limit are known");
}

static int read_request(const struct json *root, struct request *ret, struct err *err)
{
	*ret = (struct request){.limit = FRAME_EVENTS_MAX};
	if (json_type(root) != JSON_OBJECT)
		return err_set(err, ERR_FORMAT, "a JSON object is expected");
	for (const struct json *v = json_first(root); v; v = json_next(v))
		if (read_member(v, ret, err) < 0)
			return -1;
	if (!ret->topic)
		return err_set(err, ERR_FORMAT, "topic is missing");
	return 0;
}

static bool has_room(const struct reply *r, const struct history_event *ev)
{
	size_t want = ev->len + FRAME_PREVSEQUENCE + 6 * strlen(ev->topic) + REPLY_TAIL;

	return r->out->len + r->topics.len + want <= FRAME_REPLY_MAX;
}

static void add_event(void *arg, const struct history_event *ev)
{
	struct reply *r = arg;
	const char *comma = r->n ? "," : "";

	if (r->cut || !ev->topic || ev->len < 3 || !frame_topic_matches(r->topic, ev->topic))
		return;
	if (!has_room(r, ev)) {
		r->cut = true;
		return;
	}
	char *body = xmalloc(ev->len + FRAME_PREVSEQUENCE);
	frame_body(body, ev->body, ev->len, event_sequence_at(ev->body, ev->len), ev->prevsequence);
	buf_adds(r->out, comma);
	buf_add(r->out, body, ev->len + FRAME_PREVSEQUENCE);
	free(body);
	buf_adds(&r->topics, comma);
	json_write_string(&r->topics, ev->topic);
	r->n++;
	r->last = ev->sequence;
}

static int ask(const struct transport_history *h, uint32_t number, const struct request *q,
	       struct buf *out, struct err *err)
{
	char *prefix = xstrdup(q->topic);
	size_t len = strlen(prefix);
	struct reply r = {q->topic, out, BUF_INIT(FRAME_REPLY_MAX), 0, 0, false};
	struct history_query query = {number,		prefix,	  q->after,
				      (size_t)q->limit, SCAN_MAX, BODIES_MAX};
	struct history_end end = {0};

	if (len && prefix[len - 1] == ' ')
		prefix[len - 1] = '\0';
	buf_adds(out, "{\"events\":[");
	int failed = h->routes(h->arg, &query, add_event, &r, &end, err);
	free(prefix);
	if (!failed) {
		if (r.last > end.latest)
			end.latest = r.last; /* its commit is just being reported */
		buf_addf(out, "],\"topics\":[%s],\"next\":%" PRId64 ",\"more\":%s", r.topics.data,
			 r.cut ? r.last : end.scanned, r.cut || end.more ? "true" : "false");
		buf_addf(out, ",\"oldest\":%" PRId64 ",\"latest\":%" PRId64 "}", end.oldest,
			 end.latest);
	}
	buf_release(&r.topics);
	return failed;
}

static void refuse(struct buf *reply, const char *why)
{
	buf_clear(reply);
	buf_adds(reply, "{\"error\":");
	json_write_string(reply, why);
	buf_addc(reply, '}');
}

void refill_answer(const struct transport_history *history, uint32_t number, const char *request,
		   size_t len, struct buf *reply)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	struct request q;
	const struct json *root = json_parse(doc, request, len, REQUEST_DEEP, &err);

	if (!root || read_request(root, &q, &err) < 0) {
		refuse(reply, err.msg);
	} else if (!history) {
		refuse(reply, "there is no journal to answer from");
	} else if (ask(history, number, &q, reply, &err) < 0) {
		log_debug("refill", log_str("why", err.msg));
		refuse(reply, "the journal cannot be read now");
	}
	json_doc_free(doc);
}

/* ---- the thread ---- */

struct refill {
	struct transport_env env;
	struct callers *callers;
	int wake[2]; /* a pipe: a byte in it ends the wait */
	pthread_t thread;
	atomic_bool stop;
};

static void answer(void *arg, const char *request, size_t len, struct buf *reply)
{
	struct refill *r = arg;

	refill_answer(r->env.history, r->env.number, request, len, reply);
}

static void *run(void *arg)
{
	struct refill *r = arg;

	while (!atomic_load(&r->stop))
		callers_turn(r->callers, r->wake[0]);
	return NULL;
}

static int start(struct refill *r, const char *url, struct err *err)
{
	if (pipe2(r->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	r->callers = callers_open(url, answer, r, err);
	return r->callers ? bus_thread(&r->thread, "refill", run, r, err) : -1;
}

/* All but the thread. */
static void release(struct refill *r)
{
	callers_close(r->callers);
	for (int i = 0; i < 2; i++)
		if (r->wake[i] >= 0)
			close(r->wake[i]);
	free(r);
}

struct refill *refill_open(const char *url, const struct transport_env *env, struct err *err)
{
	struct refill *r = xcalloc(1, sizeof *r);

	r->env = *env;
	r->wake[0] = r->wake[1] = -1;
	if (start(r, url, err) == 0)
		return r;
	release(r);
	return NULL;
}

void refill_stop(struct refill *r)
{
	if (!r)
		return;
	atomic_store(&r->stop, true);
	while (write(r->wake[1], "", 1) < 0 && errno == EINTR) {
	}
}

void refill_close(struct refill *r)
{
	if (!r)
		return;
	pthread_join(r->thread, NULL);
	release(r);
}
