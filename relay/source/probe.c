/* The probe as a whole: list, single broadcast, recipients; then what no request answered. */
#include "relay/source/probe.h"

#include <stdlib.h>

#include "relay/source/client.h"
#include "relay/source/probe_parts.h"

const char *const question_keys[QUESTIONS] = {
	[ASKS_ORDER] = "recipients_order",
	[ASKS_STABLE] = "stable",
	[ASKS_LIST_ORDER] = "broadcasts_order",
	[ASKS_COUNTS] = "counts",
	[ASKS_COUNTERS] = "counters",
	[ASKS_TAKE] = "take",
	[ASKS_FILTERS] = "filters",
	[ASKS_FALSE] = "false_matches_null",
	[ASKS_BOUNCED] = "bounced",
	[ASKS_STATUSES] = "statuses",
	[ASKS_ACTIVE] = "all_includes_active",
	[ASKS_TIMES] = "times",
	[ASKS_PAGES] = "pages",
	[ASKS_END] = "behind_the_end",
	[ASKS_NEXT] = "next",
	[ASKS_SINGLE] = "single_broadcast",
	[ASKS_ERRORS] = "errors",
	[ASKS_REFUSALS] = "refusals",
	[ASKS_GZIP] = "gzip",
	[ASKS_CLOCK] = "clock",
};

const char *const question_texts[QUESTIONS] = {
	[ASKS_ORDER] = "How is the list of recipients sorted?",
	[ASKS_STABLE] = "Is that order the same when it is read again?",
	[ASKS_LIST_ORDER] = "How is the list of broadcasts sorted?",
	[ASKS_COUNTS] = "Is there a pagination-count, and is it the filter's?",
	[ASKS_COUNTERS] = "Do the counters in the broadcast list agree with the filters' counts?",
	[ASKS_TAKE] = "Is take obeyed?",
	[ASKS_FILTERS] = "Are filters obeyed?",
	[ASKS_FALSE] = "Does is_X=false show rows in which is_X is null?",
	[ASKS_BOUNCED] = "Is there is_bounced?",
	[ASKS_STATUSES] = "Which status words do recipients have?",
	[ASKS_ACTIVE] = "Does status=ALL include ACTIVE broadcasts?",
	[ASKS_TIMES] = "Do flags have times, and dates a time of day?",
	[ASKS_PAGES] = "Do pages follow one another without a row twice?",
	[ASKS_END] = "What comes behind the last page?",
	[ASKS_NEXT] = "Do pages name the next one (pagination-next)?",
	[ASKS_SINGLE] = "Can a single broadcast be asked for?",
	[ASKS_ERRORS] = "What does an error look like?",
	[ASKS_REFUSALS] = "Was a request refused for the rate limit (429), and what came with it?",
	[ASKS_GZIP] = "Are replies compressed?",
	[ASKS_CLOCK] = "How does the API's clock (Date) stand to this machine's?",
};

static void conclude(struct probe *p)
{
	struct finding *v = p->report->v;

	probe_say(p, ASKS_GZIP, p->gzip ? "yes, gzip" : "no");
	if (!*v[ASKS_REFUSALS].answer)
		probe_say(p, ASKS_REFUSALS, "none was refused");
	if (!*v[ASKS_ERRORS].answer)
		probe_show(p, ASKS_ERRORS, "none came");
	for (unsigned q = 0; q < QUESTIONS; q++)
		if (!*v[q].answer && !*v[q].evidence)
			probe_show(p, q, "%s",
				   p->ended		  ? p->why
				   : p->report->broadcast ? "too few rows"
							  : "there is no broadcast to look at");
}

int probe_run(const struct probe_env *env, const struct strings *orgs, struct probe_report *ret,
	      struct err *err)
{
	struct probe_report report = {.rows = -1};
	struct probe p = {.env = env,
			  .report = &report,
			  .doc = json_doc_new(),
			  .mended = BUF_INIT(API_BODY_MAX)};
	int status;

	states_init(&p.states);
	status = probe_list(&p, orgs, err);
	if (status == 0 && report.broadcast) {
		probe_single(&p);
		probe_rows(&p);
	}
	if (status == 0) {
		conclude(&p);
		*ret = report;
	} else {
		probe_report_release(&report);
	}
	snapshot_release(&p.rows);
	sorting_release(&p.order);
	json_doc_free(p.doc);
	buf_release(&p.mended);
	return status;
}

void probe_report_release(struct probe_report *r)
{
	free(r->org);
	free(r->broadcast);
	free(r->status);
	*r = (struct probe_report){.rows = -1};
}
