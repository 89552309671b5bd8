/*
 * sp_caller — a requester in plain bytes: the SP protocol over a Unix or TCP socket, as nanomsg's
 * sp-protocol-ids, sp-ipc-mapping and sp-tcp-mapping write it down. It can do what a well-behaved
 * library does not, and keeps nng's own REQ sockets, whose close may hang in 1.5, out of the test's
 * process.
 */
#ifndef RELAY_TESTS_SP_CALLER_H
#define RELAY_TESTS_SP_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"

/* Connects to an ipc:// or tcp://127.0.0.1 address and shakes hands; fails the test when it cannot.
 * Returns a file descriptor, yours to close. */
int sp_caller_open(const char *url);
/* The same without shaking hands. */
int sp_caller_connect(const char *url);
bool sp_caller_send(int fd, const void *bytes, size_t len);
/* Waits for so many bytes. False: the other side ended the connection instead. */
bool sp_caller_receive(int fd, void *bytes, size_t len);

/* Sends a request. False: the other side has ended the connection meanwhile. */
bool sp_caller_ask(int fd, const char *request, size_t len);
/* Waits for the reply, at most 15 s, and puts its text into *ret. False: the other side ended the
 * connection instead. */
bool sp_caller_reply(int fd, struct buf *ret);

/* The same with a message as it is: the ids of the hops that lead here and the text behind them. */
bool sp_caller_put(int fd, const void *message, size_t len);
bool sp_caller_take(int fd, struct buf *ret);
/* Sends what stands before a message of that length. */
bool sp_caller_announce(int fd, uint64_t len);

/* Ends the connection with a reset, where that is possible. */
void sp_caller_reset(int fd);
/* The other side ends the connection within that time, whatever it may send before; closes fd. */
void sp_caller_is_ended(int fd, int64_t within_ms);

/* Open in this process: both ends of what is connected here. */
size_t sp_caller_descriptors(void);

#endif
