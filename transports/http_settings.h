/*
 * http_settings — what a destination of kind `http` is told in the configuration, checked once at
 * load. Shared by http*.c only.
 */
#ifndef RELAY_HTTP_SETTINGS_H
#define RELAY_HTTP_SETTINGS_H

#include "relay/base/address.h"
#include "relay/config/option.h"
#include "transports/transport.h"

#define HTTP_SECRETS_MAX 10 /* signatures of one callback; two are enough to rotate */
#define HTTP_HEADERS_MAX 64

struct http_settings {
	char *url;
	int method;
	const struct node *headers;			/* a map, or NULL */
	int format;					/* enum http_format */
	char *body, *body_file, *preset, *content_type; /* see http_content.h */
	const struct node *params;
	struct strings secret;
	char *bearer, *basic;
	const struct node *network;
	char *ca_file, *cert_file, *key_file, *proxy;
	bool insecure;
	int64_t connect_timeout_ms, timeout_ms;
};

extern const struct option http_option_table[];
extern const char *const http_methods[];

/* Adds a problem for each thing that does not go together; see transport_type's check. */
void http_settings_check(const void *settings, const struct node *at, struct problems *p);

/* The node of a setting, for the place of a problem; `at` itself when it came otherwise. */
const struct node *http_place(const struct node *at, const char *key);

/* `private`, `public`, or { allow: [...], deny: [...] }; NULL: private. The lists are yours to
 * release by network_policy_release, whatever problems were added. */
void http_network_read(const struct node *n, struct network_policy *ret, struct problems *p);

/* http_preview.c: see transport_type's preview. */
int http_preview(const void *settings, const struct parcel *parcel, struct transport_preview *ret,
		 struct err *err);

#endif
