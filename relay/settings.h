/*
 * settings — a configuration file as a whole: every part's section read by the part's own table,
 * the rules compiled, and what one section says about another checked. The same code serves `run`,
 * `check` and reload; nothing is opened or changed.
 */
#ifndef RELAY_SETTINGS_H
#define RELAY_SETTINGS_H

#include "relay/admin/admin.h"
#include "relay/config/config.h"
#include "relay/delivery/delivery.h"
#include "relay/source/source.h"
#include "rules/rules.h"

struct destination_settings {
	const char *name;
	struct delivery_options options;
	const struct transport_type *type;
	void *settings; /* the transport's, read by its table */
	const struct node *node;
};

struct settings {
	char *path;
	struct yaml *yaml;
	struct config config;
	struct source_options source;
	struct journal_options journal;
	struct admin_options admin;
	struct destination_settings *destinations;
	size_t ndestinations;
	const char **destination_names; /* NULL-terminated; the rules' numbering */
	struct rules *rules;
	struct sockaddr_storage own[64]; /* what admin and the destinations will listen on */
	size_t nown;
};

/* NULL with problems added; warnings may be added to p in any case. */
struct settings *settings_load(const char *path, struct problems *p);
/* For who only reads the journal, or only asks the running relay: these sections must be right, and
 * only they and the outermost map are filled in. What else is wrong, or is not in this environment,
 * does not matter. p starts empty. */
enum settings_part { SETTINGS_JOURNAL, SETTINGS_ADMIN /* and the journal's file */ };
struct settings *settings_load_part(const char *path, enum settings_part part, struct problems *p);
void settings_free(struct settings *s); /* NULL is allowed */

/* The reference of all settings, and one JSON Schema for the whole file. */
void settings_print_options(FILE *out);
void settings_schema(struct buf *out);

#endif
