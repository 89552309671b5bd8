/*
 * bench_polling — how soon the relay sees what changed, and for how many requests: whole relays and
 * the simulator's model on a virtual clock.
 *
 *   bench_polling                           everything
 *   bench_polling matrix 100k created 10    one part, and what of it: sizes, orders, counters,
 *   bench_polling day small updated 6h      numbers of changes, hours, in any order
 *
 * Part of it goes into polling-part.json.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/polling.h"

#define SMALL 100000 /* recipients of the small day's largest broadcast */
#define LARGE 1000000

struct part {
	const char *name;
	void (*run)(const struct polling_job *job, FILE *out);
	uint32_t sizes[4]; /* 0: no more */
	bool one_list;	   /* the first order and counters, if none are named */
};

static const struct part parts[] = {
	{"matrix", polling_matrix, {10000, 100000, 1000000}, false},
	{"http", polling_http, {10000, 100000, 1000000}, true},
	{"day", polling_day, {LARGE}, false},
};
#define PARTS (sizeof parts / sizeof *parts)

/* What the arguments pick; NULL or 0: all of it. */
struct wish {
	const struct part *part;
	const struct polling_order *order;
	const struct polling_counters *counters;
	uint32_t recipients, changes;
	int64_t hours;
};

static bool read_number(struct wish *w, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || n == 0 || n > 100000000)
		return false;
	if (!*end)
		w->changes = (uint32_t)n;
	else if (!strcmp(end, "h"))
		w->hours = (int64_t)n;
	else if (!strcmp(end, "k") || !strcmp(end, "M"))
		w->recipients = (uint32_t)n * (*end == 'k' ? 1000 : 1000000);
	else
		return false;
	return true;
}

static bool read_wish(struct wish *w, const char *text)
{
	for (size_t i = 0; i < PARTS; i++)
		if (!strcmp(parts[i].name, text)) {
			w->part = &parts[i];
			return true;
		}
	for (const struct polling_order *o = polling_orders; o->name; o++)
		if (!strcmp(o->name, text)) {
			w->order = o;
			return true;
		}
	for (const struct polling_counters *c = polling_counters; c->name; c++)
		if (!strcmp(c->name, text)) {
			w->counters = c;
			return true;
		}
	if (!strcmp(text, "small") || !strcmp(text, "full")) {
		w->recipients = *text == 's' ? SMALL : LARGE;
		return true;
	}
	return read_number(w, text);
}

struct jobs {
	struct polling_job *v;
	size_t n, cap;
};

static void add(struct jobs *jobs, const struct polling_job *job)
{
	jobs->v = mem_grow(jobs->v, jobs->n, &jobs->cap, sizeof *jobs->v);
	jobs->v[jobs->n++] = *job;
}

static void add_lists(struct jobs *jobs, const struct wish *w, const struct part *p,
		      uint32_t recipients)
{
	for (const struct polling_order *o = polling_orders; o->name; o++)
		for (const struct polling_counters *c = polling_counters; c->name; c++) {
			bool first = o == polling_orders && c == polling_counters;
			if (p->one_list && !w->order && !w->counters && !first)
				continue;
			if ((w->order && w->order != o) || (w->counters && w->counters != c))
				continue;
			add(jobs, &(struct polling_job){recipients, o, c, w->hours ? w->hours : 24,
							w->changes, p->run});
		}
}

static void add_part(struct jobs *jobs, const struct wish *w, const struct part *p)
{
	if (w->recipients)
		add_lists(jobs, w, p, w->recipients);
	for (size_t i = 0; !w->recipients && p->sizes[i]; i++)
		add_lists(jobs, w, p, p->sizes[i]);
}

int main(int argc, char **argv)
{
	struct wish wish = {0};
	struct jobs jobs = {0};
	double started = bench_wall_s();
	for (int i = 1; i < argc; i++)
		if (!read_wish(&wish, argv[i])) {
			fprintf(stderr, "bench_polling: %s is not understood\n", argv[i]);
			return 2;
		}
	/* Virtual time does not pass while a disk works: the fastest one will do. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	for (size_t i = 0; i < PARTS; i++)
		if (!wish.part || wish.part == &parts[i])
			add_part(&jobs, &wish, &parts[i]);
	char *texts = polling_run(jobs.v, jobs.n);
	printf("took %.0f s\n", bench_wall_s() - started);
	free(jobs.v);
	int missed = bench_write(argc > 1 ? "polling-part" : "polling");
	free(texts);
	return missed;
}
