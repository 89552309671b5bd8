/*
 * How a receiver verifies a callback (Standard Webhooks, v1) and drops repeats; with OpenSSL.
 *
 *   cc -o verify verify.c -lcrypto
 *   SECRET="whsec_NEW whsec_OLD" ./verify HEADERS BODY [HEADERS BODY …]
 *
 * HEADERS is a file of lines "name: value", as `relay sign` prints them; BODY the bytes as they
 * came. In a service both come from the request; keep the body raw, before anything parses it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { TOLERANCE_S = 300, BODY_MAX = 1 << 20, TEXT_SIZE = 1024, KEYS_MAX = 8, SEEN_MAX = 1000 };

static struct call { /* as strings, but for the body */
	char id[TEXT_SIZE], timestamp[TEXT_SIZE], signatures[TEXT_SIZE];
	unsigned char body[BODY_MAX];
	size_t len;
} call;
static struct { /* two while you rotate: the relay signs with both, and either is enough */
	unsigned char bytes[TEXT_SIZE];
	int len;
} keys[KEYS_MAX];
static int nkeys;
/* A real service keeps the ids with its own data, in the transaction in which it acts, for as long
 * as the relay may try again (three days by default). */
static char seen[SEEN_MAX][TEXT_SIZE];
static size_t nseen;

/* base64; the bytes, -1: it is none. ret has TEXT_SIZE. */
static int decode(const char *text, unsigned char *ret)
{
	int len = (int)strlen(text);
	if (len < 4 || len % 4 || len > TEXT_SIZE)
		return -1;
	int n = EVP_DecodeBlock(ret, (const unsigned char *)text, len);
	return n < 0 ? -1 : n - (text[len - 1] == '=') - (text[len - 2] == '=');
}

static bool fits(int key, const char *signature)
{
	static unsigned char text[2 * TEXT_SIZE + BODY_MAX];
	unsigned char expected[32], given[TEXT_SIZE];
	int n = snprintf((char *)text, sizeof text, "%s.%s.", call.id, call.timestamp);
	memcpy(text + n, call.body, call.len);
	HMAC(EVP_sha256(), keys[key].bytes, keys[key].len, text, (size_t)n + call.len, expected,
	     NULL);
	/* CRYPTO_memcmp takes as long whichever byte differs. */
	return !strncmp(signature, "v1,", 3) && decode(signature + 3, given) == 32 &&
	       CRYPTO_memcmp(given, expected, 32) == 0;
}

/* Why it is not genuine; NULL: it is. */
static const char *verify(long long now_s)
{
	bool good = false;
	char *rest;
	if (!*call.id || !*call.timestamp || !*call.signatures)
		return "a webhook-... header is missing";
	size_t digits = strspn(call.timestamp, "0123456789");
	if (call.timestamp[digits] || digits > 12)
		return "webhook-timestamp is no number";
	for (char *s = strtok_r(call.signatures, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
		for (int k = 0; k < nkeys; k++)
			good |= fits(k, s);
	if (!good)
		return "no signature fits";
	bool near = llabs(now_s - strtoll(call.timestamp, NULL, 10)) <= TOLERANCE_S;
	return near ? NULL : "webhook-timestamp is too far from now";
}

static bool is_repeat(void)
{
	for (size_t i = 0; i < nseen; i++)
		if (!strcmp(seen[i], call.id))
			return true;
	if (nseen < SEEN_MAX)
		memcpy(seen[nseen++], call.id, TEXT_SIZE);
	return false;
}

static bool read_call(const char *headers_path, const char *body_path)
{
	FILE *headers = fopen(headers_path, "r"), *body = fopen(body_path, "r");
	char line[TEXT_SIZE], name[TEXT_SIZE] = "", value[TEXT_SIZE] = "";
	call.len = body ? fread(call.body, 1, BODY_MAX, body) : 0;
	call.id[0] = call.timestamp[0] = call.signatures[0] = '\0';
	while (headers && fgets(line, sizeof line, headers)) {
		if (sscanf(line, "%1023[^: ]: %1023[^\r\n]", name, value) != 2)
			continue;
		char *to = !strcasecmp(name, "webhook-id")	    ? call.id
			   : !strcasecmp(name, "webhook-timestamp") ? call.timestamp
			   : !strcasecmp(name, "webhook-signature") ? call.signatures
								    : name;
		memcpy(to, value, TEXT_SIZE);
	}
	bool good = headers && body && feof(body); /* else it is longer */
	if (headers)
		fclose(headers);
	if (body)
		fclose(body);
	return good;
}

int main(int argc, char **argv)
{
	char *rest, *secrets = strdup(getenv("SECRET") ? getenv("SECRET") : "");
	int refused = 0;
	for (char *s = strtok_r(secrets, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
		int len = strncmp(s, "whsec_", 6) || nkeys == KEYS_MAX
				  ? -1
				  : decode(s + 6, keys[nkeys].bytes);
		if (len < 24)
			return fprintf(stderr, "verify: a secret is whsec_ and base64\n"), 2;
		keys[nkeys++].len = len;
	}
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *why = read_call(argv[i], argv[i + 1]) ? verify(time(NULL))
								  : "the files cannot be read";
		refused += why != NULL;
		printf("%s%s\n",
		       why	     ? "refused: "
		       : is_repeat() ? "repeat "
				     : "valid ",
		       why ? why : call.id);
	}
	free(secrets);
	return argc < 3 || refused > 0;
}
