/* nng_address — text to address, address to listening socket. Invariant: no name but localhost is
 * resolved, so nothing here waits for a server. */
#include "transports/nng_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/mem.h"

#define BACKLOG 128

const char *nng_address_behind(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);
	return strncmp(url, scheme, len) == 0 ? url + len : NULL;
}

bool nng_address_is_tls(const char *url)
{
	return nng_address_behind(url, "tls+tcp://") || nng_address_behind(url, "wss://");
}

static bool parse_port(const char *text, in_port_t *ret)
{
	unsigned long port = 0;
	size_t len = strspn(text, "0123456789");

	if (len < 1 || len > 5 || (text[len] && text[len] != '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		port = port * 10 + (unsigned long)(text[i] - '0');
	if (port < 1 || port > 65535)
		return false;
	*ret = htons((in_port_t)port);
	return true;
}

bool nng_address_is_port(const char *text)
{
	in_port_t port;

	return !strchr(text, '/') && parse_port(text, &port);
}

/* As nng does: the first of its addresses, which where there is IPv6 is ::1. */
static bool find_localhost(in_port_t port, struct sockaddr_storage *ret)
{
	struct addrinfo wanted = {.ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_ADDRCONFIG};
	struct addrinfo *all, *a;

	if (getaddrinfo("localhost", NULL, &wanted, &all) != 0)
		return false;
	for (a = all; a && a->ai_family != AF_INET && a->ai_family != AF_INET6;)
		a = a->ai_next;
	if (a)
		memcpy(ret, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(all);
	if (ret->ss_family == AF_INET)
		((struct sockaddr_in *)(void *)ret)->sin_port = port;
	else
		((struct sockaddr_in6 *)(void *)ret)->sin6_port = port;
	return a != NULL;
}

static bool parse_host(const char *host, in_port_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	*ret = (struct sockaddr_storage){0};
	if (!*host || !strcmp(host, "*"))
		host = "0.0.0.0";
	else if (!strcmp(host, "localhost"))
		return find_localhost(port, ret);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		return true;
	}
	return false;
}

bool nng_address_parse(const char *text, struct sockaddr_storage *ret)
{
	char host[64];
	const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
	const char *from = *text == '[' ? text + 1 : text;
	in_port_t port;

	if (!end || (size_t)(end - from) >= sizeof host)
		return false;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = '\0';
	if (*end == ']' && (*++end != ':' || !strchr(host, ':')))
		return false;
	return parse_port(end + 1, &port) && parse_host(host, port, ret);
}

const int nng_address_path_max = sizeof((struct sockaddr_un){0}).sun_path - 1;

bool nng_address_is_path(const char *path)
{
	return *path == '/' && strlen(path) <= (size_t)nng_address_path_max;
}

void nng_address_of_path(const char *path, struct sockaddr_storage *ret)
{
	struct sockaddr_un *at = (void *)ret;
	char *to = at->sun_path;

	*ret = (struct sockaddr_storage){.ss_family = AF_UNIX};
	while (*path) {
		if (!strncmp(path, "/./", 3))
			path += 2;
		else if (!strncmp(path, "//", 2))
			path++;
		else
			*to++ = *path++;
	}
}

/* ---- listening ---- */

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int listen_tcp(const char *text)
{
	struct sockaddr_storage at;
	int fd, on = 1;

	if (!nng_address_parse(text, &at)) {
		errno = EINVAL;
		return -1;
	}
	fd = new_socket(at.ss_family);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	socklen_t len =
		at.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* The socket of a process that was killed is in the way of the next one. What else stands there is
 * not ours, though it refuses a connection, too. */
static void remove_stale(const struct sockaddr_un *at)
{
	struct stat st;

	if (lstat(at->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = new_socket(AF_UNIX);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 && errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

static int bind_path(int fd, const struct sockaddr_un *at)
{
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	remove_stale(at);
	return bind(fd, (const struct sockaddr *)at, sizeof *at);
}

static int listen_ipc(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (!nng_address_is_path(path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return -1;
	bool bound = bind_path(fd, &at) == 0;
	if (bound && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	if (bound)
		unlink(path);
	close(fd);
	errno = error;
	return -1;
}

int address_listener_open(struct address_listener *ret, const char *url, struct err *err)
{
	const char *tcp = nng_address_behind(url, "tcp://");
	const char *tls = nng_address_behind(url, "tls+tcp://");
	const char *ipc = nng_address_behind(url, "ipc://");
	int fd;

	tcp = tcp ? tcp : tls;
	errno = EPROTONOSUPPORT;
	fd = tcp ? listen_tcp(tcp) : ipc ? listen_ipc(ipc) : -1;
	if (fd < 0)
		return err_set(err, ERR_NET, "listen on %s: %s", url, strerror(errno));
	*ret = (struct address_listener){fd, ipc ? xstrdup(ipc) : NULL, tls != NULL};
	return 0;
}

/* Whoever connects takes a file, and a quarter of them is for polling, the journal and all else.
 * The lowest number that is free is given out, so a high one says that those below are in use. */
static bool is_spared(int fd)
{
	return (uint64_t)fd >= address_listener_files() / 4 * 3;
}

uint64_t address_listener_files(void)
{
	struct rlimit files;

	return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : UINT64_MAX;
}

bool address_listener_lacks_files(int error)
{
	return error == ECONNREFUSED || error == EMFILE || error == ENFILE;
}

int address_listener_accept(const struct address_listener *l)
{
	int fd, on = 1;

	do
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd >= 0 && is_spared(fd)) {
		close(fd);
		errno = ECONNREFUSED;
		return -1;
	}
	if (fd >= 0 && !l->path) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	return fd;
}

void address_listener_close(struct address_listener *l)
{
	if (l->path)
		unlink(l->path); /* first, or it might be the next listener's */
	close(l->fd);
	free(l->path);
}

/* ---- peers ---- */

void address_write(int family, const void *ip, in_port_t port, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, ip, text, sizeof text);
	snprintf(ret, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, (unsigned)ntohs(port));
}

static void write_process(int fd, char *ret, size_t size)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		snprintf(ret, size, "process %ld", (long)peer.pid);
	else
		snprintf(ret, size, "unknown");
}

void address_of_peer(int fd, char *ret, size_t size)
{
	struct sockaddr_storage at = {0};
	const struct sockaddr_in *v4 = (const void *)&at;
	const struct sockaddr_in6 *v6 = (const void *)&at;
	socklen_t len = sizeof at;

	/* It may have gone meanwhile. Of a TCP socket the process would be 0. */
	if (getpeername(fd, (struct sockaddr *)&at, &len) < 0)
		at.ss_family = AF_UNSPEC;
	if (at.ss_family == AF_INET)
		address_write(AF_INET, &v4->sin_addr, v4->sin_port, ret, size);
	else if (at.ss_family == AF_INET6)
		address_write(AF_INET6, &v6->sin6_addr, v6->sin6_port, ret, size);
	else if (at.ss_family == AF_UNIX)
		write_process(fd, ret, size);
	else
		snprintf(ret, size, "unknown");
}
