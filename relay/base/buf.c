/* buf — bytes that grow up to a ceiling. Invariant: data[len] is NUL, len <= max, and a buf that
 * owns nothing (cap 0) points at buf_empty and has len 0. */
#include "relay/base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

char buf_empty[1];

#define FIRST_CAP 64 /* most texts outgrow less at once */

/* Room for more bytes and the NUL; false, and full, when that would pass the ceiling. */
static bool reserve(struct buf *b, size_t more)
{
	if (b->full || more > b->max - b->len) {
		b->full = true;
		return false;
	}
	if (b->cap - b->len > more)
		return true;

	size_t need = b->len + more + 1;
	size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	if (cap > b->max && b->max < SIZE_MAX)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	b->data = xrealloc(b->cap ? b->data : NULL, cap, 1);
	b->cap = cap;
	return true;
}

void buf_init(struct buf *b, size_t ceiling)
{
	*b = (struct buf)BUF_INIT(ceiling);
}

void buf_release(struct buf *b)
{
	if (!b)
		return;
	if (b->cap)
		free(b->data);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	buf_truncate(b, 0);
	b->full = false;
}

char *buf_detach(struct buf *b)
{
	char *data = b->cap ? b->data : xstrdup("");

	buf_init(b, b->max);
	return data;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (len == 0 || !reserve(b, len))
		return;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	char first[256]; /* what nearly all texts fit in, so that they are formatted once */
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(first, sizeof first, fmt, args);
	va_end(args);
	assert(len >= 0);
	if ((size_t)len < sizeof first) {
		buf_add(b, first, (size_t)len);
	} else if (reserve(b, (size_t)len)) {
		va_start(args, fmt);
		vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
		va_end(args);
		b->len += (size_t)len;
	}
}

void buf_addi(struct buf *b, long long n)
{
	char digits[24]; /* 64 bits take 20 with the sign */
	size_t at = sizeof digits;
	unsigned long long rest = n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (n < 0)
		digits[--at] = '-';
	buf_add(b, digits + at, sizeof digits - at);
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}
