/*
 * sp_caller — a requester in plain bytes: the SP protocol over a Unix socket, as nanomsg's
 * sp-protocol-ids and sp-ipc-mapping write it down. It can do what a well-behaved library does not,
 * and keeps nng's own REQ sockets, whose close may hang in 1.5, out of the test's process.
 */
#ifndef RELAY_TESTS_SP_CALLER_H
#define RELAY_TESTS_SP_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buf.h"

/* Connects to an ipc:// address and shakes hands; fails the test when it cannot. Returns a file
 * descriptor, yours to close. */
int sp_caller_open(const char *url);
/* Sends a request. False: the other side has ended the connection meanwhile. */
bool sp_caller_ask(int fd, const char *request, size_t len);
/* Waits for the reply, at most 15 s, and puts its text into *ret. False: the other side ended the
 * connection instead. */
bool sp_caller_reply(int fd, struct buf *ret);

#endif
