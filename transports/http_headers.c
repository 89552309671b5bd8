/* http_headers — the header lines that are the same for every call of a destination, and the texts
 * that are secret in it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/mem.h"
#include "transports/http_parts.h"

#define MASK_MIN 4 /* a shorter secret would mask ordinary text */

static void add(struct strings *list, char *text)
{
	list->v = xrealloc(list->v, list->n + 1, sizeof *list->v);
	list->v[list->n++] = text;
}

void http_mask_add(struct http_self *h, const char *text)
{
	if (strlen(text) >= MASK_MIN)
		add(&h->masks, xstrdup(text));
}

static char *base64(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)text;
	size_t len = strlen(text);
	char *ret = xmalloc(4 * (len / 3 + 1) + 1), *out = ret;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			three |= in[i + 2];
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[three & 63] : '=';
	}
	*out = '\0';
	return ret;
}

static void add_authorization(struct http_self *h, const struct http_settings *s)
{
	if (s->bearer) {
		add(&h->headers, xasprintf("Authorization: Bearer %s", s->bearer));
		http_mask_add(h, s->bearer);
	}
	if (s->basic) {
		char *text = base64(s->basic);

		add(&h->headers, xasprintf("Authorization: Basic %s", text));
		http_mask_add(h, text);
		http_mask_add(h, s->basic);
		http_mask_add(h, strchr(s->basic, ':') ? strchr(s->basic, ':') + 1 : s->basic);
		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static void add_header(struct http_self *h, const struct node *n)
{
	const char *value = node_string(n);

	/* libcurl's spelling of a header without value */
	add(&h->headers, *value ? xasprintf("%s: %s", n->key, value) : xasprintf("%s;", n->key));
	if (n->secret || strcasecmp(n->key, "authorization") == 0)
		http_mask_add(h, value);
}

static void mask_params(struct http_self *h, const struct node *map)
{
	const struct http_params *params = &h->content.params;

	for (size_t i = 0; i < params->n; i++)
		if (http_param_is_secret(map, params, i))
			http_mask_add(h, params->values[i]);
}

void http_headers_add(struct http_self *h, const struct http_settings *s)
{
	bool agent = false;

	if (h->content.body)
		add(&h->headers, xasprintf("Content-Type: %s", h->content.type));
	else
		add(&h->headers, xasprintf("Content-Type: %s", http_format_types[h->format]));
	for (size_t i = 0; s->headers && i < s->headers->n; i++) {
		const struct node *n = s->headers->items[i];

		agent |= strcasecmp(n->key, "user-agent") == 0;
		if (!http_content_has_line(&h->content, n->key))
			add_header(h, n);
	}
	if (!agent)
		add(&h->headers, xstrdup("User-Agent: Relay/" RELAY_VERSION));
	add_authorization(h, s);
	mask_params(h, s->params);
}
