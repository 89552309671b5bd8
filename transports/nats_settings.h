/*
 * nats_settings — what a destination of kind `nats` is told in the configuration, checked once at
 * load. It needs no libnats, so that a build without it knows the settings, too.
 */
#ifndef RELAY_NATS_SETTINGS_H
#define RELAY_NATS_SETTINGS_H

#include "relay/config/option.h"

#define NATS_SERVERS_MAX 64

struct nats_settings {
	struct strings servers;
	char *subject, *stream;
	char *user, *password, *token, *credentials_file;
	char *ca_file, *cert_file, *key_file;
	bool insecure;
	int64_t connect_timeout_ms, timeout_ms;
};

extern const struct option nats_option_table[];
bool nats_is_built_in(void); /* else nobody can use them */

/* Adds a problem for each thing that does not go together; see transport_type's check. */
void nats_settings_check(const void *settings, const struct node *at, struct problems *p);

#endif
