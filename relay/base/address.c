/* address — the judgement of an IP address that is about to be connected to. All comparing is on
 * 16 bytes, IPv4 as ::ffff:a.b.c.d, so that the two spellings of an address cannot differ; and
 * who carries an IPv4 address inside passes only if that one passes too. */
#include "relay/base/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

struct place {
	uint8_t bytes[16];
	in_port_t port; /* network byte order */
};

struct range {
	struct cidr cidr;
	const char *why;
};

#define V4(a, b, c, d, n)                                                                          \
	{                                                                                          \
		.bytes = {[10] = 0xFF, 0xFF, a, b, c, d}, .bits = 96 + (n)                         \
	}
#define V6(n, ...)                                                                                 \
	{                                                                                          \
		.bytes = {__VA_ARGS__}, .bits = (n)                                                \
	}

/* Refused by every judgement but an allow list: nobody's receiver lives there. */
static const struct range never[] = {
	{V4(0, 0, 0, 0, 8), "unspecified"}, /* Linux connects 0.0.0.0 to itself */
	{V6(128, 0), "unspecified"},
	{V4(169, 254, 169, 254, 32), "cloud metadata"},
	{V4(168, 63, 129, 16, 32), "cloud metadata"},	 /* Azure */
	{V4(100, 100, 100, 200, 32), "cloud metadata"},	 /* Alibaba */
	{V4(192, 0, 0, 192, 32), "cloud metadata"},	 /* Oracle */
	{V6(32, 0xFD, 0, 0x0E, 0xC2), "cloud metadata"}, /* AWS: fd00:ec2::254 and its neighbours */
	{V6(128, 0xFD, 0x20, 0, 0xCE, [14] = 0x02, 0x54), "cloud metadata"}, /* Google */
	{V4(169, 254, 0, 0, 16), "link-local"},
	{V6(10, 0xFE, 0x80), "link-local"},
	{V4(224, 0, 0, 0, 4), "multicast"},
	{V6(8, 0xFF), "multicast"},
	{V4(255, 255, 255, 255, 32), "broadcast"},
	/* It leads to an IPv4 address, but where that one stands inside is each site's choice. */
	{V6(48, 0, 0x64, 0xFF, 0x9B, 0, 1), "local-use NAT64"},
};

/* Refused besides under `network: public`. */
static const struct range not_public[] = {
	{V4(127, 0, 0, 0, 8), "loopback"},
	{V6(128, [15] = 1), "loopback"},
	{V4(10, 0, 0, 0, 8), "private"},
	{V4(172, 16, 0, 0, 12), "private"},
	{V4(192, 168, 0, 0, 16), "private"},
	{V6(7, 0xFC), "private"},
	{V6(10, 0xFE, 0xC0), "site-local"},
	{V4(100, 64, 0, 0, 10), "shared address space"},
	{V4(192, 0, 0, 0, 24), "protocol assignments"},
	{V6(32, 0x20, 0x01), "Teredo"},
	{V6(23, 0x20, 0x01), "protocol assignments"},
	{V4(192, 0, 2, 0, 24), "documentation"},
	{V4(198, 51, 100, 0, 24), "documentation"},
	{V4(203, 0, 113, 0, 24), "documentation"},
	{V6(32, 0x20, 0x01, 0x0D, 0xB8), "documentation"},
	{V6(20, 0x3F, 0xFF), "documentation"},
	{V4(192, 88, 99, 0, 24), "6to4"},
	{V6(16, 0x20, 0x02), "6to4"},
	{V4(198, 18, 0, 0, 15), "benchmarking"},
	{V4(240, 0, 0, 0, 4), "reserved"},
	{V6(96, 0), "v4-compatible"},
	{V6(96, 0, 0x64, 0xFF, 0x9B), "NAT64"},
	{V6(64, 0x01), "discard-only"},
	{V6(16, 0x5F), "segment routing"},
};

static const struct cidr all_v4 = V4(0, 0, 0, 0, 0);
static const struct cidr loopback_v4 = V4(127, 0, 0, 0, 8);
static const struct cidr loopback_v6 = V6(128, [15] = 1);
static const struct cidr global_unicast = V6(3, 0x20); /* all that IANA has handed out */

/* Where an IPv6 address carries an IPv4 address. */
static const struct embedding {
	struct cidr cidr;
	uint8_t at, flip; /* the first of four bytes, and what they are XORed with */
} embeddings[] = {
	{V6(96, 0), 12, 0},		      /* v4-compatible */
	{V6(96, [8] = 0xFF, 0xFF), 12, 0},    /* v4-translated, RFC 2765 */
	{V6(96, 0, 0x64, 0xFF, 0x9B), 12, 0}, /* NAT64 */
	{V6(16, 0x20, 0x02), 2, 0},	      /* 6to4 */
	{V6(32, 0x20, 0x01), 12, 0xFF},	      /* Teredo: the client behind it */
	{V6(32, 0x20, 0x01), 4, 0},	      /* Teredo: its server */
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool is_v4(const uint8_t *bytes)
{
	return prefix_equal(bytes, all_v4.bytes, all_v4.bits);
}

/* ::/0 is all of IPv6 and none of IPv4, though IPv4 is kept as a corner of it. */
static bool contains(const struct cidr *c, const uint8_t *bytes)
{
	return (c->bits >= all_v4.bits || !is_v4(bytes)) && prefix_equal(c->bytes, bytes, c->bits);
}

static bool is_loopback(const uint8_t *bytes)
{
	return contains(&loopback_v4, bytes) || contains(&loopback_v6, bytes);
}

static void set_v4(uint8_t *bytes, const void *four)
{
	memcpy(bytes, all_v4.bytes, 12);
	memcpy(bytes + 12, four, 4);
}

/* Copies, as a sockaddr's bytes may lie unaligned. False: no IP address. */
static bool place_of(const struct sockaddr *address, struct place *ret)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof in);
		set_v4(ret->bytes, &in.sin_addr);
		ret->port = in.sin_port;
		return true;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof in6);
		memcpy(ret->bytes, &in6.sin6_addr, 16);
		ret->port = in6.sin6_port;
		return true;
	}
	return false;
}

/* All of 127/8 reaches a wildcard socket, though the interface shows one address of it. */
static bool is_this_machine(const uint8_t *bytes)
{
	struct ifaddrs *list;
	bool found = is_loopback(bytes);

	if (found)
		return true;
	if (getifaddrs(&list) != 0) /* who cannot tell refuses; the attempt is repeated */
		return true;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		struct place local;
		found = i->ifa_addr && place_of(i->ifa_addr, &local) &&
			memcmp(local.bytes, bytes, 16) == 0;
	}
	freeifaddrs(list);
	return found;
}

/* Does it listen on all addresses, those of IPv4 (v4) or of IPv6? 0.0.0.0 is for IPv4 only, :: for
 * both. */
static bool is_any(const struct place *p, bool v4)
{
	static const uint8_t any[16];

	return memcmp(p->bytes, any, 16) == 0 ||
	       (v4 && is_v4(p->bytes) && memcmp(p->bytes + 12, any, 4) == 0);
}

static bool covers(const struct place *listening, const uint8_t *bytes)
{
	return memcmp(listening->bytes, bytes, 16) == 0 ||
	       (is_any(listening, is_v4(bytes)) && is_this_machine(bytes));
}

static bool is_own(const struct network_policy *p, const struct place *to)
{
	for (size_t i = 0; i < p->nown; i++) {
		struct place listening;
		if (place_of((const struct sockaddr *)&p->own[i], &listening) &&
		    listening.port == to->port && covers(&listening, to->bytes))
			return true;
	}
	return false;
}

bool address_clashes(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_un *x = (const void *)a, *y = (const void *)b;
	struct place one, other;

	if (a->ss_family == AF_UNIX && b->ss_family == AF_UNIX)
		return !strcmp(x->sun_path, y->sun_path);
	if (!place_of((const struct sockaddr *)a, &one) ||
	    !place_of((const struct sockaddr *)b, &other) || one.port != other.port || !one.port)
		return false;
	return memcmp(one.bytes, other.bytes, 16) == 0 || is_any(&one, is_v4(other.bytes)) ||
	       is_any(&other, is_v4(one.bytes));
}

static bool listed(const struct cidr *list, size_t n, const uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (contains(&list[i], bytes))
			return true;
	}
	return false;
}

static const char *look_up(const struct range *table, size_t n, const uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (contains(&table[i].cidr, bytes))
			return table[i].why;
	}
	return NULL;
}

static const char *judge(const struct network_policy *p, const struct place *to)
{
	if (is_own(p, to))
		return "an address of this relay";
	if (p->kind == NETWORK_LISTS) {
		if (listed(p->allow, p->nallow, to->bytes))
			return NULL;
		if (listed(p->deny, p->ndeny, to->bytes))
			return "on the deny list";
	}
	const char *why = look_up(never, COUNT(never), to->bytes);
	if (why || p->kind != NETWORK_PUBLIC)
		return why;
	why = look_up(not_public, COUNT(not_public), to->bytes);
	if (!why && !is_v4(to->bytes) && !contains(&global_unicast, to->bytes))
		why = "not globally reachable";
	return why;
}

const char *network_refuses(const struct network_policy *p, const struct sockaddr *address)
{
	struct place to;

	if (!place_of(address, &to))
		return "not an IP address";
	const char *why = judge(p, &to);
	if (is_loopback(to.bytes)) /* ::1 lies among the v4-compatible ones and is none */
		return why;
	for (size_t i = 0; i < COUNT(embeddings) && !why; i++) {
		const struct embedding *e = &embeddings[i];
		if (!contains(&e->cidr, to.bytes))
			continue;
		struct place inner = {.port = to.port};
		uint8_t four[4];
		for (int b = 0; b < 4; b++)
			four[b] = to.bytes[e->at + b] ^ e->flip;
		set_v4(inner.bytes, four);
		why = judge(p, &inner);
	}
	return why;
}

bool address_is_loopback(const struct sockaddr *address)
{
	struct place at;

	return place_of(address, &at) && is_loopback(at.bytes);
}

bool cidr_contains(const struct cidr *c, const struct sockaddr *address)
{
	struct place at;

	return place_of(address, &at) && contains(c, at.bytes);
}

/* A decimal number without sign and leading zeros. */
static bool parse_bits(const char *text, unsigned max, unsigned *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned value = 0;

	if (len == 0 || len > 3 || text[len] != '\0' || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	*ret = value;
	return value <= max;
}

/* The address before the slash: 32 or 128, the bits of its kind, or 0. */
static unsigned parse_address(const char *text, size_t len, uint8_t *ret)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t four[4];

	if (len >= sizeof address)
		return 0;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET6, address, ret) == 1)
		return 128;
	if (inet_pton(AF_INET, address, four) != 1)
		return 0;
	set_v4(ret, four);
	return 32;
}

int cidr_parse(struct cidr *ret, const char *text, struct err *err)
{
	const char *slash = strchrnul(text, '/');
	struct cidr cidr = {.bits = 0};
	unsigned most = parse_address(text, (size_t)(slash - text), cidr.bytes);
	unsigned bits = most;

	if (!most)
		return err_set(err, ERR_FORMAT, "\"%.80s\" is no IP address or range", text);
	if (*slash && !parse_bits(slash + 1, most, &bits))
		return err_set(err, ERR_FORMAT, "\"%.80s\": expected a number from 0 to %u after /",
			       text, most);
	cidr.bits = (uint8_t)(bits + 128 - most);
	for (unsigned bit = cidr.bits; bit < 128; bit++) {
		if (cidr.bytes[bit / 8] & (0x80 >> bit % 8))
			return err_set(err, ERR_FORMAT,
				       "\"%.80s\" has bits set behind the first %u", text, bits);
	}
	*ret = cidr;
	return 0;
}

void network_policy_release(struct network_policy *p)
{
	if (!p)
		return;
	free(p->allow);
	free(p->deny);
	*p = (struct network_policy){.kind = NETWORK_PRIVATE};
}
