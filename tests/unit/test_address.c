/* address — every range at both of its ends and one beyond, every spelling that hides an IPv4
 * address, the relay's own sockets, and ranges as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "relay/base/address.h"
#include "relay/base/mem.h"

static struct sockaddr_storage socket_address(const char *text, int port)
{
	struct sockaddr_storage ret = {0};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&ret, &in, sizeof in);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&ret, &in6, sizeof in6);
	else
		fail_msg("%s is no address", text);
	return ret;
}

static const char *refuses(const struct network_policy *p, const char *text, int port)
{
	struct sockaddr_storage to = socket_address(text, port);

	return network_refuses(p, (struct sockaddr *)&to);
}

static struct cidr range(const char *text)
{
	struct err err;
	struct cidr ret;

	if (cidr_parse(&ret, text, &err) != 0)
		fail_msg("%s", err.msg);
	return ret;
}

#define OK NULL

/* What each policy says; a text is the expected reason. */
static const struct verdict {
	const char *address, *under_private, *under_public;
} verdicts[] = {
	/* Public receivers. */
	{"1.1.1.1", OK, OK},
	{"93.184.216.34", OK, OK},
	{"2606:4700:4700::1111", OK, OK},
	{"2a00:1450:4001:80b::200e", OK, OK},
	{"2001:200::1", OK, OK},
	/* IPv4, by range: before, first, last, behind. */
	{"0.0.0.0", "unspecified", "unspecified"},
	{"0.255.255.255", "unspecified", "unspecified"},
	{"1.0.0.0", OK, OK},
	{"9.255.255.255", OK, OK},
	{"10.0.0.0", OK, "private"},
	{"10.255.255.255", OK, "private"},
	{"11.0.0.0", OK, OK},
	{"100.63.255.255", OK, OK},
	{"100.64.0.0", OK, "shared address space"},
	{"100.100.100.199", OK, "shared address space"},
	{"100.100.100.200", "cloud metadata", "cloud metadata"},
	{"100.127.255.255", OK, "shared address space"},
	{"100.128.0.0", OK, OK},
	{"126.255.255.255", OK, OK},
	{"127.0.0.0", OK, "loopback"},
	{"127.0.0.1", OK, "loopback"},
	{"127.255.255.255", OK, "loopback"},
	{"128.0.0.0", OK, OK},
	{"168.63.129.15", OK, OK},
	{"168.63.129.16", "cloud metadata", "cloud metadata"},
	{"168.63.129.17", OK, OK},
	{"169.253.255.255", OK, OK},
	{"169.254.0.0", "link-local", "link-local"},
	{"169.254.169.253", "link-local", "link-local"},
	{"169.254.169.254", "cloud metadata", "cloud metadata"},
	{"169.254.255.255", "link-local", "link-local"},
	{"169.255.0.0", OK, OK},
	{"172.15.255.255", OK, OK},
	{"172.16.0.0", OK, "private"},
	{"172.31.255.255", OK, "private"},
	{"172.32.0.0", OK, OK},
	{"191.255.255.255", OK, OK},
	{"192.0.0.0", OK, "protocol assignments"},
	{"192.0.0.192", "cloud metadata", "cloud metadata"},
	{"192.0.0.255", OK, "protocol assignments"},
	{"192.0.1.0", OK, OK},
	{"192.0.2.0", OK, "documentation"},
	{"192.0.2.255", OK, "documentation"},
	{"192.0.3.0", OK, OK},
	{"192.88.98.255", OK, OK},
	{"192.88.99.0", OK, "6to4"},
	{"192.88.99.255", OK, "6to4"},
	{"192.88.100.0", OK, OK},
	{"192.167.255.255", OK, OK},
	{"192.168.0.0", OK, "private"},
	{"192.168.255.255", OK, "private"},
	{"192.169.0.0", OK, OK},
	{"198.17.255.255", OK, OK},
	{"198.18.0.0", OK, "benchmarking"},
	{"198.19.255.255", OK, "benchmarking"},
	{"198.20.0.0", OK, OK},
	{"198.51.99.255", OK, OK},
	{"198.51.100.0", OK, "documentation"},
	{"198.51.100.255", OK, "documentation"},
	{"198.51.101.0", OK, OK},
	{"203.0.112.255", OK, OK},
	{"203.0.113.0", OK, "documentation"},
	{"203.0.113.255", OK, "documentation"},
	{"203.0.114.0", OK, OK},
	{"223.255.255.255", OK, OK},
	{"224.0.0.0", "multicast", "multicast"},
	{"239.255.255.255", "multicast", "multicast"},
	{"240.0.0.0", OK, "reserved"},
	{"255.255.255.254", OK, "reserved"},
	{"255.255.255.255", "broadcast", "broadcast"},
	/* IPv6 likewise. */
	{"::", "unspecified", "unspecified"},
	{"::1", OK, "loopback"},
	{"100::", OK, "discard-only"},
	{"100::ffff:ffff:ffff:ffff", OK, "discard-only"},
	{"100:0:0:1::", OK, "not globally reachable"},
	{"1fff:ffff::1", OK, "not globally reachable"},
	{"2000::", OK, OK},
	{"2001:1::1", OK, "protocol assignments"},
	{"2001:20::1", OK, "protocol assignments"},
	{"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", OK, "protocol assignments"},
	{"2001:db7:ffff::1", OK, OK},
	{"2001:db8::", OK, "documentation"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", OK, "documentation"},
	{"2001:db9::", OK, OK},
	{"2003::", OK, OK},
	{"3ffe:ffff::1", OK, OK},
	{"3fff::", OK, "documentation"},
	{"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", OK, "documentation"},
	{"3fff:1000::", OK, OK},
	{"4000::1", OK, "not globally reachable"},
	{"5f00::", OK, "segment routing"},
	{"5f01::", OK, "not globally reachable"},
	{"fbff:ffff::1", OK, "not globally reachable"},
	{"fc00::", OK, "private"},
	{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OK, "private"},
	{"fd00:ec1:ffff::1", OK, "private"},
	{"fd00:ec2::254", "cloud metadata", "cloud metadata"},
	{"fd00:ec3::", OK, "private"},
	{"fd20:ce::253", OK, "private"},
	{"fd20:ce::254", "cloud metadata", "cloud metadata"},
	{"fe00::1", OK, "not globally reachable"},
	{"fe80::", "link-local", "link-local"},
	{"fe80::1", "link-local", "link-local"},
	{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local", "link-local"},
	{"fec0::", OK, "site-local"},
	{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OK, "site-local"},
	{"ff00::", "multicast", "multicast"},
	{"ff02::1", "multicast", "multicast"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast", "multicast"},
	/* The same IPv4 addresses in IPv6 clothes. */
	{"::ffff:1.1.1.1", OK, OK},
	{"::ffff:127.0.0.1", OK, "loopback"},
	{"::ffff:10.0.0.1", OK, "private"},
	{"::ffff:a9fe:a9fe", "cloud metadata", "cloud metadata"},
	{"::ffff:0.0.0.0", "unspecified", "unspecified"},
	{"::ffff:224.0.0.1", "multicast", "multicast"},
	{"::1.1.1.1", OK, "v4-compatible"},
	{"::169.254.169.254", "cloud metadata", "v4-compatible"},
	{"::2", "unspecified", "v4-compatible"},
	{"::ffff:0:1.1.1.1", OK, "not globally reachable"},
	{"::ffff:0:169.254.169.254", "cloud metadata", "not globally reachable"},
	{"64:ff9b::1.1.1.1", OK, "NAT64"},
	{"64:ff9b::10.0.0.1", OK, "NAT64"},
	{"64:ff9b::169.254.169.254", "cloud metadata", "NAT64"},
	{"64:ff9b::a9fe:1", "link-local", "NAT64"},
	{"64:ff9b:0:0:0:1:1.1.1.1", OK, "not globally reachable"},
	{"64:ff9b:1::1.1.1.1", "local-use NAT64", "local-use NAT64"},
	{"64:ff9b:1:ffff::a9fe:a9fe", "local-use NAT64", "local-use NAT64"},
	{"64:ff9b:2::1.1.1.1", OK, "not globally reachable"},
	{"2002:101:101::1", OK, "6to4"},
	{"2002:a9fe:a9fe::1", "cloud metadata", "6to4"},
	{"2002:a9fe:1::", "link-local", "6to4"},
	{"2002:7f00:1::", OK, "6to4"},
	{"2002:e000:1::", "multicast", "6to4"},
	{"2001:0:101:101:0:1:fefe:fefe", OK, "Teredo"},
	{"2001:0:101:101:0:1:5601:5601", "cloud metadata", "Teredo"},	/* client, inverted */
	{"2001:0:a9fe:a9fe:0:1:fefe:fefe", "cloud metadata", "Teredo"}, /* server */
};

static void expect(const struct network_policy *p, const char *address, const char *why)
{
	const char *got = refuses(p, address, 443);

	if ((got != NULL) != (why != NULL) || (got && strcmp(got, why) != 0))
		fail_msg("%s, policy %d: %s, not %s", address, (int)p->kind, got ? got : "allowed",
			 why ? why : "allowed");
}

static void judges_by_the_tables(void **state)
{
	const struct network_policy private = {.kind = NETWORK_PRIVATE};
	const struct network_policy public = {.kind = NETWORK_PUBLIC};
	const struct network_policy lists = {.kind = NETWORK_LISTS}; /* empty: as private */

	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		const struct verdict *v = &verdicts[i];
		expect(&private, v->address, v->under_private);
		expect(&lists, v->address, v->under_private);
		expect(&public, v->address, v->under_public);
	}
}

/* An IPv4 address that is refused is refused in every spelling that leads to it. */
static void no_spelling_passes(void **state)
{
	static const char *const hidden[] = {"169.254.169.254", "169.254.1.1", "224.0.0.1",
					     "168.63.129.16",	"0.0.0.0",     "255.255.255.255"};
	static const enum network kinds[] = {NETWORK_PRIVATE, NETWORK_PUBLIC, NETWORK_LISTS};

	(void)state;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		uint8_t b[4];
		inet_pton(AF_INET, hidden[i], b);
		char *spellings[] = {
			xasprintf("::ffff:%s", hidden[i]),
			xasprintf("::ffff:0:%s", hidden[i]),
			xasprintf("64:ff9b::%s", hidden[i]),
			xasprintf("64:ff9b:1::%s", hidden[i]),
			xasprintf("::%s", hidden[i]),
			xasprintf("2002:%02x%02x:%02x%02x::1", b[0], b[1], b[2], b[3]),
			xasprintf("2001:0:808:808:0:0:%02x%02x:%02x%02x", b[0] ^ 255, b[1] ^ 255,
				  b[2] ^ 255, b[3] ^ 255),
		};
		for (size_t s = 0; s < sizeof spellings / sizeof *spellings; s++) {
			for (size_t k = 0; k < 3; k++) {
				struct network_policy p = {.kind = kinds[k]};
				if (!refuses(&p, spellings[s], 80))
					fail_msg("%s passed", spellings[s]);
			}
			free(spellings[s]);
		}
	}
}

static void lists_decide_first(void **state)
{
	struct cidr allow[] = {range("10.1.0.0/16"), range("169.254.7.7"), range("2001:db8::/32")};
	struct cidr deny[] = {range("10.0.0.0/8"), range("::/0"), range("203.0.113.9")};
	const struct network_policy p = {
		.kind = NETWORK_LISTS, .allow = allow, .nallow = 3, .deny = deny, .ndeny = 3};
	static const struct {
		const char *address, *why;
	} cases[] = {
		{"10.1.2.3", OK},
		{"10.2.2.3", "on the deny list"},
		{"169.254.7.7", OK},
		{"169.254.7.8", "link-local"},
		{"192.168.0.1", OK}, /* ::/0 says nothing about IPv4 */
		{"203.0.113.9", "on the deny list"},
		{"203.0.113.8", OK},
		{"2001:db8::1", OK},
		{"2a00::1", "on the deny list"},
		{"::1", "on the deny list"},
		{"::ffff:10.1.2.3", OK},
		{"::ffff:10.2.2.3", "on the deny list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect(&p, cases[i].address, cases[i].why);
}

/* Who is allowed outside must be allowed inside too. */
static void lists_look_inside(void **state)
{
	struct cidr allow[] = {range("64:ff9b::/96"), range("64:ff9b:1::/48"), range("1.2.3.4")};
	struct cidr deny[] = {range("8.8.0.0/16")};
	const struct network_policy p = {
		.kind = NETWORK_LISTS, .allow = allow, .nallow = 3, .deny = deny, .ndeny = 1};

	(void)state;
	expect(&p, "64:ff9b::1.2.3.4", OK);
	expect(&p, "64:ff9b::8.8.8.8", "on the deny list");
	expect(&p, "64:ff9b::169.254.169.254", "cloud metadata");
	expect(&p, "64:ff9b:1::1", OK);
	expect(&p, "2002:808:808::1", "on the deny list");
	expect(&p, "::8.8.8.8", "on the deny list");
}

static void refuses_its_own_sockets(void **state)
{
	struct cidr all[] = {range("0.0.0.0/0"), range("::/0")};
	const struct sockaddr_storage own[] = {socket_address("127.0.0.1", 8077),
					       socket_address("::1", 8078),
					       socket_address("203.0.113.5", 5555)};
	static const struct {
		const char *address;
		int port;
		bool refused;
	} cases[] = {
		{"127.0.0.1", 8077, true},
		{"127.0.0.1", 8078, false},
		{"127.0.0.2", 8077, false},
		{"::1", 8077, false},
		{"::1", 8078, true},
		{"::ffff:127.0.0.1", 8077, true},
		{"203.0.113.5", 5555, true},
		{"203.0.113.5", 5556, false},
		{"203.0.113.6", 5555, false},
		{"64:ff9b::203.0.113.5", 5555, true},
		{"2002:cb00:7105::1", 5555, true},
		{"64:ff9b::203.0.113.5", 80, false},
	};
	struct network_policy p = {.allow = all, .nallow = 2, .own = own, .nown = 3};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		p.kind = NETWORK_PRIVATE;
		bool private = refuses(&p, cases[i].address, cases[i].port) != NULL;
		p.kind = NETWORK_LISTS; /* no list opens it */
		bool lists = refuses(&p, cases[i].address, cases[i].port) != NULL;
		if (private != cases[i].refused || lists != cases[i].refused)
			fail_msg("%s port %d", cases[i].address, cases[i].port);
	}
	assert_string_equal(refuses(&p, "::1", 8078), "an address of this relay");
	p.kind = NETWORK_PUBLIC;
	assert_string_equal(refuses(&p, "::1", 8078), "an address of this relay");
}

static void a_wildcard_socket_is_on_every_address(void **state)
{
	const struct sockaddr_storage v4 = socket_address("0.0.0.0", 8077);
	const struct sockaddr_storage v6 = socket_address("::", 8077);
	const struct sockaddr_storage mapped = socket_address("::ffff:0.0.0.0", 8077);
	const struct network_policy on_v4 = {.own = &v4, .nown = 1};
	const struct network_policy on_both = {.own = &v6, .nown = 1};
	const struct network_policy on_mapped = {.own = &mapped, .nown = 1};

	(void)state;
	assert_non_null(refuses(&on_v4, "127.0.0.1", 8077));
	assert_non_null(refuses(&on_v4, "127.9.9.9", 8077));
	assert_non_null(refuses(&on_v4, "64:ff9b::127.0.0.1", 8077));
	assert_null(refuses(&on_v4, "127.0.0.1", 8078));
	assert_null(refuses(&on_v4, "::1", 8077)); /* another socket may be there */
	assert_null(refuses(&on_v4, "203.0.113.77", 8077));
	assert_non_null(refuses(&on_both, "127.0.0.1", 8077));
	assert_non_null(refuses(&on_both, "::1", 8077));
	assert_null(refuses(&on_both, "::1", 8078));
	assert_null(refuses(&on_both, "203.0.113.77", 8077));
	assert_null(refuses(&on_both, "2001:db8::77", 8077));
	assert_non_null(refuses(&on_mapped, "127.0.0.1", 8077));
	assert_null(refuses(&on_mapped, "::1", 8077));
}

/* Whatever addresses the machine that runs the test has. */
static void a_wildcard_socket_is_on_the_interfaces(void **state)
{
	const struct sockaddr_storage own = socket_address("::", 8077);
	const struct network_policy p = {.own = &own, .nown = 1};
	struct ifaddrs *list;

	(void)state;
	assert_int_equal(getifaddrs(&list), 0);
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		char text[INET6_ADDRSTRLEN];
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		struct sockaddr_in in;
		memcpy(&in, i->ifa_addr, sizeof in);
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
		assert_string_equal(refuses(&p, text, 8077), "an address of this relay");
	}
	freeifaddrs(list);
}

static void only_ip_passes(void **state)
{
	const struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
	const struct sockaddr_storage own = {.ss_family = AF_UNIX};
	const struct network_policy p = {.own = &own, .nown = 1};
	struct cidr all = range("::/0");

	(void)state;
	assert_string_equal(network_refuses(&p, (const struct sockaddr *)&un), "not an IP address");
	assert_false(address_is_loopback((const struct sockaddr *)&un));
	assert_false(cidr_contains(&all, (const struct sockaddr *)&un));
	assert_null(refuses(&p, "1.1.1.1", 80));
}

static void sockets_clash(void **state)
{
	static const struct {
		const char *one, *other;
		bool clash;
	} cases[] = {
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1", "::ffff:127.0.0.1", true},
		{"0.0.0.0", "127.0.0.1", true},
		{"0.0.0.0", "::ffff:127.0.0.1", true},
		{"0.0.0.0", "::1", false},
		{"::ffff:0.0.0.0", "127.0.0.1", true},
		{"::ffff:0.0.0.0", "::1", false},
		{"::1", "127.0.0.1", false},
		{"::", "::1", true},
		{"::", "127.0.0.1", true},
		{"::", "0.0.0.0", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct sockaddr_storage a = socket_address(cases[i].one, 8077);
		const struct sockaddr_storage b = socket_address(cases[i].other, 8077);
		const struct sockaddr_storage c = socket_address(cases[i].other, 8078);
		if (address_clashes(&a, &b) != cases[i].clash ||
		    address_clashes(&b, &a) != cases[i].clash || address_clashes(&a, &c))
			fail_msg("%s and %s", cases[i].one, cases[i].other);
	}
}

static void knows_loopback(void **state)
{
	static const char *const yes[] = {"127.0.0.1", "127.255.255.255", "::1",
					  "::ffff:127.0.0.1"};
	static const char *const no[] = {
		"126.255.255.255", "128.0.0.0",	     "0.0.0.0", "::", "::2",
		"::127.0.0.1",	   "64:ff9b::7f00:1"};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		struct sockaddr_storage a = socket_address(yes[i], 1);
		assert_true(address_is_loopback((struct sockaddr *)&a));
	}
	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		struct sockaddr_storage a = socket_address(no[i], 1);
		assert_false(address_is_loopback((struct sockaddr *)&a));
	}
}

static void ranges_contain(void **state)
{
	static const struct {
		const char *range, *address;
		bool inside;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.2", false},
		{"10.1.2.2/31", "10.1.2.3", true},
		{"10.1.2.2/31", "10.1.2.4", false},
		{"0.0.0.0/0", "255.1.2.3", true},
		{"0.0.0.0/0", "::1", false},
		{"0.0.0.0/0", "::ffff:1.2.3.4", true},
		{"::/0", "2001:db8::1", true},
		{"::/0", "1.2.3.4", false},
		{"::ffff:0:0/96", "1.2.3.4", true},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"fd00::/8", "fdff::1", true},
		{"fd00::/8", "fe00::1", false},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1/128", "2001:db8::", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr c = range(cases[i].range);
		struct sockaddr_storage a = socket_address(cases[i].address, 0);
		if (cidr_contains(&c, (struct sockaddr *)&a) != cases[i].inside)
			fail_msg("%s in %s", cases[i].address, cases[i].range);
	}
}

static void refuses_what_is_no_range(void **state)
{
	static const struct {
		const char *text, *msg;
	} cases[] = {
		{"", "\"\" is no IP address or range"},
		{"localhost", "\"localhost\" is no IP address or range"},
		{"10.0.0", "\"10.0.0\" is no IP address or range"},
		{"10.0.0.0.0/8", "\"10.0.0.0.0/8\" is no IP address or range"},
		{"10.0.0.256", "\"10.0.0.256\" is no IP address or range"},
		{" 10.0.0.1", "\" 10.0.0.1\" is no IP address or range"},
		{"0x7f.1", "\"0x7f.1\" is no IP address or range"},
		{"2130706433", "\"2130706433\" is no IP address or range"},
		{"[::1]", "\"[::1]\" is no IP address or range"},
		{"fe80::1%eth0", "\"fe80::1%eth0\" is no IP address or range"},
		{"/8", "\"/8\" is no IP address or range"},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa",
		 "\"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa\" is no IP address or range"},
		{"10.0.0.0/", "\"10.0.0.0/\": expected a number from 0 to 32 after /"},
		{"10.0.0.0/33", "\"10.0.0.0/33\": expected a number from 0 to 32 after /"},
		{"10.0.0.0/08", "\"10.0.0.0/08\": expected a number from 0 to 32 after /"},
		{"10.0.0.0/+8", "\"10.0.0.0/+8\": expected a number from 0 to 32 after /"},
		{"10.0.0.0/8 ", "\"10.0.0.0/8 \": expected a number from 0 to 32 after /"},
		{"10.0.0.0/8/8", "\"10.0.0.0/8/8\": expected a number from 0 to 32 after /"},
		{"10.0.0.0/4294967304",
		 "\"10.0.0.0/4294967304\": expected a number from 0 to 32 after /"},
		{"::/129", "\"::/129\": expected a number from 0 to 128 after /"},
		{"10.0.0.1/8", "\"10.0.0.1/8\" has bits set behind the first 8"},
		{"fd00::1/127", "\"fd00::1/127\" has bits set behind the first 127"},
		{"128.0.0.0/0", "\"128.0.0.0/0\" has bits set behind the first 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cidr c = {.bits = 77};
		struct err err = {0};
		assert_int_equal(cidr_parse(&c, cases[i].text, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		assert_string_equal(err.msg, cases[i].msg);
		assert_int_equal(c.bits, 77);
	}
}

static void releases(void **state)
{
	struct network_policy p = {.kind = NETWORK_LISTS, .nallow = 2, .ndeny = 1};

	(void)state;
	p.allow = xcalloc(2, sizeof *p.allow);
	p.deny = xcalloc(1, sizeof *p.deny);
	network_policy_release(&p);
	assert_null(p.allow);
	assert_int_equal(p.nallow, 0);
	network_policy_release(&p);
	network_policy_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_by_the_tables),
		cmocka_unit_test(no_spelling_passes),
		cmocka_unit_test(lists_decide_first),
		cmocka_unit_test(lists_look_inside),
		cmocka_unit_test(refuses_its_own_sockets),
		cmocka_unit_test(a_wildcard_socket_is_on_every_address),
		cmocka_unit_test(a_wildcard_socket_is_on_the_interfaces),
		cmocka_unit_test(only_ip_passes),
		cmocka_unit_test(sockets_clash),
		cmocka_unit_test(knows_loopback),
		cmocka_unit_test(ranges_contain),
		cmocka_unit_test(refuses_what_is_no_range),
		cmocka_unit_test(releases),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
