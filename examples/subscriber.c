/*
 * A subscriber that loses nothing, with c/relay_bus.c.
 *
 *   cc -o subscriber subscriber.c c/relay_bus.c -lnng -lcjson
 *   ./subscriber tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 recipient.failed. FILE
 *
 * Prints each event once, one a line, in the order of its topic, beginning with the oldest that the
 * relay holds. FILE remembers how far it came, about once a second: after a kill the last second's
 * events come again (same `id`).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "c/relay_bus.h"

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

/* Yours: what is done with an event. */
static int print(void *arg, const char *topic, const cJSON *event)
{
	(void)arg, (void)topic;
	char *line = cJSON_PrintUnformatted(event);
	int got = line ? puts(line) : EOF;
	free(line);
	return got < 0 ? -1 : 0;
}

/* What is remembered must have been printed. */
static int save(struct relay_bus *bus, const char *file)
{
	return fflush(stdout) == 0 ? relay_bus_save(bus, file) : -1;
}

static int run(struct relay_bus *bus, const char *file)
{
	const char *note;
	while (!stopping) {
		int got = relay_bus_poll(bus, 200);
		fflush(stdout);
		if ((note = relay_bus_note(bus)))
			fprintf(stderr, "subscriber: %s\n", note);
		if (got < 0 || (got > 0 && save(bus, file) < 0))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return fputs("usage: subscriber URL REFILL-URL TOPIC-PREFIX FILE\n", stderr), 2;
	struct relay_bus *bus = relay_bus_open(argv[1], argv[2], argv[3], print, NULL);
	if (!bus)
		return fputs("subscriber: an address is wrong, or memory is short\n", stderr), 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (relay_bus_load(bus, argv[4]) == 0) {
		int got = run(bus, argv[4]);
		if (save(bus, argv[4]) == 0 && got == 0)
			_exit(0); /* see the end of relay_bus.h */
	}
	fprintf(stderr, "subscriber: %s\n",
		ferror(stdout) ? "standard output" : relay_bus_error(bus));
	_exit(1); /* a supervisor starts it again */
}
