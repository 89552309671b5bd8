/* http_socket — libcurl's sockets: to which addresses one is opened, and over which connection a
 * request is written. Invariant: no socket is opened and no request written to an address that
 * network_refuses names, nor over a kept connection on which something lies that nobody asked for:
 * it would be taken for the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/http_transfer.h"
#include "relay/base/mem.h"

#define SOCKETS_MIN 16

/* A quarter of what the process may open stays for the journal, the admin API and all else. */
void http_sockets_init(struct open_sockets *all, struct http_watch *watch)
{
	struct rlimit files = {0};

	all->watch = watch;
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur > INT_MAX)
		files.rlim_cur = INT_MAX;
	all->most = (size_t)files.rlim_cur / 4 * 3;
	if (all->most < SOCKETS_MIN)
		all->most = SOCKETS_MIN;
}

static const char *refuses(const struct transfer *t, const struct sockaddr *address)
{
	if (t->plain && t->loopback_only_plain && (t->proxied || !address_is_loopback(address)))
		return "plain http off loopback";
	return t->network ? network_refuses(t->network, address) : NULL;
}

curl_socket_t http_socket_open(void *clientp, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = clientp;
	struct open_sockets *all = t->sockets;
	const char *why = refuses(t, &to->addr);
	curl_socket_t fd = -1;

	(void)purpose;
	if (why) {
		t->denied = why;
		return CURL_SOCKET_BAD; /* libcurl goes on to the name's next address */
	}
	t->tried = true;
	if (all->n < all->most)
		fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd < 0) {
		t->too_many = all->n >= all->most || errno == EMFILE || errno == ENFILE;
		return CURL_SOCKET_BAD;
	}
	all->v = mem_grow(all->v, all->n, &all->cap, sizeof *all->v);
	all->v[all->n++] = (struct open_socket){.fd = fd, .opener = t->id};
	http_watch_opened(all->watch, fd);
	return fd;
}

int http_socket_close(void *clientp, curl_socket_t fd)
{
	struct open_sockets *all = clientp;

	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].fd == fd) {
			all->v[i] = all->v[--all->n];
			break;
		}
	}
	http_watch_closed(all->watch, fd);
	return close(fd);
}

static bool peer_address(struct sockaddr_storage *ret, const char *ip, int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((in_port_t)port);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((in_port_t)port);
	return inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1;
}

int http_socket_port(curl_socket_t fd)
{
	struct sockaddr_storage local = {0};
	socklen_t len = sizeof local;

	if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
		return 0;
	return ntohs(local.ss_family == AF_INET ? ((struct sockaddr_in *)&local)->sin_port
						: ((struct sockaddr_in6 *)&local)->sin6_port);
}

/* Does something lie on this kept connection: an end, or what nobody asked for? It goes by its port
 * here. Two may have the same one, to different hosts; then both are asked. */
static bool is_stale(struct transfer *t)
{
	struct open_sockets *all = t->sockets;
	bool mine = false, stale = false;

	for (size_t i = 0; i < all->n; i++) {
		struct open_socket *s = &all->v[i];

		if (s->opener == t->id && !s->port)
			s->port = http_socket_port(s->fd);
		if (s->port != t->local_port)
			continue;
		mine |= s->opener == t->id; /* new; TLS may have left something to read */
		if (poll(&(struct pollfd){.fd = s->fd, .events = POLLIN}, 1, 0) != 0)
			stale = true;
	}
	return stale && !mine;
}

/* The connection is ready and no byte of the request is written. Kept connections pass only here:
 * http_socket_open judged them for another call, maybe by another policy. */
int http_socket_use(void *clientp, char *peer, char *local, int peer_port, int local_port)
{
	struct transfer *t = clientp;
	struct sockaddr_storage address;

	(void)local;
	t->local_port = local_port;
	t->denied = peer_address(&address, peer, peer_port)
			    ? refuses(t, (struct sockaddr *)&address)
			    : "an address that cannot be read";
	t->stale = !t->denied && is_stale(t);
	return t->denied || t->stale ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}
