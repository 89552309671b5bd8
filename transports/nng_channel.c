/* nng_channel — the one place where the bus meets OpenSSL. Invariant: its queue of errors is empty
 * before each call into it, so that an error is of that call. */
#include "transports/nng_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "relay/base/mem.h"

/* For TLS 1.2; those of 1.3 are all of this kind. nng with Mbed TLS has them, too. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct channel_server {
	SSL_CTX *ctx;
};

struct channel_client {
	SSL_CTX *ctx;
	char *name; /* owned */
};

/* ---- a server ---- */

static const char *why(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text ? text : "nothing that it should hold";
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, CIPHERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* one record at a time */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

/* A bus has one pair of files, also for the addresses that are nng's. */
static int check_kind(const SSL_CTX *ctx, struct err *err)
{
	int type = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx));

	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)
		return err_set(err, ERR_FORMAT, "must be an RSA or ECDSA key: nng takes no other");
	return 0;
}

static int load(SSL_CTX *ctx, const struct pem_files *files, const char **ret_which,
		struct err *err)
{
	if (pem_load(ctx, files, ret_which, err) < 0)
		return -1;
	*ret_which = files->key;
	return files->key ? check_kind(ctx, err) : 0;
}

struct channel_server *channel_server_load(const struct pem_files *files, const char **ret_which,
					   struct err *err)
{
	struct channel_server *s = xcalloc(1, sizeof *s);
	const char *which = files->cert;

	s->ctx = new_context(TLS_server_method());
	int failed = s->ctx ? load(s->ctx, files, &which, err)
			    : err_set(err, ERR_IO, "OpenSSL: %s", why());
	if (!failed && files->ca)
		SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	ERR_clear_error();
	if (!failed)
		return s;
	*ret_which = which;
	channel_server_free(s);
	return NULL;
}

void channel_server_free(struct channel_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

enum channel_validity channel_server_validity(const struct channel_server *s, int64_t wall_ms)
{
	const X509 *cert = SSL_CTX_get0_certificate(s->ctx);
	time_t now = (time_t)(wall_ms / 1000);

	if (X509_cmp_time(X509_get0_notBefore(cert), &now) > 0)
		return CHANNEL_EARLY;
	return X509_cmp_time(X509_get0_notAfter(cert), &now) < 0 ? CHANNEL_EXPIRED : CHANNEL_VALID;
}

/* ---- a client ---- */

static int trust_system(SSL_CTX *ctx, const char **ret_which, struct err *err)
{
	if (SSL_CTX_set_default_verify_paths(ctx) == 1)
		return 0;
	*ret_which = "TLS";
	return err_set(err, ERR_IO, "the system's authorities: %s", why());
}

struct channel_client *channel_client_load(const struct pem_files *files, const char *name,
					   const char **ret_which, struct err *err)
{
	struct channel_client *c = xcalloc(1, sizeof *c);
	const char *which = "TLS";

	c->name = xstrdup(name);
	c->ctx = new_context(TLS_client_method());
	int failed = c->ctx ? load(c->ctx, files, &which, err)
			    : err_set(err, ERR_IO, "OpenSSL: %s", why());
	if (!failed && !files->ca)
		failed = trust_system(c->ctx, &which, err);
	if (!failed)
		SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	ERR_clear_error();
	if (!failed)
		return c;
	*ret_which = which;
	channel_client_free(c);
	return NULL;
}

void channel_client_free(struct channel_client *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	free(c->name);
	free(c);
}

/* The name is asked of the server, if it is none of an address, and looked for in what it shows. */
static bool expect_name(SSL *ssl, const char *name)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

/* ---- a channel ---- */

static int take(struct channel *ret, int fd, SSL_CTX *ctx, struct err *err)
{
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;

	if (ctx && (!ssl || SSL_set_fd(ssl, fd) != 1)) {
		SSL_free(ssl);
		close(fd);
		ERR_clear_error();
		return err_set(err, ERR_LIMIT, "no memory for a TLS connection");
	}
	*ret = (struct channel){.fd = fd, .ssl = ssl};
	return 0;
}

int channel_open(struct channel *ret, int fd, const struct channel_server *server, struct err *err)
{
	if (take(ret, fd, server ? server->ctx : NULL, err) < 0)
		return -1;
	if (ret->ssl)
		SSL_set_accept_state(ret->ssl);
	return 0;
}

int channel_dial(struct channel *ret, int fd, const struct channel_client *client, struct err *err)
{
	if (take(ret, fd, client ? client->ctx : NULL, err) < 0)
		return -1;
	if (!ret->ssl)
		return 0;
	SSL_set_connect_state(ret->ssl);
	if (expect_name(ret->ssl, client->name))
		return 0;
	channel_close(ret);
	return err_set(err, ERR_LIMIT, "no memory for a TLS connection");
}

/* Without a close_notify: messages have lengths, so a cut shows. */
void channel_close(struct channel *c)
{
	SSL_free(c->ssl);
	close(c->fd);
}

/* What became of a call into OpenSSL that returned `got`. */
static int judge(struct channel *c, int got)
{
	c->wants = 0;
	if (got > 0)
		return got;
	switch (SSL_get_error(c->ssl, got)) {
	case SSL_ERROR_WANT_READ: c->wants = POLLIN; return CHANNEL_LATER;
	case SSL_ERROR_WANT_WRITE: c->wants = POLLOUT; return CHANNEL_LATER;
	default: return CHANNEL_GONE;
	}
}

int channel_shake(struct channel *c, const char **ret_why)
{
	if (!c->ssl)
		return 1;
	ERR_clear_error();
	int got = judge(c, SSL_do_handshake(c->ssl));
	if (got == CHANNEL_GONE) {
		unsigned long error = ERR_peek_last_error();
		const char *text = ERR_reason_error_string(error);
		long untrusted = SSL_get_verify_result(c->ssl);
		bool ended = !text || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
		*ret_why = untrusted ? X509_verify_cert_error_string(untrusted)
			   : ended   ? CHANNEL_ENDED
				     : text;
	}
	return got;
}

static int bounded(size_t len)
{
	return len < 1 << 30 ? (int)len : 1 << 30;
}

ssize_t channel_read(struct channel *c, void *to, size_t len)
{
	ssize_t n;

	if (c->ssl) {
		ERR_clear_error();
		return judge(c, SSL_read(c->ssl, to, bounded(len)));
	}
	do {
		n = recv(c->fd, to, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return CHANNEL_LATER;
	return n > 0 ? n : CHANNEL_GONE;
}

/* Many short parts are one record: each costs a system call and 22 bytes. OpenSSL wants the bytes
 * again that it could not send, since it has them in a record already. */
static ssize_t write_record(struct channel *c, const struct iovec *parts, size_t n)
{
	char record[SSL3_RT_MAX_PLAIN_LENGTH];
	size_t len = 0, max = c->owed ? c->owed : sizeof record;

	for (size_t i = 0; i < n && len < max; i++) {
		size_t more = parts[i].iov_len < max - len ? parts[i].iov_len : max - len;

		memcpy(record + len, parts[i].iov_base, more);
		len += more;
	}
	ERR_clear_error();
	int sent = judge(c, SSL_write(c->ssl, record, (int)len));
	c->owed = sent == CHANNEL_LATER ? len : 0;
	return sent;
}

ssize_t channel_write(struct channel *c, const struct iovec *parts, size_t n)
{
	struct msghdr msg = {.msg_iov = (void *)(uintptr_t)parts, .msg_iovlen = n};
	ssize_t sent;

	if (c->ssl)
		return write_record(c, parts, n);
	do {
		sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return CHANNEL_LATER;
	return sent > 0 ? sent : CHANNEL_GONE;
}

short channel_events(const struct channel *c, short events)
{
	return c->wants ? c->wants : events;
}

bool channel_holds(const struct channel *c)
{
	return c->ssl && SSL_pending(c->ssl) > 0;
}
