/* nng_sp — greetings, lengths, hops. Invariant: nothing is read beyond the length given. */
#include "transports/nng_sp.h"

#include <string.h>

#define IPC_MESSAGE 1 /* the only kind there is */

void sp_greeting(unsigned char ret[SP_GREETING], enum sp_protocol own)
{
	memcpy(ret, (const unsigned char[SP_GREETING]){0, 'S', 'P', 0, 0, (unsigned char)own, 0, 0},
	       SP_GREETING);
}

bool sp_greeting_is(const unsigned char greeting[SP_GREETING], enum sp_protocol peer)
{
	unsigned char want[SP_GREETING];

	sp_greeting(want, peer);
	return memcmp(greeting, want, SP_GREETING) == 0;
}

size_t sp_head_size(bool ipc)
{
	return ipc ? 9 : 8;
}

void sp_head(unsigned char *ret, bool ipc, uint64_t len)
{
	if (ipc)
		*ret++ = IPC_MESSAGE;
	for (int i = 0; i < 8; i++)
		ret[i] = (unsigned char)(len >> (56 - 8 * i));
}

bool sp_head_read(const unsigned char *head, bool ipc, uint64_t *ret_len)
{
	uint64_t len = 0;

	if (ipc && *head++ != IPC_MESSAGE)
		return false;
	for (int i = 0; i < 8; i++)
		len = len << 8 | head[i];
	*ret_len = len;
	return true;
}

int sp_hops(const char *message, size_t len)
{
	for (int at = 0; at < SP_HOP * SP_HOPS_MAX; at += SP_HOP) {
		if (len < (size_t)at + SP_HOP)
			return 0;
		if ((unsigned char)message[at] & 0x80)
			return at + SP_HOP;
	}
	return -1;
}
