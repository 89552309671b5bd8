/*
 * signature — signs and verifies "id.timestamp.body" for Standard Webhooks with OpenSSL.
 * Invariant: a key never leaves its struct, neither in a message nor, after free, in memory.
 */
#include "transports/signature.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"

#define HMAC_KEY_MIN 24 /* by the specification */
#define HMAC_KEY_MAX 64
#define HMAC_LEN     32
#define SEED_LEN     32 /* of an ed25519 private key; its public key is as long */
#define ED25519_LEN  64
#define HEADER_MAX   4096 /* a header longer than this holds no signature of ours */

struct signature_key {
	EVP_MAC_CTX *mac; /* keyed once; re-initialised for each message */
	EVP_PKEY *pair;	  /* ed25519, private or public */
	bool can_sign;
};

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Strict: padded or not, but no blanks, no other alphabet, no bits left over. -1: is none, or does
 * not fit. */
static int base64_decode(const char *text, size_t len, uint8_t *ret, size_t max)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t n = 0;

	for (int pad = 0; pad < 2 && len && text[len - 1] == '=' && len % 4 != 1; pad++)
		len--;
	for (size_t i = 0; i < len; i++) {
		int value = base64_value(text[i]);

		if (value < 0 || n == max)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			ret[n++] = (uint8_t)(bits >> held);
		}
	}
	return held < 6 && !(bits & ((1U << held) - 1)) ? (int)n : -1;
}

static void base64_add(struct buf *out, const uint8_t *bytes, size_t len)
{
	char text[4 * ((ED25519_LEN + 2) / 3) + 1];

	assert(len <= ED25519_LEN);
	buf_add(out, text, (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)len));
}

static int load_hmac(struct signature_key *k, const uint8_t *key, size_t len, struct err *err)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end()};
	EVP_MAC *hmac;

	if (len < HMAC_KEY_MIN || len > HMAC_KEY_MAX)
		return err_set(err, ERR_CONFIG,
			       "the secret behind whsec_ has %zu bytes; 24 to 64 are needed", len);
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	k->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	if (!k->mac || !EVP_MAC_init(k->mac, key, len, params))
		return err_set(err, ERR_CONFIG, "OpenSSL offers no HMAC-SHA256");
	k->can_sign = true;
	return 0;
}

static int load_private(struct signature_key *k, const uint8_t *key, size_t len, struct err *err)
{
	uint8_t public[SEED_LEN];
	size_t public_len = sizeof public;

	if (len != SEED_LEN && len != 2 * SEED_LEN)
		return err_set(err, ERR_CONFIG,
			       "the key behind whsk_ has %zu bytes; 32 or 64 are needed", len);
	k->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, SEED_LEN);
	if (!k->pair || !EVP_PKEY_get_raw_public_key(k->pair, public, &public_len))
		return err_set(err, ERR_CONFIG, "OpenSSL does not take the key behind whsk_");
	if (len > SEED_LEN && CRYPTO_memcmp(public, key + SEED_LEN, SEED_LEN) != 0)
		return err_set(err, ERR_CONFIG,
			       "the two halves of the key behind whsk_ do not belong together");
	k->can_sign = true;
	return 0;
}

static int load_public(struct signature_key *k, const uint8_t *key, size_t len, struct err *err)
{
	if (len != SEED_LEN)
		return err_set(err, ERR_CONFIG, "the key behind whpk_ has %zu bytes; 32 are needed",
			       len);
	k->pair = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, SEED_LEN);
	return k->pair ? 0 : err_set(err, ERR_CONFIG, "OpenSSL does not take the key behind whpk_");
}

static const struct key_kind {
	const char *prefix;
	int (*load)(struct signature_key *k, const uint8_t *key, size_t len, struct err *err);
} key_kinds[] = {{"whsec_", load_hmac}, {"whsk_", load_private}, {"whpk_", load_public}};

struct signature_key *signature_key_load(const char *secret, struct err *err)
{
	const struct key_kind *kind = NULL;
	struct signature_key *k = NULL;
	uint8_t bytes[HMAC_KEY_MAX + 1];
	int len;

	for (size_t i = 0; i < sizeof key_kinds / sizeof *key_kinds; i++)
		if (strncmp(secret, key_kinds[i].prefix, strlen(key_kinds[i].prefix)) == 0)
			kind = &key_kinds[i];
	if (!kind) {
		err_set(err, ERR_CONFIG, "a secret is whsec_, whsk_ or whpk_ followed by base64");
		return NULL;
	}
	len = base64_decode(secret + strlen(kind->prefix), strlen(secret + strlen(kind->prefix)),
			    bytes, sizeof bytes);
	if (len < 0) {
		err_set(err, ERR_CONFIG, "what follows %s is not base64 of at most 64 bytes",
			kind->prefix);
		return NULL;
	}
	k = xcalloc(1, sizeof *k);
	if (kind->load(k, bytes, (size_t)len, err) < 0) {
		signature_key_free(k);
		k = NULL;
	}
	OPENSSL_cleanse(bytes, sizeof bytes);
	return k;
}

void signature_key_free(struct signature_key *k)
{
	if (!k)
		return;
	EVP_MAC_CTX_free(k->mac); /* both wipe what they hold */
	EVP_PKEY_free(k->pair);
	free(k);
}

/* "id.timestamp." */
static void add_prefix(struct buf *out, const struct signed_text *t)
{
	buf_adds(out, t->id);
	buf_addc(out, '.');
	buf_addi(out, t->timestamp_s);
	buf_addc(out, '.');
}

static void hmac_of(struct signature_key *k, const struct signed_text *t, uint8_t ret[HMAC_LEN])
{
	struct buf prefix = BUF_INIT(HEADER_MAX);
	size_t len = HMAC_LEN;
	int ok;

	add_prefix(&prefix, t);
	ok = EVP_MAC_init(k->mac, NULL, 0, NULL) &&
	     EVP_MAC_update(k->mac, (const uint8_t *)prefix.data, prefix.len) &&
	     EVP_MAC_update(k->mac, (const uint8_t *)t->body, t->len) &&
	     EVP_MAC_final(k->mac, ret, &len, HMAC_LEN);
	assert(!prefix.full);
	if (!ok) /* nothing here depends on input: the library has no memory left */
		abort();
	buf_release(&prefix);
}

/* ed25519 has no streaming form: the whole text in one piece. */
static void whole_text(struct buf *out, const struct signed_text *t)
{
	buf_init(out, t->len + HEADER_MAX);
	add_prefix(out, t);
	buf_add(out, t->body, t->len);
	assert(!out->full);
}

static void add_ed25519(struct buf *out, struct signature_key *k, const struct signed_text *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t bytes[ED25519_LEN];
	size_t len = sizeof bytes;
	struct buf text;

	whole_text(&text, t);
	if (!md || EVP_DigestSignInit(md, NULL, NULL, NULL, k->pair) != 1 ||
	    EVP_DigestSign(md, bytes, &len, (const uint8_t *)text.data, text.len) != 1)
		abort(); /* as in hmac_of */
	buf_adds(out, "v1a,");
	base64_add(out, bytes, len);
	EVP_MD_CTX_free(md);
	buf_release(&text);
}

void signature_make(struct buf *out, struct signature_key *const *keys, size_t n,
		    const struct signed_text *t)
{
	uint8_t bytes[HMAC_LEN];
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (!keys[i]->can_sign)
			continue;
		if (!first)
			buf_addc(out, ' ');
		first = false;
		if (keys[i]->pair) {
			add_ed25519(out, keys[i], t);
			continue;
		}
		hmac_of(keys[i], t, bytes);
		buf_adds(out, "v1,");
		base64_add(out, bytes, sizeof bytes);
	}
}

static bool fits_ed25519(struct signature_key *k, const struct signed_text *t,
			 const uint8_t given[ED25519_LEN])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct buf text;
	bool fits;

	whole_text(&text, t);
	fits = md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, k->pair) == 1 &&
	       EVP_DigestVerify(md, given, ED25519_LEN, (const uint8_t *)text.data, text.len) == 1;
	EVP_MD_CTX_free(md);
	buf_release(&text);
	return fits;
}

/* Does one "v1,…" or "v1a,…" fit the key? */
static bool fits(struct signature_key *k, const struct signed_text *t, const char *one, size_t len)
{
	const char *scheme = k->pair ? "v1a," : "v1,";
	size_t scheme_len = strlen(scheme);
	size_t want = k->pair ? ED25519_LEN : HMAC_LEN;
	uint8_t given[ED25519_LEN], expected[HMAC_LEN];

	if (len <= scheme_len || memcmp(one, scheme, scheme_len) != 0)
		return false;
	if (base64_decode(one + scheme_len, len - scheme_len, given, want) != (int)want)
		return false;
	if (k->pair)
		return fits_ed25519(k, t, given);
	hmac_of(k, t, expected);
	return CRYPTO_memcmp(given, expected, HMAC_LEN) == 0;
}

int signature_verify(const char *header, struct signature_key *const *keys, size_t n,
		     const struct signed_text *t, int64_t now_s, int64_t tolerance_s,
		     struct err *err)
{
	bool good = false;

	if (strlen(header) > HEADER_MAX || strlen(t->id) > HEADER_MAX / 2)
		return err_set(err, ERR_FORMAT, "webhook-signature or webhook-id is too long");
	for (const char *one = header; *one && !good;) {
		size_t len = strcspn(one, " ");

		for (size_t i = 0; i < n && !good; i++)
			good = fits(keys[i], t, one, len);
		one += len + strspn(one + len, " ");
	}
	if (!good)
		return err_set(err, ERR_DENIED,
			       "no signature fits: another secret signed it, or "
			       "the id, timestamp or body was changed");
	if (t->timestamp_s < now_s - tolerance_s)
		return err_set(err, ERR_DENIED,
			       "webhook-timestamp is %" PRId64 " s old; at most %" PRId64
			       " are allowed",
			       now_s - t->timestamp_s, tolerance_s);
	if (t->timestamp_s > now_s + tolerance_s)
		return err_set(err, ERR_DENIED,
			       "webhook-timestamp is %" PRId64 " s ahead; at most %" PRId64
			       " are allowed",
			       t->timestamp_s - now_s, tolerance_s);
	return 0;
}

char *signature_new_secret(void)
{
	struct buf out = BUF_INIT(128);
	uint8_t bytes[32];

	random_bytes(bytes, sizeof bytes);
	buf_adds(&out, "whsec_");
	base64_add(&out, bytes, sizeof bytes);
	OPENSSL_cleanse(bytes, sizeof bytes);
	return buf_detach(&out);
}

static char *key_text(const char *prefix, const uint8_t key[SEED_LEN])
{
	struct buf out = BUF_INIT(128);

	buf_adds(&out, prefix);
	base64_add(&out, key, SEED_LEN);
	return buf_detach(&out);
}

void signature_new_pair(struct signature_pair *ret)
{
	uint8_t seed[SEED_LEN], public[SEED_LEN];
	size_t len = sizeof public;
	EVP_PKEY *pair;

	random_bytes(seed, sizeof seed);
	pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
	if (!pair || !EVP_PKEY_get_raw_public_key(pair, public, &len))
		abort(); /* as in hmac_of */
	EVP_PKEY_free(pair);
	ret->private = key_text("whsk_", seed);
	ret->public = key_text("whpk_", public);
	OPENSSL_cleanse(seed, sizeof seed);
}

void signature_pair_release(struct signature_pair *p)
{
	if (p->private)
		OPENSSL_cleanse(p->private, strlen(p->private));
	free(p->private);
	free(p->public);
	*p = (struct signature_pair){0};
}
