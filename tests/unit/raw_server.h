/*
 * raw_server — a TCP server on a free loopback port that answers as a test says, byte by byte,
 * so that it can be as broken as a test needs. A thread per connection.
 */
#ifndef RELAY_TEST_RAW_SERVER_H
#define RELAY_TEST_RAW_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct raw_request {
	int fd;
	char head[16 << 10]; /* request line and headers with a NUL behind */
	char path[256];
	char body[16 << 10];
	size_t body_len;
};

/* Answers one request, on the connection's thread; false closes the connection. */
typedef bool raw_answer(const struct raw_request *request);

struct raw_server;
struct raw_server *raw_server_open(raw_answer *answer);
void raw_server_close(struct raw_server *s); /* ends all connections */

int raw_server_port(const struct raw_server *s);
unsigned raw_server_connections(struct raw_server *s); /* accepted so far */
unsigned raw_server_requests(struct raw_server *s);    /* read so far */
void raw_server_last(struct raw_server *s, struct raw_request *ret);

/* For answers: false when the other side is gone. */
bool raw_send(int fd, const void *bytes, size_t len);
bool raw_send_text(int fd, const char *text);
void raw_wait_for_end(int fd); /* until the other side closes */
void raw_reset(int fd);	       /* the close that follows sends RST */

#endif
