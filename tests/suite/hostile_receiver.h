/*
 * hostile_receiver — what receivers do to a sender that trusts them, as scripts: what is said, byte
 * by byte, and what the sender must make of it. The table is in hostile_answers.c, floods in
 * hostile_floods.c.
 */
#ifndef RELAY_TEST_HOSTILE_RECEIVER_H
#define RELAY_TEST_HOSTILE_RECEIVER_H

#include "tests/unit/raw_server.h"
#include "transports/transport.h"

enum then {
	THEN_GO_ON, /* the connection stays open for the next request */
	THEN_CLOSE,
	THEN_RESET,
	THEN_WAIT, /* says no more, until the other side ends */
};

struct script {
	const char *name;
	const char *say; /* first */
	size_t len;
	const char *piece; /* then this, again and again */
	size_t piece_len, pieces;
	int every_ms; /* before each piece */
	enum then then;

	/* what is to come of it */
	const char *timeout; /* of the destination; NULL: 5s, which nothing here should take */
	const char *why;     /* how it begins; NULL: there is none */
	enum verdict verdict;
	int64_t wait_ms; /* 0: -1 is expected, WAIT_NOW: 0 */
	bool throttled, disable;
	bool kept; /* the next call comes over the same connection */
};

#define SAY(text)   .say = (text), .len = sizeof(text) - 1
#define PIECE(text) .piece = (text), .piece_len = sizeof(text) - 1
#define FOR_EVER    SIZE_MAX
#define WAIT_NOW    INT64_MIN

extern const struct script hostile_answers[], hostile_floods[];
extern const size_t hostile_nanswers, hostile_nfloods;

/* Plays it on a connection, as a raw_answer does. *sent, which may be read meanwhile, grows by the
 * bytes that the kernel took. */
bool hostile_play(const struct script *s, int fd, _Atomic size_t *sent);

#endif
