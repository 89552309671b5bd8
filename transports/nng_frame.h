/*
 * nng_frame — what stands in a message on the bus: the topic, one space, the event as JSON. The
 * copy of an event that goes out here, live or in a refill, has one member more than the stored
 * one, `prevsequence`: the sequence of the event before it on the same topic, "0…0" for none.
 * Pure; docs/bus.md is the description for those who write a subscriber.
 */
#ifndef RELAY_NNG_FRAME_H
#define RELAY_NNG_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTBEAT_TOPIC	    "relay.heartbeat"
#define FRAME_PREVSEQUENCE  34		       /* bytes that `prevsequence` adds to a body */
#define FRAME_SEQUENCE_MAX  ((int64_t)1 << 53) /* numbers in requests and replies lie below it */
#define FRAME_EVENTS_MAX    1000	       /* of one refill reply; and rows */
#define FRAME_REQUEST_MAX   (64 << 10)	       /* bytes of a refill request */
#define FRAME_REQUEST_READ  (128 << 10)	       /* … that is still read, to say so */
#define FRAME_REPLY_MAX	    (8 << 20)	       /* bytes of a refill reply */
#define FRAME_MESSAGE_MAX   (1 << 20)	       /* bytes of a message on the bus */
#define FRAME_TOPIC_MAX	    4096	       /* bytes of a topic */
#define FRAME_ID_MAX	    256		       /* bytes of an id in a request */
#define FRAME_HEARTBEAT_GAP 30	/* heartbeats back to which one names every topic that was used */
#define FRAME_TOPICS_MAX    512 /* named in one heartbeat */

/* Writes body with prevsequence behind its sequence (sequence_at: where those digits stand, 0: it
 * has none; then at its start) to ret: exactly len + FRAME_PREVSEQUENCE bytes. The body is an
 * object with at least one member. */
void frame_body(char *ret, const char *body, size_t len, size_t sequence_at, int64_t prevsequence);

/* Takes a message apart: where the topic ends, and the JSON begins one byte further. False when
 * there is no space. */
bool frame_split(const char *message, size_t len, size_t *ret_topic_len);

/* Does a subscription (a byte prefix of messages) take in a topic? One that ends in a space takes
 * in that topic only. */
bool frame_topic_matches(const char *subscription, const char *topic);

/* 1 to 16 decimal digits below FRAME_SEQUENCE_MAX. */
bool frame_sequence(const char *digits, int64_t *ret);

#endif
