/* Up, in doubt, down. A change is reported by exactly one call, the one whose answer made it. */
#include "relay/source/health.h"

#define FAILURES_MAX 3
#define KEY_PROBE_MS 60000 /* a person has to act; asking more often helps nobody */
#define PROBE_MIN_MS 1000
#define PROBE_MAX_MS 60000

enum health_change health_worked(struct health *h)
{
	bool was_down = h->down;

	*h = (struct health){.probing = h->probing};
	return was_down ? HEALTH_ROSE : HEALTH_SAME;
}

static void probe_later(struct health *h, double random, int64_t now_mono_ms)
{
	int64_t wait = h->probes < 6 ? (int64_t)PROBE_MIN_MS << h->probes : PROBE_MAX_MS;

	if (h->down && h->no_key)
		wait = KEY_PROBE_MS;
	else
		wait -= (int64_t)((double)wait * random / 2);
	h->probes++;
	h->probe_at_ms = now_mono_ms + wait;
}

static void fall(struct health *h)
{
	h->down = true;
	h->list_alone = false;
	h->probes = 0;
}

enum health_change health_failed(struct health *h, enum request_kind what, double random,
				 int64_t now_mono_ms)
{
	bool falls = false;

	h->failed++;
	*(what == REQUEST_BROADCASTS ? &h->list_failed : &h->other_failed) = true;
	if (!h->down && h->failed >= FAILURES_MAX) {
		falls = h->doubt || (h->list_failed && h->other_failed);
		if (!falls && h->list_failed && !h->list_alone) {
			h->list_alone = true;
			h->probe_at_ms = now_mono_ms;
			return HEALTH_SAME;
		}
	}
	if (falls)
		fall(h);
	if (!health_is_good(h))
		probe_later(h, random, now_mono_ms);
	return falls ? HEALTH_FELL : HEALTH_SAME;
}

enum health_change health_no_key(struct health *h, enum request_kind what, int64_t now_mono_ms)
{
	bool was_down = h->down;

	if (!h->down && !h->doubt) {
		h->doubt = true;
		h->refused = what;
		h->probe_at_ms = now_mono_ms;
		return HEALTH_SAME;
	}
	if (!h->down && what == h->refused)
		return HEALTH_SAME; /* it was under way with the first */
	h->down = h->no_key = true;
	h->doubt = h->list_alone = false;
	probe_later(h, 0, now_mono_ms);
	return was_down ? HEALTH_SAME : HEALTH_FELL;
}

bool health_is_good(const struct health *h)
{
	return !h->down && !h->doubt && !h->list_alone;
}

int64_t health_wait_ms(const struct health *h, int64_t now_mono_ms)
{
	if (h->probing)
		return INT64_MAX;
	return h->probe_at_ms > now_mono_ms ? h->probe_at_ms - now_mono_ms : 0;
}

enum request_kind health_probe(struct health *h)
{
	bool other_path = h->probes % 2 == 0;

	if (h->doubt)
		other_path = h->refused == REQUEST_BROADCASTS;
	else if (h->list_alone)
		other_path = true;

	h->probing = true;
	return other_path ? REQUEST_RECIPIENTS : REQUEST_BROADCASTS;
}

void health_probed(struct health *h)
{
	h->probing = false;
}
