/* Blocks of IP addresses. Invariant: what is spelled differently but is the same address has the
 * same bytes. */
#include "rules/pattern_cidr.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_TEXT 40 /* eight groups of four digits, seven colons */

void addresses_clear_host(struct addresses *a)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = a->bits > i * 8 ? a->bits - i * 8 : 0;
		if (kept < 8)
			a->bytes[i] &= (uint8_t)(0xFF00U >> kept);
	}
}

bool addresses_one(struct addresses *ret, const char *text, size_t len)
{
	static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
	char copy[ADDRESS_TEXT];
	struct addresses a = {0};
	bool six = memchr(text, ':', len) != NULL;

	/* an IPv6 address with an IPv4 one at its end is none for EventBridge */
	if (len >= sizeof copy || (six && memchr(text, '.', len)))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) != len || inet_pton(six ? AF_INET6 : AF_INET, copy, a.bytes) != 1)
		return false;
	a.family = six ? 6 : 4;
	if (six && memcmp(a.bytes, mapped, sizeof mapped) == 0) {
		memmove(a.bytes, a.bytes + 12, 4);
		memset(a.bytes + 4, 0, 12);
		a.family = 4;
	}
	a.bits = a.family == 4 ? 32 : 128;
	*ret = a;
	return true;
}

static bool read_bits(unsigned *ret, const char *text, size_t len)
{
	unsigned bits = 0;

	if (!len || len > 3)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(text[i] - '0');
	}
	*ret = bits;
	return true;
}

int addresses_parse(struct addresses *ret, const char *text, size_t len, struct err *err)
{
	const char *slash = memchr(text, '/', len);
	struct addresses a;
	unsigned bits;

	if (!slash || !addresses_one(&a, text, (size_t)(slash - text)) ||
	    !read_bits(&bits, slash + 1, len - (size_t)(slash - text) - 1))
		return err_set(err, ERR_CONFIG,
			       "cidr takes a block such as 10.0.0.0/24 or 2001:db8::/32");
	if (bits >= a.bits)
		return err_set(err, ERR_CONFIG,
			       "an IPv%u block has at most %u bits; a single address is written as "
			       "a value, without cidr",
			       a.family, a.bits - 1);
	a.bits = bits;
	addresses_clear_host(&a);
	*ret = a;
	return 0;
}

bool addresses_hold(const struct addresses *block, const char *text, size_t len)
{
	struct addresses a;

	if (!addresses_one(&a, text, len) || a.family != block->family)
		return false;
	a.bits = block->bits;
	addresses_clear_host(&a);
	return memcmp(a.bytes, block->bytes, sizeof a.bytes) == 0;
}
