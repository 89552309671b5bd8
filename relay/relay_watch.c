/* What transports say is wrong, in the log: once when it begins, once when it is over. They are
 * asked every few seconds, so that no subscriber that comes and goes fills the log. That files lack
 * is said behind another trouble, too: only a person can mend it. */
#include "relay/base/log.h"
#include "relay/relay_state.h"

#define EVERY_MS 5000

static void look(const struct relay *r, struct known_destination *k)
{
	struct transport_figures f;

	if (!k->open || !delivery_figures(r->delivery, k->record.number, &f))
		return;
	if (*f.trouble && (!k->troubled || (f.short_of_files && !k->short_of_files)))
		log_warn("a destination's transport is in trouble",
			 log_str("destination", k->record.name), log_str("why", f.trouble));
	else if (!*f.trouble && k->troubled)
		log_info("a destination's transport is out of trouble",
			 log_str("destination", k->record.name));
	k->troubled = *f.trouble;
	k->short_of_files = f.short_of_files;
}

int relay_watch(struct relay *r, struct instant now)
{
	if (now.mono_ms >= r->watched_ms + EVERY_MS) {
		r->watched_ms = now.mono_ms;
		for (size_t i = 0; i < r->ndestinations; i++)
			look(r, &r->destinations[i]);
	}
	return (int)(r->watched_ms + EVERY_MS - now.mono_ms);
}
