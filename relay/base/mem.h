/*
 * mem — memory that is there or the process ends. Allocation failure aborts here, in one place,
 * with one line on stderr, so that no other code has a branch for it.
 */
#ifndef RELAY_MEM_H
#define RELAY_MEM_H

#include <stddef.h>

/* Release with free(). Contents: undefined, zero, kept. A size of 0 gives a valid pointer. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));

/* Zero, and beginning at a line of the processor's cache, so that what has the size of a line lies
 * in one. Release with free(). */
#define MEM_LINE 64
void *mem_lines(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* Copies; NULL stays NULL in xstrdup. xstrndup always ends in NUL, whatever the bytes are. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len) __attribute__((returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/*
 * Room for one more element behind `n` of `size` bytes each: doubles *cap when full and returns
 * the (moved) array. Use: list->v = mem_grow(list->v, list->n, &list->cap, sizeof *list->v);
 */
void *mem_grow(void *v, size_t n, size_t *cap, size_t size) __attribute__((returns_nonnull));

/* Once, before there are threads: what is large goes back to the system when it is freed. */
void mem_return_large(void);

#endif
