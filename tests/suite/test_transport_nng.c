/* nng under the transports' contract, plain and with TLS; the other side is a plain subscriber of
 * all topics. What is nng's own is in tests/unit/test_nng.c. */
#include "tests/suite/transport_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/nng_child.h"
#include "tests/suite/nng_world.h"
#include "tests/suite/tls_files.h"
#include "transports/nng_frame.h"

struct far {
	char *folder, *url;
	bool tls;
	struct nng_child *child;
	size_t *events; /* which of the child's lines are no heartbeats */
	size_t n, cap, seen;
};

static void *far_open(bool hangs, char **ret_config)
{
	const char *tmp = getenv("TMPDIR");
	struct far *f = xcalloc(1, sizeof *f);

	assert_false(hangs);
	f->folder = xasprintf("%s/relay-nng-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->folder));
	f->url = xasprintf("ipc://%s/bus", f->folder);
	*ret_config = xasprintf("{listen: \"%s\"}", f->url);
	return f;
}

static void *far_open_tls(bool hangs, char **ret_config)
{
	struct far *f = far_open(hangs, ret_config);

	f->tls = true;
	free(f->url);
	free(*ret_config);
	tls_files_make(f->folder, "bus", (struct tls_days){0, 0});
	f->url = xasprintf("tls+tcp://localhost:%d", nng_world_port());
	*ret_config = xasprintf("{listen: \"%s\", cert_file: %s/bus.cert, key_file: %s/bus.key}",
				f->url, f->folder, f->folder);
	char *ca = tls_files_path(f->folder, "bus", "ca");
	setenv(NNG_CHILD_CA, ca, 1);
	free(ca);
	return f;
}

static void far_ready(void *far)
{
	struct far *f = far;

	f->child = nng_child_start((const char *const[]){"listen", f->url, "", NULL});
	nng_child_says(f->child, HEARTBEAT_TOPIC " {");
}

static void look(struct far *f)
{
	for (; f->seen < f->child->out.n; f->seen++) {
		if (!strncmp(f->child->out.v[f->seen], HEARTBEAT_TOPIC, strlen(HEARTBEAT_TOPIC)))
			continue;
		f->events = mem_grow(f->events, f->n, &f->cap, sizeof *f->events);
		f->events[f->n++] = f->seen;
	}
}

static size_t far_count(void *far, size_t n)
{
	struct far *f = far;
	int64_t end = clock_now().mono_ms + 10000;

	for (look(f); f->n < n && clock_now().mono_ms < end; look(f))
		nng_child_read(f->child, 20);
	return f->n;
}

static const char *far_body(void *far, size_t i)
{
	struct far *f = far;
	size_t at;

	look(f);
	const char *line = f->child->out.v[f->events[i]];
	assert_true(frame_split(line, strlen(line), &at));
	return line + at + 1;
}

static void far_close(void *far)
{
	struct far *f = far;
	char *path = xasprintf("%s/bus", f->folder);

	nng_child_free(f->child);
	unlink(path);
	if (f->tls) {
		unsetenv(NNG_CHILD_CA);
		tls_files_remove(f->folder, "bus");
	}
	assert_int_equal(rmdir(f->folder), 0);
	free(path);
	free(f->folder);
	free(f->url);
	free(f->events);
	free(f);
}

static const struct suite_transport under = {
	.type = &transport_nng,
	.far_open = far_open,
	.far_ready = far_ready,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.adds_to_body = true,
};

static const struct suite_transport under_tls = {
	.name = "nng with TLS",
	.type = &transport_nng,
	.far_open = far_open_tls,
	.far_ready = far_ready,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.adds_to_body = true,
};

int main(int argc, char **argv)
{
	nng_child_main(argc, argv);
	return transport_suite_run(&under) + transport_suite_run(&under_tls);
}
