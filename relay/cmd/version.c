/* relay version — this version, and what it was built with. */
#include <string.h>

#include "relay/admin/server.h"
#include "relay/base/json.h"
#include "relay/cmd/cmd.h"
#include "rules/pattern_regex.h"
#include "transports/nats_settings.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {FLAG_JSON_ONLY, {0}};

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "the version, and what is built in",
	.example = "  relay version",
	.flags = flags,
	.run = run,
};

static int run(const struct command *self, const struct args *a)
{
	(void)self;
	if (arg_given(a, "json")) {
		printf("{\"version\":\"%s\",\"transports\":[", RELAY_VERSION);
		for (size_t i = 0; transport_types[i]; i++)
			printf("%s\"%s\"", i ? "," : "", transport_types[i]->name);
		fputs("],\"journals\":[", stdout);
		for (size_t i = 0; store_types[i]; i++)
			printf("%s\"%s\"", i ? "," : "", store_types[i]->name);
		printf("],\"admin\":%s,\"regex\":%s,\"nats\":%s}\n",
		       server_is_built_in() ? "true" : "false",
		       regex_is_built_in() ? "true" : "false",
		       nats_is_built_in() ? "true" : "false");
		return EXIT_OK;
	}
	printf("relay %s\ntransports:", RELAY_VERSION);
	for (size_t i = 0; transport_types[i]; i++)
		printf(" %s", transport_types[i]->name);
	fputs("\njournals:", stdout);
	for (size_t i = 0; store_types[i]; i++)
		printf(" %s", store_types[i]->name);
	puts("");
	if (!server_is_built_in())
		puts("not built in: the admin API and relay receive (libmicrohttpd)");
	if (!regex_is_built_in())
		puts("not built in: regex in patterns (PCRE2)");
	if (!nats_is_built_in())
		puts("not built in: the nats transport (libnats)");
	return EXIT_OK;
}
