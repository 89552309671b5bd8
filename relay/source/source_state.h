/*
 * What the parts of the source share: what is asked (source.c), what is followed (source_follow.c),
 * what becomes of the answers (source_answers.c), and pages of recipients on their way
 * (source_pages.c).
 */
#ifndef RELAY_SOURCE_STATE_H
#define RELAY_SOURCE_STATE_H

#include "relay/base/random.h"
#include "relay/source/budget.h"
#include "relay/source/health.h"
#include "relay/source/listing.h"
#include "relay/source/pages.h"
#include "relay/source/planner.h"
#include "relay/source/report.h"
#include "relay/source/seed.h"
#include "relay/source/source_orgs.h"
#include "relay/source/tokens.h"

#define UNDER_WAY_MAX  8      /* requests and pages: 430 a minute at a latency of 1 s */
#define PAGES_KEPT_MAX 100000 /* of all broadcasts: 10 million rows, 9 to 46 MB */

/* A followed broadcast. */
struct watch {
	struct followed followed; /* first: others hold a pointer to it */
	uint64_t key;		  /* hash of org and id */
	struct pages pages;
	unsigned missing; /* 404 in a row */
	bool busy;	  /* a request or a page of it is under way */
	bool dropped;	  /* unfollowed meanwhile: freed when that has ended */
	struct watch_log log;
};

/* A page between its answer and source_page_done. */
struct slot {
	struct source_page page;
	struct slot *next;
	bool used;
	struct watch *watch;
	struct plan plan;
	struct plan_answer answer;
	struct hash128 hash;
	struct snapshot rows;
	struct buf text;
	uint32_t *fresh; /* numbers first seen in this sweep on this page */
	size_t nfresh, cap;
	uint16_t told;
	bool baseline; /* its rows are new by nature */
};

struct source {
	const struct source_options *options; /* borrowed */
	struct source_env env;
	struct instant now;
	struct client *client;
	struct planner *planner;
	struct seed seed; /* what followed broadcasts start from */
	struct source_orgs orgs;
	struct budget budget;
	struct health health;
	int64_t failing_since_ms;
	int64_t behind_ms; /* so far the API's clock goes after ours, by the last reply */
	char *worked_org, *refused_org; /* of the last answers of that kind; owned; NULL: none */
	struct prng random;
	bool paused;
	struct watch **v;
	size_t n, cap;
	struct slot *slots; /* those in use, and at most one that is not */
	size_t pages;	    /* slots in use */
	struct listing listing;
	struct tokens tokens;
	uint64_t odd_told; /* states whose odd values were told of */
	struct source_status stats;
	uint64_t answers[REQUEST_KINDS][ANSWER_KINDS];
};

/* A request under way. */
struct ask {
	struct source *source;
	struct plan plan; /* PLAN_NOTHING: a probe */
	bool orgs;	  /* not even that: of source_orgs */
	enum request_kind what;
	struct watch *watch; /* REQUEST_RECIPIENTS of a plan */
	struct instant asked;
	uint64_t list; /* of tokens */
};

client_done source_answered;			       /* arg: the ask, which it frees */
void source_not_asked(struct ask *a, const char *why); /* it could not even be made */
void source_take_page(struct ask *a, const struct answer *answer);

/* When it was asked for, wall, by our clock or by the API's: the earlier one. */
int64_t source_asked_ms(const struct ask *a, const struct answer *answer);
void source_worked(struct source *s); /* something usable came */
void source_fail(struct ask *a, const char *why, int status);
/* The whole API says wait; w: what was asked of, or NULL. */
void source_refused(struct source *s, const struct watch *w, const struct answer *answer);
void source_end_ask(struct ask *a); /* frees it; its broadcast may be asked for again */
void source_tell(const struct source *s, enum source_notice what, const struct watch *w,
		 const char *why, int64_t number);

/* report.c: a complete sweep of it has ended. */
void report_swept(const struct source *s, struct watch *w);

void watch_free(struct watch *w);
void slot_free(struct slot *slot);

#endif
