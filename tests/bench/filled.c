/* filled — see the header. Invariant: a journal that is made or rewound is closed when the call
 * returns, so that a relay can open it. */
#include "tests/bench/filled.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"
#include "relay/journal/store.h"
#include "tests/bench/child.h"
#include "tests/suite/store_fixture.h"

#define KEEP_MS 86400000
#define KEYS	10000 /* recipients that the events are of */

char *filled_folder(void)
{
	char *folder = xstrdup("build/bench/http.XXXXXX");

	mkdir("build", 0777);
	mkdir("build/bench", 0777);
	if (!mkdtemp(folder))
		child_give_up(strerror(errno));
	return folder;
}

void filled_remove(char *folder)
{
	fixture_remove(folder);
}

void filled_configure(const char *folder, const char *api, const char *destinations)
{
	char *path = xasprintf("%s/relay.yaml", folder);
	FILE *f = fopen(path, "we");

	if (!f)
		child_give_up(strerror(errno));
	fprintf(f,
		"source: { base_url: \"%s\", since: now }\n"
		"journal: { sqlite: { path: relay.db } }\n"
		"destinations:\n%s",
		api, destinations);
	fclose(f);
	free(path);
}

/* `padding` bytes of data, and a number at its end. */
static void add_event(struct batch *b, uint32_t n, int64_t now_ms, size_t padding)
{
	char id[EVENT_ID_SIZE], recipient[32], number[16], data[FILLED_MOST];
	struct event_head head = {
		.id = id,
		.type = "recipient.delivered",
		.source = "https://api.useinvent.com/orgs/c/broadcasts/bc_1",
		.subject = recipient,
		.partitionkey = recipient,
		.integration_id = "twilio",
		.broadcast_id = "bc_1",
		.time_ms = now_ms,
		.recorded_ms = now_ms,
	};
	size_t at = sizeof "{\"padding\":\"" - 1;

	snprintf(recipient, sizeof recipient, "rcp_%022u", n % KEYS);
	snprintf(number, sizeof number, "%010u", n);
	event_id(id, (struct id_part[]){ID_PART(recipient), ID_PART(number)}, 2);
	memcpy(data, "{\"padding\":\"", at);
	memset(data + at, 'x', padding);
	snprintf(data + at + padding, sizeof data - at - padding, "%s\"}", number);
	event_make(batch_event(b), &head, data, strlen(data));
}

/* The envelope takes what it takes; the padding makes up for it. */
static size_t padding_for(size_t body, int64_t now_ms)
{
	struct batch *probe = batch_new();

	add_event(probe, 0, now_ms, 0);
	size_t least = probe->events.v[0].len;
	batch_free(probe);
	if (body < least || body > FILLED_MOST)
		child_give_up("there are no events of that size");
	return body - least;
}

struct batch *filled_batch(const struct filled *what, uint32_t destination)
{
	static uint32_t made;
	struct batch *b = batch_new();
	int64_t now_ms = clock_now().wall_ms;
	size_t padding = padding_for(what->body, now_ms);

	for (size_t i = 0; i < FILLED_GROUP; i++) {
		add_event(b, made++, now_ms, padding);
		*batch_route(b) = (struct route){.event = i,
						 .destination = destination,
						 .rule = 1,
						 .topical = what->topical};
	}
	return b;
}

static struct store *open_store(const char *folder)
{
	struct sqlite_options o = {.path = xasprintf("%s/relay.db", folder), .keep_ms = KEEP_MS};
	struct err err = {0};
	struct store *s = store_sqlite.open(&o, STORE_WRITE, &err);

	if (!s)
		child_give_up(err.msg);
	free(o.path);
	return s;
}

static void commit(struct store *s, struct batch *b)
{
	struct err err = {0};

	if (s->type->commit(s, &b, 1, &err) != 0)
		child_give_up(err.msg);
	batch_free(b);
}

void filled_make(const char *folder, const char *destination, const struct filled *what)
{
	struct store *s = open_store(folder);
	struct batch *b = batch_new();

	*batch_destination(b) =
		(struct destination_record){.number = 1, .name = xstrdup(destination)};
	commit(s, b);
	for (uint32_t n = 0; n < what->events; n += FILLED_GROUP)
		commit(s, filled_batch(what, 1));
	s->type->close(s);
}

void filled_rewind(const char *folder)
{
	struct store *s = open_store(folder);
	struct batch *b = batch_new();

	batch_settle(b)->destination = 1;
	commit(s, b);
	s->type->close(s);
}
