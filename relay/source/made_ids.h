/*
 * made_ids — ids made up for those of an API, to be shown to others: different ones stay
 * different, equal ones equal, and their order (by strcmp) stays, among those with one prefix
 * ("rcp_": up to four letters and "_"), which is kept. They look like the real ones where these
 * look alike: as long, with the same punctuation, digits where all have digits. Pure.
 */
#ifndef RELAY_MADE_IDS_H
#define RELAY_MADE_IDS_H

#include <stddef.h>

struct made_id {
	char *id, *made; /* owned; made NULL: not made up yet */
};
struct made_ids {
	struct made_id *v; /* once made: ascending by id */
	size_t n, cap;
};

void made_ids_add(struct made_ids *m, const char *id);		   /* copied */
void made_ids_make(struct made_ids *m);				   /* when all were added */
const char *made_ids_of(const struct made_ids *m, const char *id); /* NULL: not among them */
void made_ids_release(struct made_ids *m);			   /* {0} is a valid empty one */

#endif
