/* The `admin:` section. Invariant: what `on` is true for has an address that may be listened on. */
#include <string.h>

#include "relay/admin/admin.h"
#include "relay/admin/listen.h"
#include "relay/admin/server.h"
#include "relay/base/address.h"

const struct option admin_option_table[] = {
	{"listen", OPT_STRING, offsetof(struct admin_options, listen), .preset = "127.0.0.1:8077",
	 .help = "IP address and port of health, metrics and status"},
	{"token_file", OPT_PATH, offsetof(struct admin_options, token_file),
	 .help = "holds the token that clients send; made when missing; default: the journal's "
		 "name and .token"},
	{"hosts", OPT_STRINGS, offsetof(struct admin_options, hosts),
	 .help = "names by which clients may call it, besides localhost and IP addresses it "
		 "listens on"},
	{"insecure", OPT_BOOL, offsetof(struct admin_options, insecure), .preset = "false",
	 .help = "allow an address other machines can reach: without TLS, the token goes in the "
		 "clear"},
	{0},
};

static void check_address(struct admin_options *o, const struct node *at, struct problems *p)
{
	struct err err = {0};

	if (listen_parse(o->listen, &o->address, &err) < 0) {
		problem_at(p, at, "%s", err.msg);
		return;
	}
	o->on = true;
	if (address_is_loopback((struct sockaddr *)&o->address) || o->insecure)
		return;
	problem_at(p, at,
		   "%s can be reached from other machines, unencrypted; listen on 127.0.0.1 behind "
		   "a proxy with TLS, or add \"insecure: true\"",
		   o->listen);
}

void admin_options_read(struct admin_options *ret, const struct node *node, struct problems *p)
{
	bool word = false;
	bool is_word = node && node->kind == NODE_SCALAR && node_bool(node, &word);

	if (!node || (is_word && !word))
		return;
	size_t before = problems_count(p);
	options_read(admin_option_table, is_word ? NULL : node, ret, p);
	const struct node *listen = node_get(node, "listen");
	if (problems_count(p) == before)
		check_address(ret, listen ? listen : node, p);
	if (ret->on && !server_is_built_in())
		problem_warn(p, node, "no port is opened: libmicrohttpd is not built in");
}

void admin_options_release(struct admin_options *o)
{
	options_release(admin_option_table, o);
}
