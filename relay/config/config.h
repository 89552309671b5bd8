/*
 * config — the outermost map of relay.yaml, and the few settings that belong to no part.
 *
 * Config knows no source, transport or rule: each part owns its table, and relay/settings.h puts
 * them together and checks what one section says about another.
 */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include <stdint.h>

#include "relay/config/option.h"

struct config {
	int64_t stop_timeout_ms;
	int log_level;		/* enum log_level */
	struct strings include; /* has been followed when the yaml was loaded */
	const struct node *source, *journal, *admin, *destinations, *rules;
};

/* The table of the outermost map. Its OPT_NODE rows carry no `section`; settings adds them. */
extern const struct option config_options[];

/* Reads the outermost map. The yaml must outlive the config. */
void config_read(const struct yaml *y, struct config *ret, struct problems *p);
void config_release(struct config *c);

#endif
