/*
 * delivery: whatever is answered, killed, taken up again, forgotten, skipped, disabled, taken out
 * and put back, at any moment: each event is sent, or parked, or given up by who said so; none is
 * sent without a reason; first arrivals of a key are in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"
#include "tests/unit/journal_look.h"
#include "tests/unit/random_runs.h"

#define RUNS	   20
#define STEPS	   600
#define EVENTS_MAX 4000
#define KEYS_MAX   64

struct fate {
	unsigned arrived, sent, taken;
	unsigned repeats; /* how often a kill may have lost that it was sent */
	bool sent_now;	  /* since the last kill */
	bool given_up;	  /* skipped or forgotten at some time */
	bool banned;	  /* skipped: it must not be sent */
	bool asked;	  /* taken up, not yet sent since … */
	bool durable;	  /* … and that is committed */
};

static struct model {
	struct rig *w;
	uint64_t seed;
	struct fate fates[EVENTS_MAX + 1];
	int64_t newest[KEYS_MAX]; /* the highest that arrived, by key */
	uint64_t keys[KEYS_MAX];
	size_t nkeys;
	bool ordered; /* it was so all the time */
	bool lenient; /* everything is accepted at last */
	struct look *look;
	uint64_t stamp; /* of look */
	struct again picks[EVENTS_MAX];
	unsigned kills, takes, forgets, skips, stale;
} m;

static double unit(void)
{
	return prng_unit(&m.w->random);
}

static int64_t below(int64_t n)
{
	return (int64_t)(prng_next(&m.w->random) % (uint64_t)n);
}

/* --- what the receiver sees --- */

static void check_order(const struct parcel *p)
{
	int64_t s = p->event->sequence;
	size_t k = 0;

	while (k < m.nkeys && m.keys[k] != p->event->order_key)
		k++;
	if (k == m.nkeys) {
		assert_true(m.nkeys < KEYS_MAX);
		m.keys[m.nkeys] = p->event->order_key;
		m.newest[m.nkeys++] = 0;
	}
	if (m.ordered && !m.fates[s].arrived && !m.fates[s].given_up && s < m.newest[k])
		fail_msg("%d arrived after %d of the same key", (int)s, (int)m.newest[k]);
	if (m.newest[k] < s)
		m.newest[k] = s;
}

static void note_verdict(int64_t sequence, enum verdict verdict)
{
	struct fate *f = &m.fates[sequence];

	if (verdict != SENT)
		return;
	f->sent++;
	f->sent_now = true;
	f->asked = f->durable = false;
	if (f->sent > 1 + f->taken + f->repeats)
		fail_msg("%d was sent %u times", (int)sequence, f->sent);
}

static bool judge(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	struct fate *f = &m.fates[p->event->sequence];
	double x = m.lenient ? 1 : unit();

	(void)w;
	check_order(p);
	f->arrived++;
	if (f->banned)
		fail_msg("%d was skipped", (int)p->event->sequence);
	if (x < 0.3)
		return false;
	if (x < 0.4) {
		ret->verdict = TRY_AGAIN;
		ret->why = "503: later";
	} else if (x < 0.46) {
		ret->verdict = REFUSED;
		ret->why = "404: no such hook";
	}
	note_verdict(p->event->sequence, ret->verdict);
	return true;
}

static void answer_one(void)
{
	struct receiver *r = &m.w->receiver;
	double x = m.lenient ? 0 : unit();
	enum verdict verdict = x < 0.7 ? SENT : x < 0.9 ? TRY_AGAIN : REFUSED;
	size_t i;

	if (!r->nheld)
		return;
	i = (size_t)below((int64_t)r->nheld);
	note_verdict(r->held[i]->event->sequence, verdict);
	rig_answer(m.w, i, verdict);
}

/* --- what is done to it --- */

static const struct destination *destination(void)
{
	return m.w->delivery->v[0];
}

static bool failing(void)
{
	return atomic_load(&rig_commits_fail);
}

static void commit_some(void)
{
	int n = 1 + (int)below(60);

	if (!failing() && m.w->latest + n <= EVENTS_MAX)
		rig_commit(m.w, n, 1 + (int)below(40));
}

static void look(void)
{
	if (m.look || failing())
		return;
	m.stamp = delivery_stamp(m.w->delivery);
	if (!m.stamp)
		return;
	m.look = look_at(m.w);
	for (int64_t s = 1; s <= m.w->latest; s++)
		m.fates[s].durable |= m.fates[s].asked;
}

static size_t pick(bool parked)
{
	int64_t first = 1 + below(m.w->latest + 1), last = first + below(100);

	if (last > m.w->latest)
		last = m.w->latest;
	return parked ? look_pick_parked(m.look, first, last, m.picks)
		      : look_pick_done(m.look, m.w, first, last, m.picks);
}

static void take_up(size_t n)
{
	size_t taken, looked = delivery_again(m.w->delivery, 1, m.picks, n, &taken);

	assert_int_equal(looked, n);
	if (taken)
		m.takes++;
	for (size_t i = 0; i < destination()->nitems; i++) {
		const struct item *x = destination()->items[i];

		for (size_t k = 0; k < n; k++) {
			struct fate *f = &m.fates[x->sequence];

			if (m.picks[k].sequence != x->sequence || x->state >= ITEM_PARKED)
				continue;
			f->taken++;
			f->asked = true;
			f->durable = f->banned = false;
		}
	}
}

static void forget(size_t n)
{
	int64_t sequences[200];

	for (size_t i = 0; i < n; i++) {
		sequences[i] = m.picks[i].sequence;
		m.fates[sequences[i]].given_up = true;
		m.fates[sequences[i]].asked = m.fates[sequences[i]].durable = false;
	}
	delivery_forget_parked(m.w->delivery, 1, sequences, n);
	m.forgets += n > 0;
}

static void use_look(void)
{
	bool parked = unit() < 0.6;
	size_t n;

	if (!m.look)
		return;
	n = pick(parked);
	if (delivery_stamp(m.w->delivery) != m.stamp)
		m.stale++;
	else if (parked && unit() < 0.3)
		forget(n);
	else
		take_up(n);
	free(m.look);
	m.look = NULL;
}

/* Another job, which is quicker: the look that somebody has is past. */
static void use_another_look(void)
{
	struct look *kept = m.look;
	uint64_t stamp = m.stamp;

	m.look = NULL;
	look();
	use_look();
	m.look = kept;
	m.stamp = stamp;
}

static bool flying(int64_t sequence)
{
	for (size_t i = 0; i < destination()->nitems; i++)
		if (destination()->items[i]->sequence == sequence)
			return destination()->items[i]->state == ITEM_FLYING;
	return false;
}

static void skip_some(void)
{
	int64_t from = destination()->cursor.position - 20, until;

	until = (from > 0 ? from : 0) + below(60);
	if (until > journal_latest(m.w->journal))
		until = journal_latest(m.w->journal);
	for (int64_t s = 1; s <= until; s++) {
		m.fates[s].given_up = true;
		m.fates[s].banned = !flying(s);
		if (m.fates[s].banned)
			m.fates[s].asked = m.fates[s].durable = false;
	}
	delivery_skip(m.w->delivery, 1, until);
	assert_true(destination()->cursor.position >= until);
	m.skips++;
}

static void set_state(void)
{
	if (unit() < 0.5)
		delivery_set_state(m.w->delivery, 1, DESTINATION_DISABLED, "by hand");
	else
		delivery_set_state(m.w->delivery, 1, DESTINATION_ENABLED, NULL);
}

static void reload(void)
{
	m.w->replaced_options = m.w->options;
	if (unit() < 0.3) {
		m.w->options.order = m.w->replaced_options.order =
			unit() < 0.5 ? ORDER_NONE : ORDER_RECIPIENT;
		m.ordered &= m.w->options.order == ORDER_RECIPIENT;
	}
	if (unit() < 0.3)
		rig_enable(m.w);
	else
		rig_replace(m.w);
	m.w->away = false;
}

static void go_or_come(void)
{
	if (m.w->away) {
		reload();
		return;
	}
	delivery_remove(m.w->delivery, 1);
	m.w->receiver.nheld = 0;
	m.w->away = true;
}

/* What the journal had is what counts from here on. */
static void kill_it(void)
{
	const struct cursor *c;

	rig_kill(m.w);
	m.kills++;
	c = &m.w->head.destinations[0].cursor;
	for (int64_t s = 1; s <= m.w->latest; s++) {
		struct fate *f = &m.fates[s];

		f->repeats += f->sent_now;
		f->sent_now = false;
		f->banned &= cursor_has(c, s);
		f->asked &= f->durable;
	}
	for (size_t i = 0; i < m.w->head.nexceptions; i++)
		if (m.w->head.exceptions[i].state != EXCEPTION_PARKED)
			m.fates[m.w->head.exceptions[i].sequence].banned = false;
	free(m.look);
	m.look = NULL;
}

static void disturb(void)
{
	atomic_store(&rig_commits_fail, unit() < 0.3);
	atomic_store(&rig_reads_fail, unit() < 0.3);
}

static void pass_time(void)
{
	int64_t ms = 1 + below(200 * S);

	m.w->now.mono_ms += ms;
	m.w->now.wall_ms += ms;
}

static void step(void)
{
	static const struct {
		double share;
		void (*act)(void);
	} acts[] = {
		{0.30, answer_one}, {0.10, pass_time}, {0.06, commit_some},	 {0.08, look},
		{0.08, use_look},   {0.02, skip_some}, {0.03, set_state},	 {0.02, reload},
		{0.03, go_or_come}, {0.02, kill_it},   {0.03, use_another_look}, {0.02, disturb},
	};
	double x = unit();

	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		if (x < acts[i].share) {
			acts[i].act();
			break;
		}
		x -= acts[i].share;
	}
	mailbox_run(m.w->loop);
	if (unit() < 0.8)
		delivery_tick(m.w->delivery, m.w->now);
	if (unit() < 0.2)
		mailbox_wait(m.w->loop, 1);
}

/* --- at last --- */

static void end(void)
{
	atomic_store(&rig_commits_fail, false);
	atomic_store(&rig_reads_fail, false);
	m.lenient = true;
	if (m.w->away)
		go_or_come();
	delivery_set_state(m.w->delivery, 1, DESTINATION_ENABLED, NULL);
	while (m.w->receiver.nheld)
		answer_one();
	rig_pass(m.w, 24 * H);
	assert_true(delivery_drained(m.w->delivery));
	assert_true(delivery_idle(m.w->delivery));
}

static void check(void)
{
	struct look *l = look_at(m.w);

	assert_int_equal(l->cursor.position, m.w->latest);
	assert_int_equal(l->nrows, l->nparked);
	assert_int_equal(rig_status(m.w).parked, l->nparked);
	for (int64_t s = 1; s <= m.w->latest; s++) {
		const struct fate *f = &m.fates[s];

		if (!f->sent && !look_parked(l, s) && !f->given_up)
			fail_msg("%d of %d is lost", (int)s, (int)m.w->latest);
		if (f->asked && f->durable && !look_parked(l, s))
			fail_msg("%d was taken up, but not sent", (int)s);
	}
	free(l);
}

static void run_one(uint64_t seed)
{
	void *state;

	memset(&m, 0, sizeof m);
	m.seed = seed;
	m.ordered = true;
	rig_open(&state);
	m.w = state;
	m.w->random.state = seed;
	m.w->receiver.judge = judge;
	for (int i = 0; i < STEPS; i++)
		step();
	end();
	check();
	free(m.look);
	rig_close(&state);
}

static void whatever_happens(void **state)
{
	const struct random_runs runs = random_runs(RUNS, random_u64());
	unsigned kills = 0, takes = 0, forgets = 0, skips = 0, stale = 0;

	(void)state;
	for (size_t i = 0; i < runs.n; i++) {
		run_one(runs.seed + i);
		kills += m.kills;
		takes += m.takes;
		forgets += m.forgets;
		skips += m.skips;
		stale += m.stale;
	}
	printf("# kills=%u taken up=%u forgotten=%u skipped=%u stale=%u\n", kills, takes, forgets,
	       skips, stale);
	assert_true(runs.n < 20 || (kills && takes && forgets && skips && stale));
}

/* The one to be looked at where the test failed. */
static int tell_last(void **state)
{
	(void)state;
	printf("# the last run: RANDOM_SEED=%llu RANDOM_RUNS=1\n", (unsigned long long)m.seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(whatever_happens, tell_last),
	};

	return cmocka_run_group_tests_name("delivery random", tests, NULL, NULL);
}
