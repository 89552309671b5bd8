/* event_command — see the header. What an event has not, or has at a length that no environment
 * takes, is an empty variable: never one that was there before. */
#include "relay/cmd/event_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/cmd/shell.h"
#include "transports/nng_frame.h"

static char *variable(const char *name, const char *value)
{
	bool fits = value && strlen(value) <= FRAME_TOPIC_MAX;

	return xasprintf("%s=%s", name, fits ? value : "");
}

int event_command(const char *command, const struct bus_event *ev, struct err *err)
{
	char sequence[24] = "";
	struct err why = {0};

	if (ev->sequence)
		snprintf(sequence, sizeof sequence, "%" PRId64, ev->sequence);
	char *variables[] = {variable("RELAY_TOPIC", ev->topic), variable("RELAY_TYPE", ev->type),
			     variable("RELAY_ID", ev->id), variable("RELAY_SEQUENCE", sequence),
			     NULL};
	int failed = shell_feed(command, variables, ev->body, ev->len, &why);
	for (char **v = variables; *v; v++)
		free(*v);
	return failed ? err_set(err, ERR_IO, "event %s: %s", sequence, why.msg) : 0;
}
