/* options — what a destination has beside its transport's name. One row a setting. */
#include "relay/delivery/delivery.h"

static const char *const orders[] = {"recipient", "none", NULL};

const struct option delivery_option_table[] = {
	{"enabled", OPT_BOOL, offsetof(struct delivery_options, enabled), .preset = "true",
	 .help = "false: nothing is sent; what is owed is kept"},
	{"order", OPT_CHOICE, offsetof(struct delivery_options, order), .preset = "recipient",
	 .choices = orders,
	 .help = "recipient: events of one recipient arrive in order; none: whatever is fastest"},
	{"in_flight", OPT_INT, offsetof(struct delivery_options, in_flight), .min = 1, .max = 256,
	 .help = "sends that may be out at once; without it the transport's own number"},
	{"rate", OPT_RATE, offsetof(struct delivery_options, rate),
	 .help = "sends at most, as 100/s; without it no bound"},
	{"retry", OPT_DURATIONS, offsetof(struct delivery_options, retry),
	 .preset = "[0s, 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h]", .min = 0, .max = 604800000,
	 .help = "delays before the attempts, 20 % more or less; the first is made at once, after "
		 "the last an event is parked"},
	{0},
};
