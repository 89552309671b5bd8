/* sp_caller — see its header. All calls wait, bounded by the socket's own timeouts. */
#include "tests/suite/sp_caller.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define GREETING 8
#define ID	 4 /* bytes of a request's id */
#define WAIT_S	 15

/* The last of the ids that lead here has its top bit set; the reply bears the same. */
static const unsigned char id[ID] = {0x80, 1, 2, 3};

bool sp_caller_send(int fd, const void *bytes, size_t len)
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

bool sp_caller_receive(int fd, void *bytes, size_t len)
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

static int connect_to(int family, const void *at, socklen_t len)
{
	struct timeval wait = {.tv_sec = WAIT_S};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	assert_int_equal(connect(fd, at, len), 0);
	return fd;
}

int sp_caller_connect(const char *url)
{
	struct sockaddr_un ipc = {.sun_family = AF_UNIX};
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (!strncmp(url, "ipc://", 6)) {
		strncpy(ipc.sun_path, url + 6, sizeof ipc.sun_path - 1);
		return connect_to(AF_UNIX, &ipc, sizeof ipc);
	}
	tcp.sin_port = htons((uint16_t)strtol(strrchr(url, ':') + 1, NULL, 10));
	int on = 1, fd = connect_to(AF_INET, &tcp, sizeof tcp);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

int sp_caller_open(const char *url)
{
	static const char req[GREETING] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
	static const char rep[GREETING] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	char greeting[GREETING];
	int fd = sp_caller_connect(url);

	assert_true(sp_caller_send(fd, req, sizeof req));
	assert_true(sp_caller_receive(fd, greeting, sizeof greeting));
	assert_memory_equal(greeting, rep, sizeof rep);
	return fd;
}

static bool is_ipc(int fd)
{
	int family = 0;
	socklen_t len = sizeof family;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len), 0);
	return family == AF_UNIX;
}

bool sp_caller_announce(int fd, uint64_t len)
{
	unsigned char head[1 + 8] = {1};

	for (int i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)(len >> (56 - 8 * i));
	return is_ipc(fd) ? sp_caller_send(fd, head, 9) : sp_caller_send(fd, head + 1, 8);
}

bool sp_caller_put(int fd, const void *message, size_t len)
{
	return sp_caller_announce(fd, len) && sp_caller_send(fd, message, len);
}

bool sp_caller_ask(int fd, const char *request, size_t len)
{
	char *message = xmalloc(ID + len);

	memcpy(message, id, ID);
	memcpy(message + ID, request, len);
	bool sent = sp_caller_put(fd, message, ID + len);
	free(message);
	return sent;
}

bool sp_caller_take(int fd, struct buf *ret)
{
	unsigned char head[1 + 8] = {1};
	uint64_t len = 0;

	if (!(is_ipc(fd) ? sp_caller_receive(fd, head, 9) : sp_caller_receive(fd, head + 1, 8)))
		return false;
	for (int i = 0; i < 8; i++)
		len = len << 8 | head[1 + i];
	assert_int_equal(head[0], 1);
	assert_in_range(len, ID, 64 << 20);
	char *message = xmalloc(len);
	bool whole = sp_caller_receive(fd, message, len);
	buf_clear(ret);
	if (whole)
		buf_add(ret, message, len);
	free(message);
	return whole;
}

bool sp_caller_reply(int fd, struct buf *ret)
{
	struct buf message = BUF_INIT(64 << 20);
	bool whole = sp_caller_take(fd, &message);

	buf_clear(ret);
	if (whole) {
		assert_memory_equal(message.data, id, ID);
		buf_add(ret, message.data + ID, message.len - ID);
	}
	buf_release(&message);
	return whole;
}

void sp_caller_reset(int fd)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

void sp_caller_is_ended(int fd, int64_t within_ms)
{
	int64_t start = clock_now().mono_ms;
	char some[65536];
	ssize_t n;

	do {
		n = recv(fd, some, sizeof some, 0);
	} while (n > 0 && clock_now().mono_ms - start <= within_ms);
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	assert_in_range(clock_now().mono_ms - start, 0, within_ms);
	close(fd);
}

size_t sp_caller_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}
