/* sp_caller — see its header. All calls wait, bounded by the socket's own timeouts. */
#include "tests/suite/sp_caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"

#define GREETING 8
#define HEAD	 (1 + 8) /* a message: its kind, its length */
#define ID	 4	 /* of a request; the reply bears the same */
#define WAIT_S	 15

static bool write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *bytes, size_t len)
{
	char *at = bytes;

	while (len > 0) {
		ssize_t n = recv(fd, at, len, 0);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

int sp_caller_open(const char *url)
{
	static const char req[GREETING] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
	static const char rep[GREETING] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = WAIT_S};
	char greeting[GREETING];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(at.sun_path, url + strlen("ipc://"), sizeof at.sun_path - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_true(write_all(fd, req, sizeof req));
	assert_true(read_all(fd, greeting, sizeof greeting));
	assert_memory_equal(greeting, rep, sizeof rep);
	return fd;
}

bool sp_caller_ask(int fd, const char *request, size_t len)
{
	unsigned char head[HEAD + ID] = {1};
	uint64_t all = len + ID;

	for (int i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)(all >> (56 - 8 * i));
	head[HEAD] = 0x80; /* the last of the ids that lead here */
	return write_all(fd, head, sizeof head) && write_all(fd, request, len);
}

bool sp_caller_reply(int fd, struct buf *ret)
{
	unsigned char head[HEAD + ID];
	uint64_t all = 0;

	if (!read_all(fd, head, sizeof head))
		return false;
	for (int i = 0; i < 8; i++)
		all = all << 8 | head[1 + i];
	assert_int_equal(head[0], 1);
	assert_in_range(all, ID, 64 << 20);
	char *text = xmalloc(all);
	bool whole = read_all(fd, text, all - ID);
	buf_clear(ret);
	buf_add(ret, text, all - ID);
	free(text);
	return whole;
}
