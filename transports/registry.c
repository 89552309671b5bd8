/* registry — the transports that are built in. A new one is one line here. */
#include "transports/transport.h"

#include <string.h>

const struct transport_type *const transport_types[] = {
	&transport_http,   /* calls */
	&transport_nats,   /* messages in a stream */
	&transport_nng,	   /* messages on a bus */
	&transport_stdout, /* lines of a file */
	NULL,
};

const struct transport_type *transport_find(const char *name)
{
	for (size_t i = 0; transport_types[i]; i++)
		if (strcmp(transport_types[i]->name, name) == 0)
			return transport_types[i];
	return NULL;
}

void transport_preview_release(struct transport_preview *v)
{
	buf_release(&v->url);
	buf_release(&v->headers);
	buf_release(&v->body);
}
