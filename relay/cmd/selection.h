/*
 * selection — which events a command means: flags and operands as a job's request, which is read as
 * the relay will read it.
 */
#ifndef RELAY_SELECTION_H
#define RELAY_SELECTION_H

#include "relay/cmd/reading.h"
#include "relay/job.h"

/* Of a table of flags; status: of what is parked only. */
#define FLAG_TO                                                                                    \
	{                                                                                          \
		't', "to", "DESTINATION", "only those of this destination"                         \
	}
#define FLAG_SINCE                                                                                 \
	{                                                                                          \
		0, "since", "TIME", "only what was recorded since then: a date, or 2h, 7d ago"     \
	}
#define FLAG_UNTIL                                                                                 \
	{                                                                                          \
		0, "until", "TIME", "only what was recorded before: the same"                      \
	}
#define FLAG_TYPE                                                                                  \
	{                                                                                          \
		0, "type", "TYPE",                                                                 \
			"only this type; with a dot at its end (recipient.) all that begin so"     \
	}
#define FLAG_STATUS                                                                                \
	{                                                                                          \
		0, "status", "TEXT", "only those whose reason begins so: 404"                      \
	}
#define FLAG_ALL                                                                                   \
	{                                                                                          \
		0, "all", NULL, "all of them, where nothing else says which"                       \
	}
#define FLAG_DRY_RUN                                                                               \
	{                                                                                          \
		0, "dry-run", NULL, "count them and change nothing"                                \
	}

struct selection { /* valid as {0} */
	struct job job;
	char *text; /* owned; the request's body */
};

/* The operands from `first` on are sequences and ids. */
int selection_read(struct selection *ret, enum job_kind kind, const struct args *a, size_t first,
		   struct err *err);
void selection_release(struct selection *s);
/* Nothing says which, but for the destination of a replay. */
bool selection_is_empty(const struct selection *s);

/* Each route that is meant, in the order of destination and sequence; of a retry or drop those that
 * are parked. At most `limit`; 0: all. fn: 0, or -1 to end. *ret_more: there are others. */
typedef int selection_fn(void *arg, const struct pick *p);
struct selection_walk {
	const struct reading *from;
	const struct selection *selection;
	int64_t limit;
	selection_fn *fn;
	void *arg;
	bool more;
};
int selection_walk(struct selection_walk *w, struct err *err);

/* Would a job of that kind take up such a route? What is owed anyway is not replayed. */
bool selection_takes(enum job_kind kind, bool settled, bool excepted, enum exception_state state);
/* How many routes the job would take up. */
int selection_count(const struct reading *from, const struct selection *s, int64_t *ret,
		    struct err *err);

#endif
