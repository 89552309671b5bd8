/*
 * Upper and lower letters as ranges of the Unicode Character Database, version 14. Invariant: the
 * table is ascending, and holds only pairs whose two forms lead back to each other.
 */
#include "rules/pattern_fold.h"

#include <stdint.h>
#include <string.h>

struct letters { /* upper ones: first, first + step … last; each with its lower one `by` further */
	uint16_t first, last, step;
	int32_t by;
};

/* clang-format off */
static const struct letters ranges[] = {
	{'A', 'Z', 1, 32},
	{0x00C0, 0x00D6, 1, 32}, {0x00D8, 0x00DE, 1, 32}, {0x0100, 0x012E, 2, 1},
	{0x0132, 0x0136, 2, 1}, {0x0139, 0x0147, 2, 1}, {0x014A, 0x0176, 2, 1},
	{0x0178, 0x0178, 1, -121}, {0x0179, 0x017D, 2, 1}, {0x0181, 0x0181, 1, 210},
	{0x0182, 0x0184, 2, 1}, {0x0186, 0x0186, 1, 206}, {0x0187, 0x0187, 1, 1},
	{0x0189, 0x018A, 1, 205}, {0x018B, 0x018B, 1, 1}, {0x018E, 0x018E, 1, 79},
	{0x018F, 0x018F, 1, 202}, {0x0190, 0x0190, 1, 203}, {0x0191, 0x0191, 1, 1},
	{0x0193, 0x0193, 1, 205}, {0x0194, 0x0194, 1, 207}, {0x0196, 0x0196, 1, 211},
	{0x0197, 0x0197, 1, 209}, {0x0198, 0x0198, 1, 1}, {0x019C, 0x019C, 1, 211},
	{0x019D, 0x019D, 1, 213}, {0x019F, 0x019F, 1, 214}, {0x01A0, 0x01A4, 2, 1},
	{0x01A6, 0x01A6, 1, 218}, {0x01A7, 0x01A7, 1, 1}, {0x01A9, 0x01A9, 1, 218},
	{0x01AC, 0x01AC, 1, 1}, {0x01AE, 0x01AE, 1, 218}, {0x01AF, 0x01AF, 1, 1},
	{0x01B1, 0x01B2, 1, 217}, {0x01B3, 0x01B5, 2, 1}, {0x01B7, 0x01B7, 1, 219},
	{0x01B8, 0x01B8, 1, 1}, {0x01BC, 0x01BC, 1, 1}, {0x01C4, 0x01C4, 1, 2},
	{0x01C7, 0x01C7, 1, 2}, {0x01CA, 0x01CA, 1, 2}, {0x01CD, 0x01DB, 2, 1},
	{0x01DE, 0x01EE, 2, 1}, {0x01F1, 0x01F1, 1, 2}, {0x01F4, 0x01F4, 1, 1},
	{0x01F6, 0x01F6, 1, -97}, {0x01F7, 0x01F7, 1, -56}, {0x01F8, 0x021E, 2, 1},
	{0x0220, 0x0220, 1, -130}, {0x0222, 0x0232, 2, 1}, {0x023A, 0x023A, 1, 10795},
	{0x023B, 0x023B, 1, 1}, {0x023D, 0x023D, 1, -163}, {0x023E, 0x023E, 1, 10792},
	{0x0241, 0x0241, 1, 1}, {0x0243, 0x0243, 1, -195}, {0x0244, 0x0244, 1, 69},
	{0x0245, 0x0245, 1, 71}, {0x0246, 0x024E, 2, 1}, {0x0370, 0x0372, 2, 1},
	{0x0376, 0x0376, 1, 1}, {0x037F, 0x037F, 1, 116}, {0x0386, 0x0386, 1, 38},
	{0x0388, 0x038A, 1, 37}, {0x038C, 0x038C, 1, 64}, {0x038E, 0x038F, 1, 63},
	{0x0391, 0x03A1, 1, 32}, {0x03A3, 0x03AB, 1, 32}, {0x03CF, 0x03CF, 1, 8},
	{0x03D8, 0x03EE, 2, 1}, {0x03F7, 0x03F7, 1, 1}, {0x03F9, 0x03F9, 1, -7},
	{0x03FA, 0x03FA, 1, 1}, {0x03FD, 0x03FF, 1, -130}, {0x0400, 0x040F, 1, 80},
	{0x0410, 0x042F, 1, 32}, {0x0460, 0x0480, 2, 1}, {0x048A, 0x04BE, 2, 1},
	{0x04C0, 0x04C0, 1, 15}, {0x04C1, 0x04CD, 2, 1}, {0x04D0, 0x052E, 2, 1},
	{0x0531, 0x0556, 1, 48}, {0x10A0, 0x10C5, 1, 7264}, {0x10C7, 0x10C7, 1, 7264},
	{0x10CD, 0x10CD, 1, 7264}, {0x13A0, 0x13EF, 1, 38864}, {0x13F0, 0x13F5, 1, 8},
	{0x1C90, 0x1CBA, 1, -3008}, {0x1CBD, 0x1CBF, 1, -3008}, {0x1E00, 0x1E94, 2, 1},
	{0x1EA0, 0x1EFE, 2, 1}, {0x1F08, 0x1F0F, 1, -8}, {0x1F18, 0x1F1D, 1, -8},
	{0x1F28, 0x1F2F, 1, -8}, {0x1F38, 0x1F3F, 1, -8}, {0x1F48, 0x1F4D, 1, -8},
	{0x1F59, 0x1F5F, 2, -8}, {0x1F68, 0x1F6F, 1, -8}, {0x1FB8, 0x1FB9, 1, -8},
	{0x1FBA, 0x1FBB, 1, -74}, {0x1FC8, 0x1FCB, 1, -86}, {0x1FD8, 0x1FD9, 1, -8},
	{0x1FDA, 0x1FDB, 1, -100}, {0x1FE8, 0x1FE9, 1, -8}, {0x1FEA, 0x1FEB, 1, -112},
	{0x1FEC, 0x1FEC, 1, -7}, {0x1FF8, 0x1FF9, 1, -128}, {0x1FFA, 0x1FFB, 1, -126},
	{0x2132, 0x2132, 1, 28}, {0x2160, 0x216F, 1, 16}, {0x2183, 0x2183, 1, 1},
	{0x24B6, 0x24CF, 1, 26}, {0x2C00, 0x2C2F, 1, 48}, {0x2C60, 0x2C60, 1, 1},
	{0x2C62, 0x2C62, 1, -10743}, {0x2C63, 0x2C63, 1, -3814}, {0x2C64, 0x2C64, 1, -10727},
	{0x2C67, 0x2C6B, 2, 1}, {0x2C6D, 0x2C6D, 1, -10780}, {0x2C6E, 0x2C6E, 1, -10749},
	{0x2C6F, 0x2C6F, 1, -10783}, {0x2C70, 0x2C70, 1, -10782}, {0x2C72, 0x2C72, 1, 1},
	{0x2C75, 0x2C75, 1, 1}, {0x2C7E, 0x2C7F, 1, -10815}, {0x2C80, 0x2CE2, 2, 1},
	{0x2CEB, 0x2CED, 2, 1}, {0x2CF2, 0x2CF2, 1, 1}, {0xA640, 0xA66C, 2, 1},
	{0xA680, 0xA69A, 2, 1}, {0xA722, 0xA72E, 2, 1}, {0xA732, 0xA76E, 2, 1},
	{0xA779, 0xA77B, 2, 1}, {0xA77D, 0xA77D, 1, -35332}, {0xA77E, 0xA786, 2, 1},
	{0xA78B, 0xA78B, 1, 1}, {0xA78D, 0xA78D, 1, -42280}, {0xA790, 0xA792, 2, 1},
	{0xA796, 0xA7A8, 2, 1}, {0xA7AA, 0xA7AA, 1, -42308}, {0xA7AB, 0xA7AB, 1, -42319},
	{0xA7AC, 0xA7AC, 1, -42315}, {0xA7AD, 0xA7AD, 1, -42305}, {0xA7AE, 0xA7AE, 1, -42308},
	{0xA7B0, 0xA7B0, 1, -42258}, {0xA7B1, 0xA7B1, 1, -42282}, {0xA7B2, 0xA7B2, 1, -42261},
	{0xA7B3, 0xA7B3, 1, 928}, {0xA7B4, 0xA7C2, 2, 1}, {0xA7C4, 0xA7C4, 1, -48},
	{0xA7C5, 0xA7C5, 1, -42307}, {0xA7C6, 0xA7C6, 1, -35384}, {0xA7C7, 0xA7C9, 2, 1},
	{0xA7D0, 0xA7D0, 1, 1}, {0xA7D6, 0xA7D8, 2, 1}, {0xA7F5, 0xA7F5, 1, 1},
	{0xFF21, 0xFF3A, 1, 32},
};
/* clang-format on */

static uint32_t lower(uint32_t c)
{
	size_t low = 0, high = sizeof ranges / sizeof *ranges;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == sizeof ranges / sizeof *ranges || c < ranges[low].first ||
	    (c - ranges[low].first) % ranges[low].step)
		return c;
	return (uint32_t)((int32_t)c + ranges[low].by);
}

/* The character that starts here; what is no UTF-8 passes byte by byte. */
static size_t decode(const char *s, size_t len, uint32_t *ret)
{
	unsigned char first = (unsigned char)*s;
	size_t width = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

	if (width == 1 || width > len) {
		*ret = first;
		return 1;
	}
	*ret = first & (0x7FU >> width);
	for (size_t i = 1; i < width; i++)
		*ret = *ret << 6 | ((unsigned char)s[i] & 0x3F);
	return width;
}

static size_t encode(uint32_t c, char ret[3])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xC0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	ret[0] = (char)(0xE0 | c >> 12);
	ret[1] = (char)(0x80 | (c >> 6 & 0x3F));
	ret[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/* The folded bytes of the character at s: in `space`, or where they are. */
struct folded {
	const char *text;
	size_t len, width; /* of the character as it stands */
};

static struct folded fold_one(const char *s, size_t len, char space[3])
{
	uint32_t c, small;
	size_t width = decode(s, len, &c);

	if (width > 3 || (width == 1 && c >= 0x80) || (small = lower(c)) == c)
		return (struct folded){s, width, width};
	return (struct folded){space, encode(small, space), width};
}

void fold_text(struct buf *out, const char *s, size_t len)
{
	char space[3];

	for (size_t i = 0; i < len;) {
		struct folded f = fold_one(s + i, len - i, space);
		buf_add(out, f.text, f.len);
		i += f.width;
	}
}

/* How many bytes of s the folded text takes; SIZE_MAX: it does not begin so. */
static size_t match_start(const char *folded, size_t nfolded, const char *s, size_t len)
{
	char space[3];
	size_t at = 0, done = 0;

	while (done < nfolded) {
		if (at == len)
			return SIZE_MAX;
		struct folded f = fold_one(s + at, len - at, space);
		if (f.len > nfolded - done || memcmp(folded + done, f.text, f.len) != 0)
			return SIZE_MAX;
		done += f.len;
		at += f.width;
	}
	return at;
}

bool fold_equal(const char *folded, size_t nfolded, const char *s, size_t len)
{
	return match_start(folded, nfolded, s, len) == len;
}

bool fold_prefix(const char *folded, size_t nfolded, const char *s, size_t len)
{
	return match_start(folded, nfolded, s, len) != SIZE_MAX;
}

bool fold_suffix(const char *folded, size_t nfolded, const char *s, size_t len)
{
	char space[3];

	while (nfolded) {
		size_t start = len;
		if (!start)
			return false;
		do
			start--;
		while (start && ((unsigned char)s[start] & 0xC0) == 0x80);
		struct folded f = fold_one(s + start, len - start, space);
		if (f.len > nfolded || memcmp(folded + nfolded - f.len, f.text, f.len) != 0)
			return false;
		nfolded -= f.len;
		len = start;
	}
	return true;
}
