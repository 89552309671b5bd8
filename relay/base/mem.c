/* mem — allocation that succeeds or ends the process. Every product of sizes is checked for
 * overflow here, so no caller multiplies. */
#include "relay/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By itself the C library raises the first to the largest array that was ever freed, 32 MB at most,
 * and the second to twice that: then the arrays of a million rows, which grow by copies, lie in the
 * heap and leave holes there. Pages of the API are smaller: mapped anew for each, they would cost a
 * third more CPU. */
#define LARGE	 (1024 * 1024)
#define KEPT_TOP (1024 * 1024)

static _Noreturn void give_up(void)
{
	static const char line[] = "relay: out of memory\n";

	/* stdio may want memory of its own; and nothing is left to do if this fails. */
	ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
	(void)written;
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		give_up();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = n && size ? calloc(n, size) : calloc(1, 1);

	if (!p)
		give_up();
	return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		give_up();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		give_up();
	return p;
}

void *mem_lines(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - MEM_LINE)
		give_up();
	bytes = bytes / MEM_LINE * MEM_LINE + MEM_LINE; /* aligned_alloc wants whole lines */
	p = aligned_alloc(MEM_LINE, bytes);
	if (!p)
		give_up();
	memset(p, 0, bytes);
	return p;
}

char *xstrdup(const char *s)
{
	return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t len)
{
	if (len == SIZE_MAX)
		give_up();
	char *copy = xmalloc(len + 1);
	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	int len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		give_up();
	return text;
}

void *mem_grow(void *v, size_t n, size_t *cap, size_t size)
{
	if (v && n < *cap)
		return v;

	size_t more = *cap ? *cap : 4;
	if (__builtin_mul_overflow(more, 2, &more))
		give_up();
	v = xrealloc(v, more, size);
	*cap = more;
	return v;
}

void mem_return_large(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT_TOP);
}
