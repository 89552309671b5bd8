/* fault — the specs that ask for faults, and the dice. Invariant: with no fault set no die is
 * thrown, so faults never change what the campaign does. */
#include "examples/invent-sim/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"
#include "relay/base/mem.h"

/* ---- specs */

static int read_chance(struct fault *f, const char *value)
{
	char *end;

	f->chance = strtod(value, &end);
	return *value && !*end && f->chance >= 0 && f->chance <= 1 ? 0 : -1;
}

static int read_count(int64_t *ret, const char *value)
{
	char *end;

	*ret = strtoll(value, &end, 10);
	return *value && !*end && *ret >= 0 ? 0 : -1;
}

static int read_endpoint(struct fault *f, const char *value)
{
	static const char *const names[ENDPOINTS] = {"broadcasts", "recipients", "orgs"};

	for (int i = 0; i < ENDPOINTS; i++) {
		if (!strcmp(names[i], value)) {
			f->on = i;
			return 0;
		}
	}
	return -1;
}

static int read_setting(struct fault *f, const char *key, const char *value)
{
	if (!strcmp(key, "p"))
		return read_chance(f, value);
	if (!strcmp(key, "count"))
		return read_count(&f->left, value);
	if (!strcmp(key, "after"))
		return read_count(&f->after, value);
	if (!strcmp(key, "burst"))
		return read_count(&f->burst, value);
	if (!strcmp(key, "on"))
		return read_endpoint(f, value);
	if (!strcmp(key, "broadcast")) {
		snprintf(f->broadcast, sizeof f->broadcast, "%s", value);
		return 0;
	}
	return -1;
}

static const struct fault_kind *find_kind(const char *name)
{
	for (const struct fault_kind *k = fault_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

static int read_spec(struct fault *f, char *text, struct err *err)
{
	char *rest = text, *part = strsep(&rest, ","), *value = part;
	const char *name = strsep(&value, "=");

	f->kind = find_kind(name);
	if (!f->kind)
		return err_set(err, ERR_USAGE, "fault %s: no such kind", name);
	if (value)
		snprintf(f->value, sizeof f->value, "%s", value);
	while ((part = strsep(&rest, ","))) {
		value = part;
		name = strsep(&value, "=");
		if (!value || read_setting(f, name, value))
			return err_set(err, ERR_USAGE, "fault %s: %s=%s is not understood",
				       f->kind->name, name, value ? value : "");
	}
	if (f->kind->stage == STAGE_ROWS || f->kind->stage == STAGE_ROW)
		f->on = ON_RECIPIENTS;
	return 0;
}

int fault_parse(struct fault *ret, const char *spec, struct err *err)
{
	struct fault f = {.chance = 1, .left = -1, .on = -1};
	char *text = xstrdup(spec);
	int status = read_spec(&f, text, err);

	free(text);
	if (status)
		return -1;
	f.spec = xstrdup(spec);
	*ret = f;
	return 0;
}

void faults_release(struct faults *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].spec);
	f->n = 0;
}

int model_set_faults(struct model *m, const char *const *specs, size_t n, struct err *err)
{
	struct faults made = {.n = 0};

	for (size_t i = 0; i < n; i++) {
		if (made.n == FAULTS_MAX) {
			err_set(err, ERR_USAGE, "faults: %d at most", FAULTS_MAX);
		} else if (!fault_parse(&made.v[made.n], specs[i], err)) {
			made.n++;
			continue;
		}
		faults_release(&made);
		return -1;
	}
	faults_release(&m->faults);
	m->faults = made;
	return 0;
}

/* ---- dice */

static bool strikes(struct model *m, struct fault *f)
{
	if (f->burst_left > 0) {
		f->burst_left--;
		f->hits++;
		return true;
	}
	if (f->after > 0) {
		f->after--;
		return false;
	}
	if (f->left == 0 || (f->chance < 1 && prng_unit(&m->chance) >= f->chance))
		return false;
	if (f->left > 0)
		f->left--;
	f->burst_left = f->burst;
	f->hits++;
	return true;
}

uint32_t faults_strike(struct model *m, enum sim_endpoint on, const struct broadcast *b)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < m->faults.n; i++) {
		struct fault *f = &m->faults.v[i];
		if ((f->on >= 0 && f->on != (int)on) ||
		    (*f->broadcast && (!b || strcmp(f->broadcast, b->id))))
			continue;
		if (strikes(m, f))
			mask |= 1u << i;
	}
	return mask;
}
