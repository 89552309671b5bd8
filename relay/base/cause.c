/* cause — word by word: one with a digit in it, or a long row of hex digits, is replaced.
 * Invariant: valid UTF-8 stays so. */
#include "relay/base/cause.h"

#include <string.h>

#define HEX_LEAST 16 /* so many hex digits are an id, even without a number among them */

static bool part_of_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || (c & 0x80);
}

/* A number, or an id: what differs from one event to the next of the same cause. */
static bool varies(const char *word, size_t len)
{
	size_t hex = 0;

	for (size_t i = 0; i < len; i++) {
		if (word[i] >= '0' && word[i] <= '9')
			return true;
		hex += (word[i] >= 'a' && word[i] <= 'f') || (word[i] >= 'A' && word[i] <= 'F');
	}
	return hex == len && len >= HEX_LEAST;
}

static size_t word_len(const char *text)
{
	size_t len = 0;

	while (part_of_word(text[len]))
		len++;
	return len;
}

/* Appends the word at `text`; the parts of a UUID, a date or an amount are one. Returns what stands
 * behind it. */
static const char *take_word(struct buf *out, const char *text)
{
	size_t len = word_len(text);

	if (!varies(text, len)) {
		buf_add(out, text, len);
		return text + len;
	}
	buf_addc(out, '#');
	do {
		text += len;
		len = *text && strchr("-.:", *text) ? word_len(text + 1) : 0;
		len = len && varies(text + 1, len) ? len + 1 : 0;
	} while (len);
	return text;
}

void cause_normalise(struct buf *out, const char *message)
{
	size_t most = out->len + CAUSE_MAX;

	while (*message && out->len < most) {
		if (word_len(message))
			message = take_word(out, message);
		else
			buf_addc(out, *message++);
	}
	if (out->len <= most)
		return;
	while (most && (out->data[most] & 0xc0) == 0x80)
		most--;
	buf_truncate(out, most);
}
