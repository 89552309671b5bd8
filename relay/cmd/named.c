/* named — see the header. */
#include "relay/cmd/named.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/cmd/fates.h"
#include "relay/cmd/one_event.h"
#include "relay/cmd/screen.h"

#define BRIEF_MAX 400 /* of an error's text */

/* ---- one event ---- */

/* At a destination, or at any (NULL). */
static bool any_to_take(enum job_kind kind, const struct event_fates *fates, const char *only)
{
	for (size_t i = 0; i < fates->n; i++) {
		const struct event_fate *f = &fates->v[i];
		bool meant = !only || !strcmp(f->destination, only);
		if (meant && selection_takes(kind, f->settled, f->excepted, f->exception.state))
			return true;
	}
	return false;
}

static int read_fates(const struct reading *from, const char *what, struct event_fates *ret,
		      struct err *err)
{
	struct event found = {0};
	if (one_event_find(&found, what, from->store, err) < 0)
		return -1;
	int failed = from->store->type->fates(from->store, found.sequence, ret, err);
	event_release(&found);
	return failed;
}

/* Returns -1: the error says what became of it instead. */
static int other_fate(enum job_kind kind, const char *what, const struct event_fates *fates,
		      const char *only, struct err *err)
{
	struct buf brief = BUF_INIT(BRIEF_MAX);
	fates_brief(&brief, fates, only);
	if (!brief.len && only)
		buf_addf(&brief, "no rule sent it to %s", only);
	else if (!brief.len)
		buf_adds(&brief, "no rule sent it anywhere");
	err_set(err, ERR_MISSING, "%s is not %s: %s%s", what,
		kind == JOB_REPLAY ? "to be sent once more" : "parked", brief.data,
		brief.full ? ", …" : "");
	buf_release(&brief);
	return -1;
}

int named_is_parked(const struct reading *from, const char *what, struct err *err)
{
	struct event_fates fates = {0};
	int failed = read_fates(from, what, &fates, err);
	if (!failed && !any_to_take(JOB_RETRY, &fates, NULL))
		failed = other_fate(JOB_RETRY, what, &fates, NULL, err);
	event_fates_release(&fates);
	return failed;
}

/* ---- those of a job ---- */

struct naming {
	const struct selection *selection;
	bool *met; /* of each that is named */
};

static bool is_named(const char *what, const struct pick *p)
{
	int64_t sequence;
	return cmd_number(what, &sequence) ? sequence == p->sequence : !strcmp(what, p->id);
}

static int meet(void *arg, const struct pick *p)
{
	struct naming *n = arg;
	const struct job *j = &n->selection->job;
	if (!selection_takes(j->kind, p->settled, p->excepted, p->state))
		return 0;
	for (size_t i = 0; i < j->ids.n; i++)
		n->met[i] = n->met[i] || is_named(j->ids.v[i], p);
	return 0;
}

/* Always -1; ERR_MISSING: the reason is its own. */
static int say_why(const struct reading *from, const struct job *j, const char *what,
		   struct err *err)
{
	struct event_fates fates = {0};
	int failed = read_fates(from, what, &fates, err);
	if (!failed && any_to_take(j->kind, &fates, j->destination))
		failed = err_set(err, ERR_MISSING, "%s is not of those that the flags ask for",
				 what);
	else if (!failed)
		failed = other_fate(j->kind, what, &fates, j->destination, err);
	event_fates_release(&fates);
	return failed;
}

/* By rules any event of the journal may be sent. */
static int meet_all(const struct reading *from, struct naming *n, struct err *err)
{
	const struct job *j = &n->selection->job;
	struct selection_walk w = {.from = from, .selection = n->selection, .fn = meet, .arg = n};
	if (!j->reroute)
		return selection_walk(&w, err);
	for (size_t i = 0; i < j->ids.n; i++) {
		struct event found = {0};
		struct err missing = {0};
		n->met[i] = one_event_find(&found, j->ids.v[i], from->store, &missing) == 0;
		event_release(&found);
	}
	return 0;
}

int named_check(const struct reading *from, const struct selection *s, const char *command,
		size_t *ret, struct err *err)
{
	const struct strings *ids = &s->job.ids;
	struct naming n = {.selection = s, .met = xcalloc(ids->n + 1, sizeof *n.met)};
	int failed = meet_all(from, &n, err);
	size_t missing = 0;
	for (size_t i = 0; i < ids->n && !failed; i++) {
		struct err why = {0};
		if (n.met[i])
			continue;
		say_why(from, &s->job, ids->v[i], &why);
		if (why.code != ERR_MISSING) {
			*err = why;
			failed = -1;
			continue;
		}
		fprintf(stderr, "relay %s: ", command);
		screen_print(why.msg, stderr);
		fputc('\n', stderr);
		missing++;
	}
	free(n.met);
	if (!failed)
		*ret = missing;
	return failed;
}
