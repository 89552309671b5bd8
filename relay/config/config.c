/* config — the outermost map of the file. Invariant: it knows the sections' names and nothing of
 * what is in them. */
#include "relay/config/config.h"

#include "relay/base/log.h"

/* In the order of enum log_level. */
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
_Static_assert(LOG_DEBUG == 0 && LOG_INFO == 1 && LOG_WARN == 2 && LOG_ERROR == 3,
	       "log_levels follows enum log_level");

void config_read(const struct yaml *y, struct config *ret, struct problems *p)
{
	options_read(config_options, yaml_root(y), ret, p);
}

void config_release(struct config *c)
{
	options_release(config_options, c);
}

const struct option config_options[] = {
	{"include", OPT_STRINGS, offsetof(struct config, include),
	 .help = "more files, or patterns as rules.d/*.yaml, laid over this one"},
	{"log_level", OPT_CHOICE, offsetof(struct config, log_level), .preset = "info",
	 .choices = log_levels, .help = "the least level that is logged"},
	{"stop_timeout", OPT_DURATION, offsetof(struct config, stop_timeout_ms), .preset = "8s",
	 .min = 0, .max = 600000, .help = "what calls in flight get to end in when Relay stops"},
	{"source", OPT_NODE, offsetof(struct config, source),
	 .help = "the API, what of it is followed, and how fast"},
	{"journal", OPT_NODE, offsetof(struct config, journal),
	 .help = "where events are kept until they are delivered"},
	{"admin", OPT_NODE, offsetof(struct config, admin),
	 .help = "HTTP port for health, metrics and status; without this section none is opened"},
	{"destinations", OPT_NODE, offsetof(struct config, destinations),
	 .help = "where events can go, by a name of your choice"},
	{"rules", OPT_NODE, offsetof(struct config, rules), .help = "which events go where"},
	{0},
};
