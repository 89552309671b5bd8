/*
 * nng_stream — what a subscriber holds, and so what it misses. Pure: no sockets, no clock.
 *
 * `position`: every event of the subscribed topics up to this sequence is held, or was never
 * wanted. Above it, per topic, the last one held. An event whose prevsequence is further than that
 * shows a gap; a heartbeat shows one when it names a newer sequence, and also when it cannot rule
 * one out (`more`, too long a silence, a bus not heard before). Gaps are filled by refills from
 * `position` on, which move it; a heartbeat that leaves nothing open moves it, too.
 *
 * Above STREAM_HEADS_MAX topics, an event of one more counts as a gap, since the refill that it
 * brings about moves the position; without a position, those that were used longest ago are
 * forgotten.
 *
 * The `mark` is the last event that was held, by sequence and id. A journal that has another one
 * there is another journal.
 */
#ifndef RELAY_NNG_STREAM_H
#define RELAY_NNG_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"
#include "relay/base/json.h"

#define STREAM_HEADS_MAX  100000    /* topics kept above the position */
#define STREAM_HEADS_SIZE (8 << 20) /* bytes of their names, so that a file can hold them */

#define STREAM_NOW                                                                                 \
	(-1) /* a position: whatever comes, until a first heartbeat says where "now" is */

struct stream;

/* The subscriptions are borrowed. */
struct stream *stream_new(const char *const *subscriptions, size_t n, int64_t position);
void stream_free(struct stream *s); /* NULL is allowed */
/* There may be several buses at once, one of them not heard yet, or not for long, and publishing
 * all the same: no heartbeat says any more that nothing is missing, if it knows of something new.
 */
void stream_share(struct stream *s);
int64_t stream_position(const struct stream *s); /* STREAM_NOW before the first heartbeat */

enum stream_verdict {
	STREAM_NEXT,  /* it follows what is held */
	STREAM_KNOWN, /* it is held */
	STREAM_GAP,   /* some before it are missing */
};
enum stream_verdict stream_judge(const struct stream *s, const char *topic, int64_t sequence,
				 int64_t prevsequence);
void stream_hold(struct stream *s, const char *topic, int64_t sequence);

/* The event itself, of the greatest sequence so far; ids are compared up to STREAM_ID bytes. */
#define STREAM_ID 128
void stream_mark(struct stream *s, int64_t sequence, const char *id);
/* Its sequence and its id; 0: there is none. */
int64_t stream_marked(const struct stream *s, const char **ret_id);

/* Everything up to here is held. */
void stream_reach(struct stream *s, int64_t position);

/* Takes a heartbeat in. True: nothing is missing. False: a refill from the position to its end is
 * needed, after which stream_caught_up is called; until then each heartbeat says so again.
 * `now_ms` only tells how long ago other buses were heard. */
bool stream_heard(struct stream *s, const struct json *heartbeat, int64_t now_ms);
void stream_caught_up(struct stream *s);

/* For who has nobody to ask: a topic of which a heartbeat names a newer sequence than is held, and
 * that sequence, which now counts as held; NULL when there is none (any more). Nothing is known of
 * topics of which no event came yet. */
const char *stream_overtaken(struct stream *s, const struct json *heartbeat, int64_t *ret_last);

/* As one line of JSON, for a file; and back, into a new stream with the same subscriptions. */
void stream_save(const struct stream *s, struct buf *out);
int stream_load(struct stream *s, const char *text, size_t len, struct err *err);

#endif
