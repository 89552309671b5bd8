/*
 * tls_caller — OpenSSL's own client for tests, with the certificates of tls_files.h: it trusts the
 * authority "bus" of a folder, and expects a server of the name "localhost".
 */
#ifndef RELAY_TESTS_TLS_CALLER_H
#define RELAY_TESTS_TLS_CALLER_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

/* `shows`: the certificate of that name in the folder; NULL: none. Yours to free. */
SSL_CTX *tls_caller_context(const char *dir, const char *shows);
/* Connects and shakes hands. NULL: the handshake failed. */
SSL *tls_caller_shake(const char *url, SSL_CTX *ctx);
void tls_caller_hang_up(SSL *ssl);

/* Waits for so many bytes. False: the other side ended the connection instead. */
bool tls_caller_receive(SSL *ssl, void *to, size_t len);
/* Greets as an SP socket of one kind and awaits the greeting of another. False: the other side ends
 * the connection. By TLS 1.3 it is only here that it refuses. */
bool tls_caller_greet(SSL *ssl, char own, char peer);

/* The bytes with which a client begins. */
size_t tls_caller_hello(SSL_CTX *ctx, unsigned char *ret, int max);
/* Begins with what is no TLS, or no such TLS: each time the other side ends the connection soon. */
void tls_caller_wants_no_tls(const char *url, int within_ms);

#endif
