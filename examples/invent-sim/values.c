/* values — texts to numbers. Invariant: what is not wholly understood is refused. */
#include "examples/invent-sim/values.h"

#include <stdlib.h>
#include <string.h>

bool value_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > max)
		return false;
	*ret = n;
	return true;
}

bool value_u32(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t n;

	if (!value_number(text, max, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool value_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || n > 1000000000000ULL)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(units[i].unit, end))
			continue;
		*ret_ms = (int64_t)n * units[i].ms;
		return true;
	}
	return false;
}

bool value_rate(const char *text, uint32_t *ret_per_hour)
{
	static const struct {
		const char *unit;
		uint32_t hour; /* has so many */
	} units[] = {{"/s", 3600}, {"/min", 60}, {"/h", 1}};
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || n > 100000)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(units[i].unit, end))
			continue;
		*ret_per_hour = (uint32_t)n * units[i].hour;
		return true;
	}
	return false;
}
