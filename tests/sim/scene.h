/*
 * scene — what tests on the virtual clock share: a folder, a campaign of two broadcasts, the relay
 * that follows it in there, and questions about what came of it.
 */
#ifndef RELAY_TEST_SCENE_H
#define RELAY_TEST_SCENE_H

#include "relay/base/json.h"
#include "tests/sim/drive.h"

#define MINUTE_MS 60000

struct scene {
	char *dir;
	struct drive_options o;
	struct drive *d;
};

/* bc_1 has so many recipients, bc_2 half as many and starts two minutes later. o may be changed
 * before it begins. */
struct scene scene_new(uint32_t recipients);
struct drive *scene_begin(struct scene *s);
void scene_finish(struct scene *s);

/* Nothing changes any more: so much later all that is owed must be there, and nothing else. */
void scene_end(struct drive *d, int64_t ms);
/* The n-th recipient of bc_1's list as the API shows it now, also with a filter ("&is_failed=true";
 * NULL: none); yours. */
char *scene_recipient(struct drive *d, unsigned n, const char *filter);
/* How many lines of events.ndjson have all three texts. */
int scene_count(const struct scene *s, const char *type, const char *id, const char *more);
/* Each row of a broadcast as the API shows it now. */
typedef void scene_json_fn(void *arg, const struct json *v);
void scene_rows(struct drive *d, const char *broadcast, scene_json_fn *fn, void *arg);
/* Each event of a broadcast whose type begins so, once: a restart may deliver it again. */
void scene_events(const struct scene *s, const char *type, const char *broadcast, scene_json_fn *fn,
		  void *arg);
/* Replaces the API's faults (examples/invent-sim/fault.h). */
void scene_faults(struct drive *d, const char *const *specs, size_t n);
size_t scene_followed(const struct drive *d);

#endif
