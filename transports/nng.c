/*
 * nng — events for whoever subscribes: a publisher on any number of addresses, and a socket that
 * answers refills. Settings and the contract's functions; the work is done in nng_bus.c and
 * nng_refill.c. SENT means put into subscribers' queues: publishing knows no acknowledgement, so
 * a subscriber notices by prevsequence and heartbeats what it missed, and asks for it.
 */
#include "transports/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/base/mem.h"
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

/* ret has no family where it is neither tcp nor ws, with TLS or without, nor ipc. */
static enum reach judge_url(const char *url, struct sockaddr_storage *ret)
{
	const char *tcp = behind_either(url, "tcp://", "tls+tcp://");
	const char *ipc = nng_address_behind(url, "ipc://");
	const char *ws = behind_either(url, "ws://", "wss://");
	const char *inproc = nng_address_behind(url, "inproc://");

	*ret = (struct sockaddr_storage){0};
	if (strlen(url) > URL_MAX || (ipc && !nng_address_is_path(ipc)))
		return REACH_NONE;
	if (ipc) {
		nng_address_of_path(ipc, ret);
		return REACH_LOCAL;
	}
	if (inproc)
		return *inproc ? REACH_LOCAL : REACH_NONE;
	if ((!tcp && !ws) || (tcp && strchr(tcp, '/')) || !nng_address_parse(tcp ? tcp : ws, ret))
		return REACH_NONE;
	return address_is_loopback((struct sockaddr *)ret) ? REACH_LOOPBACK : REACH_WIDE;
}

/* Else only the start would tell. A service's folder may be made just before that: so that is a
 * warning. */
static void check_path(const char *path, const struct node *at, struct problems *p)
{
	const char *name = strrchr(path, '/');
	char *folder = xstrndup(path, name > path ? (size_t)(name - path) : 1);
	struct stat st;

	if (stat(folder, &st) < 0)
		problem_warn(p, at, "the folder %s: %s", folder, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		problem_warn(p, at, "%s is no folder", folder);
	else if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		problem_at(p, at, "%s is there already, and no socket", path);
	free(folder);
}

static void refuse_url(const char *url, const struct node *at, struct problems *p)
{
	const char *ipc = nng_address_behind(url, "ipc:///");
	char shown[NODE_SHOWN];

	if (ipc)
		problem_at(p, at, "%s: the path has %zu bytes; a socket's may have %d at most",
			   node_shown(at, shown), strlen(ipc) + 1, nng_address_path_max);
	else
		problem_at(p, at,
			   "%s: tcp://ADDRESS:PORT, ipc:///PATH, ws://ADDRESS:PORT/PATH, "
			   "inproc://NAME, or tls+tcp:// or wss:// is expected (ADDRESS: an IP "
			   "address, localhost or *)",
			   node_shown(at, shown));
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

/* nng 1.5 has no deadline for who connects there and says nothing. */
static void warn_of_silence(const char *url, const struct node *at, struct problems *p)
{
	char shown[NODE_SHOWN];

	if (behind_either(url, "ws://", "wss://"))
		problem_warn(p, at,
			     "connections to %s that say nothing are kept, and enough of them stop "
			     "the relay; listen on tls+tcp://, or on loopback behind a reverse "
			     "proxy with deadlines",
			     node_shown(at, shown));
}

static void check_url(const char *url, const struct node *at, const struct nng_settings *s,
		      struct problems *p)
{
	struct sockaddr_storage address;
	char shown[NODE_SHOWN];
	enum reach reach = judge_url(url, &address);

	if (reach == REACH_NONE)
		refuse_url(url, at, p);
	else if (nng_address_behind(url, "ipc://"))
		check_path(nng_address_behind(url, "ipc://"), at, p);
	else if (nng_address_is_tls(url))
		check_tls(reach, at, s, p);
	else if (reach == REACH_WIDE && !s->insecure)
		problem_at(p, at,
			   "%s can be reached from other machines, unencrypted and without a "
			   "password; listen on 127.0.0.1, ipc:// or tls+tcp://, or add "
			   "\"insecure: true\"",
			   node_shown(at, shown));
	if (reach == REACH_WIDE)
		warn_of_silence(url, at, p);
}

/* That socket is not nng's, so it has fewer kinds of addresses. */
static void check_refill(const struct node *at, const struct nng_settings *s, struct problems *p)
{
	struct sockaddr_storage address;
	char shown[NODE_SHOWN];
	const char *tcp = behind_either(s->refill, "tcp://", "tls+tcp://");

	if (nng_address_behind(s->refill, "ipc:///") ||
	    (tcp && judge_url(s->refill, &address) != REACH_NONE))
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
	struct pem_files files = {s->cert_file, s->key_file, s->ca_file};
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

/* Is it, or does it clash with, one of the first n that it listens on? */
static bool is_among(const char *url, const struct nng_settings *s, size_t n)
{
	struct sockaddr_storage one, other;

	judge_url(url, &one);
	for (size_t i = 0; i < n; i++) {
		judge_url(s->listen.v[i], &other);
		if (!strcmp(s->listen.v[i], url) || address_clashes(&one, &other))
			return true;
	}
	return false;
}

static const struct node *item(const struct node *list, size_t i)
{
	return list->kind == NODE_LIST && i < list->n ? list->items[i] : list;
}

static void check(const void *settings, const struct node *at, struct problems *p)
{
	const struct nng_settings *s = settings;
	const struct node *listen = node_get(at, "listen"), *refill = node_get(at, "refill");

	if (!s->listen.n)
		problem_at(p, listen, "at least one address is expected");
	for (size_t i = 0; i < s->listen.n; i++) {
		check_url(s->listen.v[i], item(listen, i), s, p);
		if (is_among(s->listen.v[i], s, i))
			problem_at(p, item(listen, i),
				   "an address is named twice (* and [::] are all addresses)");
	}
	check_files(s, at, p);
	if (!s->refill)
		return;
	check_refill(refill, s, p);
	if (is_among(s->refill, s, s->listen.n))
		problem_at(p, refill,
			   "an address of its own is expected (* and [::] are all addresses)");
}

static size_t listens(const void *settings, struct sockaddr_storage *ret, size_t max)
{
	const struct nng_settings *s = settings;
	size_t n = 0;

	for (size_t i = 0; i <= s->listen.n && n < max; i++) {
		const char *url = i < s->listen.n ? s->listen.v[i] : s->refill;
		struct sockaddr_storage address = {0};
		if (url)
			judge_url(url, &address);
		if (address.ss_family)
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
