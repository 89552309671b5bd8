/* nats under the transports' contract; the other side is a stream of a real server. What is its own
 * is in test_nats_trouble.c and test_nats_identity.c. */
#include "tests/suite/transport_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "tests/suite/nats_far.h"

struct far {
	struct nats_far *server;
	char *body;
};

static void *far_open(bool hangs, char **ret_config)
{
	struct far *f = xcalloc(1, sizeof *f);

	f->server = nats_far_new();
	nats_far_start(f->server, NULL);
	nats_far_stream(f->server, "RELAY", "relay.>", 0);
	if (hangs)
		nats_far_stop(f->server);
	*ret_config = xasprintf("{servers: \"%s\"}", f->server->url);
	return f;
}

static size_t far_count(void *far, size_t n)
{
	return nats_far_count(((struct far *)far)->server, "RELAY", n);
}

static const char *far_body(void *far, size_t i)
{
	struct far *f = far;
	natsMsg *msg = nats_far_message(f->server, "RELAY", i + 1);

	free(f->body);
	f->body = xstrndup(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	return f->body;
}

static void far_close(void *far)
{
	struct far *f = far;

	nats_far_free(f->server);
	free(f->body);
	free(f);
}

static const struct suite_transport under = {
	.type = &transport_nats,
	.far_open = far_open,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.can_hang = true,
};

int main(void)
{
	return transport_suite_run(&under);
}
