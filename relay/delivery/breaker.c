/* breaker — see the header. Invariant: while it is open nothing is counted; when it closes it knows
 * nothing, so that what failed before cannot open it again. */
#include "relay/delivery/breaker.h"

#define IN_A_ROW	5
#define IN_A_ROW_LONELY 2
#define CALLS_MIN	20
#define SLOT_MS		3000 /* BREAKER_SLOTS of them are the 30 s */
#define SHARE		12   /* of the outage so far */

static void move_on(struct breaker *b, int64_t now_ms)
{
	int64_t slot = now_ms / SLOT_MS;

	if (slot - b->slot > BREAKER_SLOTS) /* all are old */
		b->slot = slot - BREAKER_SLOTS;
	while (b->slot < slot) {
		b->slot++;
		b->slots[b->slot % BREAKER_SLOTS].calls = 0;
		b->slots[b->slot % BREAKER_SLOTS].failed = 0;
	}
}

static bool too_many(const struct breaker *b)
{
	uint32_t calls = 0, failed = 0;

	for (int i = 0; i < BREAKER_SLOTS; i++) {
		calls += b->slots[i].calls;
		failed += b->slots[i].failed;
	}
	return calls >= CALLS_MIN && 2 * failed >= calls;
}

static bool nobody_there(const struct breaker *b, bool lonely)
{
	return b->in_a_row >= (lonely ? IN_A_ROW_LONELY : IN_A_ROW);
}

bool breaker_count(struct breaker *b, enum call_end end, bool lonely, int64_t now_ms)
{
	bool failed = end == CALL_FAILED || end == CALL_UNANSWERED;

	if (b->open)
		return false;
	b->in_a_row = end == CALL_UNANSWERED ? b->in_a_row + 1 : 0;
	if (end == CALL_THROTTLED)
		return false;
	move_on(b, now_ms);
	b->slots[b->slot % BREAKER_SLOTS].calls++;
	b->slots[b->slot % BREAKER_SLOTS].failed += failed;
	if (!failed || (!nobody_there(b, lonely) && !too_many(b)))
		return false;
	breaker_reopen(b, now_ms, now_ms);
	b->probe_ms = now_ms + BREAKER_LEAST_MS;
	return true;
}

void breaker_reopen(struct breaker *b, int64_t opened_ms, int64_t now_ms)
{
	*b = (struct breaker){.open = true, .opened_ms = opened_ms, .probe_ms = now_ms};
}

void breaker_probe_failed(struct breaker *b, int64_t started_ms, int64_t now_ms)
{
	int64_t wait_ms = (now_ms - b->opened_ms) / SHARE;

	if (wait_ms < BREAKER_LEAST_MS)
		wait_ms = BREAKER_LEAST_MS;
	if (wait_ms > BREAKER_MOST_MS)
		wait_ms = BREAKER_MOST_MS;
	b->probe_ms = started_ms + wait_ms;
}

void breaker_look_later(struct breaker *b, int64_t now_ms)
{
	b->probe_ms = now_ms + BREAKER_LEAST_MS;
}

bool breaker_wants_probe(const struct breaker *b, int64_t now_ms)
{
	return b->open && now_ms >= b->probe_ms;
}

void breaker_close(struct breaker *b)
{
	*b = (struct breaker){0};
}
