/* The list of jobs, and which events each one names. Invariants: it ascends by id, and the
 * sequences that a job names ascend without one twice, whatever a person wrote. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/jobs_state.h"

static int by_sequence(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_sequences(struct work *w)
{
	size_t n = 0;
	qsort(w->sequences, w->nsequences, sizeof *w->sequences, by_sequence);
	for (size_t i = 0; i < w->nsequences; i++)
		if (!n || w->sequences[i] != w->sequences[n - 1])
			w->sequences[n++] = w->sequences[i];
	w->nsequences = n;
}

static void sort_ids(struct work *w)
{
	const struct strings *ids = &w->job.ids;
	w->sequences = xcalloc(ids->n + 1, sizeof *w->sequences);
	w->ids = xcalloc(ids->n + 1, sizeof *w->ids);
	for (size_t i = 0; i < ids->n; i++) {
		if (*ids->v[i] == 'e')
			w->ids[w->nids++] = ids->v[i];
		else
			w->sequences[w->nsequences++] = strtoll(ids->v[i], NULL, 10);
	}
	sort_sequences(w);
	qsort(w->ids, w->nids, sizeof *w->ids, by_text);
}

bool work_wants(const struct work *w, const char *id, int64_t sequence)
{
	return !w->job.ids.n ||
	       bsearch(&sequence, w->sequences, w->nsequences, sizeof sequence, by_sequence) ||
	       bsearch(&id, w->ids, w->nids, sizeof *w->ids, by_text);
}

struct work *jobs_add(struct jobs *js, const struct job *j)
{
	struct work *w = xcalloc(1, sizeof *w);
	size_t at = js->n;
	w->job = *j;
	sort_ids(w);
	js->v = mem_grow(js->v, js->n, &js->cap, sizeof(struct work *));
	for (; at && js->v[at - 1]->job.id > j->id; at--)
		js->v[at] = js->v[at - 1];
	js->v[at] = w;
	js->n++;
	return w;
}

void jobs_remove_at(struct jobs *js, size_t at)
{
	struct work *w = js->v[at];
	js->n--;
	memmove(&js->v[at], &js->v[at + 1], (js->n - at) * sizeof(struct work *));
	job_release(&w->job);
	free(w->sequences);
	free(w->ids);
	free(w);
}

struct work *jobs_find(const struct jobs *js, int64_t id)
{
	for (size_t i = 0; i < js->n; i++)
		if (js->v[i]->job.id == id)
			return js->v[i];
	return NULL;
}

size_t jobs_count_open(const struct jobs *js)
{
	size_t n = 0;
	for (size_t i = 0; i < js->n; i++)
		n += job_is_open(&js->v[i]->job);
	return n;
}
