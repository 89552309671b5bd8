/* hash — XXH3 with seed 0. The values are written to journals and into event ids, so neither the
 * function nor the order of the canonical text may ever change. */
#include "relay/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}

struct hash128 hash128(const void *bytes, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(bytes, len);

	return (struct hash128){.low = h.low64, .high = h.high64};
}

static void put_hex(char *ret, uint64_t value)
{
	for (int i = 15; i >= 0; i--) {
		ret[i] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

void hash128_hex(char ret[33], struct hash128 h)
{
	put_hex(ret, h.high);
	put_hex(ret + 16, h.low);
	ret[32] = '\0';
}

/* Capitals are no canonical text: one value keeps one spelling. */
static bool take_hex(const char *hex, uint64_t *ret)
{
	uint64_t value = 0;

	for (int i = 0; i < 16; i++) {
		unsigned digit;
		if (hex[i] >= '0' && hex[i] <= '9')
			digit = (unsigned)(hex[i] - '0');
		else if (hex[i] >= 'a' && hex[i] <= 'f')
			digit = (unsigned)(hex[i] - 'a') + 10;
		else
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return true;
}

bool hash128_unhex(const char hex[32], struct hash128 *ret)
{
	struct hash128 h;

	if (!take_hex(hex, &h.high) || !take_hex(hex + 16, &h.low))
		return false;
	*ret = h;
	return true;
}
