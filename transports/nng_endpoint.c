/* nng_endpoint — files to nng's TLS configurations. Invariant: an address without TLS takes nothing
 * from them, one with TLS never does without. */
#include "transports/nng_endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nng/supplemental/tls/tls.h>

#include "relay/base/mem.h"
#include "transports/nng_address.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define FILE_MAX  (4 << 20) /* the system's authorities are 220 KB */

/* ---- files ---- */

/* Up to len bytes, fewer when the file ends before. -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, to + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* NULL with err. */
static char *read_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t len = -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		err_set(err, ERR_IO, "%s: a file of at most %d bytes is expected", path, FILE_MAX);
	} else {
		text = xcalloc((size_t)st.st_size + 1, 1);
		len = read_all(fd, text, (size_t)st.st_size);
		if (len < 0)
			err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (len >= 0)
		return text;
	free(text);
	return NULL;
}

/* ---- configurations ---- */

static int trust_ca(nng_tls_config *config, const char *path, struct err *err)
{
	char *ca = read_file(path, err);

	if (!ca)
		return -1;
	int rv = nng_tls_config_ca_chain(config, ca, NULL);
	free(ca);
	if (rv != 0)
		return err_set(err, ERR_FORMAT, "%s: nng finds no certificates (PEM) in it: %s",
			       path, nng_strerror(rv));
	return 0;
}

static int show_cert(nng_tls_config *config, const struct pem_files *files, struct err *err)
{
	char *cert = read_file(files->cert, err);
	char *key = cert ? read_file(files->key, err) : NULL;
	int failed = key ? 0 : -1;

	if (!failed) {
		int rv = nng_tls_config_own_cert(config, cert, key, NULL);
		if (rv != 0)
			failed = err_set(err, ERR_FORMAT,
					 "%s and %s: a certificate and its RSA or ECDSA key (PEM, "
					 "without a password) are expected: %s",
					 files->cert, files->key, nng_strerror(rv));
	}
	free(cert);
	forget(key);
	return failed;
}

static int fill(nng_tls_config *config, const struct pem_files *files, struct err *err)
{
	if (files->ca && trust_ca(config, files->ca, err) < 0)
		return -1;
	return files->cert ? show_cert(config, files, err) : 0;
}

static int new_config(nng_tls_config **ret, nng_tls_mode mode, struct err *err)
{
	int rv = nng_tls_config_alloc(ret, mode);

	return rv ? err_set(err, ERR_NET, "nng has no TLS: %s", nng_strerror(rv)) : 0;
}

/* ---- listeners ---- */

static int secure_listener(nng_listener listener, const struct pem_files *files, struct err *err)
{
	nng_tls_config *config;
	int rv = 0;

	if (new_config(&config, NNG_TLS_MODE_SERVER, err) < 0)
		return -1;
	int failed = fill(config, files, err);
	if (!failed && files->ca)
		rv = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
	if (!failed && rv == 0)
		rv = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config);
	if (rv != 0)
		failed = err_set(err, ERR_NET, "TLS: %s", nng_strerror(rv));
	nng_tls_config_free(config); /* the listener has a hold of its own */
	return failed;
}

int endpoint_listen(nng_socket socket, const char *url, const struct pem_files *files,
		    struct err *err)
{
	nng_listener listener;
	int failed = 0, rv = nng_listener_create(&listener, socket, url);

	if (rv != 0)
		return err_set(err, ERR_NET, "listen on %s: %s", url, nng_strerror(rv));
	if (nng_address_is_tls(url))
		failed = secure_listener(listener, files, err);
	if (!failed) {
		rv = nng_listener_start(listener, 0);
		failed = rv ? err_set(err, ERR_NET, "%s", nng_strerror(rv)) : 0;
	}
	if (!failed)
		return 0;
	nng_listener_close(listener);
	return err_wrap(err, "listen on %s", url);
}

/* ---- dialers ---- */

static int name_server(nng_tls_config *config, const char *url, const char *name, struct err *err)
{
	nng_url *parts;
	int rv = nng_url_parse(&parts, url);

	if (rv == 0) {
		rv = nng_tls_config_server_name(config, name ? name : parts->u_hostname);
		nng_url_free(parts);
	}
	return rv ? err_set(err, ERR_NET, "%s: %s", url, nng_strerror(rv)) : 0;
}

static int secure_dialer(nng_dialer dialer, const char *url, const struct endpoint_trust *trust,
			 struct err *err)
{
	struct pem_files files = trust->files;
	nng_tls_config *config;

	if (!files.ca)
		files.ca = SYSTEM_CA;
	if (new_config(&config, NNG_TLS_MODE_CLIENT, err) < 0)
		return -1;
	int failed = fill(config, &files, err);
	if (!failed)
		failed = name_server(config, url, trust->server_name, err);
	if (!failed) {
		int rv = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
		if (rv == 0)
			rv = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
		if (rv != 0)
			failed = err_set(err, ERR_NET, "%s: TLS: %s", url, nng_strerror(rv));
	}
	nng_tls_config_free(config);
	return failed;
}

int endpoint_dial(nng_socket socket, const char *url, const struct endpoint_trust *trust,
		  struct endpoint *ret, struct err *err)
{
	nng_dialer dialer;
	int rv = nng_dialer_create(&dialer, socket, url);

	if (rv == 0 && nng_address_is_tls(url) && secure_dialer(dialer, url, trust, err) < 0)
		return -1;
	if (rv == 0)
		rv = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
	if (rv != 0)
		return err_set(err, ERR_NET, "%s: %s", url, nng_strerror(rv));
	*ret = (struct endpoint){.url = xstrdup(url), .dialer = dialer};
	return 0;
}

/* nng's counts of dials that failed, by their names, and what each of them says. */
static const struct cause {
	const char *stat, *plain, *tls;
} causes[ENDPOINT_CAUSES] = {
	{"auth", "it lets nobody in",
	 "the TLS handshake fails: its certificate is not trusted or is for another name, or it "
	 "refuses ours"},
	/* so does nng's own listener that wants another certificate */
	{"other", "there is no such host or port",
	 "there is no such host or port, or it ends the TLS handshake, as one does that wants "
	 "another certificate of us, or one at all"},
	/* nng takes HTTP's 404 for this, too */
	{"refused", "the connection is refused, or nothing has this path there",
	 "the connection is refused, or nothing has this path there"},
	{"disconnect", "the connection ended", "the connection ended"},
	{"proto", "what answers there is another kind of address",
	 "what answers there is another kind of address"},
	{"timeout", ENDPOINT_UNANSWERED, ENDPOINT_UNANSWERED},
};

static uint64_t count(nng_stat *of, const char *name)
{
	nng_stat *one = of ? nng_stat_find(of, name) : NULL;

	return one ? nng_stat_value(one) : 0;
}

static void look(struct endpoint *e, nng_stat *own)
{
	bool tls = nng_address_is_tls(e->url);

	for (size_t i = 0; i < ENDPOINT_CAUSES; i++) {
		uint64_t failed = count(own, causes[i].stat);
		if (failed > e->failed[i])
			e->trouble = tls ? causes[i].tls : causes[i].plain;
		e->failed[i] = failed;
	}
	e->made |= count(own, "connect") > 0;
	if (count(own, "pipes") > 0)
		e->trouble = NULL;
	else if (!e->trouble)
		e->trouble = ENDPOINT_UNANSWERED;
}

void endpoint_look(struct endpoint *e)
{
	nng_stat *all;

	if (nng_stats_get(&all) != 0)
		return;
	look(e, nng_stat_find_dialer(all, e->dialer));
	nng_stats_free(all);
}
