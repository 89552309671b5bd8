/*
 * signature — Standard Webhooks (github.com/standard-webhooks, spec/standard-webhooks.md): the
 * three headers webhook-id, webhook-timestamp and webhook-signature over "id.timestamp.body".
 *
 * Secrets: "whsec_" + base64 of 24 to 64 bytes: HMAC-SHA256, scheme v1. "whsk_" + base64 of an
 * ed25519 private key (32 bytes seed, or 64 with the public key): scheme v1a; receivers verify with
 * "whpk_". Several secrets give several signatures, separated by a space (rotation).
 * Pure: no clock, no I/O. Thread-safe as long as a key is used by one thread.
 */
#ifndef RELAY_SIGNATURE_H
#define RELAY_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

struct signature_key;

/* A private or public key as text. Errors never contain the secret. */
struct signature_key *signature_key_load(const char *secret, struct err *err);
void signature_key_free(struct signature_key *k); /* wipes; NULL is allowed */

struct signed_text {
	const char *id; /* of the message; without "." */
	int64_t timestamp_s;
	const char *body;
	size_t len;
};

/* Appends "v1,…" (or "v1a,…") of each key. */
void signature_make(struct buf *out, struct signature_key *const *keys, size_t n,
		    const struct signed_text *t);

/*
 * Does one of the signatures in `header` fit one of the keys, and is the timestamp within
 * tolerance_s of now_s? Constant time in the comparison. The error says which of the two failed.
 */
int signature_verify(const char *header, struct signature_key *const *keys, size_t n,
		     const struct signed_text *t, int64_t now_s, int64_t tolerance_s,
		     struct err *err);

/* A fresh "whsec_…" of 32 random bytes. You own it. */
char *signature_new_secret(void);

/* A fresh pair: "whsk_…", which signs, and "whpk_…", by which receivers verify. */
struct signature_pair {
	char *private, *public; /* owned */
};
void signature_new_pair(struct signature_pair *ret);
void signature_pair_release(struct signature_pair *p); /* wipes */

#endif
