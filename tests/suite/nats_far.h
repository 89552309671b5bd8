/*
 * nats_far — a real nats-server with JetStream for tests: on a free port of the loopback interface,
 * its files in a folder of its own, and what a stream of it holds. It is ended by its process id,
 * and with the test's process.
 */
#ifndef RELAY_NATS_FAR_H
#define RELAY_NATS_FAR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <nats/nats.h>

struct nats_far {
	char *folder;
	char *url; /* nats://127.0.0.1:PORT */
	int port;
	pid_t pid;	      /* 0: it does not run */
	natsOptions *options; /* of our own connection, for what a test adds */
	natsConnection *connection;
	jsCtx *js;
	natsMsg *message;
};

/* A port and a folder, but no server yet. */
struct nats_far *nats_far_new(void);
/* Starts it and waits until it takes connections. `extra`: lines of its configuration, or NULL. */
void nats_far_start(struct nats_far *f, const char *extra);
/* Ends it with that signal, and forgets our connection. */
void nats_far_kill(struct nats_far *f, int signal);
/* It does nothing any more, until a SIGCONT or its end. */
void nats_far_stop(struct nats_far *f);
void nats_far_free(struct nats_far *f);

/* A stream of a subject, in a file. `max_msg_size`: 0 for none. */
void nats_far_stream(struct nats_far *f, const char *name, const char *subject, int max_msg_size);
void nats_far_no_stream(struct nats_far *f, const char *name);
/* How many messages a stream holds; waits until there are n, or 10 s. */
size_t nats_far_count(struct nats_far *f, const char *stream, size_t n);
/* The message with that number, from 1; borrowed until the next call. */
natsMsg *nats_far_message(struct nats_far *f, const char *stream, size_t number);

#endif
