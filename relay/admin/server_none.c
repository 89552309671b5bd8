/* Built where libmicrohttpd is missing: says so when asked for. */
#include "relay/admin/server.h"

struct server *server_open(const struct server_options *o, struct err *err)
{
	(void)o;
	err_set(err, ERR_USAGE, "not built in: this relay was built without libmicrohttpd");
	return NULL;
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

uint16_t server_port(const struct server *s)
{
	(void)s;
	return 0;
}

void server_close(struct server *s)
{
	(void)s;
}
