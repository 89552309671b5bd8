/* pem — see the header. Invariant: OpenSSL's queue of errors is empty before and after. */
#include "transports/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* Opened, since who may read it is not all that counts; a FIFO would hold us up. */
static int readable(const char *path, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 || fstat(fd, &st) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (error)
		return err_set(err, ERR_IO, "cannot be read: %s", strerror(error));
	return S_ISREG(st.st_mode) ? 0 : err_set(err, ERR_IO, "is not a file");
}

/* Else OpenSSL would ask for it on the terminal. */
static int no_password(char *ret, int size, int writing, void *arg)
{
	(void)ret, (void)size, (void)writing, (void)arg;
	return -1;
}

static int refuse(const char *what, struct err *err)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	return err_set(err, ERR_FORMAT, "holds no %s that can be used: %s", what,
		       why ? why : "nothing that it should hold");
}

static int load_ca(SSL_CTX *into, const char *path, struct err *err)
{
	if (readable(path, err) < 0)
		return -1;
	return SSL_CTX_load_verify_file(into, path) == 1 ? 0 : refuse("certificate (PEM)", err);
}

static int load_cert(SSL_CTX *into, const char *path, struct err *err)
{
	if (readable(path, err) < 0)
		return -1;
	return SSL_CTX_use_certificate_chain_file(into, path) == 1
		       ? 0
		       : refuse("certificate (PEM)", err);
}

static int load_key(SSL_CTX *into, const struct pem_files *files, struct err *err)
{
	if (readable(files->key, err) < 0)
		return -1;
	SSL_CTX_set_default_passwd_cb(into, no_password);
	if (SSL_CTX_use_PrivateKey_file(into, files->key, SSL_FILETYPE_PEM) != 1 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
		return refuse("key (PEM, without a password)", err);
	if (SSL_CTX_check_private_key(into) != 1)
		return err_set(err, ERR_FORMAT, "is not the key of %s", files->cert);
	return 0;
}

static int load(SSL_CTX *into, const struct pem_files *files, const char **ret_which,
		struct err *err)
{
	*ret_which = files->ca;
	if (files->ca && load_ca(into, files->ca, err) < 0)
		return -1;
	if (!files->cert || !files->key)
		return 0;
	*ret_which = files->cert;
	if (load_cert(into, files->cert, err) < 0)
		return -1;
	*ret_which = files->key;
	return load_key(into, files, err);
}

int pem_load(SSL_CTX *into, const struct pem_files *files, const char **ret_which, struct err *err)
{
	const char *which;

	ERR_clear_error();
	int failed = load(into, files, &which, err);
	ERR_clear_error();
	if (failed)
		*ret_which = which;
	return failed;
}

int pem_check(const struct pem_files *files, const char **ret_which, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int failed = ctx ? pem_load(ctx, files, ret_which, err) : 0; /* no memory: it shows later */

	SSL_CTX_free(ctx);
	ERR_clear_error();
	return failed;
}
