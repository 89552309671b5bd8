/*
 * settings — what the command line of `invent-sim` asks for.
 */
#ifndef INVENT_SIM_SETTINGS_H
#define INVENT_SIM_SETTINGS_H

#include "examples/invent-sim/model.h"

struct strings {
	const char **v; /* borrowed texts; NULL-terminated once any was added */
	size_t n, cap;
};
void strings_add(struct strings *s, const char *text);

struct settings {
	struct model_options model; /* complete after settings_read */
	struct sim_broadcast *list;
	size_t n, cap;
	uint32_t broadcasts, recipients; /* where none is listed */
	const char *kind;
	int64_t stagger_ms, start_ms;
	struct strings sub_orgs, faults;
	const char *replay; /* a recording to serve instead of all this; or NULL */
	char host[64];
	unsigned port;
	double speed;
	bool hold;
};

/*
 * Reads the arguments, on top of the presets. 0: go on. Else the process is done, with the exit
 * status *ret_status: help was printed, or what was wrong. Strings are borrowed from argv.
 */
int settings_read(struct settings *ret, int argc, char **argv, int *ret_status);
void settings_release(struct settings *s);

#endif
