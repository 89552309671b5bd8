/* json_text — the bytes inside a JSON string: plain runs, UTF-8, escapes. Invariant: nothing here
 * reads beyond the end it was given. */
#include "relay/base/json_scan.h"

#include <endian.h>
#include <string.h>

#define EACH(byte) (0x0101010101010101ULL * (byte))

const char *json_plain(const char *p, const char *end)
{
	/* Eight bytes at a time; a byte's top bit is set where it is one we look for. A borrow can
	 * set it wrongly only above a true one, and the lowest is what counts. */
	while (end - p >= 8) {
		uint64_t word, quote, slash, hits;

		memcpy(&word, p, 8);
		word = le64toh(word);
		quote = word ^ EACH('"');
		slash = word ^ EACH('\\');
		hits = ((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash) |
		       ((word - EACH(0x20)) & ~word) | word;
		hits &= EACH(0x80);
		if (hits)
			return p + __builtin_ctzll(hits) / 8;
		p += 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
	       *p != '\\')
		p++;
	return p;
}

size_t utf8_step(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if ((size_t)(end - text) < len)
		return 0;

	if (p[0] == 0xe0) /* overlong below, surrogates in ed, nothing above U+10FFFF */
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		size_t step;

		s = json_plain(s, end);
		if (s == end)
			break;
		step = utf8_step(s, end);
		if (!step)
			return false;
		s += step;
	}
	return true;
}

int json_hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = (unsigned char)p[i];

		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value << 4 | c;
	}
	return value;
}

static char unescape_letter(char c)
{
	switch (c) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	default: return c;
	}
}

/* Writes a code point as UTF-8; the bytes written. */
static size_t put_utf8(char *ret, unsigned code)
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | code >> 6);
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | code >> 12);
		ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | code >> 18);
	ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

size_t json_unescape(char *ret, const char *raw, size_t len)
{
	const char *end = raw + len;
	size_t n = 0;

	while (raw < end) {
		unsigned code;

		if (*raw != '\\') {
			ret[n++] = *raw++;
			continue;
		}
		if (raw[1] != 'u') {
			ret[n++] = unescape_letter(raw[1]);
			raw += 2;
			continue;
		}
		code = (unsigned)json_hex4(raw + 2, end);
		raw += 6;
		if (code >= 0xd800 && code <= 0xdbff) {
			unsigned low = (unsigned)json_hex4(raw + 2, end);

			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			raw += 6;
		}
		n += put_utf8(ret + n, code);
	}
	return n;
}
