/*
 * A subscriber that loses nothing, with nng and cJSON: prints each event once, one a line, in the
 * order of its topic. docs/bus.md describes the protocol.
 *
 *   cc -o subscriber subscriber.c -lnng -lcjson
 *   ./subscriber tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 recipient.failed. position.txt
 *
 * `position`: everything up to this sequence has been printed. Above it, `heads` holds the last
 * one printed of each topic. The position goes into the file, so that the next start goes on from
 * there; after a crash it may print the last second's events again (same `id`).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/req.h>

#define BEATS 30 /* heartbeats back to which each one names all topics that were used */

#define get cJSON_GetObjectItemCaseSensitive /* the other one ignores case */

static struct head {
	char *topic;
	long long last;
} * heads;
static size_t nheads;
static long long position;
static const char *prefix, *file;
static nng_socket sub, refill;

static void must(int rv, const char *what)
{
	if (rv == 0)
		return;
	fprintf(stderr, "subscriber: %s: %s\n", what, nng_strerror(rv));
	_exit(1);
}

static long long digits(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(get(object, name));
	return text ? strtoll(text, NULL, 10) : 0;
}

static long long number(const cJSON *object, const char *name)
{
	double n = cJSON_GetNumberValue(get(object, name));
	return n >= 0 ? (long long)n : 0; /* exact: Relay's numbers are below 2^53 */
}

static struct head *head_of(const char *topic)
{
	for (size_t i = 0; i < nheads; i++)
		if (strcmp(heads[i].topic, topic) == 0)
			return &heads[i];
	heads = realloc(heads, (nheads + 1) * sizeof *heads);
	heads[nheads] = (struct head){strdup(topic), 0};
	return &heads[nheads++];
}

static long long held(const char *topic)
{
	long long last = head_of(topic)->last;
	return last > position ? last : position;
}

static void print(const char *topic, long long sequence, const cJSON *event)
{
	char *line = cJSON_PrintUnformatted(event);
	puts(line);
	free(line);
	head_of(topic)->last = sequence;
}

/* Everything up to here is printed: kept in the file, by a rename so that it is never half. */
static void reach(long long upto)
{
	char fresh[4096];
	if (upto <= position)
		return;
	position = upto;
	fflush(stdout);
	snprintf(fresh, sizeof fresh, "%s.new", file);
	FILE *f = fopen(fresh, "w");
	if (!f || fprintf(f, "%lld\n", position) < 0 || fflush(f) || fsync(fileno(f)) ||
	    fclose(f) || rename(fresh, file)) {
		perror(file);
		_exit(1);
	}
}

/* Asks for all that came after the position; false when nobody answers. */
static bool catch_up(void)
{
	bool more = true;
	while (more) {
		char request[8192], *text;
		size_t len;
		snprintf(request, sizeof request, "{\"topic\":\"%s\",\"after\":%lld}", prefix,
			 position);
		if (nng_send(refill, request, strlen(request), 0) ||
		    nng_recv(refill, &text, &len, NNG_FLAG_ALLOC))
			return false;
		cJSON *reply = cJSON_ParseWithLength(text, len);
		nng_free(text, len);
		if (!cJSON_HasObjectItem(reply, "next")) { /* {"error": …} */
			cJSON_Delete(reply);
			return false;
		}
		const cJSON *topic = get(reply, "topics"), *event;
		topic = topic ? topic->child : NULL;
		cJSON_ArrayForEach(event, get(reply, "events"))
		{
			long long sequence = digits(event, "sequence");
			if (sequence > held(topic->valuestring))
				print(topic->valuestring, sequence, event);
			topic = topic->next;
		}
		more = cJSON_IsTrue(get(reply, "more"));
		reach(number(reply, "next"));
		cJSON_Delete(reply);
	}
	return true;
}

static bool ours(const char *topic) /* as nng compares: with the space behind the topic */
{
	size_t n = strlen(prefix), len = strlen(topic);
	return (n <= len && !strncmp(topic, prefix, n)) ||
	       (n == len + 1 && prefix[len] == ' ' && !strncmp(topic, prefix, len));
}

/* Does a heartbeat rule out that something was missed? */
static void hear(const cJSON *beat)
{
	static char bus[64]; /* whose heartbeats these are; a relay that restarts is another bus */
	static long long last;
	const char *name = cJSON_GetStringValue(get(beat, "source"));
	const cJSON *data = get(beat, "data"), *topic;
	long long now = number(data, "beat");
	bool missed = strcmp(bus, name ? name : "") || now - last > BEATS ||
		      cJSON_IsTrue(get(data, "more"));
	cJSON_ArrayForEach(topic, get(data, "topics"))
	{
		long long named = strtoll(topic->valuestring, NULL, 10);
		if (ours(topic->string) && named > held(topic->string))
			missed = true;
	}
	if (missed && !catch_up())
		return; /* the next heartbeat tries again */
	reach(digits(data, "latest"));
	snprintf(bus, sizeof bus, "%s", name ? name : "");
	last = now;
}

static void take(char *message, size_t len)
{
	char *space = memchr(message, ' ', len);
	if (!space)
		return;
	*space = '\0'; /* topic, space, JSON */
	cJSON *event = cJSON_ParseWithLength(space + 1, len - (size_t)(space + 1 - message));
	long long sequence = digits(event, "sequence");
	if (!strcmp(message, "relay.heartbeat"))
		hear(event);
	else if (sequence > held(message) && digits(event, "prevsequence") > held(message))
		catch_up(); /* some before it are missing; this one comes along */
	else if (sequence > held(message))
		print(message, sequence, event);
	cJSON_Delete(event);
}

int main(int argc, char **argv)
{
	char *message;
	size_t len;
	if (argc != 5) {
		fprintf(stderr, "usage: subscriber URL REFILL-URL TOPIC-PREFIX FILE\n");
		return 2;
	}
	prefix = argv[3];
	file = argv[4];
	FILE *f = fopen(file, "r"); /* without one it begins with the oldest event there is */
	if (f && fscanf(f, "%lld", &position) != 1)
		position = 0;
	if (f)
		fclose(f);
	must(nng_req0_open(&refill), "refill");
	nng_socket_set_ms(refill, NNG_OPT_SENDTIMEO, 2000);
	nng_socket_set_ms(refill, NNG_OPT_RECVTIMEO, 5000);
	must(nng_dial(refill, argv[2], NULL, NNG_FLAG_NONBLOCK), argv[2]);
	must(nng_sub0_open(&sub), "sub");
	nng_socket_set_int(sub, NNG_OPT_RECVBUF, 8192); /* its 128 do not hold one burst */
	nng_socket_set_size(sub, NNG_OPT_RECVMAXSZ, 1 << 20);
	nng_socket_set_ms(sub, NNG_OPT_RECONNMINT, 100); /* it reconnects by itself */
	nng_socket_set_ms(sub, NNG_OPT_RECONNMAXT, 2000);
	nng_socket_set(sub, NNG_OPT_SUB_SUBSCRIBE, prefix, strlen(prefix));
	nng_socket_set(sub, NNG_OPT_SUB_SUBSCRIBE, "relay.heartbeat ", 16);
	must(nng_dial(sub, argv[1], NULL, NNG_FLAG_NONBLOCK), argv[1]);
	for (;;) {
		must(nng_recv(sub, &message, &len, NNG_FLAG_ALLOC), "receive");
		take(message, len);
		nng_free(message, len);
		fflush(stdout);
	}
	/* To end a program like this, _exit: nng 1.5 may hang in nng_close of a SUB socket. */
}
