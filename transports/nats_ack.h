/*
 * nats_ack — what a server's answer to a published message means for the event. Pure.
 */
#ifndef RELAY_NATS_ACK_H
#define RELAY_NATS_ACK_H

#include "relay/base/json.h"
#include "transports/transport.h"

#define NATS_WHY_MAX 512

struct nats_ack {
	enum verdict verdict;
	char why[NATS_WHY_MAX]; /* one line; "" for SENT */
};

/* The answer's text: {"stream":"RELAY","seq":12}, with "duplicate":true where the stream had the
 * message already, or {"error":{"code":503,"err_code":10077,"description":"…"}}. */
void nats_ack_read(struct nats_ack *ret, struct json_doc *doc, const char *text, size_t len);

#endif
