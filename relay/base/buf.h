/*
 * buf — bytes that grow up to a ceiling given at the start.
 *
 * `data` is never NULL after BUF_INIT and always has a NUL behind `len` bytes. When an addition
 * would pass the ceiling nothing of it is added, `full` is set, and until buf_clear nothing more
 * is added; so text is built without a check per line and `full` is tested once at the end.
 */
#ifndef RELAY_BUF_H
#define RELAY_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* owned by the buf when cap > 0 */
	size_t len, cap;
	size_t max; /* len never exceeds it */
	bool full;
};

extern char buf_empty[1]; /* what an empty buf points at; never written */

#define BUF_INIT(ceiling)                                                                          \
	{                                                                                          \
		.data = buf_empty, .max = (ceiling)                                                \
	}

void buf_init(struct buf *b, size_t ceiling);
void buf_release(struct buf *b); /* frees; the buf is empty and usable again. NULL is allowed */
void buf_clear(struct buf *b);	 /* keeps the memory */
char *buf_detach(struct buf *b); /* you own the NUL-terminated bytes; the buf is empty again */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addi(struct buf *b, long long n); /* decimal, without a locale */
void buf_truncate(struct buf *b, size_t len);

#endif
