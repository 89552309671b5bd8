/* nats_settings — the table of a `nats` destination and what its rows say about each other.
 * Invariant: what passes the check can be opened; no message repeats a secret. */
#include "transports/nats_settings.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/address.h"
#include "transports/nats_credentials.h"
#include "transports/nats_server.h"
#include "transports/nats_subject.h"
#include "transports/pem.h"

#define STREAM_MAX 255

#define AT(field) offsetof(struct nats_settings, field)

const struct option nats_option_table[] = {
	{"servers", OPT_STRINGS, AT(servers), .required = true,
	 .help = "servers of one cluster, as nats://HOST:PORT or tls://HOST:PORT; all of them, "
		 "since "
		 "no others are asked"},
	{"subject", OPT_STRING, AT(subject), .preset = "relay",
	 .help = "what comes before the event's topic in the subject; or a template of the whole "
		 "subject: relay.{{type}}.{{data.broadcast_id}}"},
	{"stream", OPT_STRING, AT(stream),
	 .help = "the stream that must be the one to keep the events; without it, any that takes "
		 "the "
		 "subject"},
	{"user", OPT_STRING, AT(user), .help = "a user's name, with password"},
	{"password", OPT_SECRET, AT(password), .help = "the user's password"},
	{"token", OPT_SECRET, AT(token), .help = "a token, where the server asks for one"},
	{"credentials_file", OPT_PATH, AT(credentials_file), .on_host = true,
	 .help = "a .creds file: the user's JWT and seed; read at each connection"},
	{"ca_file", OPT_PATH, AT(ca_file), .on_host = true,
	 .help = "PEM of authorities to trust besides those of the system"},
	{"cert_file", OPT_PATH, AT(cert_file), .on_host = true,
	 .help = "PEM of our own certificate"},
	{"key_file", OPT_PATH, AT(key_file), .on_host = true, .help = "PEM of its key"},
	{"insecure", OPT_BOOL, AT(insecure), .preset = "false",
	 .help = "allow nats:// beyond loopback: unencrypted, and open to whoever is in between"},
	{"connect_timeout", OPT_DURATION, AT(connect_timeout_ms), .preset = "2s", .min = 50,
	 .max = 60000, .help = "until a server has taken the connection"},
	{"timeout", OPT_DURATION, AT(timeout_ms), .preset = "5s", .min = 100, .max = 300000,
	 .help = "until the stream has acknowledged an event"},
	{0},
};

/* The node of a setting; `at` itself when it came otherwise. */
static const struct node *place(const struct node *at, const char *key)
{
	const struct node *n = node_get(at, key);

	return n ? n : at;
}

/* --- servers --- */

static void check_server(const struct nats_settings *s, const char *url, const struct node *at,
			 struct problems *p)
{
	const struct network_policy policy = {.kind = NETWORK_PRIVATE};
	struct nats_server server = {0};
	const char *why = nats_server_parse(&server, url);
	const char *refused = NULL;
	char shown[NODE_SHOWN];

	if (!why && server.literal)
		refused = network_refuses(&policy, (struct sockaddr *)&server.address);
	if (why)
		problem_at(p, at, "%s: %s", node_shown(at, shown), why);
	else if (refused)
		problem_at(p, at, "%s: this address is not allowed (%s)", node_shown(at, shown),
			   refused);
	else if (!server.tls && server.reach == NATS_WIDE && !s->insecure)
		problem_at(p, at,
			   "%s goes to other machines unencrypted, where whoever is in between can "
			   "read and change events; use tls://, or add \"insecure: true\"",
			   node_shown(at, shown));
}

static size_t count_tls(const struct strings *servers)
{
	size_t n = 0;

	for (size_t i = 0; i < servers->n; i++)
		n += strncmp(servers->v[i], "tls://", 6) == 0;
	return n;
}

static void check_servers(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	const struct node *list = place(at, "servers");

	if (!s->servers.n || s->servers.n > NATS_SERVERS_MAX)
		problem_at(p, list, "1 to %d servers are expected", NATS_SERVERS_MAX);
	for (size_t i = 0; i < s->servers.n; i++)
		check_server(s, s->servers.v[i],
			     list->kind == NODE_LIST && i < list->n ? list->items[i] : list, p);
}

static void check_tls(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	size_t tls = count_tls(&s->servers);

	if (tls && tls < s->servers.n)
		problem_at(p, place(at, "servers"),
			   "either all of a cluster's servers are tls:// or none is");
	else if (tls && s->insecure)
		problem_at(p, place(at, "insecure"),
			   "allows nats:// only; with tls:// the server's certificate is always "
			   "verified, and ca_file takes an authority of your own");
	if (!tls && (s->ca_file || s->cert_file || s->key_file))
		problem_at(p, place(at, "servers"),
			   "ca_file, cert_file and key_file are for tls:// servers");
	if (!s->cert_file != !s->key_file)
		problem_at(p, at, "cert_file and key_file belong together");
	if (s->insecure && !tls && (s->password || s->token))
		problem_warn(p, place(at, "insecure"),
			     "the password or token can be read by whoever is in between; tls:// "
			     "hides it");
}

/* --- subject and stream --- */

static void check_subject(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	struct nats_subject subject = {0};
	struct err err = {0};

	if (nats_subject_read(&subject, s->subject, &err) < 0)
		problem_at(p, place(at, "subject"), "%s", err.msg);
	nats_subject_release(&subject);
}

/* As the server has it: no part of a subject, and no path. */
static void check_stream(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	static const char wrong[] = " \t\r\n.*>/\\";

	if (!s->stream)
		return;
	if (!*s->stream || strlen(s->stream) > STREAM_MAX || strpbrk(s->stream, wrong))
		problem_at(p, place(at, "stream"),
			   "is no stream's name: 1 to %d characters without space . * > / \\",
			   STREAM_MAX);
}

/* --- who we are --- */

/* libnats writes them into its JSON as they are. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '"' || *text == '\\')
			return false;
	return true;
}

static void check_plain(const char *text, const struct node *n, struct problems *p)
{
	if (text && (!*text || !is_plain(text)))
		problem_at(p, n,
			   "must not be empty, nor hold quotation marks, backslashes or control "
			   "characters, which libnats cannot hand on");
}

/* Where KEY, or KEY_file, stands. */
static const struct node *secret_place(const struct node *at, const char *key, const char *key_file)
{
	return node_get(at, key) ? node_get(at, key) : place(at, key_file);
}

static void check_user(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	int ways = (s->user != NULL) + (s->token != NULL) + (s->credentials_file != NULL);

	if (ways > 1)
		problem_at(p, at, "give one of user, token and credentials_file");
	if (!s->user != !s->password)
		problem_at(p, place(at, s->user ? "user" : "password"),
			   "user and password (or password_file) belong together");
	check_plain(s->user, place(at, "user"), p);
	check_plain(s->password, secret_place(at, "password", "password_file"), p);
	check_plain(s->token, secret_place(at, "token", "token_file"), p);
}

/* --- files --- */

static void check_files(const struct nats_settings *s, const struct node *at, struct problems *p)
{
	struct pem_files files = {s->cert_file, s->key_file, s->ca_file};
	const char *which;
	struct err err = {0};

	if (count_tls(&s->servers) && pem_check(&files, &which, &err) < 0)
		problem_at(p,
			   place(at, which == s->cert_file  ? "cert_file"
				     : which == s->key_file ? "key_file"
							    : "ca_file"),
			   "%s %s", which, err.msg);
}

static void check_credentials(const struct nats_settings *s, const struct node *at,
			      struct problems *p)
{
	const char *path = s->credentials_file;
	struct err err = {0};
	struct stat st;

	if (!path)
		return;
	if (access(path, R_OK) < 0 || stat(path, &st) < 0)
		problem_at(p, place(at, "credentials_file"), "%s cannot be read: %s", path,
			   strerror(errno));
	else if (!S_ISREG(st.st_mode))
		problem_at(p, place(at, "credentials_file"), "%s is not a file", path);
	else if (nats_credentials_check(path, &err) < 0)
		problem_at(p, place(at, "credentials_file"), "%s %s", path, err.msg);
	else if (st.st_mode & (S_IRGRP | S_IROTH))
		problem_warn(p, place(at, "credentials_file"),
			     "%s can be read by other users (chmod 600)", path);
}

void nats_settings_check(const void *settings, const struct node *at, struct problems *p)
{
	const struct nats_settings *s = settings;

	check_servers(s, at, p);
	check_tls(s, at, p);
	check_subject(s, at, p);
	check_stream(s, at, p);
	check_user(s, at, p);
	check_credentials(s, at, p);
	check_files(s, at, p);
}
