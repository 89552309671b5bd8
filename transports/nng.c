/*
 * nng — events for whoever subscribes: a publisher on any number of addresses, and a socket that
 * answers refills. Settings and the contract's functions; the work is done in nng_bus.c and
 * nng_refill.c. SENT means handed to nng: publishing knows no acknowledgement, so a subscriber
 * notices by prevsequence and heartbeats what it missed, and asks for it.
 */
#include "transports/transport.h"

#include <string.h>
#include <sys/stat.h>

#include "transports/nng_address.h"
#include "transports/nng_bus.h"
#include "transports/nng_channel.h"

#define URL_MAX 127 /* nng's own ceiling */

static const struct option options[] = {
	{"listen", OPT_STRINGS, offsetof(struct nng_settings, listen), .required = true,
	 .help = "where subscribers connect: tcp://, tls+tcp://, ipc://, ws://, wss:// or "
		 "inproc:// addresses"},
	{"refill", OPT_STRING, offsetof(struct nng_settings, refill),
	 .help = "where subscribers ask for events they missed: a tcp://, tls+tcp:// or ipc:// "
		 "address"},
	{"state", OPT_BOOL, offsetof(struct nng_settings, state), .preset = "true",
	 .help = "tell there, too, how the recipients of a broadcast stand: of any broadcast that "
		 "is "
		 "followed, whatever the rules send to this bus"},
	{"cert_file", OPT_PATH, offsetof(struct nng_settings, cert_file), .on_host = true,
	 .help = "PEM of our own certificate and its chain, for tls+tcp:// and wss://"},
	{"key_file", OPT_PATH, offsetof(struct nng_settings, key_file), .on_host = true,
	 .help = "PEM of its key, RSA or ECDSA"},
	{"ca_file", OPT_PATH, offsetof(struct nng_settings, ca_file), .on_host = true,
	 .help = "PEM of the authorities whose certificate a subscriber must show to be let in "
		 "(mutual TLS); without it nobody is asked for one"},
	{"send_buffer", OPT_INT, offsetof(struct nng_settings, send_buffer), .preset = "8192",
	 .min = 1, .max = 8192,
	 .help = "messages kept for a slow subscriber before the oldest is dropped"},
	{"insecure", OPT_BOOL, offsetof(struct nng_settings, insecure), .preset = "false",
	 .help = "allow tcp:// and ws:// beyond loopback: unencrypted, open to whoever connects"},
	{0},
};

enum reach { REACH_LOCAL, REACH_LOOPBACK, REACH_WIDE, REACH_NONE /* not a usable URL */ };

static const char *behind_either(const char *url, const char *one, const char *other)
{
	const char *rest = nng_address_behind(url, one);

	return rest ? rest : nng_address_behind(url, other);
}

/* ret is written for tcp and ws only, with TLS or without. */
static enum reach judge_url(const char *url, struct sockaddr_storage *ret)
{
	const char *tcp = behind_either(url, "tcp://", "tls+tcp://");
	const char *ipc = nng_address_behind(url, "ipc://");
	const char *ws = behind_either(url, "ws://", "wss://");
	const char *inproc = nng_address_behind(url, "inproc://");

	if (strlen(url) > URL_MAX)
		return REACH_NONE;
	if (ipc)
		return nng_address_is_path(ipc) ? REACH_LOCAL : REACH_NONE;
	if (inproc)
		return *inproc ? REACH_LOCAL : REACH_NONE;
	if ((!tcp && !ws) || (tcp && strchr(tcp, '/')) || !nng_address_parse(tcp ? tcp : ws, ret))
		return REACH_NONE;
	return address_is_loopback((struct sockaddr *)ret) ? REACH_LOOPBACK : REACH_WIDE;
}

static void check_tls(enum reach reach, const struct node *at, const struct nng_settings *s,
		      struct problems *p)
{
	char shown[NODE_SHOWN];

	if (!s->cert_file)
		problem_at(p, at, "%s needs cert_file and key_file", node_shown(at, shown));
	else if (reach == REACH_WIDE && !s->ca_file)
		problem_warn(p, at,
			     "whoever reaches %s can read the events; ca_file lets in only who "
			     "has a certificate",
			     node_shown(at, shown));
}

static void check_url(const char *url, const struct node *at, const struct nng_settings *s,
		      struct problems *p)
{
	struct sockaddr_storage address;
	char shown[NODE_SHOWN];
	enum reach reach = judge_url(url, &address);

	if (reach == REACH_NONE)
		problem_at(p, at,
			   "%s: tcp://ADDRESS:PORT, ipc:///PATH, ws://ADDRESS:PORT/PATH, "
			   "inproc://NAME, or tls+tcp:// or wss:// is expected (ADDRESS: an IP "
			   "address, localhost or *)",
			   node_shown(at, shown));
	else if (nng_address_is_tls(url))
		check_tls(reach, at, s, p);
	else if (reach == REACH_WIDE && !s->insecure)
		problem_at(p, at,
			   "%s can be reached from other machines, unencrypted and without a "
			   "password; listen on 127.0.0.1, ipc:// or tls+tcp://, or add "
			   "\"insecure: true\"",
			   node_shown(at, shown));
}

/* That socket is not nng's, so it has fewer kinds of addresses. */
static void check_refill(const struct node *at, const struct nng_settings *s, struct problems *p)
{
	struct sockaddr_storage address;
	char shown[NODE_SHOWN];
	bool known = behind_either(s->refill, "tcp://", "tls+tcp://") ||
		     nng_address_behind(s->refill, "ipc://");

	if (known && judge_url(s->refill, &address) != REACH_NONE)
		check_url(s->refill, at, s, p);
	else
		problem_at(p, at,
			   "%s: tcp://ADDRESS:PORT, tls+tcp://ADDRESS:PORT or ipc:///PATH is "
			   "expected (ADDRESS: an IP address, localhost or *)",
			   node_shown(at, shown));
}

/* ---- certificates ---- */

static bool has_tls(const struct nng_settings *s)
{
	for (size_t i = 0; i < s->listen.n; i++)
		if (nng_address_is_tls(s->listen.v[i]))
			return true;
	return s->refill && nng_address_is_tls(s->refill);
}

static void warn_of_certificate(const struct channel_server *server, const struct nng_settings *s,
				const struct node *at, struct problems *p)
{
	enum channel_validity validity = channel_server_validity(server, clock_now().wall_ms);
	struct stat st;

	if (validity != CHANNEL_VALID)
		problem_warn(p, node_get(at, "cert_file"), "the certificate %s",
			     validity == CHANNEL_EARLY ? "is not valid yet" : "has expired");
	if (stat(s->key_file, &st) == 0 && st.st_mode & (S_IRGRP | S_IROTH))
		problem_warn(p, node_get(at, "key_file"),
			     "%s can be read by other users (chmod 600)", s->key_file);
}

static void check_files(const struct nng_settings *s, const struct node *at, struct problems *p)
{
	const struct node *cert = node_get(at, "cert_file"), *key = node_get(at, "key_file");
	const struct node *ca = node_get(at, "ca_file");
	const struct node *any = cert ? cert : key ? key : ca;
	struct tls_files files = {s->cert_file, s->key_file, s->ca_file};
	const char *which = NULL;
	struct err err = {0};

	if (any && !has_tls(s))
		problem_at(p, any, "is for tls+tcp:// and wss:// addresses, and there is none");
	else if (!s->cert_file != !s->key_file)
		problem_at(p, any, "cert_file and key_file belong together");
	if (!s->cert_file || !s->key_file)
		return;
	struct channel_server *server = channel_server_load(&files, &which, &err);
	if (server)
		warn_of_certificate(server, s, at, p);
	else
		problem_at(p,
			   which == s->cert_file  ? cert
			   : which == s->key_file ? key
						  : ca,
			   "%s", err.msg);
	channel_server_free(server);
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
	check_files(s, at, p);
	for (size_t i = 1; i < s->listen.n; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(s->listen.v[i], s->listen.v[k]))
				problem_at(p, listen, "an address is named twice");
	if (!s->refill)
		return;
	check_refill(refill, s, p);
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
	struct transport_history events; /* the past without rows */
};

static int nng_open_bus(void *self, const void *settings, const struct transport_env *env,
			struct err *err)
{
	struct nng_self *s = self;
	struct transport_env shown = *env;

	if (env->history && !((const struct nng_settings *)settings)->state) {
		s->events = *env->history;
		s->events.rows = NULL;
		shown.history = &s->events;
	}
	s->bus = bus_open(settings, &shown, err);
	return s->bus ? 0 : -1;
}

static void nng_send_parcel(void *self, const struct parcel *parcel)
{
	bus_send(((struct nng_self *)self)->bus, parcel);
}

static void nng_figures(void *self, struct transport_figures *ret)
{
	bus_figures(((struct nng_self *)self)->bus, ret);
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
	.unsettled = 4096, /* subscribers know a repeat by its sequence */
	.check = check,
	.listens = listens,
	.open = nng_open_bus,
	.send = nng_send_parcel,
	.figures = nng_figures,
	.close = nng_close_bus,
};
