/*
 * relay sign — the three headers of Standard Webhooks for a body, as a callback would carry them;
 * and new secrets.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/input.h"
#include "relay/cmd/keyring.h"

#define BODY_MAX      (16 << 20)
#define ID_MAX	      256
#define SIGNATURE_MAX (KEYRING_MAX * 100)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_SECRET_FILE,
	FLAG_SECRET,
	{0, "id", "ID", "webhook-id; default: the body's \"id\" if it is an event, else a new one"},
	{0, "timestamp", "SECONDS", "webhook-timestamp, since 1970; default: now"},
	{0, "new", NULL, "make a secret instead and print it"},
	{0, "ed25519", NULL, "with --new: a pair of keys, one to sign and one to verify"},
	{0, "json", NULL, "one JSON object instead of lines"},
	{0},
};

const struct command cmd_sign = {
	.name = "sign",
	.operands = "[BODY|-]",
	.most = 1,
	.summary = "the webhook-… headers of a body, and new secrets",
	.example = "  relay sign --new > crm.secret && chmod 600 crm.secret\n"
		   "  relay sign --secret-file crm.secret event.json > headers\n"
		   "  curl -H @headers -H 'Content-Type: application/cloudevents+json' \\\n"
		   "    --data-binary @event.json http://127.0.0.1:9000/\n\n"
		   "The body is a file, or standard input. Without --secret-file and --secret the "
		   "secret\n"
		   "is that of the environment variable " KEYRING_VARIABLE
		   ". Several secrets give several\n"
		   "signatures in one header.",
	.flags = flags,
	.run = run,
};

/* ---- new secrets ---- */

static int make_pair(bool json)
{
	struct buf out = BUF_INIT(1024);
	struct signature_pair pair;
	signature_new_pair(&pair);
	if (json) {
		buf_addc(&out, '{');
		json_add_text(&out, "secret", pair.private);
		json_add_text(&out, "public", pair.public);
		printf("%s}\n", out.data);
	} else {
		puts(pair.private);
		fprintf(stderr, "receivers verify with %s\n", pair.public);
	}
	signature_pair_release(&pair);
	buf_release(&out);
	return EXIT_OK;
}

static int make_secret(bool json)
{
	char *secret = signature_new_secret();
	if (json)
		printf("{\"secret\":\"%s\"}\n", secret);
	else
		puts(secret);
	explicit_bzero(secret, strlen(secret));
	free(secret);
	return EXIT_OK;
}

/* ---- headers ---- */

/* It stands in a header, and before a "." in what is signed. */
static bool is_id(const char *text)
{
	size_t n = 0;
	while (text[n] > ' ' && text[n] < 127 && text[n] != '.')
		n++;
	return n && !text[n] && n <= ID_MAX;
}

/* The event's, since that is what a callback carries. *ret is yours. */
static void find_id(char **ret, const struct buf *body)
{
	struct json_doc *doc = json_doc_new();
	struct err none = {0};
	const struct json *root = json_parse(doc, body->data, body->len, JSON_DEPTH + 4, &none);
	const char *id = root ? json_string(json_get(root, "id")) : NULL;
	if (id && is_id(id)) {
		*ret = xstrdup(id);
	} else {
		char hex[33];
		struct hash128 any;
		random_bytes(&any, sizeof any);
		hash128_hex(hex, any);
		*ret = xasprintf("msg_%s", hex);
	}
	json_doc_free(doc);
}

static void print_headers(const struct signed_text *t, const char *signature, bool json)
{
	struct buf out = BUF_INIT(2 * SIGNATURE_MAX);
	if (!json) {
		printf("webhook-id: %s\nwebhook-timestamp: %lld\nwebhook-signature: %s\n", t->id,
		       (long long)t->timestamp_s, signature);
		return;
	}
	buf_addf(&out, "{\"webhook-id\":\"%s\",\"webhook-timestamp\":\"%lld\"", t->id,
		 (long long)t->timestamp_s);
	json_add_text(&out, "webhook-signature", signature);
	printf("%s}\n", out.data);
	buf_release(&out);
}

static int sign(const struct keyring *keys, struct signed_text *t, const char *path, bool json,
		struct err *err)
{
	struct buf body = BUF_INIT(BODY_MAX), signature = BUF_INIT(SIGNATURE_MAX);
	char *id = NULL;
	int failed = input_read(&body, path, err);
	if (!failed) {
		if (!t->id)
			find_id(&id, &body);
		t->id = t->id ? t->id : id;
		t->body = body.data;
		t->len = body.len;
		signature_make(&signature, keys->keys, keys->n, t);
		if (!signature.len)
			failed = err_set(err, ERR_USAGE, "a whpk_ key cannot sign; whsk_ does");
	}
	if (!failed)
		print_headers(t, signature.data, json);
	free(id);
	buf_release(&signature);
	buf_release(&body);
	return failed;
}

static int run(const struct command *self, const struct args *a)
{
	const char *path = a->noperands ? a->operands[0] : "-";
	struct signed_text t = {.id = arg_value(a, "id"),
				.timestamp_s = clock_now().wall_ms / 1000};
	struct keyring keys = {0};
	struct err err = {0};
	bool json = arg_given(a, "json");
	if (arg_given(a, "new"))
		return arg_given(a, "ed25519") ? make_pair(json) : make_secret(json);
	if (arg_given(a, "ed25519"))
		return cmd_usage(self,
				 "--ed25519 goes with --new; a secret says itself what it is");
	if (t.id && !is_id(t.id))
		return cmd_usage(self, "--id is up to %d printable characters but \".\"", ID_MAX);
	if (arg_given(a, "timestamp") && !cmd_number(arg_value(a, "timestamp"), &t.timestamp_s))
		return cmd_usage(self, "--timestamp is seconds since 1970");
	int failed = keyring_load(&keys, a, &err);
	if (!failed && !keys.n)
		failed = err_set(&err, ERR_USAGE, "a secret is missing: --secret-file FILE");
	if (!failed)
		failed = sign(&keys, &t, path, json, &err);
	keyring_release(&keys);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
