/*
 * Four destinations under a random script from a seed: receivers that fail in every way, kills,
 * restarts, reloads, people who disable, retry, replay and drop, a journal that commits nothing for
 * a while, days that pass. What must hold is said by the ledger of tests/sim/fleet.h, at each
 * quiet moment and in the end, when everybody is well again.
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
#include "relay/relay_state.h"
#include "tests/sim/fleet.h"
#include "tests/sim/scene.h"
#include "tests/suite/faulty_vfs.h"
#include "tests/unit/random_runs.h"

#define STEPS	 60
#define SECRET	 "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define HOUR_MS	 (60 * MINUTE_MS)
#define VARIANTS 3

struct world {
	struct scene s;
	struct fleet f;
	struct prng random;
	uint64_t seed;
	char *rest;
	bool present[FLEET], disabled[FLEET]; /* by hand, and nothing was since */
	unsigned variant[FLEET], rules;
	bool failing;	       /* the journal */
	int64_t lost[NUMBERS]; /* of relay.dropped: counted, and killed before it was told */
	bool excused[NUMBERS], judged[NUMBERS];
	uint64_t dropped; /* as the relay counts since its start */
	uint64_t longest_us;
	size_t kills, reloads, jobs, checks, parked, given_up;
};

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)(prng_next(&w->random) % n);
}

static struct relay *relay_of(const struct world *w)
{
	return drive_relay(w->s.d);
}

static const char *name_of(const struct world *w, size_t i)
{
	return w->f.v[i].name;
}

static void say(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct world *w, const char *fmt, ...)
{
	va_list args;
	if (!getenv("SCRIPT"))
		return;
	va_start(args, fmt);
	printf("%10lld  ", (long long)(drive_now_ms(w->s.d) - 1700000000000) / 1000);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
}

static struct delivery_status status_of(const struct world *w, const char *name)
{
	struct delivery_status s[8];
	size_t n = delivery_status(relay_of(w)->delivery, s, 8);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s[i].name, name))
			return s[i];
	return (struct delivery_status){.name = NULL};
}

/* ---- settings ---- */

static char *config_of(const struct world *w)
{
	static const char *const options[FLEET][VARIANTS] = {
		{"retry: [0s, 5s, 1m, 10m, 1h, 3h], ", "retry: [0s, 1s, 1s, 5s, 5s, 1m], ",
		 "in_flight: 3, retry: [0s, 5s, 1m, 10m, 1h, 3h], "},
		{"order: none, retry: [0s, 5s, 1m, 10m, 1h, 3h], ",
		 "order: none, rate: 5/s, retry: [0s, 5s, 5s, 5s, 5s, 1m], ",
		 "order: none, in_flight: 2, retry: [0s, 1s, 1m, 10m, 1h, 3h], "},
		{"retry: [0s, 5s, 1m, 10m, 1h, 3h], ", "retry: [0s, 5s, 5s, 5s, 5s, 1m], ",
		 "in_flight: 40, retry: [0s, 5s, 1m, 10m, 1h, 3h], "},
		{"retry: [0s, 5s, 1m, 10m, 1h, 3h], ", "retry: [0s, 1s, 1s, 1s, 1s, 1s], ",
		 "rate: 20/s, retry: [0s, 5s, 1m, 10m, 1h, 3h], "},
	};
	static const char *const formats[FLEET] = {"cloudevents", "cloudevents-binary",
						   "cloudevents-batch", "cloudevents"};
	static const char *const when[FLEET][2] = {
		{"when: { type: [{ prefix: recipient. }] }, ",
		 "when: { type: [{ prefix: recipient. }, { prefix: relay. }] }, "},
		{"when: { type: [{ prefix: recipient. }, { prefix: broadcast. }] }, ", ""},
		{"", "when: { type: [{ prefix: recipient. }] }, "},
		{"when: { type: [recipient.sent, recipient.opened] }, ",
		 "when: { type: [{ prefix: recipient. }] }, "},
	};
	struct buf out = BUF_INIT(1 << 16);
	buf_adds(&out, "destinations:\n  file: { stdout: { path: events.ndjson } }\n");
	for (size_t i = 0; i < FLEET; i++)
		if (w->present[i])
			buf_addf(
				&out,
				"  %s: { %s%shttp: { url: \"http://127.0.0.1:%d/\", secret: " SECRET
				", "
				"format: %s } "
				"}\n",
				name_of(w, i), options[i][w->variant[i]],
				i == 3 ? "redact: [phone, email], " : "",
				http_receiver_port(w->f.v[i].http), formats[i]);
	buf_adds(&out, "rules:\n  - { name: all, to: [file] }\n");
	for (size_t i = 0; i < FLEET; i++)
		if (w->present[i])
			buf_addf(&out, "  - { name: to_%s, %sto: [%s] }\n", name_of(w, i),
				 when[i][w->rules >> i & 1], name_of(w, i));
	return buf_detach(&out);
}

/* ---- time ---- */

static bool flies(void *arg)
{
	const struct relay *r = relay_of(arg);
	struct delivery_status s[8];
	size_t n = delivery_idle(r->delivery) ? 0 : delivery_status(r->delivery, s, 8), all = 0;
	for (size_t i = 0; i < n; i++)
		all += strcmp(s[i].name, "file") != 0 ? s[i].in_flight : 0;
	return all > 0;
}

static void note_loop(struct world *w)
{
	struct relay_loop loop;
	relay_loop(relay_of(w), &loop);
	if (loop.longest_us > w->longest_us)
		w->longest_us = loop.longest_us;
}

/* While jobs or retention are at work nobody knows what they find. */
static void note_turns(struct world *w)
{
	const struct relay *r = relay_of(w);
	uint64_t dropped = 0;
	bool jobs = relay_count_jobs(r) > 0;
	for (size_t i = 0; i < r->ndestinations; i++)
		dropped += r->destinations[i].ndropped;
	if (jobs || w->f.turning || dropped != w->dropped)
		fleet_turn(&w->f, jobs);
	w->dropped = dropped;
}

/* Waits for answers, without letting time pass, as long as any come. */
static void await(struct world *w)
{
	size_t before = fleet_calls(&w->f);
	for (int idle = 0; idle < 4 && flies(w);) {
		relay_tick(relay_of(w), relay_now(relay_of(w)));
		note_turns(w);
		relay_wait(relay_of(w), 1);
		size_t calls = fleet_calls(&w->f);
		idle = calls == before ? idle + 1 : 0;
		before = calls;
	}
}

static void look(struct world *w)
{
	if (*w->f.fault)
		fail_msg("RANDOM_SEED=%llu: %s", (unsigned long long)w->seed, w->f.fault);
}

/* What may come where, as it is now. */
static void note_states(struct world *w)
{
	for (size_t i = 0; i < FLEET; i++) {
		struct delivery_status s = status_of(w, name_of(w, i));
		if (w->present[i] && w->disabled[i] && s.state != DESTINATION_DISABLED)
			fleet_fault(&w->f, "%s is not disabled any more", name_of(w, i));
		if (!s.in_flight && !relay_of(w)->next)
			fleet_shut(&w->f, i, w->disabled[i] || !w->present[i]);
	}
	look(w);
}

static void run(struct world *w, int64_t ms)
{
	int64_t end = drive_now_ms(w->s.d) + ms;
	while (drive_now_ms(w->s.d) < end) {
		drive_run_until(w->s.d, end - drive_now_ms(w->s.d), flies, w);
		note_turns(w);
		await(w);
		if (flies(w)) /* they are gathered until time has passed */
			drive_run(w->s.d, 250);
		look(w);
	}
	note_states(w);
}

/* ---- what must hold ---- */

/* Everything is answered and committed; false: it does not come to that now. */
static bool calm(struct world *w)
{
	const struct relay *r = relay_of(w);
	for (int i = 0; i < 200 && !w->failing; i++) {
		if (!flies(w) && delivery_idle(r->delivery) && !relay_settling(r) && !r->next &&
		    !relay_count_jobs(r))
			return true;
		run(w, i < 20 ? 10 : 500);
	}
	return false;
}

struct found {
	size_t parked, rows, owed;
	bool *held; /* by sequence: owed or parked */
};

static struct found look_into(struct store *store, uint32_t number, size_t latest)
{
	struct found ret = {.held = xcalloc(latest + 2, sizeof(bool))};
	struct err err = {0};
	int64_t after = 0;
	bool more = true;
	while (more) {
		const struct pick_query q = {.destination = number, .after = after, .limit = 1000};
		struct picks picks = {0};
		if (store_sqlite.picks(store, &q, &picks, &err) < 0)
			fail_msg("%s", err.msg);
		for (size_t i = 0; i < picks.n; i++) {
			const struct pick *p = &picks.v[i];
			bool parked = p->excepted && p->state == EXCEPTION_PARKED;
			bool owed = p->excepted ? !parked : !p->settled;
			ret.parked += parked;
			ret.rows += p->excepted && !parked;
			ret.owed += owed;
			ret.held[p->sequence] = owed || parked;
		}
		after = picks.scanned;
		more = picks.more;
		picks_release(&picks);
	}
	return ret;
}

static int64_t missing(const struct track *t, const struct found *found)
{
	int64_t n = 0;
	for (size_t s = 1; s < t->cap; s++)
		n += t->v[s].routed && !t->v[s].accepted && !(found && found->held[s]);
	return n;
}

static int64_t untold(const struct world *w, uint32_t number)
{
	const struct known_destination *k = relay_known_number(relay_of(w), number);
	int64_t n = 0;
	for (int why = 0; k && why < DROP_REASONS; why++)
		n += k->dropped[why].count;
	for (size_t i = 0; i < relay_of(w)->nkept; i++)
		if (relay_of(w)->kept[i]->about == number)
			n += strtoll(strstr(relay_of(w)->kept[i]->data.data, "\"count\":") + 8,
				     NULL, 10);
	return n;
}

static void check_one(struct world *w, struct store *store, const struct delivery_status *s)
{
	const struct track *t = &w->f.tracks[s->number];
	struct found found = look_into(store, s->number, w->f.nevents);
	struct owed owed = {0};
	struct err err = {0};
	const struct owed_query q = {.destination = s->number, .until = (int64_t)w->f.nevents};
	if (store_sqlite.owed(store, &q, &owed, &err) < 0)
		fail_msg("%s", err.msg);
	if (found.parked != s->parked || found.rows != s->retrying + s->waiting ||
	    (int64_t)found.owed != owed.n)
		fleet_fault(&w->f,
			    "%s: parked %zu, %zu in the journal; rows %zu, %zu; owed %zu, %lld",
			    s->name, s->parked, found.parked, s->retrying + s->waiting, found.rows,
			    found.owed, (long long)owed.n);
	int64_t lack = missing(t, &found);
	if (lack > t->told + untold(w, s->number) + w->lost[s->number])
		fleet_fault(&w->f, "%s: %lld are missing, %lld are told, %lld will be, %lld lost",
			    s->name, (long long)lack, (long long)t->told,
			    (long long)untold(w, s->number), (long long)w->lost[s->number]);
	w->parked += s->parked;
	free(found.held);
}

static void check_dropped(struct world *w)
{
	for (uint32_t n = 1; n < NUMBERS; n++) {
		const struct track *t = &w->f.tracks[n];
		if (!t->dropped || w->judged[n])
			continue;
		w->judged[n] = true;
		if (!w->excused[n] && missing(t, NULL) > t->told + w->lost[n])
			fleet_fault(&w->f, "%s (%u, dropped): %lld are missing, %lld are told",
				    t->name, n, (long long)missing(t, NULL), (long long)t->told);
	}
}

static void check(struct world *w)
{
	struct delivery_status s[8];
	struct problems problems = {0};
	struct err err = {0};
	char *path = xasprintf("%s/relay.yaml", w->s.dir);
	if (!calm(w)) {
		free(path);
		return;
	}
	struct settings *settings = settings_load(path, &problems);
	struct store *store = store_sqlite.open(settings->journal.options, STORE_READ, &err);
	if (!store)
		fail_msg("%s", err.msg);
	size_t n = delivery_status(relay_of(w)->delivery, s, 8);
	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].name, "file") != 0)
			check_one(w, store, &s[i]);
	check_dropped(w);
	store_sqlite.close(store);
	settings_free(settings);
	problems_release(&problems);
	free(path);
	w->checks++;
	look(w);
}

/* ---- what happens ---- */

static void pass_time(struct world *w)
{
	unsigned kind = below(w, 20);
	int64_t ms = kind < 12	 ? 1 + below(w, 20000)
		     : kind < 18 ? below(w, 10 * MINUTE_MS)
				 : below(w, 10) * HOUR_MS / (kind - 17);
	if (w->failing) /* it is tried anew each second, which takes its time */
		ms %= 10 * MINUTE_MS;
	say(w, "%lld ms", (long long)ms);
	run(w, ms);
}

static void change_mood(struct world *w)
{
	unsigned i = below(w, FLEET), mood = below(w, MOODS + 3);
	int wait_s = (int)(1 + below(w, below(w, 4) ? 30 : 7200));
	if (mood >= MOODS)
		mood = mood == MOODS ? MOODY : WELL;
	say(w, "%s: mood %u, %d s", name_of(w, i), mood, wait_s);
	fleet_mood(&w->f, i, (enum mood)mood, wait_s);
}

/* Not all that was done is committed. */
static void turns(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		relay_tick(relay_of(w), relay_now(relay_of(w)));
		note_turns(w);
		relay_wait(relay_of(w), (int)below(w, 3));
	}
}

static void kill_it(struct world *w)
{
	bool hard = below(w, 4);
	note_turns(w);
	turns(w, below(w, 12));
	note_loop(w);
	say(w, "%s", hard ? "kill" : "end");
	for (uint32_t n = 1; n < NUMBERS; n++) {
		w->lost[n] += untold(w, n);
		w->excused[n] |= w->f.tracks[n].dropped && !w->judged[n];
	}
	for (size_t i = 0; i < FLEET; i++)
		fleet_shut(&w->f, i, false);
	if (hard)
		drive_kill(w->s.d);
	else
		drive_restart(w->s.d);
	for (size_t i = 0; i < FLEET; i++)
		http_receiver_rest(w->f.v[i].http);
	fleet_new_life(&w->f);
	w->kills++;
	w->failing = false;
	w->dropped = 0;
	for (size_t i = 0; i < FLEET; i++) {
		w->disabled[i] = status_of(w, name_of(w, i)).state == DESTINATION_DISABLED;
		bool was = false;
		for (uint32_t n = 1; n < NUMBERS; n++)
			if (w->f.tracks[n].known && !strcmp(w->f.tracks[n].name, name_of(w, i)))
				was = w->f.tracks[n].state == DESTINATION_DISABLED;
		if (w->present[i] && w->disabled[i] != was)
			fleet_fault(&w->f, "%s: its state is not that which was committed",
				    name_of(w, i));
	}
	note_turns(w);
	look(w);
}

static void act(struct world *w, size_t i, enum admin_act what)
{
	struct err err = {0};
	bool done = relay_act_on(relay_of(w), name_of(w, i), what, "by script", &err) == 0;
	say(w, "%s: act %d%s%s", name_of(w, i), what, done ? "" : ": ", done ? "" : err.msg);
	if (done && what == ADMIN_ENABLE)
		fleet_shut(&w->f, i, false);
	if (done && what != ADMIN_DROP)
		w->disabled[i] = what == ADMIN_DISABLE;
}

static void reload(struct world *w)
{
	char *old = w->rest;
	for (int i = 0; i < 200 && (relay_dropping(relay_of(w)) || relay_of(w)->next); i++)
		run(w, 100);
	if (relay_dropping(relay_of(w)) || relay_of(w)->next)
		return;
	for (size_t i = 0; i < FLEET; i++) {
		bool was = w->present[i];
		unsigned variant = below(w, 3) ? w->variant[i] : below(w, VARIANTS);
		w->present[i] = below(w, was ? 5 : 2) != 0;
		if (w->present[i] && was && variant == w->variant[i])
			continue;
		w->variant[i] = variant;
		w->disabled[i] = false;
		fleet_shut(&w->f, i, false);
	}
	if (!below(w, 3))
		w->rules = below(w, 1 << FLEET);
	w->rest = config_of(w);
	say(w, "reload %d%d%d%d, rules %u", w->present[0], w->present[1], w->present[2],
	    w->present[3], w->rules);
	drive_reload_rules(w->s.d, w->rest);
	if (!below(w, 3)) /* while it is on its way */
		act(w, below(w, FLEET), ADMIN_DROP);
	for (int i = 0; i < 100 && relay_of(w)->next; i++)
		drive_run(w->s.d, 100);
	for (size_t i = 0; i < FLEET; i++)
		if (!w->present[i])
			http_receiver_rest(w->f.v[i].http);
	fleet_turn(&w->f, w->f.turning); /* what was out to who is gone comes again */
	free(old);
	w->reloads++;
}

static void ask_for_job(struct world *w)
{
	static const char *const kinds[] = {"retry", "retry", "drop", "replay", "replay"};
	unsigned kind = below(w, 5);
	const char *name = name_of(w, below(w, FLEET));
	struct buf body = BUF_INIT(4096), text = BUF_INIT(1 << 20);
	struct err err = {0};
	if (kind >= 3 || below(w, 2))
		buf_addf(&body, "{\"destination\":\"%s\"%s%s}", name,
			 kind == 4 ? ",\"reroute\":true" : "",
			 kind == 2 && below(w, 2) ? ",\"status\":\"404\"" : "");
	const struct admin_request q = {.body = body.data, .len = body.len};
	int failed = relay_take_job(relay_of(w), kinds[kind], &q, &text, &err);
	say(w, "job %s %s%s", kinds[kind], body.data, failed ? err.msg : "");
	w->jobs += !failed;
	fleet_turn(&w->f, true);
	note_turns(w);
	buf_release(&body);
	buf_release(&text);
}

static void fail_or_heal(struct world *w)
{
	w->failing = !w->failing;
	int code = !w->failing ? 0 : below(w, 2) ? ERR_STORE : ERR_LIMIT;
	say(w, "journal: %d", code);
	drive_fail_commits(w->s.d, code);
}

static void one_step(struct world *w)
{
	unsigned what = below(w, 100);
	if (what < 30)
		change_mood(w);
	else if (what < 38)
		kill_it(w);
	else if (what < 46)
		reload(w);
	else if (what < 60)
		act(w, below(w, FLEET), (enum admin_act)below(w, 3));
	else if (what < 76)
		ask_for_job(w);
	else if (what < 84 || (w->failing && what < 92))
		fail_or_heal(w);
	else
		check(w);
	if (below(w, 5))
		pass_time(w);
	else if (below(w, 2))
		turns(w, below(w, 20));
}

/* ---- in the end ---- */

static void mend_all(struct world *w)
{
	say(w, "all are well");
	drive_fail_commits(w->s.d, 0);
	w->failing = false;
	run(w, 10000);
	for (size_t i = 0; i < FLEET; i++)
		fleet_mood(&w->f, i, WELL, 0);
	for (int i = 0; i < 200 && (relay_dropping(relay_of(w)) || relay_of(w)->next); i++)
		run(w, 100);
	for (size_t i = 0; i < FLEET; i++) {
		w->present[i] = true;
		w->disabled[i] = false;
		w->variant[i] = 0;
		fleet_shut(&w->f, i, false);
	}
	char *old = w->rest;
	w->rest = config_of(w);
	drive_reload_rules(w->s.d, w->rest);
	free(old);
	run(w, 20000);
	for (size_t i = 0; i < FLEET; i++)
		act(w, i, ADMIN_ENABLE);
	model_end(drive_model(w->s.d));
}

static bool all_arrived(const struct world *w)
{
	struct delivery_status s[8];
	size_t n = delivery_status(relay_of(w)->delivery, s, 8);
	for (size_t i = 0; i < n; i++)
		if (s[i].parked || s[i].retrying || s[i].waiting)
			return false;
	return relay_delivered(relay_of(w)) && !relay_count_jobs(relay_of(w));
}

static void tell_unfinished(struct world *w)
{
	struct delivery_status s[8];
	struct buf jobs = BUF_INIT(1 << 20);
	size_t n = delivery_status(relay_of(w)->delivery, s, 8);
	for (size_t i = 0; i < n; i++)
		printf("# %s: state %d, down %lld, parked %zu, retrying %zu, waiting %zu, in "
		       "flight %zu\n",
		       s[i].name, s[i].state, (long long)s[i].down_ms, s[i].parked, s[i].retrying,
		       s[i].waiting, s[i].in_flight);
	relay_list_jobs(relay_of(w), &jobs);
	printf("# idle %d, settling %d, %zu jobs: %s\n", delivery_idle(relay_of(w)->delivery),
	       relay_settling(relay_of(w)), relay_count_jobs(relay_of(w)), jobs.data);
	buf_release(&jobs);
	fleet_fault(&w->f, "it does not come to an end");
}

static void wait_for_all(struct world *w)
{
	bool all = false;
	for (int round = 0; round < 12 && !all; round++) {
		const struct admin_request q = {.body = "", .len = 0};
		struct buf text = BUF_INIT(1 << 20);
		struct err err = {0};
		fleet_turn(&w->f, true);
		if (relay_take_job(relay_of(w), "retry", &q, &text, &err) < 0)
			say(w, "%s", err.msg);
		buf_release(&text);
		run(w, 20 * MINUTE_MS);
		for (int i = 0; i < 2000 && !relay_delivered(relay_of(w)); i++) {
			run(w, 500);
			relay_wait(relay_of(w), 2); /* the journal reads what is due */
		}
		all = calm(w) && all_arrived(w); /* something may have come just now */
	}
	if (!all)
		tell_unfinished(w);
	size_t before = w->checks;
	check(w);
	if (w->checks == before)
		fleet_fault(&w->f, "it does not become calm");
	look(w);
	drive_verify(w->s.d);
	look(w);
}

static void one_run(uint64_t seed)
{
	struct world *w = xcalloc(1, sizeof *w);
	w->seed = seed;
	w->random.state = seed;
	fleet_open(&w->f, seed);
	w->s = scene_new(10 + below(w, 60));
	w->s.o.model.seed = (uint32_t)seed;
	w->s.o.journal = below(w, 2) ? ", keep_unsent: 3h, keep: 3h" : ", keep_unsent: 6h";
	w->s.o.source = "  since: all\n  full_sweep_every: 6h\n  poll_every: 10s\n"
			"  poll_every_max: 10m\n";
	w->s.o.arg = &w->f;
	w->s.o.committed = fleet_committed;
	for (size_t i = 0; i < FLEET; i++)
		w->present[i] = true;
	w->s.o.rest = w->rest = config_of(w);
	scene_begin(&w->s);
	for (int i = 0; i < STEPS; i++)
		one_step(w);
	mend_all(w);
	wait_for_all(w);
	note_loop(w);
	printf("# seed=%llu events=%zu calls=%zu repeats=%zu kills=%zu reloads=%zu jobs=%zu "
	       "checks=%zu parked=%zu longest_us=%llu\n",
	       (unsigned long long)seed, w->f.nevents, w->f.calls, w->f.repeats, w->kills,
	       w->reloads, w->jobs, w->checks, w->parked, (unsigned long long)w->longest_us);
	fflush(stdout);
	scene_finish(&w->s);
	fleet_close(&w->f);
	free(w->rest);
	free(w);
}

static void every_event_arrives_or_is_accounted_for(void **state)
{
	struct random_runs runs = random_runs(3, 1);
	(void)state;
	faulty_install(); /* under it a sync costs nothing */
	for (size_t i = 0; i < runs.n; i++)
		one_run(runs.seed + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_arrives_or_is_accounted_for),
	};
	return cmocka_run_group_tests_name("deliveries", tests, NULL, NULL);
}
