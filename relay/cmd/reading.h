/*
 * reading — the journal that a configuration names, opened for reading, beside a running relay or
 * without one; with everything small that it holds.
 */
#ifndef RELAY_READING_H
#define RELAY_READING_H

#include "relay/cmd/cmd.h"
#include "relay/journal/journal.h"

struct reading { /* valid as {0} */
	struct settings *settings;
	struct store *store;
	struct store_head head;
};

/* By --config, with that part of it. Released in any case; with ERR_CONFIG everything has been
 * told.
 */
int reading_open(struct reading *ret, const struct args *a, enum settings_part part,
		 struct err *err);
void reading_close(struct reading *r);
/* What went wrong, told; the exit status. */
int reading_fail(const struct command *self, const struct err *err);

/* By name; the error names the nearest. */
const struct destination_record *reading_find(const struct reading *r, const char *name,
					      struct err *err);
/* By number; "-": there is none of it any more. */
const char *reading_name(const struct reading *r, uint32_t number);

#endif
