/* nng_topics — an open hash table of at most FRAME_TOPICS_MAX topics, rebuilt at each heartbeat
 * without those too old to be named. Invariant: a topic used within the last FRAME_HEARTBEAT_GAP
 * heartbeats is in the table, or `overflow` is not further back than that. */
#include "transports/nng_topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"

#define SLOTS		(2 * FRAME_TOPICS_MAX)
#define HEARTBEAT_NAMES (800 << 10) /* bytes of it when no further topic is added */

struct used {
	char *topic; /* owned; NULL: the slot is free */
	uint64_t hash;
	int64_t sequence;
	uint64_t beat; /* when it was used last */
};

struct topics {
	struct used slot[SLOTS];
	size_t n;
	uint64_t beat;	   /* heartbeats made */
	uint64_t overflow; /* the beat at which a topic found no room; counts when any did */
	bool overflowed;
	int64_t latest;
};

struct topics *topics_new(void)
{
	return xcalloc(1, sizeof(struct topics));
}

void topics_free(struct topics *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		free(t->slot[i].topic);
	free(t);
}

static struct used *find(struct topics *t, const char *topic, uint64_t hash)
{
	size_t i = hash % SLOTS;

	while (t->slot[i].topic &&
	       (t->slot[i].hash != hash || strcmp(t->slot[i].topic, topic) != 0))
		i = (i + 1) % SLOTS;
	return &t->slot[i];
}

void topics_note(struct topics *t, const char *topic, int64_t sequence)
{
	uint64_t hash = hash64(topic, strlen(topic));
	struct used *u = find(t, topic, hash);

	topics_latest(t, sequence);
	if (!u->topic && t->n == FRAME_TOPICS_MAX) {
		t->overflow = t->beat;
		t->overflowed = true;
		return;
	}
	if (!u->topic) {
		*u = (struct used){.topic = xstrdup(topic), .hash = hash};
		t->n++;
	}
	if (sequence > u->sequence)
		u->sequence = sequence; /* a repeat carries an older one */
	u->beat = t->beat;
}

void topics_latest(struct topics *t, int64_t sequence)
{
	if (sequence > t->latest)
		t->latest = sequence;
}

static bool recent(const struct topics *t, uint64_t beat)
{
	return t->beat - beat <= FRAME_HEARTBEAT_GAP;
}

/* Forgets the topics that no heartbeat will name again. */
static void drop_old(struct topics *t)
{
	struct used kept[FRAME_TOPICS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		if (t->slot[i].topic && recent(t, t->slot[i].beat))
			kept[n++] = t->slot[i];
		else
			free(t->slot[i].topic);
	}
	memset(t->slot, 0, sizeof t->slot);
	for (size_t i = 0; i < n; i++)
		*find(t, kept[i].topic, kept[i].hash) = kept[i];
	t->n = n;
}

/* Returns false when not all had room. */
static bool add_topics(const struct topics *t, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < SLOTS; i++) {
		if (!t->slot[i].topic)
			continue;
		if (out->len > HEARTBEAT_NAMES)
			return false;
		buf_adds(out, comma);
		json_write_string(out, t->slot[i].topic);
		buf_addf(out, ":\"%016" PRId64 "\"", t->slot[i].sequence);
		comma = ",";
	}
	return true;
}

void topics_heartbeat(struct topics *t, const char *source, struct instant now, struct buf *out)
{
	char date[DATE_TEXT];
	bool all;

	t->beat++;
	drop_old(t);
	date_format(date, now.wall_ms);
	buf_addf(out,
		 HEARTBEAT_TOPIC " {\"specversion\":\"1.0\",\"id\":\"evt_%016" PRIx64 "%016" PRIx64
				 "\",\"type\":\"" HEARTBEAT_TOPIC "\",\"source\":\"%s\"",
		 random_u64(), random_u64(), source);
	buf_addf(out, ",\"time\":\"%s\",\"datacontenttype\":\"application/json\"", date);
	buf_addf(out, ",\"data\":{\"beat\":%" PRIu64 ",\"latest\":\"%016" PRId64 "\",\"topics\":{",
		 t->beat, t->latest);
	all = add_topics(t, out);
	buf_addc(out, '}');
	if (!all || (t->overflowed && recent(t, t->overflow)))
		buf_adds(out, ",\"more\":true");
	buf_adds(out, "}}");
}
