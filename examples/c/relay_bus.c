/* relay_bus — the rules of docs/bus.md. nng greets, cuts messages, and dials again with a back-off;
 * here it is never waited for but with poll(2), since nng 1.5 does not always keep its timeouts. */
#include "relay_bus.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>

#define BEATS	     30	       /* a heartbeat names the topics used since so many heartbeats ago */
#define MESSAGE_MAX  (1 << 20) /* bytes; whoever announces more is no relay */
#define REPLY_MAX    ((8 << 20) + 1024)
#define TOPIC_MAX    4096
#define HEADS_MAX    4096 /* a refill makes room */
#define PAUSE_MS     100  /* before the next try, doubled each time */
#define PAUSE_MAX_MS 2000
#define SILENCE_MS   5000 /* heartbeats come every second */
#define DEAD_MS	     60000
#define SEQUENCE_MAX (1LL << 53)

#define get cJSON_GetObjectItemCaseSensitive /* the other one ignores case */

struct relay_bus {
	char *url, *topic;
	relay_bus_handler *handler;
	void *arg;
	nng_socket sub, req;
	nng_dialer dialer;  /* sub's */
	long long position; /* everything up to it is held; */
	cJSON *heads;	    /* above it, of each topic the last sequence held */
	char source[64];    /* of the last heartbeat, and its beat */
	long long beat;
	bool missing; /* something is, or may be: a refill is due at retry_at */
	nng_time retry_at, pause;
	nng_time heard, moved; /* anything came; the position, or could have */
	char error[256], note[256];
};

static int fail(struct relay_bus *bus, const char *what, const char *why)
{
	snprintf(bus->error, sizeof bus->error, "%s: %s", what, why);
	return -1;
}

/* Of a number, or of a text of digits; -1: it is neither. */
static long long number(const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);
	char *end = NULL;
	double n = text && *text ? strtod(text, &end) : cJSON_GetNumberValue(value);
	return !(end && *end) && n >= 0 && n < (double)SEQUENCE_MAX ? (long long)n : -1;
}

static long long held(const struct relay_bus *bus, const char *topic)
{
	long long last = number(get(bus->heads, topic));
	return last > bus->position ? last : bus->position;
}

static void reach(struct relay_bus *bus, long long sequence)
{
	if (sequence > bus->position)
		bus->position = sequence;
	for (cJSON *head = bus->heads->child, *next; head; head = next) {
		next = head->next;
		if (number(head) <= bus->position)
			cJSON_Delete(cJSON_DetachItemViaPointer(bus->heads, head));
	}
	bus->moved = nng_clock();
}

/* ---- on file ---- */

int relay_bus_save(struct relay_bus *bus, const char *path)
{
	char fresh[4096];
	cJSON *state = cJSON_CreateObject();
	cJSON_AddStringToObject(state, "topic", bus->topic);
	cJSON_AddNumberToObject(state, "position", (double)bus->position);
	cJSON_AddItemReferenceToObject(state, "heads", bus->heads);
	char *text = cJSON_PrintUnformatted(state);
	cJSON_Delete(state);
	if (!text)
		return fail(bus, path, "no memory");
	snprintf(fresh, sizeof fresh, "%s.new", path);
	FILE *f = fopen(fresh, "w");
	bool bad = !f || fputs(text, f) < 0 || fflush(f) || fsync(fileno(f));
	free(text);
	if ((f && fclose(f)) || bad || rename(fresh, path)) /* so that it is never half */
		return fail(bus, path, strerror(errno));
	return 0;
}

int relay_bus_load(struct relay_bus *bus, const char *path)
{
	size_t max = 2 * HEADS_MAX * TOPIC_MAX, len;
	FILE *f = fopen(path, "r");
	if (!f)
		return errno == ENOENT ? 0 : fail(bus, path, strerror(errno));
	char *text = malloc(max);
	len = text ? fread(text, 1, max, f) : 0;
	fclose(f);
	cJSON *state = cJSON_ParseWithLength(text, len);
	free(text);
	const char *topic = cJSON_GetStringValue(get(state, "topic"));
	long long position = number(get(state, "position"));
	bool good = topic && strcmp(topic, bus->topic) == 0 && position >= 0 &&
		    cJSON_IsObject(get(state, "heads"));
	if (good) {
		cJSON_Delete(bus->heads);
		bus->heads = cJSON_DetachItemFromObjectCaseSensitive(state, "heads");
		bus->position = position;
	}
	cJSON_Delete(state);
	return good ? 0 : fail(bus, path, "it was not written for this topic");
}

/* ---- rule 3: a refill ---- */

/* What came, within so many ms; NULL: nothing. A signal ends the wait. */
static nng_msg *receive(nng_socket socket, int ms)
{
	struct pollfd p = {.events = POLLIN};
	nng_msg *message;
	if (nng_recvmsg(socket, &message, NNG_FLAG_NONBLOCK) == 0)
		return message;
	if (nng_socket_get_int(socket, NNG_OPT_RECVFD, &p.fd) != 0 || poll(&p, 1, ms) < 0)
		return NULL;
	return nng_recvmsg(socket, &message, NNG_FLAG_NONBLOCK) == 0 ? message : NULL;
}

/* Why it is no page; NULL: it is one. */
static const char *flaw(const struct relay_bus *bus, const cJSON *page)
{
	const cJSON *events = get(page, "events"), *topics = get(page, "topics");
	const char *error = cJSON_GetStringValue(get(page, "error"));
	long long least = bus->position + cJSON_IsTrue(get(page, "more"));

	if (!cJSON_IsArray(events) || cJSON_GetArraySize(events) != cJSON_GetArraySize(topics) ||
	    number(get(page, "next")) < least)
		return error ? error : "a page that leads nowhere";
	return NULL;
}

static cJSON *exchange(struct relay_bus *bus, const char **ret_why)
{
	cJSON *request = cJSON_CreateObject(), *page = NULL;
	cJSON_AddStringToObject(request, "topic", bus->topic);
	cJSON_AddNumberToObject(request, "after", (double)bus->position);
	char *text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	int rv = text ? nng_send(bus->req, text, strlen(text), NNG_FLAG_NONBLOCK) : NNG_ENOMEM;
	free(text);
	nng_msg *message = rv == 0 ? receive(bus->req, SILENCE_MS) : NULL;
	if (message) {
		page = cJSON_ParseWithLength(nng_msg_body(message), nng_msg_len(message));
		nng_msg_free(message);
	}
	*ret_why = rv == NNG_EAGAIN ? "nobody is there" : message ? flaw(bus, page) : "no reply";
	return page;
}

/* The next page; NULL: there is none now. Meanwhile what follows on the bus is taken. */
static cJSON *ask(struct relay_bus *bus)
{
	const char *why;
	cJSON *page = exchange(bus, &why);
	if (!why)
		return page;
	snprintf(bus->note, sizeof bus->note, "a refill is due, and not to be had: %s", why);
	cJSON_Delete(page);
	bus->retry_at = nng_clock() + bus->pause;
	bus->pause = 2 * bus->pause < PAUSE_MAX_MS ? 2 * bus->pause : PAUSE_MAX_MS;
	return NULL;
}

/* The events of a page ascend: once one is held, so is everything before it. */
static int take_page(struct relay_bus *bus, const cJSON *page)
{
	const cJSON *topic = get(page, "topics")->child, *event;
	int taken = 0;

	if (bus->position > 0 && number(get(page, "oldest")) > bus->position + 1)
		snprintf(bus->note, sizeof bus->note, "the journal has lost all before %lld",
			 number(get(page, "oldest")));
	cJSON_ArrayForEach(event, get(page, "events"))
	{
		const char *name = cJSON_IsString(topic) ? topic->valuestring : "";
		long long sequence = number(get(event, "sequence"));
		if (sequence > held(bus, name)) {
			if (bus->handler(bus->arg, name, event) < 0)
				return fail(bus, name, "an event was not taken");
			taken++;
		}
		reach(bus, sequence);
		topic = topic->next;
	}
	reach(bus, number(get(page, "next")));
	bus->missing = cJSON_IsTrue(get(page, "more"));
	bus->pause = PAUSE_MS;
	if (taken)
		snprintf(bus->note, sizeof bus->note, "filled a gap: %d events, now at %lld", taken,
			 bus->position);
	return 1;
}

static int refill(struct relay_bus *bus)
{
	cJSON *page = ask(bus);
	int got = page ? take_page(bus, page) : 0;
	cJSON_Delete(page);
	return got;
}

/* ---- rules 1 and 2: what comes on the bus ---- */

static int on_event(struct relay_bus *bus, const char *topic, const cJSON *event)
{
	long long sequence = number(get(event, "sequence")),
		  before = number(get(event, "prevsequence"));

	if (sequence <= held(bus, topic))
		return 0;
	if (before < 0 || before > held(bus, topic) || cJSON_GetArraySize(bus->heads) >= HEADS_MAX)
		return bus->missing = true, 0; /* the refill brings this one, too */
	if (bus->handler(bus->arg, topic, event) < 0)
		return fail(bus, topic, "an event was not taken");
	cJSON_DeleteItemFromObjectCaseSensitive(bus->heads, topic);
	cJSON_AddNumberToObject(bus->heads, topic, (double)sequence);
	return 0;
}

static bool ours(const struct relay_bus *bus, const char *topic)
{
	char name[TOPIC_MAX + 2];
	snprintf(name, sizeof name, "%s ", topic);
	return strncmp(name, bus->topic, strlen(bus->topic)) == 0;
}

static int on_heartbeat(struct relay_bus *bus, const cJSON *event)
{
	const char *source = cJSON_GetStringValue(get(event, "source"));
	const cJSON *data = get(event, "data"), *topic;
	long long beat = number(get(data, "beat")), latest = number(get(data, "latest"));

	if (!source || strlen(source) >= sizeof bus->source || beat < 0 || latest < 0)
		return 0;
	bus->missing |= strcmp(source, bus->source) != 0 || beat < bus->beat ||
			beat - bus->beat > BEATS || cJSON_IsTrue(get(data, "more"));
	cJSON_ArrayForEach(topic, get(data, "topics"))
	{
		bus->missing |=
			ours(bus, topic->string) && number(topic) > held(bus, topic->string);
	}
	memcpy(bus->source, source, strlen(source) + 1);
	bus->beat = beat;
	if (bus->missing)
		return 0;
	reach(bus, latest);
	return 1;
}

static int on_message(struct relay_bus *bus, char *text, size_t len)
{
	char *space = memchr(text, ' ', len);
	int got;

	if (!space || space - text > TOPIC_MAX || memchr(text, '\0', len))
		return 0;
	*space = '\0';
	cJSON *event = cJSON_ParseWithLength(space + 1, len - (size_t)(space + 1 - text));
	if (strcmp(text, "relay.heartbeat") == 0)
		got = on_heartbeat(bus, event);
	else
		got = on_event(bus, text, event);
	cJSON_Delete(event);
	return got;
}

/* A connection may be dead without a word. */
static int on_silence(struct relay_bus *bus)
{
	nng_time now = nng_clock();
	if (now - bus->moved > DEAD_MS) {
		bus->moved = now;
		return fail(bus, bus->url, "no heartbeat and no refill for a minute");
	}
	if (now - bus->heard > SILENCE_MS) {
		snprintf(bus->note, sizeof bus->note, "%s: nothing comes; connecting again",
			 bus->url);
		nng_dialer_close(bus->dialer);
		nng_dial(bus->sub, bus->url, &bus->dialer, NNG_FLAG_NONBLOCK);
		bus->heard = now;
	}
	return 0;
}

int relay_bus_poll(struct relay_bus *bus, int ms)
{
	*bus->note = '\0';
	if (bus->missing && nng_clock() >= bus->retry_at)
		return refill(bus);
	nng_msg *message = receive(bus->sub, ms);
	if (!message)
		return on_silence(bus);
	bus->heard = nng_clock();
	int got = on_message(bus, nng_msg_body(message), nng_msg_len(message));
	nng_msg_free(message);
	return got;
}

/* ---- its life ---- */

static int dial(nng_socket socket, const char *url, size_t largest, nng_dialer *ret)
{
	nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, largest); /* else there is no bound */
	nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, PAUSE_MS);
	nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, PAUSE_MAX_MS);
	return nng_dial(socket, url, ret, NNG_FLAG_NONBLOCK);
}

struct relay_bus *relay_bus_open(const char *url, const char *refill_url, const char *topic,
				 relay_bus_handler *handler, void *arg)
{
	struct relay_bus *bus = calloc(1, sizeof *bus);
	if (!bus)
		return NULL;
	*bus = (struct relay_bus){.url = strdup(url), .topic = strdup(topic), .pause = PAUSE_MS};
	bus->handler = handler;
	bus->arg = arg;
	bus->heads = cJSON_CreateObject();
	bus->heard = bus->moved = nng_clock();
	if (!bus->url || !bus->topic || !bus->heads || nng_sub0_open(&bus->sub) ||
	    nng_req0_open(&bus->req))
		return NULL;
	nng_socket_set_int(bus->sub, NNG_OPT_RECVBUF, 8192); /* its 128 do not hold one burst */
	nng_socket_set(bus->sub, NNG_OPT_SUB_SUBSCRIBE, topic, strlen(topic));
	nng_socket_set(bus->sub, NNG_OPT_SUB_SUBSCRIBE, "relay.heartbeat ", 16);
	if (dial(bus->sub, url, MESSAGE_MAX, &bus->dialer) ||
	    dial(bus->req, refill_url, REPLY_MAX, NULL))
		return NULL;
	return bus;
}

const char *relay_bus_error(const struct relay_bus *bus)
{
	return bus->error;
}

const char *relay_bus_note(const struct relay_bus *bus)
{
	return *bus->note ? bus->note : NULL;
}
