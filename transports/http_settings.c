/* http_settings — the table of an `http` destination and what its rows say about each other.
 * Invariant: what passes the check can be opened; no message repeats a secret. */
#include "transports/http_settings.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/mem.h"
#include "transports/http_content.h"
#include "transports/http_format.h"
#include "transports/pem.h"
#include "transports/signature.h"

#define LIST_MAX 1000 /* of allow or deny */

const char *const http_methods[] = {"POST", "PUT", "PATCH", NULL};

#define AT(field) offsetof(struct http_settings, field)

const struct option http_option_table[] = {
	{"url", OPT_URL, AT(url), .required = true,
	 .help = "where events are posted to; behind the host it may be a template"},
	{"method", OPT_CHOICE, AT(method), .preset = "POST", .choices = http_methods,
	 .help = "the HTTP method"},
	{"headers", OPT_NODE, AT(headers),
	 .help = "headers to add, as NAME: VALUE; a value may be a template"},
	{"format", OPT_CHOICE, AT(format), .preset = "cloudevents", .choices = http_formats,
	 .help = "how a call carries events: cloudevents (one as JSON), cloudevents-binary (its "
		 "data, the rest in headers), cloudevents-batch (up to 100 of them, or those of a "
		 "second)"},
	{"body", OPT_STRING, AT(body),
	 .help = "a template (docs/templates.md) of what is posted instead of the event itself"},
	{"body_file", OPT_PATH, AT(body_file), .help = "the same, from a file"},
	{"preset", OPT_STRING, AT(preset), .choices = http_preset_names,
	 .help = "a ready-made template; examples/templates/ has them for copying"},
	{"params", OPT_NODE, AT(params), .secrets = true,
	 .help = "texts for {{params.NAME}} in templates, as NAME: VALUE or NAME_file: PATH"},
	{"content_type", OPT_STRING, AT(content_type),
	 .help = "what body or body_file makes, where that is not application/json"},
	{"secret", OPT_SECRETS, AT(secret),
	 .help = "whsec_… or whsk_…: sign by Standard Webhooks; several during a rotation"},
	{"bearer", OPT_SECRET, AT(bearer), .help = "a token for Authorization: Bearer"},
	{"basic", OPT_SECRET, AT(basic), .help = "user:password for Authorization: Basic"},
	{"network", OPT_NODE, AT(network),
	 .help = "private: any but link-local, metadata and our own addresses (the default); "
		 "public: "
		 "public addresses and https only; or {allow: [CIDR …], deny: [CIDR …]}"},
	{"ca_file", OPT_PATH, AT(ca_file), .on_host = true,
	 .help = "PEM of the authorities to trust, and no others"},
	{"cert_file", OPT_PATH, AT(cert_file), .on_host = true,
	 .help = "PEM of our own certificate"},
	{"key_file", OPT_PATH, AT(key_file), .on_host = true, .help = "PEM of its key"},
	{"insecure", OPT_BOOL, AT(insecure), .preset = "false",
	 .help = "true: take any certificate, so that whoever is in between can read and change "
		 "callbacks"},
	{"proxy", OPT_URL, AT(proxy), .help = "an HTTP proxy to go through"},
	{"connect_timeout", OPT_DURATION, AT(connect_timeout_ms), .preset = "5s", .min = 10,
	 .max = 60000, .help = "until there is a connection"},
	{"timeout", OPT_DURATION, AT(timeout_ms), .preset = "15s", .min = 10, .max = 300000,
	 .help = "until the answer is complete"},
	{0},
};

const struct node *http_place(const struct node *at, const char *key)
{
	const struct node *n = node_get(at, key);

	return n ? n : at;
}

/* --- network --- */

static void read_list(const struct node *list, struct cidr **ret, size_t *ret_n, struct problems *p)
{
	size_t n;

	if (!list)
		return;
	if (list->kind != NODE_LIST || list->n > LIST_MAX) {
		problem_at(p, list, "must be a list of at most %d addresses or CIDR ranges",
			   LIST_MAX);
		return;
	}
	*ret = xcalloc(list->n + 1, sizeof **ret);
	n = 0;
	for (size_t i = 0; i < list->n; i++) {
		const char *text = node_string(list->items[i]);
		struct err err = {0};

		if (!text)
			problem_at(p, list->items[i], "must be an address or a CIDR range");
		else if (cidr_parse(&(*ret)[n], text, &err) < 0)
			problem_at(p, list->items[i], "%s", err.msg);
		else
			n++;
	}
	*ret_n = n;
}

void http_network_read(const struct node *n, struct network_policy *ret, struct problems *p)
{
	const char *word = n ? node_string(n) : "private";

	*ret = (struct network_policy){.kind = NETWORK_PRIVATE};
	if (word) {
		if (strcmp(word, "public") == 0)
			ret->kind = NETWORK_PUBLIC;
		else if (strcmp(word, "private") != 0)
			problem_at(p, n, "must be private, public, or a map with allow and deny");
		return;
	}
	if (n->kind != NODE_MAP) {
		problem_at(p, n, "must be private, public, or a map with allow and deny");
		return;
	}
	ret->kind = NETWORK_LISTS;
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->items[i]->key, "allow") != 0 && strcmp(n->items[i]->key, "deny") != 0)
			problem_at(p, n->items[i], "unknown key; there are allow and deny");
	read_list(node_get(n, "allow"), &ret->allow, &ret->nallow, p);
	read_list(node_get(n, "deny"), &ret->deny, &ret->ndeny, p);
}

static void check_network(const struct http_settings *s, const struct node *at, struct problems *p)
{
	struct network_policy policy;

	http_network_read(s->network, &policy, p);
	if (policy.kind == NETWORK_PUBLIC && s->url && strncmp(s->url, "http://", 7) == 0)
		problem_at(p, http_place(at, "url"), "must be https:// under network: public");
	network_policy_release(&policy);
}

/* --- headers --- */

static bool is_token(const char *s)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"; /* RFC 9110, 5.6.2 */

	return *s && s[strspn(s, allowed)] == '\0';
}

static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Those that Relay or HTTP itself sets. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"content-type",
					       "content-length",
					       "transfer-encoding",
					       "connection",
					       "host",
					       "expect",
					       "te",
					       "trailer",
					       "upgrade",
					       "webhook-id",
					       "webhook-timestamp",
					       "webhook-signature",
					       "proxy-authorization"};

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return true;
	return false;
}

static void check_header(const struct http_settings *s, const struct node *n, struct problems *p)
{
	const char *value = node_string(n);

	if (!is_token(n->key))
		problem_at(p, n, "is no header name");
	else if (is_reserved(n->key) ||
		 (s->format == HTTP_BINARY && strncasecmp(n->key, "ce-", 3) == 0))
		problem_at(p, n, "is set by Relay itself");
	else if ((s->bearer || s->basic) && strcasecmp(n->key, "authorization") == 0)
		problem_at(p, n, "give either this or bearer or basic");
	else if (!value)
		problem_at(p, n, "must be one value");
	else if (!is_clean(value))
		problem_at(p, n, "must not hold control characters");
}

static void check_headers(const struct http_settings *s, struct problems *p)
{
	if (!s->headers)
		return;
	if (s->headers->kind != NODE_MAP || s->headers->n > HTTP_HEADERS_MAX) {
		problem_at(p, s->headers, "must be a map of at most %d headers, NAME: VALUE",
			   HTTP_HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < s->headers->n; i++)
		check_header(s, s->headers->items[i], p);
}

/* --- secrets and files --- */

/* Where KEY, or KEY_file, stands. */
static const struct node *secret_place(const struct node *at, const char *key, const char *key_file)
{
	return node_get(at, key) ? node_get(at, key) : http_place(at, key_file);
}

/* A file may hold several: then it is told which of all it is. */
static void refuse_secret(const struct http_settings *s, const struct node *n, size_t i,
			  const char *why, struct problems *p)
{
	size_t places = n->kind == NODE_LIST ? n->n : 1;

	if (places == s->secret.n)
		problem_at(p, n->kind == NODE_LIST ? n->items[i] : n, "%s", why);
	else
		problem_at(p, n, "secret %zu of %zu: %s", i + 1, s->secret.n, why);
}

static void check_secrets(const struct http_settings *s, const struct node *at, struct problems *p)
{
	const struct node *place = secret_place(at, "secret", "secret_file");

	/* else calls would go out unsigned where signatures are meant */
	if (place->kind == NODE_LIST && place->n == 0)
		problem_at(p, place,
			   "is an empty list; leave it out for calls without a signature");
	if (s->secret.n > HTTP_SECRETS_MAX)
		problem_at(p, place, "has more than %d secrets", HTTP_SECRETS_MAX);
	for (size_t i = 0; i < s->secret.n; i++) {
		struct err err = {0};
		struct signature_key *k = signature_key_load(s->secret.v[i], &err);

		if (!k)
			refuse_secret(s, place, i, err.msg, p);
		else if (strncmp(s->secret.v[i], "whpk_", 5) == 0)
			refuse_secret(
				s, place, i,
				"is a public key (whpk_); to sign takes the private one (whsk_)",
				p);
		signature_key_free(k);
	}
}

static void check_authorization(const struct http_settings *s, const struct node *at,
				struct problems *p)
{
	if (s->bearer && s->basic)
		problem_at(p, at, "give either bearer or basic");
	if (s->bearer && !is_clean(s->bearer))
		problem_at(p, secret_place(at, "bearer", "bearer_file"),
			   "must not hold control characters");
	if (s->basic && (!strchr(s->basic, ':') || !is_clean(s->basic)))
		problem_at(p, secret_place(at, "basic", "basic_file"), "must be user:password");
}

static void check_files(const struct http_settings *s, const struct node *at, struct problems *p)
{
	struct pem_files files = {s->cert_file, s->key_file, s->insecure ? NULL : s->ca_file};
	const char *which;
	struct err err = {0};

	if (!s->cert_file != !s->key_file)
		problem_at(p, at, "cert_file and key_file belong together");
	else if (pem_check(&files, &which, &err) < 0)
		problem_at(p,
			   http_place(at, which == s->cert_file	 ? "cert_file"
					  : which == s->key_file ? "key_file"
								 : "ca_file"),
			   "%s", err.msg);
}

/* By what stands there: no name but localhost is looked up. */
static bool is_loopback(const char *host)
{
	struct sockaddr_storage at = {0};
	struct sockaddr_in *v4 = (void *)&at;
	struct sockaddr_in6 *v6 = (void *)&at;
	char text[INET6_ADDRSTRLEN];
	bool bracket = *host == '[';
	size_t len = strcspn(host + bracket, bracket ? "]" : ":/?#");

	if (len >= sizeof text)
		return false;
	memcpy(text, host + bracket, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		at.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		at.ss_family = AF_INET6;
	else
		return strcasecmp(text, "localhost") == 0;
	return address_is_loopback((struct sockaddr *)&at);
}

static void check_plain(const struct http_settings *s, const struct node *at, struct problems *p)
{
	static const char http[] = "http://";
	bool shown = s->bearer || s->basic;

	if ((!shown && !s->secret.n) || !s->url || strncmp(s->url, http, sizeof http - 1) != 0 ||
	    is_loopback(s->url + sizeof http - 1))
		return;
	problem_warn(
		p, http_place(at, "url"),
		"calls go to another machine unencrypted: whoever is in between can read them%s; "
		"https:// hides them",
		shown ? ", and the password or token with them" : "");
}

/* --- format --- */

static void note_event(void *arg, const char *path)
{
	static const char params[] = "params";
	size_t len = sizeof params - 1;

	if (strncmp(path, params, len) != 0 || (path[len] && path[len] != '.'))
		*(bool *)arg = true;
}

/* Does the template, if any, say something of an event? */
static bool says_event(const struct template *t)
{
	bool says = false;

	if (t)
		template_paths(t, note_event, &says);
	return says;
}

static void check_format(const struct http_settings *s, const struct node *at,
			 const struct http_content *c, struct problems *p)
{
	static const char many[] = "a batch is of many events: only {{params.NAME}} can stand here";

	if ((s->body || s->body_file || s->preset) && node_get(at, "format"))
		problem_at(
			p, node_get(at, "format"),
			"goes with none of body, body_file and preset, which say the whole body");
	if (s->format != HTTP_BATCH)
		return;
	if (says_event(c->url))
		problem_at(p, http_place(at, "url"), many);
	for (size_t i = 0; i < c->nlines; i++)
		if (says_event(c->lines[i].value))
			problem_at(p, node_get(s->headers, c->lines[i].name), many);
}

static void check_insecure(const struct http_settings *s, const struct node *at, struct problems *p)
{
	const struct node *n = http_place(at, "insecure");

	if (!s->insecure)
		return;
	if (s->ca_file)
		problem_at(p, n, "give either ca_file or insecure");
	else
		problem_warn(
			p, n,
			"the receiver's certificate is not verified: whoever is in between can "
			"read and change callbacks; ca_file takes one of your own");
}

void http_settings_check(const void *settings, const struct node *at, struct problems *p)
{
	const struct http_settings *s = settings;
	struct http_content content;

	http_content_read(s, at, &content, p);
	check_format(s, at, &content, p);
	http_content_release(&content);
	check_network(s, at, p);
	check_headers(s, p);
	check_secrets(s, at, p);
	check_authorization(s, at, p);
	check_insecure(s, at, p);
	check_files(s, at, p);
	check_plain(s, at, p);
}
