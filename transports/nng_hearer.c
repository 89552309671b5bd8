/* nng_hearer — opening, reading, writing. Invariant: a message that was begun, or is in a record
 * that was, is written to its end before any other. */
#include "transports/nng_hearer.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

struct hearer *hearer_open(const struct channel *channel, bool ipc, struct spool *spool,
			   int64_t now_ms)
{
	struct hearer *one = xcalloc(1, sizeof *one);

	one->channel = *channel;
	one->skips = sp_head_size(true) - sp_head_size(ipc);
	one->spool = spool;
	one->since_ms = now_ms;
	one->opening = (struct opening){.own = SP_PUB, .peer = SP_SUB};
	return one;
}

void hearer_close(struct hearer *one)
{
	if (!one)
		return;
	channel_close(&one->channel);
	free(one);
}

bool hearer_shakes(const struct hearer *one)
{
	return one->channel.ssl && !one->opening.shaken;
}

int hearer_open_on(struct hearer *one, const char **ret_why)
{
	return opening_go_on(&one->opening, &one->channel, ret_why);
}

const char *hearer_hear(struct hearer *one)
{
	unsigned char any;
	ssize_t n = channel_read(&one->channel, &any, 1);

	if (n == CHANNEL_GONE)
		return CHANNEL_ENDED;
	return n == CHANNEL_LATER ? NULL : "a SUB socket sends nothing";
}

short hearer_events(const struct hearer *one)
{
	if (!one->is_in)
		return channel_events(&one->channel, POLLIN);
	return one->reader.blocked ? POLLIN | POLLOUT : POLLIN;
}

/* ---- writing ---- */

static size_t length(const struct hearer *one, const struct letter *l)
{
	return l->len - one->skips;
}

/* What is not yet written of so many letters. */
static void fill_parts(const struct hearer *one, struct letter *const *letters, size_t n,
		       struct iovec *ret)
{
	for (size_t i = 0; i < n; i++) {
		size_t done = i ? 0 : one->written;

		ret[i] = (struct iovec){letters[i]->bytes + one->skips + done,
					length(one, letters[i]) - done};
	}
}

/* How many of them went whole. */
static size_t note_written(struct hearer *one, struct letter *const *letters, size_t n,
			   size_t bytes)
{
	size_t went = 0;

	bytes += one->written;
	while (went < n && bytes >= length(one, letters[went]))
		bytes -= length(one, letters[went++]);
	one->written = bytes;
	return went;
}

/* How many of the rest are begun. */
static size_t count_begun(const struct hearer *one, struct letter *const *letters, size_t n)
{
	size_t begun = 0, bytes = one->written + one->channel.owed;

	for (; bytes > 0 && begun < n; begun++)
		bytes -= bytes < length(one, letters[begun]) ? bytes : length(one, letters[begun]);
	return begun;
}

const char *hearer_write(struct hearer *one)
{
	struct letter *letters[HEARER_BATCH];
	struct iovec parts[HEARER_BATCH];
	size_t n = one->nbegun;

	memcpy(letters, one->begun, n * sizeof *letters);
	n += spool_take(one->spool, &one->reader, letters + n, HEARER_BATCH - n);
	if (n == 0)
		return NULL;
	fill_parts(one, letters, n, parts);
	ssize_t sent = channel_write(&one->channel, parts, n);
	size_t went = note_written(one, letters, n, sent > 0 ? (size_t)sent : 0);
	one->nbegun = count_begun(one, letters + went, n - went);
	memcpy(one->begun, letters + went, one->nbegun * sizeof *letters);
	one->reader.blocked = went < n;
	spool_give_back(one->spool, &one->reader, letters, went, one->nbegun);
	return sent == CHANNEL_GONE ? CHANNEL_ENDED : NULL;
}

/* ---- for its hearers ---- */

void hearer_begin(struct hearer *one)
{
	spool_enter(one->spool, &one->reader);
}

void hearer_end(struct hearer *one)
{
	/* What is begun waits again, for nobody. */
	spool_give_back(one->spool, &one->reader, one->begun, 0, 0);
	spool_leave(one->spool, &one->reader);
}

void hearer_count(const void *arg, struct queue_counts *ret)
{
	const struct hearer *one = arg;

	spool_count(one->spool, &one->reader, ret);
}
