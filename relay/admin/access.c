/* Parses headers; decides nothing else. */
#include "relay/admin/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "relay/base/address.h"

#define HOST_MAX 256 /* a DNS name has at most 253 */

bool access_token_ok(const char *authorization, const char *token)
{
	const char scheme[] = "Bearer ";

	if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *given = authorization + sizeof scheme - 1;
	size_t len = strlen(given), expected = strlen(token);
	volatile unsigned char differs = len != expected;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(given[i] ^ token[expected ? i % expected : 0]);
	return expected && !differs;
}

/* The name before the port, without the brackets of IPv6 and the root's dot. */
static bool host_name(const char *host, char ret[HOST_MAX])
{
	bool bracket = *host == '[';
	size_t len = strcspn(host += bracket, bracket ? "]" : ":");
	const char *rest = host + len;

	if (bracket && *rest++ != ']')
		return false;
	if (*rest && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))
		return false;
	if (!bracket && len && host[len - 1] == '.')
		len--;
	if (!len || len >= HOST_MAX)
		return false;
	memcpy(ret, host, len);
	ret[len] = '\0';
	return true;
}

static bool is_address(const char *name, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, name, &v4->sin_addr) == 1)
		ret->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, name, &v6->sin6_addr) == 1)
		ret->ss_family = AF_INET6;
	return ret->ss_family != 0;
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
	const struct sockaddr_in6 *x6 = (const void *)a, *y6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	return a->ss_family == AF_INET ? x->sin_addr.s_addr == y->sin_addr.s_addr
				       : !memcmp(&x6->sin6_addr, &y6->sin6_addr, 16);
}

static bool is_wildcard(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	return a->ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
				       : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

bool access_host_ok(const char *host, const struct sockaddr_storage *listen,
		    const struct strings *hosts)
{
	char name[HOST_MAX];
	struct sockaddr_storage address;

	if (!host)
		return true;
	if (!host_name(host, name))
		return false;
	if (is_address(name, &address))
		return address_is_loopback((struct sockaddr *)&address) || is_wildcard(listen) ||
		       same_host(&address, listen);
	if (!strcasecmp(name, "localhost"))
		return true;
	for (size_t i = 0; i < hosts->n; i++)
		if (!strcasecmp(name, hosts->v[i]))
			return true;
	return false;
}

bool access_origin_ok(const char *origin, const char *fetch_site, const char *host)
{
	if (fetch_site && strcasecmp(fetch_site, "same-origin") != 0 &&
	    strcasecmp(fetch_site, "none") != 0)
		return false;
	if (!origin)
		return true;
	/* Behind a proxy that speaks TLS, pages are https and the relay does not know. */
	if (!strncasecmp(origin, "http://", 7))
		origin += 7;
	else if (!strncasecmp(origin, "https://", 8))
		origin += 8;
	else
		return false;
	return host && !strcasecmp(origin, host);
}

bool access_is_json(const char *content_type)
{
	const char json[] = "application/json";
	size_t len = sizeof json - 1;

	if (!content_type)
		return true;
	if (strncasecmp(content_type, json, len) != 0)
		return false;
	content_type += len + strspn(content_type + len, " \t");
	return !*content_type || *content_type == ';';
}
