/* slow_listener — see its header. */
#include "tests/suite/slow_listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void slow_listener_catches_up(struct nng_world *w, struct sp_listener *l, size_t nth)
{
	while (l->sequence < (int64_t)w->n)
		sp_listener_events(l, 1);
	assert_int_equal(l->gaps, 1); /* what was begun, then the newest */
	for (int i = 0; i < 20 && *nng_world_figures(w)->trouble; i++)
		sp_listener_beats(l, 1); /* until one is sent when the queue is empty */
	const struct transport_peer *peer = &nng_world_figures(w)->peers[nth];
	assert_in_range(peer->queued, 0, 1); /* a heartbeat */
	size_t lost = (size_t)(l->gap_to - l->gap_from - 1);
	assert_int_equal(lost, w->n - l->events); /* the first was 1 */
	assert_int_equal(peer->dropped, lost + l->lost_beats);
	assert_in_range(peer->sent, l->events + l->beats - 1, l->events + l->beats + 1);
}
