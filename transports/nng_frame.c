/* nng_frame — bytes of the bus's messages. Invariant: what is written here is read back by the same
 * file's functions; nothing here allocates. */
#include "transports/nng_frame.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void frame_body(char *ret, const char *body, size_t len, size_t sequence_at, int64_t prevsequence)
{
	char member[] = ",\"prevsequence\":\"0000000000000000\",";
	size_t at = sequence_at ? sequence_at + 17 : 1; /* behind the closing quote, or the brace */
	char *digit = member + sizeof member - 1 - 2;	/* behind the last one */

	assert(len > at && prevsequence >= 0 && prevsequence < FRAME_SEQUENCE_MAX);
	for (; prevsequence; prevsequence /= 10)
		*--digit = (char)('0' + prevsequence % 10);
	memcpy(ret, body, at);
	memcpy(ret + at, sequence_at ? member : member + 1, FRAME_PREVSEQUENCE);
	memcpy(ret + at + FRAME_PREVSEQUENCE, body + at, len - at);
}

bool frame_split(const char *message, size_t len, size_t *ret_topic_len)
{
	const char *space = memchr(message, ' ', len);

	if (!space)
		return false;
	*ret_topic_len = (size_t)(space - message);
	return true;
}

bool frame_topic_matches(const char *subscription, const char *topic)
{
	size_t want = strlen(subscription), have = strlen(topic);

	if (want && subscription[want - 1] == ' ')
		return want - 1 == have && memcmp(subscription, topic, have) == 0;
	return want <= have && memcmp(subscription, topic, want) == 0;
}

bool frame_sequence(const char *digits, int64_t *ret)
{
	int64_t n = 0;
	size_t len = strlen(digits);

	if (len < 1 || len > 16 || strspn(digits, "0123456789") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		n = n * 10 + (digits[i] - '0');
	if (n >= FRAME_SEQUENCE_MAX)
		return false;
	*ret = n;
	return true;
}
