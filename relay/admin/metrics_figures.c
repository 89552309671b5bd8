/* What transports count beside delivery, by destination: a family for each name, in the order in
 * which names are met. Invariant: a name is a family once, whatever transports use it. */
#include "relay/admin/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "relay/admin/admin.h"
#include "relay/base/mem.h"

struct counted {
	const char *destination;
	struct transport_figures figures;
};

static const struct transport_figure *find(const struct transport_figures *f, size_t n,
					   const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(f->v[i].name, name))
			return &f->v[i];
	return NULL;
}

static bool is_told(const struct counted *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (find(&v[i].figures, v[i].figures.n, name))
			return true;
	return false;
}

/* The series of those from `first` on. */
static void family(const struct counted *v, size_t first, size_t n,
		   const struct transport_figure *of, struct buf *out)
{
	metrics_family(out, of->name, of->counter ? "counter" : "gauge", of->help);
	for (size_t i = first; i < n; i++) {
		const struct transport_figure *f = find(&v[i].figures, v[i].figures.n, of->name);

		if (f)
			metrics_value(out, f->name,
				      METRICS_LABELS({"destination", v[i].destination}), f->value);
	}
}

void metrics_figures(const struct admin_view *v, struct buf *out)
{
	struct delivery_status *s = xcalloc(ADMIN_DESTINATIONS_MAX, sizeof *s);
	size_t n = delivery_status(v->delivery, s, ADMIN_DESTINATIONS_MAX), found = 0, cap = 0;
	struct counted *all = NULL;

	for (size_t i = 0; i < n; i++) {
		all = mem_grow(all, found, &cap, sizeof *all);
		all[found].destination = s[i].name;
		found += delivery_figures(v->delivery, s[i].number, &all[found].figures);
	}
	for (size_t i = 0; i < found; i++)
		for (size_t k = 0; k < all[i].figures.n; k++)
			if (!is_told(all, i, all[i].figures.v[k].name))
				family(all, i, found, &all[i].figures.v[k], out);
	free(all);
	free(s);
}
