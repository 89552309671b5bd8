/* signature: published vectors, rotation, and everything that must not verify. */
#include "transports/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"

/* The example of the Standard Webhooks libraries. */
#define SECRET	  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER	  "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

/* The key pair of RFC 8032, 7.1, test 1; the signature was made with node:crypto. */
#define PRIVATE "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PRIVATE_PAIR                                                                               \
	"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"                           \
	"tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
#define PUBLIC "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define SIGNATURE_A                                                                                \
	"v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NV" \
	"Aw=="

static const char body[] = "{\"test\": 2432232314}";
static const struct signed_text text = {
	.id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
	.timestamp_s = 1614265330,
	.body = body,
	.len = sizeof body - 1,
};

static struct signature_key *load(const char *secret)
{
	struct err err = {0};
	struct signature_key *k = signature_key_load(secret, &err);

	if (!k)
		fail_msg("%s", err.msg);
	return k;
}

static char *sign(struct signature_key *const *keys, size_t n, const struct signed_text *t)
{
	struct buf out = BUF_INIT(4096);

	signature_make(&out, keys, n, t);
	assert_false(out.full);
	return buf_detach(&out);
}

static void test_vectors(void **state)
{
	static const struct {
		const char *secret, *signature;
	} cases[] = {{SECRET, SIGNATURE}, {PRIVATE, SIGNATURE_A}, {PRIVATE_PAIR, SIGNATURE_A}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct signature_key *k = load(cases[i].secret);

		for (int round = 0; round < 3; round++) { /* a key is used again and again */
			char *made = sign(&k, 1, &text);

			assert_string_equal(made, cases[i].signature);
			free(made);
		}
		signature_key_free(k);
	}
}

static void test_rotation(void **state)
{
	struct signature_key *keys[] = {load(SECRET), load(PUBLIC), load(PRIVATE)};
	struct signature_key *old = load(SECRET), *public = load(PUBLIC), *other = load(OTHER);
	char *made = sign(keys, 3, &text);
	struct err err = {0};

	(void)state;
	assert_string_equal(made, SIGNATURE " " SIGNATURE_A); /* a public key signs nothing */
	assert_int_equal(signature_verify(made, &old, 1, &text, 1614265330, 300, &err), 0);
	assert_int_equal(signature_verify(made, &public, 1, &text, 1614265330, 300, &err), 0);
	assert_int_equal(signature_verify(made, &other, 1, &text, 1614265330, 300, &err), -1);
	free(made);
	for (int i = 0; i < 3; i++)
		signature_key_free(keys[i]);
	signature_key_free(old);
	signature_key_free(public);
	signature_key_free(other);
}

struct verify_case {
	const char *name, *header, *id, *body;
	int64_t timestamp_s, now_s;
	const char *says; /* NULL: verifies */
};

static const struct verify_case verify_cases[] = {
	{"good", SIGNATURE, NULL, NULL, 0, 1614265330, NULL},
	{"good among others", "v1,AAAA v2,x " SIGNATURE, NULL, NULL, 0, 1614265330, NULL},
	{"oldest allowed", SIGNATURE, NULL, NULL, 0, 1614265630, NULL},
	{"too old", SIGNATURE, NULL, NULL, 0, 1614265631, "301 s old"},
	{"newest allowed", SIGNATURE, NULL, NULL, 0, 1614265030, NULL},
	{"too new", SIGNATURE, NULL, NULL, 0, 1614265029, "301 s ahead"},
	{"other id", SIGNATURE, "msg_2", NULL, 0, 1614265330, "no signature fits"},
	{"other body", SIGNATURE, NULL, "{}", 0, 1614265330, "no signature fits"},
	{"other time", SIGNATURE, NULL, NULL, 1614265331, 1614265331, "no signature fits"},
	{"empty", "", NULL, NULL, 0, 1614265330, "no signature fits"},
	{"blanks", "   ", NULL, NULL, 0, 1614265330, "no signature fits"},
	{"scheme only", "v1,", NULL, NULL, 0, 1614265330, "no signature fits"},
	{"other scheme", "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", NULL, NULL, 0,
	 1614265330, "no signature fits"},
	{"cut", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O", NULL, NULL, 0, 1614265330,
	 "no signature fits"},
	{"longer", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OEAAAA=", NULL, NULL, 0, 1614265330,
	 "no signature fits"},
	{"bits left over", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", NULL, NULL, 0,
	 1614265330, "no signature fits"},
};

static void test_verify(void **state)
{
	struct signature_key *k = load(SECRET);

	(void)state;
	for (size_t i = 0; i < sizeof verify_cases / sizeof *verify_cases; i++) {
		const struct verify_case *c = &verify_cases[i];
		struct signed_text t = text;
		struct err err = {0};
		int failed;

		if (c->id)
			t.id = c->id;
		if (c->body) {
			t.body = c->body;
			t.len = strlen(c->body);
		}
		if (c->timestamp_s)
			t.timestamp_s = c->timestamp_s;
		failed = signature_verify(c->header, &k, 1, &t, c->now_s, 300, &err);
		if (c->says ? !failed || !strstr(err.msg, c->says) : failed)
			fail_msg("%s: %d, %s", c->name, failed, err.msg);
	}
	signature_key_free(k);
}

static void test_public_key_refuses_other_signatures(void **state)
{
	struct signature_key *k = load(PUBLIC);
	struct err err = {0};
	char forged[] = SIGNATURE_A;

	(void)state;
	forged[10] ^= 1;
	assert_int_equal(signature_verify(forged, &k, 1, &text, 1614265330, 300, &err), -1);
	assert_int_equal(signature_verify(SIGNATURE, &k, 1, &text, 1614265330, 300, &err), -1);
	assert_int_equal(signature_verify(SIGNATURE_A, &k, 1, &text, 1614265330, 300, &err), 0);
	signature_key_free(k);
}

static void test_bad_secrets(void **state)
{
	static const char *const bad[] = {
		"",
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",	     /* 23 bytes are too few */
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",     /* 6 bits are left over */
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa w",    /* a blank */
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw===", /* three pads */
		"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",     /* 24 bytes */
		"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		/* the second half belongs to another key */
		("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
		 "tPJZAc6DuFy89qmIyWvAhpo9wdRGw=="),
	};
	char longer[200] = "whsec_";

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};

		assert_null(signature_key_load(bad[i], &err));
		assert_int_equal(err.code, ERR_CONFIG);
		if (strlen(bad[i]) > 10) /* no message repeats a secret */
			assert_null(strstr(err.msg, bad[i] + 6));
	}
	memset(longer + 6, 'A', 88); /* 66 bytes */
	assert_null(signature_key_load(longer, &(struct err){0}));
	signature_key_free(NULL);
}

static void test_new_secret(void **state)
{
	char *a = signature_new_secret(), *b = signature_new_secret();
	struct signature_key *k = load(a);

	(void)state;
	assert_int_equal(strlen(a), 6 + 44);
	assert_string_not_equal(a, b);
	signature_key_free(k);
	free(a);
	free(b);
}

static void test_new_pair(void **state)
{
	struct signature_pair a = {0}, b = {0};

	(void)state;
	signature_new_pair(&a);
	signature_new_pair(&b);
	struct signature_key *private = load(a.private), *public = load(a.public);
	struct signature_key *other = load(b.public);
	char *made = sign(&private, 1, &text);
	struct err err = {0};
	assert_int_equal(signature_verify(made, &public, 1, &text, text.timestamp_s, 300, &err), 0);
	assert_int_equal(signature_verify(made, &other, 1, &text, text.timestamp_s, 300, &err), -1);
	free(made);
	signature_key_free(private);
	signature_key_free(public);
	signature_key_free(other);
	signature_pair_release(&a);
	signature_pair_release(&b);
	signature_pair_release(&b);
}

static void test_empty_body_and_large_body(void **state)
{
	struct signature_key *keys[] = {load(SECRET), load(PRIVATE)};
	size_t len = 256 << 10;
	char *large = xcalloc(1, len + 1);

	(void)state;
	memset(large, 'x', len);
	for (int i = 0; i < 2; i++) {
		struct signed_text t = {"msg_1", 1, large, i ? len : 0};
		char *made = sign(keys, 2, &t);
		struct err err = {0};

		assert_int_equal(signature_verify(made, &keys[0], 1, &t, 1, 0, &err), 0);
		assert_int_equal(signature_verify(made, &keys[1], 1, &t, 1, 0, &err), 0);
		free(made);
	}
	free(large);
	signature_key_free(keys[0]);
	signature_key_free(keys[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_public_key_refuses_other_signatures),
		cmocka_unit_test(test_bad_secrets),
		cmocka_unit_test(test_new_secret),
		cmocka_unit_test(test_new_pair),
		cmocka_unit_test(test_empty_body_and_large_body),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
