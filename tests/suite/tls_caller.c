/* tls_caller — see its header. All calls wait, bounded by the socket's own timeouts. */
#include "tests/suite/tls_caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "tests/suite/sp_caller.h"
#include "tests/suite/tls_files.h"

SSL_CTX *tls_caller_context(const char *dir, const char *shows)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char *ca = tls_files_path(dir, "bus", "ca");

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	assert_int_equal(SSL_CTX_load_verify_file(ctx, ca), 1);
	free(ca);
	if (shows) {
		char *cert = tls_files_path(dir, shows, "cert");
		char *key = tls_files_path(dir, shows, "key");
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
		free(cert);
		free(key);
	}
	return ctx;
}

SSL *tls_caller_shake(const char *url, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);

	assert_int_equal(SSL_set1_host(ssl, "localhost"), 1);
	assert_int_equal(SSL_set_fd(ssl, sp_caller_connect(url)), 1);
	if (SSL_connect(ssl) == 1)
		return ssl;
	ERR_clear_error();
	tls_caller_hang_up(ssl);
	return NULL;
}

void tls_caller_hang_up(SSL *ssl)
{
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
}

bool tls_caller_receive(SSL *ssl, void *to, size_t len)
{
	size_t got = 0, n;

	for (; got < len; got += n)
		if (SSL_read_ex(ssl, (char *)to + got, len - got, &n) != 1)
			return ERR_clear_error(), false;
	return true;
}

bool tls_caller_greet(SSL *ssl, char own, char peer)
{
	const char ours[] = {0, 'S', 'P', 0, 0, own, 0, 0};
	const char theirs[] = {0, 'S', 'P', 0, 0, peer, 0, 0};
	char greeting[sizeof theirs];
	bool sent = SSL_write(ssl, ours, sizeof ours) == sizeof ours;

	ERR_clear_error();
	return sent && tls_caller_receive(ssl, greeting, sizeof greeting) &&
	       !memcmp(greeting, theirs, sizeof greeting);
}

size_t tls_caller_hello(SSL_CTX *ctx, unsigned char *ret, int max)
{
	SSL *ssl = SSL_new(ctx);

	SSL_set0_rbio(ssl, BIO_new(BIO_s_mem()));
	SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
	assert_int_not_equal(SSL_connect(ssl), 1);
	ERR_clear_error();
	int len = BIO_read(SSL_get_wbio(ssl), ret, max);
	assert_true(len > 0);
	SSL_free(ssl);
	return (size_t)len;
}

void tls_caller_wants_no_tls(const char *url, int within_ms)
{
	static const struct {
		const char *bytes;
		size_t len;
	} others[] = {
		{"\0SP\0\0\x21\0\0", 8}, /* a SUB socket without TLS */
		{"\0SP\0\0\x30\0\0", 8}, /* a REQ socket */
		{"GET / HTTP/1.1\r\n\r\n", 18},
		{"\x16\x03\x01\xff\xff\x01\0\0\0\0\0", 11},
		{"\x16\x03\x01\0\x04\x01\xff\xff\xff", 9},
		{"\x15\x03\x01\0\x02\x02\x28", 7},
		{"\x80\x09\x01\0\x02\0\x15\0\0\0\x10", 11}, /* SSL 2 */
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		int fd = sp_caller_connect(url);
		assert_true(sp_caller_send(fd, others[i].bytes, others[i].len));
		sp_caller_is_ended(fd, within_ms);
	}
}
