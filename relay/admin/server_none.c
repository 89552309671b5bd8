/* Built where libmicrohttpd is missing: says so when asked for. */
#include "relay/admin/server.h"

bool server_is_built_in(void)
{
	return false;
}

struct server *server_open(const struct server_options *o, struct err *err)
{
	(void)o;
	err_set(err, ERR_USAGE, "not built in: this relay was built without libmicrohttpd");
	return NULL;
}

void server_reply_header(struct server_reply *r, const char *name, const char *value)
{
	(void)r;
	(void)name;
	(void)value;
}

const char *server_header(const struct server_request *r, const char *name)
{
	(void)r;
	(void)name;
	return NULL;
}

const char *server_parameter(const struct server_request *r, const char *name)
{
	(void)r;
	(void)name;
	return NULL;
}

void server_each_header(const struct server_request *r, server_header_fn *fn, void *arg)
{
	(void)r;
	(void)fn;
	(void)arg;
}

uint16_t server_port(const struct server *s)
{
	(void)s;
	return 0;
}

void server_close(struct server *s)
{
	(void)s;
}
