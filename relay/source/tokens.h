/*
 * tokens — by which name a list's following page is to be asked for. Some lists of the API give a
 * token for it with each page (pagination-next); who follows them gets what page numbers may not.
 */
#ifndef RELAY_TOKENS_H
#define RELAY_TOKENS_H

#include "relay/source/client.h"

struct token {
	uint64_t list;
	unsigned page; /* that it stands for */
	char *text;    /* owned */
};
struct tokens {
	struct token *v;
	size_t n, cap;
};

/* What is asked for but for the page: two requests of one list have one number. */
uint64_t tokens_list(const struct request *r);
/* NULL: there is none for this page. Borrowed until the list's next tokens_keep. */
const char *tokens_find(const struct tokens *t, uint64_t list, unsigned page);
/* A list has one, of the page behind the one read last. text is copied; NULL: forgets it. */
void tokens_keep(struct tokens *t, uint64_t list, unsigned page, const char *text);
void tokens_release(struct tokens *t); /* {0} is a valid empty one */

#endif
