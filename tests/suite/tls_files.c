/* tls_files — see its header, with OpenSSL. */
#include "tests/suite/tls_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "relay/base/mem.h"

#define DAY_S 86400L

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* `by` NULL: an authority, by itself. */
static X509 *make(const char *subject, EVP_PKEY *key, struct tls_days days, const X509 *by,
		  EVP_PKEY *by_key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), by ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), days.from * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(cert), days.to * DAY_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1,
				   0);
	X509_set_issuer_name(cert, by ? X509_get_subject_name(by) : name);
	X509_set_pubkey(cert, key);
	if (by)
		extend(cert, NID_subject_alt_name, "DNS:localhost");
	else
		extend(cert, NID_basic_constraints, "critical,CA:TRUE");
	assert_int_not_equal(X509_sign(cert, by ? by_key : key, EVP_sha256()), 0);
	return cert;
}

static FILE *create(const char *dir, const char *name, const char *what)
{
	char *path = tls_files_path(dir, name, what);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(chmod(path, 0600), 0);
	free(path);
	return f;
}

static void write_cert(const char *dir, const char *name, const char *what, X509 *cert)
{
	FILE *f = create(dir, name, what);

	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_free(cert);
}

void tls_files_make(const char *dir, const char *name, struct tls_days days)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	struct tls_days always = {-1, 30};

	assert_true(ca_key && key);
	char *authority = xasprintf("authority of %s", name);
	X509 *ca = make(authority, ca_key, always, NULL, NULL);
	write_cert(dir, name, "cert",
		   make(name, key, days.from || days.to ? days : always, ca, ca_key));
	write_cert(dir, name, "ca", ca);
	FILE *f = create(dir, name, "key");
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	free(authority);
}

char *tls_files_path(const char *dir, const char *name, const char *what)
{
	return xasprintf("%s/%s.%s", dir, name, what);
}

void tls_files_remove(const char *dir, const char *name)
{
	static const char *const all[] = {"ca", "cert", "key"};

	for (size_t i = 0; i < 3; i++) {
		char *path = tls_files_path(dir, name, all[i]);
		assert_int_equal(unlink(path), 0);
		free(path);
	}
}
