/* hostile_receiver — see the header. */
#include "tests/suite/hostile_receiver.h"

#include <poll.h>
#include <stdatomic.h>

/* False when the other side has ended meanwhile. */
static bool pause_ms(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, ms) == 0;
}

bool hostile_play(const struct script *s, int fd, _Atomic size_t *sent)
{
	if (!raw_send(fd, s->say, s->len))
		return false;
	atomic_fetch_add(sent, s->len);
	for (size_t i = 0; i < s->pieces; i++) {
		if (s->every_ms && !pause_ms(fd, s->every_ms))
			return false;
		if (!raw_send(fd, s->piece, s->piece_len))
			return false;
		atomic_fetch_add(sent, s->piece_len);
	}
	if (s->then == THEN_RESET)
		raw_reset(fd);
	if (s->then == THEN_WAIT)
		raw_wait_for_end(fd);
	return s->then == THEN_GO_ON;
}
