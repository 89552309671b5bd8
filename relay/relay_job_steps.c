/*
 * One step of a job: some routes are picked from the journal, and delivery takes them up or forgets
 * them; of a replay by the rules in force, some events are read, the rules asked, and routes added
 * where there were none. Nothing here holds the loop or the journal's reader for long: what is much
 * is done in steps.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/jobs_state.h"

#define PICK_MOST   500	 /* routes in a step: some 1 ms of the loop */
#define PICK_SCAN   2000 /* … looked at for them: some 20 ms of the reader */
#define EVENTS_MOST 250	 /* events in a step, each asked the rules about: some 1 ms */
#define EVENTS_SPAN 2000 /* … among so many */
#define PAUSE_MS    5000 /* after the journal failed */
#define STAMP_MS    5	 /* until it is looked again whether delivery's changes are committed */

/* ---- what was picked ---- */

static void note_dropped(struct relay *r, const struct pick *const *v, size_t n)
{
	struct dropped d = {.count = (int64_t)n};
	for (size_t i = 0; i < n && d.nids < GATHERED_IDS; i++)
		memcpy(d.ids[d.nids++], v[i]->id, EVENT_ID_SIZE);
	if (n)
		relay_note_dropped(r, v[0]->destination, DROP_BY_HAND, &d);
}

/* Returns how many of them delivery had room for. */
static size_t hand_over(struct relay *r, const struct pick *const *v, size_t n)
{
	struct jobs *js = r->jobs;
	struct again *agains = xcalloc(n + 1, sizeof *agains);
	int64_t *sequences = xcalloc(n + 1, sizeof *sequences);
	size_t done = n, taken = n;
	for (size_t i = 0; i < n; i++) {
		bool parked = v[i]->excepted && v[i]->state == EXCEPTION_PARKED;
		agains[i] = (struct again){v[i]->sequence, v[i]->order_key, parked, false};
		sequences[i] = v[i]->sequence;
	}
	if (n && js->now->job.kind == JOB_DROP) {
		delivery_forget_parked(r->delivery, v[0]->destination, sequences, n);
		note_dropped(r, v, n);
	} else if (n) {
		done = delivery_again(r->delivery, v[0]->destination, agains, n, &taken);
	}
	js->step.taken += (int64_t)taken;
	free(agains);
	free(sequences);
	return done;
}

static bool is_parked(const struct pick *p)
{
	return p->excepted && p->state == EXCEPTION_PARKED;
}

static bool is_owed(const struct pick *p)
{
	return !is_parked(p) && (!p->settled || p->excepted);
}

/* A parked one waits for a person; what is owed comes anyway. */
static bool is_wanted(const struct work *w, const struct pick *p)
{
	return !is_owed(p) && work_wants(w, p->id, p->sequence);
}

/* Those of one destination, from the i-th on. False: it has no room for all. */
static bool take_run(struct relay *r, const struct picks *p, size_t *i)
{
	struct jobs *js = r->jobs;
	const struct pick **v = xcalloc(p->n - *i + 1, sizeof *v);
	size_t n = 0, end = *i;
	for (; end < p->n && p->v[end].destination == p->v[*i].destination; end++)
		if (is_wanted(js->now, &p->v[end]))
			v[n++] = &p->v[end];
	size_t done = hand_over(r, v, n);
	bool all = done == n;
	if (!all)
		end = (size_t)(v[done] - p->v);
	free(v);
	js->step.looked += (int64_t)(end - *i);
	*i = end;
	return all;
}

/* Nothing is sent there, so that no room will come of itself. */
static bool rests(const struct relay *r, uint32_t number)
{
	const struct known_destination *k = relay_known_number(r, number);
	const struct destination_settings *s =
		k ? settings_destination(r->settings, k->record.name) : NULL;
	return !s || !s->options.enabled || k->record.state != DESTINATION_ENABLED;
}

static void take_picks(struct relay *r, const struct picks *p)
{
	struct job_step *s = &r->jobs->step;
	const struct job *j = &r->jobs->now->job;
	size_t i = 0;
	while (i < p->n && !s->full)
		s->full = !take_run(r, p, &i);
	if (s->full && !j->destination && rests(r, p->v[i].destination)) {
		s->full = false; /* the others do not wait for it */
		s->after_destination = p->v[i].destination;
		s->after = j->last;
	} else if (!s->full) {
		s->after_destination = p->scanned_destination;
		s->after = p->scanned;
		s->end = !p->more;
	} else if (i) { /* else it stays where it was */
		s->after_destination = p->v[i - 1].destination;
		s->after = p->v[i - 1].sequence;
	}
	r->jobs->stage = STAGE_KEEPING;
}

/* False: the step has ended, as the answer is of no use. */
static bool is_usable(struct relay *r, const struct err *err)
{
	if (relay_ending(r)) {
		job_step_again(r, 0);
		return false;
	}
	if (err) {
		log_warn("a job waits: the journal failed", log_num("job", r->jobs->now->job.id),
			 log_str("why", err->msg));
		job_step_again(r, PAUSE_MS);
		return false;
	}
	return true;
}

static void picked(void *arg, struct picks *p, const struct err *err)
{
	struct relay *r = arg;
	if (!is_usable(r, err))
		return;
	if (delivery_stamp(r->delivery) != r->jobs->stamp)
		job_step_again(r, STAMP_MS);
	else
		take_picks(r, p);
}

/* False: what was changed by hand before is not committed, and the step has ended. */
static bool take_stamp(struct relay *r)
{
	r->jobs->stamp = delivery_stamp(r->delivery);
	if (r->jobs->stamp)
		return true;
	job_step_again(r, STAMP_MS);
	return false;
}

static void pick(struct relay *r, uint32_t destination)
{
	const struct work *w = r->jobs->now;
	const struct job *j = &w->job;
	const struct pick_query q = {
		.destination = destination,
		.after_destination = (uint32_t)j->after_destination,
		.after = j->after,
		.parked = j->kind != JOB_REPLAY,
		.since_ms = j->since_ms,
		.until_ms = j->until_ms,
		.last = j->last,
		.type = j->type,
		.why = j->status,
		.sequences = w->nids ? NULL : w->sequences,
		.nsequences = w->nids ? 0 : w->nsequences,
		.limit = PICK_MOST,
		.scan_limit = PICK_SCAN,
	};
	if (!take_stamp(r))
		return;
	journal_picks(r->journal, &q, picked, r);
}

/* ---- by the rules in force ---- */

static void take_rerouted(struct relay *r)
{
	struct jobs *js = r->jobs;
	const struct known_destination *k = relay_known(r, js->now->job.destination);
	size_t taken = 0, done = js->nagains;
	if (k && js->nagains)
		done = delivery_again(r->delivery, k->record.number, js->agains, js->nagains,
				      &taken);
	js->step.taken += (int64_t)taken;
	if (done < js->nagains) { /* routes that were added stay; they are looked at once more */
		js->step.full = true;
		js->step.end = false;
		js->step.after = js->agains[done].sequence - 1;
		js->step.looked = (int64_t)done;
	}
	js->stage = STAGE_KEEPING;
}

static void late_committed(void *arg, const struct batch *b, const struct err *err)
{
	struct relay *r = arg;
	if (!err) {
		router_committed(r->router, b);
		relay_destinations_committed(r, b);
		r->jobs->now->added_until = b->late[b->nlate - 1].sequence;
	}
	if (is_usable(r, err))
		take_rerouted(r);
}

/* Which have a route already, and of these which are parked, and which owed. A route that this job
 * added is not owed unless it was read since, and reading may be past it. Both lists ascend. */
static void compare(struct jobs *js, const struct picks *p)
{
	size_t k = 0, added = 0;
	for (size_t i = 0; i < js->nagains; i++) {
		struct again *a = &js->agains[i];
		while (k < p->n && p->v[k].sequence < a->sequence)
			k++;
		bool found = k < p->n && p->v[k].sequence == a->sequence;
		a->parked = found && is_parked(&p->v[k]);
		a->owed = found && !a->parked && is_owed(&p->v[k]) &&
			  a->sequence > js->now->added_until;
		added += !found;
	}
	if (added)
		return;
	batch_free(js->late);
	js->late = NULL;
}

static void routes_known(void *arg, struct picks *p, const struct err *err)
{
	struct relay *r = arg;
	struct jobs *js = r->jobs;
	if (!is_usable(r, err))
		return;
	if (delivery_stamp(r->delivery) != js->stamp) {
		job_step_again(r, STAMP_MS);
		return;
	}
	compare(js, p);
	if (!js->late) {
		take_rerouted(r);
		return;
	}
	struct batch *b = js->late;
	js->late = NULL;
	relay_add_destinations(r, b);
	journal_commit(r->journal, b, late_committed, r);
}

static bool is_asked_for(const struct work *w, const struct event *ev)
{
	int64_t at_ms = event_recorded_ms(ev->body, ev->len);
	return (!w->job.since_ms || at_ms >= w->job.since_ms) &&
	       (!w->job.until_ms || at_ms < w->job.until_ms) && work_wants(w, ev->id, ev->sequence);
}

static bool is_about(const struct event *ev, const struct known_destination *k)
{
	char *about = event_about(ev);
	bool same = about && !strcmp(about, k->record.name);
	free(about);
	return same;
}

static void ask_rules(struct relay *r, const struct known_destination *k, const struct events *v)
{
	struct jobs *js = r->jobs;
	js->late = batch_new();
	js->agains = xcalloc(v->n + 1, sizeof *js->agains);
	for (size_t i = 0; i < v->n; i++) {
		const struct event *ev = &v->v[i];
		if (!is_asked_for(js->now, ev) || is_about(ev, k) ||
		    !router_add_late(r->router, js->late, ev, k->record.number))
			continue;
		js->agains[js->nagains++] = (struct again){
			.sequence = ev->sequence,
			.order_key = ev->order_key,
		};
	}
	js->step.looked += (int64_t)v->n;
}

static void events_read(void *arg, const struct events *v, const struct err *err)
{
	struct relay *r = arg;
	struct jobs *js = r->jobs;
	if (!is_usable(r, err))
		return;
	const struct known_destination *k = relay_known(r, js->now->job.destination);
	if (!k) {
		job_step_again(r, 0); /* which says so */
		return;
	}
	ask_rules(r, k, v);
	if (v->n == EVENTS_MOST) {
		js->step.after = v->v[v->n - 1].sequence;
		js->step.end = false;
	}
	if (!js->nagains) {
		js->stage = STAGE_KEEPING;
		return;
	}
	int64_t sequences[EVENTS_MOST];
	for (size_t i = 0; i < js->nagains; i++)
		sequences[i] = js->agains[i].sequence;
	journal_picks(r->journal,
		      &(struct pick_query){.destination = k->record.number,
					   .sequences = sequences,
					   .nsequences = js->nagains,
					   .limit = js->nagains},
		      routes_known, r);
}

static void read_events(struct relay *r)
{
	struct jobs *js = r->jobs;
	const struct job *j = &js->now->job;
	int64_t oldest = journal_oldest(r->journal);
	int64_t after = j->after < oldest ? oldest - 1 : j->after;
	js->step.after = after + EVENTS_SPAN < j->last ? after + EVENTS_SPAN : j->last;
	js->step.end = js->step.after == j->last;
	if (!take_stamp(r))
		return;
	journal_events(r->journal,
		       &(struct event_query){.after = after,
					     .before = js->step.after + 1,
					     .type = j->type,
					     .limit = EVENTS_MOST},
		       events_read, r);
}

/* What is older than `since` need not be walked over. */
static void place_found(void *arg, int64_t sequence, const struct err *err)
{
	struct relay *r = arg;
	struct work *w = r->jobs->now;
	if (!is_usable(r, err))
		return;
	w->placed = true;
	if (w->job.after < sequence)
		w->job.after = sequence;
	job_step_again(r, 0);
}

static void reroute(struct relay *r)
{
	struct work *w = r->jobs->now;
	if (w->placed || !w->job.since_ms) {
		read_events(r);
		return;
	}
	journal_recorded_before(r->journal, w->job.since_ms, place_found, r);
}

void job_step_begin(struct relay *r)
{
	const struct job *j = &r->jobs->now->job;
	const struct known_destination *k = j->destination ? relay_known(r, j->destination) : NULL;
	struct err why = {0};
	int failed = 0;
	if (j->destination && !k)
		failed = err_set(&why, ERR_MISSING, "there is no destination %s any more",
				 j->destination);
	else if (j->reroute)
		failed = job_may_reroute(r, k, &why);
	if (failed)
		job_step_failed(r, &why);
	else if (j->reroute)
		reroute(r);
	else
		pick(r, k ? k->record.number : 0);
}
