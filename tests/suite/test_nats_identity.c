/* nats with a real server that asks who we are: user and password, token, certificates of both
 * sides. Made with openssl for one run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/suite/nats_far.h"
#include "tests/suite/nats_rig.h"
#include "tests/suite/store_fixture.h"

/* ---- certificates ---- */

static void run(const char *const *argv)
{
	int status, pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* NAME.pem and NAME.key in the folder; `by`: its authority, NULL for one of itself. */
static void certify(const char *folder, const char *name, const char *by, const char *alt)
{
	char *out = xasprintf("%s/%s.pem", folder, name);
	char *key = xasprintf("%s/%s.key", folder, name);
	char *subject = xasprintf("/CN=%s", name);
	char *names = xasprintf("subjectAltName=%s", alt ? alt : "DNS:none.example.com");
	char *ca = xasprintf("%s/%s.pem", folder, by ? by : name);
	char *ca_key = xasprintf("%s/%s.key", folder, by ? by : name);
	const char *argv[] = {"openssl",
			      "req",
			      "-x509",
			      "-newkey",
			      "ec",
			      "-pkeyopt",
			      "ec_paramgen_curve:prime256v1",
			      "-nodes",
			      "-days",
			      "2",
			      "-subj",
			      subject,
			      "-addext",
			      names,
			      "-out",
			      out,
			      "-keyout",
			      key,
			      by ? "-CA" : NULL,
			      ca,
			      "-CAkey",
			      ca_key,
			      "-addext",
			      "basicConstraints=critical,CA:FALSE",
			      NULL};

	run(argv);
	free(out);
	free(key);
	free(subject);
	free(names);
	free(ca);
	free(ca_key);
}

struct world {
	char *folder;
	struct nats_far *far;
	struct nats_rig *rig;
};

static struct world world_new(void)
{
	struct world w = {fixture_folder(), nats_far_new(), nats_rig_new(1)};

	certify(w.folder, "ca", NULL, NULL);
	certify(w.folder, "server", "ca", "IP:127.0.0.1");
	certify(w.folder, "elsewhere", "ca", "DNS:nats.example.com");
	certify(w.folder, "client", "ca", "DNS:relay");
	certify(w.folder, "stranger", NULL, "DNS:relay");
	return w;
}

static void world_end(struct world *w)
{
	nats_rig_free(w->rig);
	nats_far_free(w->far);
	fixture_remove(w->folder);
}

/* ---- attempts ---- */

/* %1$s: the world's folder. */
struct trial {
	const char *scheme, *settings;
	const char *why; /* NULL: the event is taken */
};

static void try(struct world *w, const struct trial *a)
{
	char *settings = xasprintf(a->settings, w->folder);
	const struct sent *s = &w->rig->v[0];

	nats_rig_open(w->rig, xasprintf("servers: \"%s://127.0.0.1:%d\"\n%s", a->scheme,
					w->far->port, settings));
	if (w->rig->n)
		nats_rig_repeat(w->rig, 0);
	else
		nats_rig_one(w->rig, 0);
	nats_rig_close(w->rig);
	if (!a->why && s->outcome.verdict != SENT)
		fail_msg("%s: %s", a->settings, s->why);
	if (a->why && (s->outcome.verdict != TRY_AGAIN || !s->outcome.no_connection ||
		       !strstr(s->why, a->why)))
		fail_msg("%s: verdict %d: %s", a->settings, (int)s->outcome.verdict, s->why);
	assert_null(strstr(s->why, "hush"));
	free(settings);
}

static void put(const struct world *w, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", w->folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
	free(path);
}

static void a_password_or_token_is_shown(void **state)
{
	static const struct trial with_password[] = {
		{"nats", "user: relay\npassword: hush-now", NULL},
		{"nats", "user: relay\npassword_file: %1$s/secret", NULL},
		{"nats", "user: relay\npassword: hush-later", "Authorization Violation"},
		{"nats", "token: hush-now", "Authorization Violation"},
		{"nats", "", "Authorization Violation"},
		{"tls", "user: relay\npassword: hush-now", ""},
	};
	static const struct trial with_token[] = {
		{"nats", "token: hush-now", NULL},
		{"nats", "token_file: %1$s/secret", NULL},
		{"nats", "token: hush", "Authorization Violation"},
	};
	struct world w = world_new();

	(void)state;
	put(&w, "secret", "hush-now\n");
	nats_far_start(w.far, "authorization { user: relay, password: \"hush-now\" }");
	natsOptions_SetUserInfo(w.far->options, "relay", "hush-now");
	nats_far_stream(w.far, "RELAY", "relay.>", 0);
	for (size_t i = 0; i < sizeof with_password / sizeof *with_password; i++)
		try(&w, &with_password[i]);
	nats_far_kill(w.far, SIGTERM);
	nats_far_start(w.far, "authorization { token: \"hush-now\" }");
	for (size_t i = 0; i < sizeof with_token / sizeof *with_token; i++)
		try(&w, &with_token[i]);
	world_end(&w);
}

static void start_tls(struct world *w, const char *certificate, bool mutual)
{
	char *extra = xasprintf("tls { cert_file: \"%1$s/%2$s.pem\", key_file: \"%1$s/%2$s.key\", "
				"ca_file: \"%1$s/ca.pem\", verify: %3$s }",
				w->folder, certificate, mutual ? "true" : "false");
	char *ca = xasprintf("%s/ca.pem", w->folder);
	char *own = xasprintf("%s/client.pem", w->folder);
	char *key = xasprintf("%s/client.key", w->folder);

	nats_far_start(w->far, extra);
	natsOptions_SetSecure(w->far->options, true);
	natsOptions_LoadCATrustedCertificates(w->far->options, ca);
	natsOptions_LoadCertificatesChain(w->far->options, own, key);
	free(extra);
	free(ca);
	free(own);
	free(key);
}

static void certificates_are_verified(void **state)
{
	static const struct trial plain[] = {
		{"tls", "ca_file: %1$s/ca.pem", NULL},
		{"tls", "ca_file: %1$s/stranger.pem", "SSL handshake error"},
		{"tls", "", "SSL handshake error"},
		/* a server that wants TLS gets it, and is verified */
		{"nats", "", "SSL handshake error"},
	};
	static const struct trial wrong_name = {"tls", "ca_file: %1$s/ca.pem", "mismatch"};
	static const struct trial mutual[] = {
		{"tls",
		 "ca_file: %1$s/ca.pem\ncert_file: %1$s/client.pem\nkey_file: %1$s/client.key",
		 NULL},
		{"tls", "ca_file: %1$s/ca.pem", "127.0.0.1:"},
		{"tls",
		 "ca_file: %1$s/ca.pem\ncert_file: %1$s/stranger.pem\nkey_file: %1$s/stranger.key",
		 "127.0.0.1:"},
	};
	struct world w = world_new();

	(void)state;
	start_tls(&w, "server", false);
	nats_far_stream(w.far, "RELAY", "relay.>", 0);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		try(&w, &plain[i]);
	nats_far_kill(w.far, SIGTERM);
	start_tls(&w, "elsewhere", false);
	try(&w, &wrong_name);
	nats_far_kill(w.far, SIGTERM);
	start_tls(&w, "server", true);
	for (size_t i = 0; i < sizeof mutual / sizeof *mutual; i++)
		try(&w, &mutual[i]);
	assert_int_equal(nats_far_count(w.far, "RELAY", 1), 1);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_or_token_is_shown),
		cmocka_unit_test(certificates_are_verified),
	};

	return cmocka_run_group_tests_name("nats: who we are", tests, NULL, NULL);
}
