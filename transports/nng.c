/*
 * nng — events for whoever subscribes: a publisher on any number of addresses, and a socket that
 * answers refills. Settings and the contract's functions; the work is done in nng_bus.c and
 * nng_refill.c. SENT means handed to nng: publishing knows no acknowledgement, so a subscriber
 * notices by prevsequence and heartbeats what it missed, and asks for it.
 */
#include "transports/transport.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "relay/base/mem.h"
#include "transports/nng_bus.h"

#define URL_MAX 127 /* nng's own ceiling */

static const struct option options[] = {
	{"listen", OPT_STRINGS, offsetof(struct nng_settings, listen), .required = true,
	 .help = "where subscribers connect: tcp://, ipc://, ws:// or inproc:// addresses"},
	{"refill", OPT_STRING, offsetof(struct nng_settings, refill),
	 .help = "where subscribers ask for events they missed, e.g. tcp://127.0.0.1:5556"},
	{"send_buffer", OPT_INT, offsetof(struct nng_settings, send_buffer), .preset = "8192",
	 .min = 1, .max = 8192,
	 .help = "messages kept for a slow subscriber before the oldest is dropped"},
	{"insecure", OPT_BOOL, offsetof(struct nng_settings, insecure), .preset = "false",
	 .help = "allow tcp:// and ws:// beyond loopback: unencrypted, open to whoever connects"},
	{0},
};

enum reach { REACH_LOCAL, REACH_LOOPBACK, REACH_WIDE, REACH_NONE /* not a usable URL */ };

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

static bool parse_host(const char *host, in_port_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	*ret = (struct sockaddr_storage){0};
	if (!*host || !strcmp(host, "*"))
		host = "0.0.0.0";
	else if (!strcmp(host, "localhost"))
		host = "127.0.0.1";
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

/* "127.0.0.1:5555", "[::1]:5555", "*:5555", with a path behind for ws. */
static bool parse_address(const char *text, struct sockaddr_storage *ret)
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

static const char *behind(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);
	return strncmp(url, scheme, len) == 0 ? url + len : NULL;
}

/* ret is written for tcp and ws only. */
static enum reach judge_url(const char *url, struct sockaddr_storage *ret)
{
	const char *tcp = behind(url, "tcp://"), *ws = behind(url, "ws://");
	const char *ipc = behind(url, "ipc://"), *inproc = behind(url, "inproc://");

	if (strlen(url) > URL_MAX)
		return REACH_NONE;
	if (ipc)
		return *ipc == '/' && strlen(ipc) < sizeof((struct sockaddr_un){0}).sun_path
			       ? REACH_LOCAL
			       : REACH_NONE;
	if (inproc)
		return *inproc ? REACH_LOCAL : REACH_NONE;
	if ((!tcp && !ws) || (tcp && strchr(tcp, '/')) || !parse_address(tcp ? tcp : ws, ret))
		return REACH_NONE;
	return address_is_loopback((struct sockaddr *)ret) ? REACH_LOOPBACK : REACH_WIDE;
}

static void check_url(const char *url, const struct node *at, const struct nng_settings *s,
		      struct problems *p)
{
	struct sockaddr_storage address;
	char shown[NODE_SHOWN];
	enum reach reach = judge_url(url, &address);

	if (reach == REACH_NONE)
		problem_at(p, at,
			   "%s: tcp://ADDRESS:PORT, ipc:///PATH, ws://ADDRESS:PORT/PATH or "
			   "inproc://NAME is expected (ADDRESS: an IP address, localhost or *)",
			   node_shown(at, shown));
	else if (reach == REACH_WIDE && !s->insecure)
		problem_at(p, at,
			   "%s can be reached from other machines, unencrypted and without a "
			   "password; listen on 127.0.0.1 or ipc://, or add \"insecure: true\"",
			   node_shown(at, shown));
}

static void check(const void *settings, const struct node *at, struct problems *p)
{
	const struct nng_settings *s = settings;
	const struct node *listen = node_get(at, "listen"), *refill = node_get(at, "refill");

	if (!s->listen.n)
		problem_at(p, listen, "at least one address is expected");
	for (size_t i = 0; i < s->listen.n; i++)
		check_url(s->listen.v[i],
			  listen->kind == NODE_LIST && i < listen->n ? listen->items[i] : listen, s,
			  p);
	for (size_t i = 1; i < s->listen.n; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(s->listen.v[i], s->listen.v[k]))
				problem_at(p, listen, "an address is named twice");
	if (!s->refill)
		return;
	check_url(s->refill, refill, s, p);
	for (size_t i = 0; i < s->listen.n; i++)
		if (!strcmp(s->listen.v[i], s->refill))
			problem_at(p, refill, "an address of its own is expected");
}

static size_t listens(const void *settings, struct sockaddr_storage *ret, size_t max)
{
	const struct nng_settings *s = settings;
	size_t n = 0;

	for (size_t i = 0; i <= s->listen.n && n < max; i++) {
		const char *url = i < s->listen.n ? s->listen.v[i] : s->refill;
		struct sockaddr_storage address;
		enum reach reach = url ? judge_url(url, &address) : REACH_NONE;
		if (reach == REACH_LOOPBACK || reach == REACH_WIDE)
			ret[n++] = address;
	}
	return n;
}

struct nng_self {
	struct bus *bus;
};

static int nng_open_bus(void *self, const void *settings, const struct transport_env *env,
			struct err *err)
{
	struct nng_self *s = self;

	s->bus = bus_open(settings, env, err);
	return s->bus ? 0 : -1;
}

static void nng_send_parcel(void *self, const struct parcel *parcel)
{
	bus_send(((struct nng_self *)self)->bus, parcel);
}

static void nng_close_bus(void *self)
{
	struct nng_self *s = self;

	bus_close(s->bus);
	s->bus = NULL;
}

const struct transport_type transport_nng = {
	.name = "nng",
	.size = sizeof(struct nng_self),
	.options = options,
	.settings_size = sizeof(struct nng_settings),
	.topical = true,
	.unordered = true, /* one thread sends in the order of hand-over, and nothing fails */
	.in_flight = 256,  /* enough for the bus thread while verdicts travel */
	.check = check,
	.listens = listens,
	.open = nng_open_bus,
	.send = nng_send_parcel,
	.close = nng_close_bus,
};
