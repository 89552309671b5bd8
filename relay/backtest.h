/*
 * backtest — other rules over the journal's past: what they would have sent, more or less than what
 * was decided then. Reads only; a relay may run meanwhile. What it has to say of an event is
 * whether it would reach a destination, by whichever rule; the rule gets the credit or the blame.
 *
 * Alerts are not compared one by one: the windows of the new rules are filled afresh from the past,
 * and how many alerts come out stands beside how many there were. Time is the events' own
 * `recordedtime`; what was seen up to a day late counts as if it had been seen in time.
 */
#ifndef RELAY_BACKTEST_H
#define RELAY_BACKTEST_H

#include "relay/journal/journal.h"
#include "rules/rules.h"

struct backtest_options {
	const struct rules *rules;
	const char *const *destinations; /* their names, in the rules' numbering */
	size_t ndestinations;
	int64_t since_ms; /* only events recorded from then on; 0: all */
	/* Called now and then on the caller's thread; `done` of `all` sequences are behind it.
	 * Optional. */
	void (*progress)(void *arg, int64_t done, int64_t all);
	void *arg;
};

/* Routes by one rule to one destination. Events that `would` have taken, and that `was` took by the
 * same or another rule, are neither more nor less. */
struct backtest_row {
	const char *rule, *destination; /* borrowed from the result */
	uint64_t was, would, more, less;
	bool alert; /* has alerts: they are counted, not compared; the difference is more or less */
};

struct backtest_alerts {
	const char *rule;    /* borrowed from the result */
	uint64_t was, would; /* times it fired */
};

struct backtest {
	uint64_t events;
	int64_t first_ms, last_ms; /* when they were recorded; DATE_NONE: there are none */
	struct backtest_row *rows; /* in the order of the new rules, then those that are gone */
	struct backtest_alerts *alerts; /* in the same order */
	size_t nrows, nalerts;
	struct backtest_row all; /* together; without names */
	char **names;		 /* what the others borrow */
	size_t nnames;
};

/* On as many threads as there are processors, four at most, each of which opens the journal. */
int backtest_run(const struct journal_options *journal, const struct backtest_options *o,
		 struct backtest *ret, struct err *err);
void backtest_release(struct backtest *b); /* NULL and {0} are allowed */

#endif
