/* Splits at the last colon; the rest is inet_pton's. */
#include "relay/admin/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, in_port_t *ret)
{
	size_t len = strspn(text, "0123456789");
	long port = len && len <= 5 && !text[len] ? strtol(text, NULL, 10) : -1;
	if (port < 0 || port > 65535)
		return -1;
	*ret = htons((uint16_t)port);
	return 0;
}

int listen_parse(const char *text, struct sockaddr_storage *ret, struct err *err)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;
	if (!colon || !len || len >= sizeof host)
		return err_set(err, ERR_USAGE, "\"%s\" is not ADDRESS:PORT", text);
	memcpy(host, text, len);
	host[len] = '\0';
	bool bracket = host[0] == '[' && host[len - 1] == ']';
	if (bracket)
		host[len - 1] = '\0';
	if (bracket && inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	else if (!bracket && inet_pton(AF_INET, host, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not an IP address and a port, as in 127.0.0.1:8077 or "
			       "[::1]:8077",
			       text);
	if (parse_port(colon + 1, bracket ? &v6->sin6_port : &v4->sin_port) < 0)
		return err_set(err, ERR_USAGE, "\"%s\" has no port from 0 to 65535", text);
	*ret = address;
	return 0;
}
