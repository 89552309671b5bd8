/* Which rules look at an event: an index over the patterns of all of them. */
#include "rules/window_match.h"

#include <stdlib.h>

#include "relay/base/mem.h"
#include "rules/index.h"

struct matcher {
	struct index *index;
	struct index_scratch *scratch;
	struct match *of_pattern; /* whose each pattern is */
	struct match *found;	  /* room for all */
};

struct matcher *matcher_new(const struct alert_rule *const *rules, size_t n)
{
	struct matcher *m = xcalloc(1, sizeof *m);
	const struct pattern **patterns = xcalloc(2 * n + 1, sizeof *patterns);
	size_t npatterns = 0;

	m->of_pattern = xcalloc(2 * n + 1, sizeof *m->of_pattern);
	m->found = xcalloc(2 * n + 1, sizeof *m->found);
	for (size_t i = 0; i < n; i++) {
		m->of_pattern[npatterns] = (struct match){i, false};
		patterns[npatterns++] = rules[i]->when;
		if (!rules[i]->other)
			continue;
		m->of_pattern[npatterns] = (struct match){i, true};
		patterns[npatterns++] = rules[i]->other;
	}
	m->index = index_build(patterns, npatterns);
	m->scratch = index_scratch_new(m->index);
	free(patterns);
	return m;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	index_scratch_free(m->scratch);
	index_free(m->index);
	free(m->of_pattern);
	free(m->found);
	free(m);
}

size_t matcher_match(struct matcher *m, const char *text, size_t len, const struct match **ret)
{
	const uint32_t *patterns;

	index_read(m->index, m->scratch, text, len);
	size_t n = index_match(m->index, m->scratch, &patterns);
	for (size_t i = 0; i < n; i++)
		m->found[i] = m->of_pattern[patterns[i]];
	*ret = m->found;
	return n;
}
