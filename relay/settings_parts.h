/*
 * settings_parts — what settings.c shares with settings_offline.c and settings_one.c, which
 * read less of a configuration, and settings_reference.c, which tells what can stand in one.
 */
#ifndef RELAY_SETTINGS_PARTS_H
#define RELAY_SETTINGS_PARTS_H

#include "relay/settings.h"

#define DESTINATIONS_MAX 1000 /* each has a cursor and a window of its own */

/* How many there are to read; none after a problem. */
size_t settings_count_destinations(const struct settings *s, struct problems *p);
/* delivery's table and one row per transport, so that a slip in either is told with both. Caller
 * frees. */
struct option *settings_destination_table(void);
/* Reads what stands beside the transport's name and sets d->type; NULL after a problem, else the
 * transport's own node. */
const struct node *settings_read_destination(struct destination_settings *d, struct problems *p);
/* All of it: name and node are set. What it read is released by the other. */
void settings_read_whole(struct destination_settings *d, struct problems *p);
void settings_release_destination(struct destination_settings *d);
/* What settings_load_offline made. */
void settings_offline_release(struct settings *s);
/* The rules of s, for the destinations of `of`, which are read. */
void settings_read_rules(struct settings *s, const struct settings *of, struct problems *p);
/* What is not collected can neither be matched nor shown. The source is read. */
void settings_check_paths(const struct settings *s, struct problems *p);

#endif
