/*
 * Alerts of simulated campaigns. A ledger says when what happened; it is polled as the relay polls,
 * failures minutes before deliveries, each broadcast and state with a watermark of its own. What
 * the windows say of shares and absences must be what a slow and obvious computation makes of the
 * ledger, whatever the order of events and the moments of polls, commits and kills; and with kills
 * they must say, to the letter, what they say without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "tests/unit/window_rig.h"

#define BROADCASTS 3
#define RECIPIENTS 60
#define FACTS	   (2 * BROADCASTS * RECIPIENTS)
#define SEEDS	   40
#define LENGTH	   (2 * HOUR + 20 * MINUTE)
#define SEND_TIME  (30 * MINUTE)
#define RATE_MS	   (5 * MINUTE)
#define RATE_STEP  (10 * SECOND)
#define QUIET_MS   (10 * MINUTE)
#define QUIET_STEP (20 * SECOND)
#define RATE_AFTER (2 * MINUTE)

#define SHARES                                                                                     \
	"  - name: rate\n"                                                                         \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id], within: 5m, resolve_after: 2m,\n"                  \
	"             ratio: { of: { type: recipient.sent }, above: 25%, min: 4 } }\n"             \
	"  - name: channels\n"                                                                     \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id, data.integration_id], within: 5m,\n"                \
	"             resolve_after: 2m, fold: [data.integration_id],\n"                           \
	"             ratio: { of: { type: recipient.sent }, above: 25%, min: 3 } }\n"
#define ABSENCES                                                                                   \
	"  - name: silence\n"                                                                      \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 10m, fold: [data.broadcast_id],\n"         \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"               \
	"  - name: lost\n"                                                                         \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.recipient_id], within: 10m,\n"                                    \
	"             absent: { type: [recipient.delivered, recipient.failed] } }\n"
#define LULLS                                                                                      \
	"  - name: lull\n"                                                                         \
	"    when: { type: [recipient.sent] }\n"                                                   \
	"    alert: { per: [data.broadcast_id, data.integration_id], within: 1m,\n"                \
	"             fold: [data.broadcast_id], absent: { type: recipient.delivered } }\n"
#define FIRSTS                                                                                     \
	"  - name: first\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id, data.integration_id], within: 10m,\n"               \
	"             fold: [data.broadcast_id], absent: { type: recipient.played } }\n"
#define COUNTS                                                                                     \
	"  - name: storm\n"                                                                        \
	"    when: { type: [recipient.failed] }\n"                                                 \
	"    alert: { per: [data.broadcast_id], within: 2m, count: 4, resolve_after: 3m }\n"

/* Each kind is killed alone: how much of the past one needs must not help another. */
static const char *const kinds[] = {SHARES, ABSENCES, LULLS, FIRSTS, COUNTS};
#define KINDS 5

enum state { SENT, DELIVERED, FAILED, STATES };
static const char *const types[STATES] = {"recipient.sent", "recipient.delivered",
					  "recipient.failed"};
static const char *const broadcasts[BROADCASTS] = {"b1", "b2", "b3"};
static const char *const integrations[] = {"twilio", "telnyx"};

struct fact {
	enum state state;
	int broadcast, recipient, integration;
	int64_t time_ms;
	bool seen;
};

struct ledger {
	struct fact v[FACTS];
	int n;
	char recipients[BROADCASTS * RECIPIENTS][16];
};

static int64_t below(struct prng *p, int64_t n)
{
	return (int64_t)(prng_next(p) % (uint64_t)n);
}

static void add(struct ledger *l, const struct fact *like, enum state state, int64_t time_ms)
{
	l->v[l->n] = *like;
	l->v[l->n].state = state;
	l->v[l->n++].time_ms = time_ms;
}

/* Most are delivered soon, some late; there are spells of failures and of silence. */
static void write_ledger(struct ledger *l, struct prng *p)
{
	for (int i = 0; i < BROADCASTS * RECIPIENTS; i++) {
		struct fact f = {.broadcast = i / RECIPIENTS, .recipient = i};
		int64_t sent_ms = FOLD_START + below(p, SEND_TIME);
		int64_t spell = (sent_ms / (4 * MINUTE) + f.broadcast) % 4;
		int64_t delay_ms = below(p, 3) ? below(p, 20 * SECOND) : below(p, 14 * MINUTE);
		double fails = spell == 1 ? 0.6 : 0.05, silent = spell == 3 ? 0.4 : 0.02;
		double luck = prng_unit(p);

		snprintf(l->recipients[i], sizeof l->recipients[i], "r%d", i);
		f.integration = (int)below(p, 2);
		add(l, &f, SENT, sent_ms);
		if (luck < silent)
			continue;
		add(l, &f, luck < silent + fails ? FAILED : DELIVERED, sent_ms + delay_ms);
	}
}

/* ---- what the windows say ---- */

static void see(struct fold *r, const struct ledger *l, const struct fact *f, int64_t now_ms)
{
	fold_feed(r, &(struct happening){
			     .type = types[f->state],
			     .broadcast = broadcasts[f->broadcast],
			     .recipient = l->recipients[f->recipient],
			     .integration = integrations[f->integration],
			     .error = f->state == FAILED ? "Error 30003: handset +4917" : NULL,
			     .time_ms = f->time_ms,
			     .recorded_ms = now_ms,
		     });
}

/* All of that state that happened until now, in no order. */
static void poll(struct fold *r, struct ledger *l, struct prng *p, int place, int64_t now_ms)
{
	int from = (int)below(p, l->n), broadcast = place / STATES;
	enum state state = (enum state)(place % STATES);

	for (int i = 0; i < l->n; i++) {
		/* 7 has no factor in common with a number of facts that is no multiple of it. */
		struct fact *f = &l->v[l->n % 7 ? (from + 7 * i) % l->n : i];
		if (f->seen || f->broadcast != broadcast || f->state != state ||
		    f->time_ms > now_ms)
			continue;
		f->seen = true;
		see(r, l, f, now_ms);
	}
	fold_know_type(r, broadcasts[broadcast], types[state], now_ms);
}

static void unsee(struct ledger *l)
{
	for (int i = 0; i < l->n; i++)
		l->v[i].seen = false;
}

static void simulate(struct fold *r, struct ledger *l, uint64_t seed, const char *killed)
{
	static const int64_t every_ms[STATES] = {40 * SECOND, 5 * MINUTE, 12 * SECOND};
	struct prng p = {seed}, chance = {seed + 1000};
	int64_t next_ms[BROADCASTS * STATES];

	unsee(l);
	fold_open(r, killed ? killed : SHARES ABSENCES LULLS FIRSTS COUNTS);
	r->whole = true;
	fold_commit(r);
	for (int i = 0; i < BROADCASTS * STATES; i++) {
		next_ms[i] = FOLD_START + below(&p, every_ms[i % STATES]);
		fold_know_type(r, broadcasts[i / STATES], types[i % STATES], FOLD_START - 1);
	}
	for (int64_t now_ms = FOLD_START; now_ms < FOLD_START + LENGTH; now_ms += SECOND) {
		for (int i = 0; i < BROADCASTS * STATES; i++) {
			if (next_ms[i] > now_ms)
				continue;
			poll(r, l, &p, i, now_ms);
			next_ms[i] = now_ms + 1 + below(&p, 2 * every_ms[i % STATES]);
		}
		fold_tick(r, now_ms);
		if (below(&chance, 20) == 0)
			fold_commit(r);
		if (below(&chance, 200) == 0 && killed)
			fold_restart(r);
	}
	fold_commit(r);
}

/* ---- what the ledger says ---- */

struct lines {
	char *v[4096];
	size_t n;
};

struct course {
	const char *name, *key;
	bool open, share;
	int64_t true_ms, after_ms, told, count, of, keys;
	int updates;
};

static void say(struct lines *to, const struct course *c, const char *kind, int64_t end_ms)
{
	char of[32] = "", n[32] = "";

	if (c->share)
		snprintf(of, sizeof of, " of %lld", (long long)c->of);
	if (kind[0] == 'u' && c->updates)
		snprintf(n, sizeof n, " n %d", c->updates);
	assert_true(to->n < sizeof to->v / sizeof *to->v);
	to->v[to->n++] = xasprintf("%s %s %s at %+lld count %lld%s keys %lld%s", kind, c->name,
				   c->key, (long long)(end_ms - FOLD_START) / SECOND,
				   (long long)c->count, of, (long long)c->keys, n);
}

/* One step of an alert's life: does the condition hold at its end? */
static void live(struct lines *to, struct course *c, bool holds, int64_t end_ms)
{
	if (holds) {
		c->true_ms = end_ms;
		if (!c->open || c->count >= 2 * c->told) {
			say(to, c, c->open ? "updated" : "firing", end_ms);
			c->updates += c->open;
			c->told = c->count;
		}
		c->open = true;
	}
	if (c->open && end_ms >= c->true_ms + c->after_ms) {
		say(to, c, "resolved", end_ms);
		*c = (struct course){
			.name = c->name, .key = c->key, .share = c->share, .after_ms = c->after_ms};
	}
}

/* Facts of a state in (end - 5m, end]; integration -1: any. */
static int64_t facts_in(const struct ledger *l, enum state state, int broadcast, int integration,
			int64_t end_ms)
{
	int64_t n = 0;

	for (int i = 0; i < l->n; i++) {
		const struct fact *f = &l->v[i];
		n += f->state == state && f->broadcast == broadcast &&
		     (integration < 0 || f->integration == integration) && f->time_ms <= end_ms &&
		     f->time_ms > end_ms - RATE_MS;
	}
	return n;
}

static bool share_holds(const struct ledger *l, struct course *c, int broadcast, int integration,
			int64_t end_ms)
{
	int64_t n = facts_in(l, FAILED, broadcast, integration, end_ms);
	int64_t of = facts_in(l, SENT, broadcast, integration, end_ms);

	if (of < (integration < 0 ? 4 : 3) || 4 * n <= of)
		return false;
	c->count += n;
	c->of += of;
	c->keys++;
	return true;
}

static void expect_shares(struct lines *to, const struct ledger *l)
{
	for (int k = 0; k < BROADCASTS + 2; k++) {
		int integration = k - BROADCASTS;
		struct course c = {.name = integration < 0 ? "rate" : "channels",
				   .key = integration < 0 ? broadcasts[k]
							  : integrations[integration],
				   .share = true,
				   .after_ms = RATE_AFTER};
		for (int64_t end_ms = FOLD_START; end_ms < FOLD_START + LENGTH;
		     end_ms += RATE_STEP) {
			struct course at = c;
			bool holds = false;
			at.count = at.of = at.keys = 0;
			for (int b = 0; b < BROADCASTS; b++)
				if ((integration >= 0 || b == k) &&
				    share_holds(l, &at, b, integration < 0 ? -1 : integration,
						end_ms))
					holds = true;
			if (holds)
				c = at;
			live(to, &c, holds, end_ms);
		}
	}
}

static bool comes(const struct ledger *l, const struct fact *sent)
{
	for (int i = 0; i < l->n; i++) {
		const struct fact *f = &l->v[i];
		if (f->recipient == sent->recipient && f->state != SENT &&
		    llabs(f->time_ms - sent->time_ms) <= QUIET_MS)
			return true;
	}
	return false;
}

/* broadcast -1: that recipient alone. */
static void expect_silence(struct lines *to, const struct ledger *l, int broadcast, int recipient)
{
	struct course c = {.name = broadcast < 0 ? "lost" : "silence",
			   .key = broadcast < 0 ? l->recipients[recipient] : broadcasts[broadcast],
			   .after_ms = QUIET_MS};

	for (int64_t end_ms = FOLD_START; end_ms < FOLD_START + LENGTH; end_ms += QUIET_STEP) {
		bool holds = false;
		for (int i = 0; i < l->n; i++) {
			const struct fact *f = &l->v[i];
			if (f->state != SENT || f->time_ms + QUIET_MS > end_ms ||
			    f->time_ms + QUIET_MS <= end_ms - QUIET_STEP ||
			    (broadcast < 0 ? f->recipient != recipient
					   : f->broadcast != broadcast) ||
			    comes(l, f))
				continue;
			holds = true;
			c.count++;
			c.keys++;
		}
		live(to, &c, holds, end_ms);
	}
}

/* Rules whose keys have many events. */
struct lull {
	const char *name;
	enum state when, awaited;
	int64_t within_ms, step_ms;
};
static const struct lull lulls[] = {
	{"lull", SENT, DELIVERED, MINUTE, 2 * SECOND},
	{"first", FAILED, STATES, 10 * MINUTE, 20 * SECOND},
};

/* The first of a stretch's events of a key is waited for, if none of the other kind is near it. */
static const struct fact *lull_of(const struct ledger *l, const struct lull *k, int key,
				  int64_t stretch)
{
	const struct fact *first = NULL;

	for (int i = 0; i < l->n; i++) {
		const struct fact *f = &l->v[i];
		if (f->state == k->when && 2 * f->broadcast + f->integration == key &&
		    f->time_ms / k->within_ms == stretch && (!first || f->time_ms < first->time_ms))
			first = f;
	}
	for (int i = 0; first && i < l->n; i++) {
		const struct fact *f = &l->v[i];
		if (f->state == k->awaited && 2 * f->broadcast + f->integration == key &&
		    llabs(f->time_ms - first->time_ms) <= k->within_ms)
			return NULL;
	}
	return first;
}

static void expect_lulls(struct lines *to, const struct ledger *l, const struct lull *k,
			 int broadcast)
{
	static int64_t ends_ms[2 * LENGTH / MINUTE];
	struct course c = {.name = k->name, .key = broadcasts[broadcast], .after_ms = k->within_ms};
	int n = 0;

	for (int64_t at_ms = FOLD_START; at_ms < FOLD_START + LENGTH; at_ms += k->within_ms)
		for (int key = 2 * broadcast; key < 2 * broadcast + 2; key++) {
			const struct fact *f = lull_of(l, k, key, at_ms / k->within_ms);
			if (f)
				ends_ms[n++] = (f->time_ms + k->within_ms + k->step_ms - 1) /
					       k->step_ms * k->step_ms;
		}
	for (int64_t end_ms = FOLD_START; end_ms < FOLD_START + LENGTH; end_ms += k->step_ms) {
		int64_t now = 0;
		for (int i = 0; i < n; i++)
			now += ends_ms[i] == end_ms;
		c.count += now;
		c.keys += now;
		live(to, &c, now > 0, end_ms);
	}
}

static void expect(struct lines *to, const struct ledger *l)
{
	expect_shares(to, l);
	for (int b = 0; b < BROADCASTS; b++)
		expect_silence(to, l, b, -1);
	for (int b = 0; b < BROADCASTS; b++)
		for (size_t i = 0; i < sizeof lulls / sizeof *lulls; i++)
			expect_lulls(to, l, &lulls[i], b);
	for (int i = 0; i < BROADCASTS * RECIPIENTS; i++)
		expect_silence(to, l, -1, i);
}

/* ---- both ---- */

static int in_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take(struct lines *to, const struct fold *r)
{
	for (size_t i = 0; i < r->ncommitted; i++) {
		assert_true(to->n < sizeof to->v / sizeof *to->v);
		to->v[to->n++] = xstrdup(r->committed[i]);
	}
}

/* Without the count rule and what stands behind the summary. */
static void summarize(struct lines *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		char *behind = strstr(l->v[i], " opened ");
		if (behind)
			*behind = '\0';
		if (strstr(l->v[i], " storm "))
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

static void compare(uint64_t seed, const char *what, struct lines *a, struct lines *b)
{
	qsort(a->v, a->n, sizeof *a->v, in_order);
	qsort(b->v, b->n, sizeof *b->v, in_order);
	for (size_t i = 0; i < a->n || i < b->n; i++) {
		const char *x = i < a->n ? a->v[i] : "-", *y = i < b->n ? b->v[i] : "-";
		if (strcmp(x, y) != 0)
			fail_msg("seed %llu, %s:\n%s\n%s", (unsigned long long)seed, what, x, y);
	}
}

static void clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	l->n = 0;
}

static void campaigns_say_what_the_ledger_says(void **state)
{
	static struct lines calm, killed, wanted;
	size_t alerts = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct ledger l = {0};
		struct prng p = {seed};
		struct fold r;
		write_ledger(&l, &p);
		simulate(&r, &l, seed, NULL);
		take(&calm, &r);
		fold_close(&r);
		for (int kind = 0; kind < KINDS; kind++) {
			simulate(&r, &l, seed, kinds[kind]);
			take(&killed, &r);
			fold_close(&r);
		}
		compare(seed, "without and with kills", &calm, &killed);
		alerts += calm.n;
		expect(&wanted, &l);
		summarize(&calm);
		compare(seed, "the ledger and the windows", &wanted, &calm);
		clear(&calm);
		clear(&killed);
		clear(&wanted);
	}
	print_message("seeds 1 to %d: %zu alerts\n", SEEDS, alerts);
	assert_true(alerts > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(campaigns_say_what_the_ledger_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
