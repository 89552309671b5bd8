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
#include "relay/base/json_add.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"
#include "transports/nng_callers.h"
#include "transports/nng_frame.h"
#include "transports/nng_rows.h"

#define SCAN_MAX     20000     /* routes looked at in one call, so that none holds up the rest */
#define BODIES_MAX   (4 << 20) /* bytes of events in a reply */
#define REPLY_TAIL   4096      /* room for what stands around events and topics */
#define REQUEST_DEEP 8

/* ---- one request ---- */

struct reply {
	const char *topic; /* the subscription asked for */
	struct buf *out, topics;
	size_t n;
	int64_t last;
	bool cut; /* no room for more */
};

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

static void refuse(struct buf *reply, const char *why)
{
	buf_clear(reply);
	buf_adds(reply, "{\"error\":");
	json_write_string(reply, why);
	buf_addc(reply, '}');
}

/* An `after` that the journal has not come to would seem to miss nothing for a long time: it is
 * that of another journal. The reply says how far this one is. */
static void refuse_after(struct buf *reply, int64_t after, int64_t latest)
{
	struct err why = {0};

	err_set(&why, ERR_FORMAT,
		"after: %" PRId64 " is beyond the journal's latest sequence, %" PRId64
		"; is it another journal?",
		after, latest);
	refuse(reply, why.msg);
	buf_truncate(reply, reply->len - 1);
	json_add_int(reply, "latest", latest);
	buf_addc(reply, '}');
}

/* Returns the events given. -1 with nothing in err: the reply says already why there are none. */
static int refill_events(const struct transport_history *h, uint32_t number,
			 const struct refill_request *q, struct buf *out, struct err *err)
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
	bool beyond = !failed && !end.more && q->after > end.latest;
	if (beyond) {
		refuse_after(out, q->after, end.latest);
	} else if (!failed) {
		buf_addf(out, "],\"topics\":[%s],\"next\":%" PRId64 ",\"more\":%s", r.topics.data,
			 r.cut ? r.last : end.scanned, r.cut || end.more ? "true" : "false");
		buf_addf(out, ",\"oldest\":%" PRId64 ",\"latest\":%" PRId64 "}", end.oldest,
			 end.latest);
	}
	buf_release(&r.topics);
	return failed || beyond ? -1 : (int)r.n;
}

static int read_request(struct json_doc *doc, const char *request, size_t len,
			struct refill_request *ret, struct err *err)
{
	if (len == 0)
		return err_set(err, ERR_FORMAT, "the request is empty: a JSON object is expected");
	if (len > FRAME_REQUEST_MAX)
		return err_set(err, ERR_FORMAT, "the request is longer than %d bytes",
			       FRAME_REQUEST_MAX);
	const struct json *root = json_parse(doc, request, len, REQUEST_DEEP, err);
	return root ? refill_request_read(ret, root, err) : -1;
}

int refill_answer(const struct transport_history *history, uint32_t number, const char *request,
		  size_t len, struct buf *reply)
{
	struct json_doc *doc = json_doc_new();
	struct err err = {0};
	struct refill_request q;
	int events = -1;

	if (read_request(doc, request, len, &q, &err) < 0) {
		refuse(reply, err.msg);
	} else if (!history) {
		refuse(reply, "there is no journal to answer from");
	} else if (q.state && !history->rows) {
		refuse(reply, "state: it is switched off for this bus (nng: state: false)");
	} else if ((events = q.topic ? refill_events(history, number, &q, reply, &err)
				     : refill_rows(history, &q, reply, &err)) < 0 &&
		   err.code != ERR_NONE) {
		log_debug("refill", log_str("why", err.msg));
		refuse(reply, err.code == ERR_FORMAT ? err.msg : "the journal cannot be read now");
	}
	json_doc_free(doc);
	return events;
}

/* ---- the thread ---- */

struct refill {
	struct transport_env env;
	struct callers *callers;
	int wake[2]; /* a pipe: a byte in it ends the wait */
	pthread_t thread;
	pthread_mutex_t asking; /* held while the history is asked */
	atomic_bool stop;
	_Atomic uint64_t requests, events, errors;
	_Atomic int64_t short_ms;
};

static void answer(void *arg, const char *request, size_t len, struct buf *reply)
{
	struct refill *r = arg;

	pthread_mutex_lock(&r->asking);
	if (atomic_load(&r->stop)) {
		pthread_mutex_unlock(&r->asking);
		refuse(reply, "the relay ends");
		return;
	}
	int events = refill_answer(r->env.history, r->env.number, request, len, reply);
	pthread_mutex_unlock(&r->asking);
	r->requests++;
	if (events < 0)
		r->errors++;
	else
		r->events += (uint64_t)events;
}

void refill_count(struct refill *r, struct refill_counts *ret)
{
	*ret = (struct refill_counts){r->requests, r->events, r->errors, r->short_ms};
}

static void *run(void *arg)
{
	struct refill *r = arg;

	while (!atomic_load(&r->stop)) {
		callers_turn(r->callers, r->wake[0]);
		r->short_ms = callers_short_ms(r->callers);
	}
	return NULL;
}

static int start(struct refill *r, const char *url, const struct pem_files *files, struct err *err)
{
	if (pipe2(r->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	r->callers = callers_open(url, files, answer, r, err);
	return r->callers ? thread_start(&r->thread, "refill", run, r, err) : -1;
}

/* All but the thread. */
static void release(struct refill *r)
{
	callers_close(r->callers);
	for (int i = 0; i < 2; i++)
		if (r->wake[i] >= 0)
			close(r->wake[i]);
	pthread_mutex_destroy(&r->asking);
	free(r);
}

struct refill *refill_open(const char *url, const struct pem_files *files,
			   const struct transport_env *env, struct err *err)
{
	struct refill *r = xcalloc(1, sizeof *r);

	r->env = *env;
	r->wake[0] = r->wake[1] = -1;
	pthread_mutex_init(&r->asking, NULL);
	if (start(r, url, files, err) == 0)
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
	pthread_mutex_lock(&r->asking);
	pthread_mutex_unlock(&r->asking);
}

void refill_close(struct refill *r)
{
	if (!r)
		return;
	pthread_join(r->thread, NULL);
	release(r);
}
