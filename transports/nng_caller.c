/* nng_caller — one connection, step by step. Invariant: it reads or it writes, never both, and no
 * further than to the end of a request or of its reply. */
#include "transports/nng_caller.h"

#include <poll.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "transports/nng_frame.h"

static void enter(struct caller *one, enum step step, int64_t now_ms)
{
	one->step = step;
	one->got = 0;
	one->since_ms = now_ms;
}

/* Each of these returns NULL, or why the connection ends. */

static const char *open_on(struct caller *one, int64_t now_ms)
{
	const char *why = NULL;

	if (opening_go_on(&one->opening, &one->channel, &why) == 1)
		enter(one, HEAD, now_ms);
	return why;
}

/* ---- reading ---- */

enum { WAIT = 0, WHOLE = 1, GONE = -1 };

/* Reads on until `len` bytes of the step are there. */
static int fill(struct caller *one, void *to, size_t len)
{
	while (one->got < len) {
		ssize_t n = channel_read(&one->channel, (char *)to + one->got, len - one->got);
		if (n <= 0)
			return n == CHANNEL_LATER ? WAIT : GONE;
		one->got += (size_t)n;
	}
	return WHOLE;
}

static const char *read_head(struct caller *one, int64_t now_ms)
{
	bool fresh = one->got == 0;
	int whole = fill(one, one->head, sp_head_size(one->ipc));
	uint64_t len;

	if (whole == GONE)
		return "gone";
	if (fresh)
		one->since_ms = now_ms; /* the request's first byte */
	if (whole == WAIT)
		return NULL;
	if (!sp_head_read(one->head, one->ipc, &len))
		return "no message";
	if (len > FRAME_REQUEST_READ + SP_HOP * SP_HOPS_MAX)
		return "the request is too long";
	one->len = len;
	one->message = xmalloc(len ? len : 1);
	one->step = BODY;
	one->got = 0;
	return NULL;
}

static void forget_request(struct caller *one)
{
	free(one->message);
	one->message = NULL;
	buf_release(&one->reply);
}

static const char *read_body(struct caller *one, int64_t now_ms)
{
	int whole = fill(one, one->message, one->len);

	if (whole != WHOLE)
		return whole == GONE ? "gone" : NULL;
	int hops = sp_hops(one->message, one->len);
	if (hops == 0)
		return "no request";
	if (hops < 0) { /* as nng does: it came by devices, whose connection others share */
		forget_request(one);
		enter(one, HEAD, now_ms);
		return NULL;
	}
	one->hops = (size_t)hops;
	enter(one, ASKED, now_ms);
	return NULL;
}

/* ---- writing ---- */

/* The parts of the reply that are not yet written. */
static size_t unwritten(const struct caller *one, struct iovec ret[3])
{
	struct iovec all[3] = {
		{(void *)(uintptr_t)one->head, sp_head_size(one->ipc)},
		{one->message, one->hops},
		{one->reply.data, one->reply.len},
	};
	size_t skip = one->got, n = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t done = skip < all[i].iov_len ? skip : all[i].iov_len;
		skip -= done;
		if (done < all[i].iov_len)
			ret[n++] = (struct iovec){(char *)all[i].iov_base + done,
						  all[i].iov_len - done};
	}
	return n;
}

static const char *write_on(struct caller *one, int64_t now_ms)
{
	struct iovec parts[3];
	size_t left = unwritten(one, parts);

	while (left > 0) {
		ssize_t n = channel_write(&one->channel, parts, left);
		if (n <= 0)
			return n == CHANNEL_LATER ? NULL : "gone";
		one->got += (size_t)n;
		one->since_ms = now_ms;
		left = unwritten(one, parts);
	}
	forget_request(one);
	enter(one, HEAD, now_ms);
	return NULL;
}

/* ---- for its callers ---- */

const char *caller_begin(struct caller *ret, const struct channel *channel, bool ipc,
			 int64_t now_ms)
{
	*ret = (struct caller){.channel = *channel,
			       .ipc = ipc,
			       .opening = {.own = SP_REP, .peer = SP_REQ},
			       .reply = BUF_INIT(FRAME_REPLY_MAX)};
	enter(ret, OPENING, now_ms);
	return open_on(ret, now_ms);
}

const char *caller_go_on(struct caller *one, int64_t now_ms)
{
	const char *why = NULL;

	if (one->step == REPLY)
		return write_on(one, now_ms);
	if (one->step == OPENING)
		why = open_on(one, now_ms);
	if (!why && one->step == HEAD)
		why = read_head(one, now_ms);
	if (!why && one->step == BODY)
		why = read_body(one, now_ms);
	return why;
}

const char *caller_reply(struct caller *one, int64_t now_ms)
{
	enter(one, REPLY, now_ms);
	sp_head(one->head, one->ipc, one->hops + one->reply.len);
	return write_on(one, now_ms);
}

void caller_end(struct caller *one)
{
	channel_close(&one->channel);
	forget_request(one);
}

short caller_wants(const struct caller *one)
{
	if (one->step == ASKED)
		return 0;
	return channel_events(&one->channel, one->step == REPLY ? POLLOUT : POLLIN);
}

bool caller_holds(const struct caller *one)
{
	return one->step != ASKED && one->step != REPLY && channel_holds(&one->channel);
}

bool caller_is_timed(const struct caller *one)
{
	return one->step != ASKED && (one->step != HEAD || one->got > 0);
}
