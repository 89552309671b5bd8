/* mask — see the header. */
#include "relay/cmd/mask.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/cmd/input.h"

#define MASK_MIN 4	    /* a shorter secret would mask ordinary text */
#define FILE_MAX (64 << 10) /* a longer one is no secret but a template or a certificate */

static void add(struct strings *masks, const char *text, size_t len)
{
	if (len < MASK_MIN)
		return;
	masks->v = xrealloc(masks->v, masks->n + 1, sizeof *masks->v);
	masks->v[masks->n++] = xstrndup(text, len);
}

/* Without the final newline, as it is read for its setting. */
static void add_file(struct strings *masks, const struct node *n)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct err unreadable = {0}; /* which is told where it is needed */
	char *path = node_resolve_path(n, node_string(n));
	if (input_read(&text, path, &unreadable) == 0)
		add(masks, text.data, text.len - (text.len && text.data[text.len - 1] == '\n'));
	if (text.cap)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	free(path);
}

static bool names_secret_file(const struct node *n)
{
	size_t len = n->key ? strlen(n->key) : 0;
	return len > 5 && !strcmp(n->key + len - 5, "_file") && strcmp(n->key, "body_file") != 0;
}

void mask_collect(struct strings *ret, const struct node *n)
{
	if (n->kind == NODE_SCALAR && n->secret)
		add(ret, n->text, n->len);
	else if (n->kind == NODE_SCALAR && names_secret_file(n))
		add_file(ret, n);
	for (size_t i = 0; i < n->n; i++)
		mask_collect(ret, n->items[i]);
}

void mask_release(struct strings *masks)
{
	for (size_t i = 0; i < masks->n; i++) {
		explicit_bzero(masks->v[i], strlen(masks->v[i]));
		free(masks->v[i]);
	}
	free(masks->v);
	*masks = (struct strings){0};
}

/* The length of the longest that begins here; 0: none does. */
static size_t masked(const struct strings *masks, const char *text)
{
	size_t longest = 0;
	for (size_t i = 0; i < masks->n; i++) {
		size_t len = strlen(masks->v[i]);
		if (len > longest && strncmp(text, masks->v[i], len) == 0)
			longest = len;
	}
	return longest;
}

void mask_text(struct buf *out, const struct strings *masks, const char *text)
{
	while (*text && !out->full) {
		size_t len = masked(masks, text);
		if (len)
			buf_adds(out, "***");
		else
			buf_addc(out, *text);
		text += len ? len : 1;
	}
}

void mask_url(struct buf *out, const struct strings *masks, const char *url)
{
	const char *host = strstr(url, "://");
	bool secret = false;
	for (const char *at = url; *at && !secret; at++)
		secret = masked(masks, at) > 0;
	if (!secret || !host)
		buf_adds(out, secret ? "***" : url);
	else
		buf_addf(out, "%.*s/***", (int)(host + 3 + strcspn(host + 3, "/?#") - url), url);
}
