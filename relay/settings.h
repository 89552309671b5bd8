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
	void *settings; /* the transport's, read by its table; NULL: left out (settings_offline) */
	const struct node *node;
};

struct offline_section;

#define LISTENS_MAX 255

struct settings {
	char *path;
	struct yaml *yaml;
	struct config config;
	struct source_options source;
	struct journal_options journal;
	struct admin_options admin;
	struct destination_settings *destinations; /* in the rules' numbering */
	size_t ndestinations;
	struct rules *rules;
	/* what admin and the destinations will listen on; one more: there are too many */
	struct sockaddr_storage own[LISTENS_MAX + 1];
	size_t nown;
	struct offline_section *offline; /* what settings_load_offline made; else NULL */
};

/* NULL with problems added; warnings may be added to p in any case. */
struct settings *settings_load(const char *path, struct problems *p);
/* For who only reads the journal, or only asks the running relay, or only wants to know what rules
 * say: these sections must be right, and only they and the outermost map are filled in; for the
 * rules that map must be right, too. What else is wrong, or is not in this environment, does not
 * matter. p starts empty. */
enum settings_part {
	SETTINGS_JOURNAL,
	SETTINGS_ADMIN,	       /* and the journal's file */
	SETTINGS_DESTINATIONS, /* their names and transports, and the journal */
	SETTINGS_RULES,	       /* and those */
};
struct settings *settings_load_part(const char *path, enum settings_part part, struct problems *p);
/* With SETTINGS_DESTINATIONS: is this one as `run` would have it? False with problems added. */
bool settings_check_destination(const struct destination_settings *d, struct problems *p);
/* The rules of a file that has them and may have nothing else: then they are for the destinations
 * of `base`, which must outlive what comes back. Else the destinations are the file's own. p starts
 * empty. */
struct settings *settings_load_rules(const char *path, const struct settings *base,
				     struct problems *p);
void settings_free(struct settings *s); /* NULL is allowed */
/* NULL: there is none of that name. */
const struct destination_settings *settings_destination(const struct settings *s, const char *name);

/* Does a destination with a `type` get callbacks, which tests of rules expect? */
bool settings_has_callbacks(const struct destination_settings *d);

/* For who tries rules away from where they run (`relay test`). What belongs to that machine is left
 * out: secrets, files but templates, addresses, the journal, the admin port. Variables that are not
 * set matter only where a rule needs them. p starts empty. */
struct settings_offline {
	const char *path; /* of a configuration; NULL: none */
	/* In place of the file's sections; NULL: as there. They outlive the settings. */
	const struct node *source, *destinations, *rules;
	/* A destination that rules name and nobody describes is no mistake: it has topics, and its
	 * `type` is NULL. */
	bool stand_ins;
};
struct settings *settings_load_offline(const struct settings_offline *from, struct problems *p);

/* The reference of all settings, and one JSON Schema for the whole file. */
void settings_print_options(FILE *out);
void settings_schema(struct buf *out);

#endif
