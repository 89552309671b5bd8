/*
 * sp_listener — a subscriber in plain bytes, over a Unix or TCP socket: it reads when the test says
 * so, and loses nothing on its own side.
 */
#ifndef RELAY_TESTS_SP_LISTENER_H
#define RELAY_TESTS_SP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_listener {
	int fd;
	struct ssl_st *ssl; /* OpenSSL's SSL; NULL: plain */
	bool ipc;
	size_t events, beats;	  /* messages read so far */
	int64_t sequence;	  /* of the last event */
	size_t gaps;		  /* events that do not follow the one before; the first is none */
	int64_t gap_from, gap_to; /* the last such: the sequences on both of its sides */
	int64_t beat;		  /* the last heartbeat's number */
	size_t lost_beats;	  /* that should have come since the first */
	unsigned char text[2 << 20]; /* what was read and is no whole message yet */
	size_t len;
};

/* Connects to an ipc:// or tcp:// address and greets, without awaiting the other side's greeting;
 * fails the test when it cannot. */
int sp_listener_connect(const char *url);
/* The same, and awaits it. */
struct sp_listener *sp_listener_open(const char *url);
/* The same over a connection that has shaken hands, which it takes. */
struct sp_listener *sp_listener_by_tls(struct ssl_st *ssl);
void sp_listener_close(struct sp_listener *l);

/* Where it is connected from, over TCP, as the relay names it. */
void sp_listener_address(const struct sp_listener *l, char *ret, size_t size);

/* Until so many more heartbeats, or events, have come; fails the test when that takes too long. */
void sp_listener_beats(struct sp_listener *l, size_t beats);
void sp_listener_events(struct sp_listener *l, size_t events);

#endif
