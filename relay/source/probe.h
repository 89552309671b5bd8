/*
 * probe — asks the API what its documentation leaves open: how lists are sorted, what counters and
 * counts are worth, which parameters are obeyed. At most PROBE_REQUESTS requests, one after the
 * other, on one broadcast: a live one with enough rows if there is one.
 *
 * No clock and no I/O of its own: requests, waiting and time come through env. The answers depend
 * on the replies alone, but for the clock's.
 */
#ifndef RELAY_PROBE_H
#define RELAY_PROBE_H

#include "relay/base/http.h"
#include "relay/config/option.h"
#include "relay/source/seed.h"

#define PROBE_REQUESTS 40

struct probe_env {
	/* GET of a path with its query; *ret is valid until the next call. Fails only when it
	 * cannot be asked at all: no answer is a reply, too. */
	int (*get)(void *arg, const char *path, const struct http_reply **ret, struct err *err);
	void (*wait)(void *arg, int64_t ms);
	int64_t (*now_ms)(void *arg); /* wall */
	void *arg;
};

enum question {
	ASKS_ORDER,
	ASKS_STABLE,
	ASKS_LIST_ORDER,
	ASKS_COUNTS,
	ASKS_COUNTERS,
	ASKS_TAKE,
	ASKS_FILTERS,
	ASKS_FALSE,
	ASKS_BOUNCED,
	ASKS_STATUSES,
	ASKS_ACTIVE,
	ASKS_TIMES,
	ASKS_PAGES,
	ASKS_END,
	ASKS_NEXT,
	ASKS_SINGLE,
	ASKS_ERRORS,
	ASKS_REFUSALS,
	ASKS_GZIP,
	ASKS_CLOCK,
	QUESTIONS
};

struct finding {
	char answer[160]; /* "": not answered, and evidence says why */
	char evidence[320];
};
extern const char *const question_keys[QUESTIONS]; /* for JSON */
extern const char *const question_texts[QUESTIONS];

struct probe_report {
	struct finding v[QUESTIONS];
	unsigned requests;
	char *org, *broadcast, *status; /* looked at; owned; broadcast NULL: there is none */
	int64_t rows;			/* of it, as counted; -1: not known */
	struct seed seed;		/* what a relay may start from */
};

/* -1: the API could not be used; ret is then not filled. orgs: at least one. */
int probe_run(const struct probe_env *env, const struct strings *orgs, struct probe_report *ret,
	      struct err *err);
void probe_report_release(struct probe_report *r); /* {0} is a valid empty one */

#endif
