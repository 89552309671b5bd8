/* nats_server — text to host and port. Invariant: names are not resolved, so nothing here waits,
 * and what passes means the same to libnats, which reads it more loosely. */
#include "transports/nats_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "relay/base/address.h"

#define PORT 4222

static const char shape[] = "nats://HOST:PORT or tls://HOST:PORT is expected";

static bool read_port(const char *text, unsigned *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned port = 0;

	if (len < 1 || len > 5 || text[len])
		return false;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	*ret = port;
	return port >= 1 && port <= 65535;
}

static void read_address(struct nats_server *s)
{
	struct sockaddr_in *v4 = (void *)&s->address;
	struct sockaddr_in6 *v6 = (void *)&s->address;
	const char *host = strcasecmp(s->host, "localhost") == 0 ? "127.0.0.1" : s->host;

	s->literal = true;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((in_port_t)s->port);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((in_port_t)s->port);
	} else {
		s->literal = false;
	}
	s->reach = s->literal && address_is_loopback((struct sockaddr *)&s->address) ? NATS_LOOPBACK
										     : NATS_WIDE;
}

/* Of digits and dots alone it is an address or a slip; libc would take 127.1 for 127.0.0.1. */
static bool is_host(const struct nats_server *s, bool brackets)
{
	static const char digits[] = "0123456789.";
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789.-_";

	if (brackets)
		return s->literal && s->address.ss_family == AF_INET6;
	return *s->host && !s->host[strspn(s->host, name)] &&
	       (s->literal || s->host[strspn(s->host, digits)]);
}

const char *nats_server_parse(struct nats_server *ret, const char *url)
{
	struct nats_server s = {.port = PORT};
	const char *at = strstr(url, "://"), *end;
	bool brackets;

	s.tls = strncmp(url, "tls://", 6) == 0;
	if (!s.tls && strncmp(url, "nats://", 7) != 0)
		return shape;
	at += 3;
	if (strchr(at, '@'))
		return "holds a user or a password: a URL is shown in logs; the settings user and "
		       "password_file, token_file or credentials_file are for them";
	brackets = *at == '[';
	at += brackets;
	end = at + strcspn(at, brackets ? "]" : ":");
	if ((size_t)(end - at) >= sizeof s.host || (brackets && !*end))
		return shape;
	memcpy(s.host, at, (size_t)(end - at));
	end += brackets;
	if (*end && (*end != ':' || !read_port(end + 1, &s.port)))
		return shape;
	read_address(&s);
	if (!is_host(&s, brackets))
		return shape;
	*ret = s;
	return NULL;
}
