/* times — the API's clock is not always right. Invariant: two rises of one flag at different times
 * never get the same _at, unless both get none. */
#include "examples/invent-sim/times.h"

#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "examples/invent-sim/values.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define HOUR_MS 3600000

static bool read_share(struct sim_times *t, const char *name, const char *value)
{
	unsigned *const shares[] = {&t->null, &t->early, &t->future};
	static const char *const names[] = {"null", "early", "future"};
	uint32_t n;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i], name))
			continue;
		if (!value || !value_u32(value, 100, &n))
			return false;
		*shares[i] = n;
		return true;
	}
	return false;
}

bool sim_times_parse(struct sim_times *ret, const char *text)
{
	struct sim_times made = {0};
	char *copy = xstrdup(text), *rest = copy, *part;
	bool good = true;

	while (good && (part = strsep(&rest, ","))) {
		char *value = part;
		const char *name = strsep(&value, "=");
		good = read_share(&made, name, value);
	}
	free(copy);
	if (!good || made.null + made.early + made.future > 100)
		return false;
	*ret = made;
	return true;
}

int64_t time_shown(const struct model *m, const struct broadcast *b, uint32_t row,
		   enum sim_what what, int64_t at)
{
	const struct sim_times *t = &m->times;

	if (what == SIM_ADDED || what == SIM_PROCESSED) /* created_at; a status without a time */
		return at;
	uint64_t draw =
		sim_mix64(b->campaign.seed + ((uint64_t)row << 5 | what) * 0x9E3779B97F4A7C15ULL);
	unsigned of_100 = (unsigned)(draw % 100);
	int64_t by = (int64_t)((draw >> 32) % (2 * HOUR_MS));
	if (of_100 < t->null)
		return DATE_NONE;
	if (of_100 < t->null + t->early) /* mostly before the row was made */
		return at - HOUR_MS - by;
	if (of_100 < t->null + t->early + t->future)
		return at + HOUR_MS + by * 12;
	return at;
}
