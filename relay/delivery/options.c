/* options — what a destination has beside its transport's name. One row a setting. */
#include "relay/delivery/delivery.h"

#include <string.h>

#define REDACT_MAX 100

static const char *const orders[] = {"recipient", "none", NULL};
static const char *const when_full[] = {"pause", "drop_oldest", NULL};

const struct option delivery_option_table[] = {
	{"enabled", OPT_BOOL, offsetof(struct delivery_options, enabled), .preset = "true",
	 .help = "false: nothing is sent; what is owed is kept"},
	{"order", OPT_CHOICE, offsetof(struct delivery_options, order), .preset = "recipient",
	 .choices = orders,
	 .help = "recipient: events of one recipient arrive in order; none: whatever is fastest"},
	{"in_flight", OPT_INT, offsetof(struct delivery_options, in_flight), .min = 1, .max = 256,
	 .help = "sends that may be out at once, at most; without it the transport's own "
		 "number at first, and up to 64; fewer while the receiver is slow or fails"},
	{"rate", OPT_RATE, offsetof(struct delivery_options, rate),
	 .help = "sends at most, as 100/s; without it no bound"},
	{"retry", OPT_DURATIONS, offsetof(struct delivery_options, retry),
	 .preset = "[0s, 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h]", .min = 0, .max = 604800000,
	 .help = "delays before the attempts, 20 % more or less; the first is made at once, after "
		 "the last an event is parked"},
	{"when_full", OPT_CHOICE, offsetof(struct delivery_options, when_full), .preset = "pause",
	 .choices = when_full,
	 .help = "when the journal is full: pause polling until there is room, or drop_oldest of "
		 "what this destination is owed"},
	{"redact", OPT_STRINGS, offsetof(struct delivery_options, redact),
	 .help = "names of members of data, at any depth, that are null in what this destination "
		 "gets: [phone, email]"},
	{0},
};

void delivery_options_check(const struct delivery_options *o, const struct node *at,
			    struct problems *p)
{
	const struct node *list = node_get(at, "redact");

	if (o->redact.n > REDACT_MAX)
		problem_at(p, list, "has more than %d names", REDACT_MAX);
	for (size_t i = 0; i < o->redact.n; i++) {
		const struct node *n = list->kind == NODE_LIST ? list->items[i] : list;

		if (!*o->redact.v[i] || strchr(o->redact.v[i], '.'))
			problem_at(p, n,
				   "must be the name of a member, not a path: phone stands for "
				   "every phone, wherever it is");
	}
}
