/*
 * Jobs: taken from the admin API or found in the journal at the start, done one step at a time,
 * kept as fold records. Those that cannot go on wait, and others have their turn meanwhile.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/jobs_state.h"

#define ENDED_KEPT     20   /* to be shown */
#define WRITE_MOST     20   /* in a commit */
#define WRITE_AGAIN_MS 1000 /* after the journal failed */
#define WRITE_EVERY_MS 1000 /* how far one came that finds nothing */
#define ROOM_MS	       200  /* until a destination that is full is looked at again */
#define KEEP_LOOK_MS   5    /* until a commit of delivery's is looked for again */
#define KEY_SIZE       24

/* ---- the journal ---- */

static void put(struct batch *b, int64_t id, char *state)
{
	char key[KEY_SIZE];
	snprintf(key, sizeof key, "%016lld", (long long)id);
	*batch_fold(b) = (struct fold_record){xstrdup(JOB_FOLD), xstrdup(key), state};
}

static void written(void *arg, const struct batch *b, const struct err *err)
{
	struct relay *r = arg;
	struct jobs *js = r->jobs;
	js->writing = false;
	if (!err)
		return;
	js->write_ms = relay_now(r).mono_ms + WRITE_AGAIN_MS;
	log_warn("how far jobs came is not written yet", log_str("why", err->msg));
	for (size_t i = 0; i < b->nfolds; i++) {
		struct work *w = jobs_find(js, strtoll(b->folds[i].key, NULL, 10));
		if (w)
			w->changed = true;
	}
}

/* The oldest of those that ended go; a row that a failed commit leaves is seen at the next start.
 */
static void forget_ended(struct jobs *js, struct batch *b)
{
	size_t ended = js->n - jobs_count_open(js);
	for (size_t i = 0; i < js->n && ended > ENDED_KEPT;) {
		if (job_is_open(&js->v[i]->job) || js->v[i]->changed) {
			i++;
			continue;
		}
		put(b, js->v[i]->job.id, NULL);
		jobs_remove_at(js, i);
		ended--;
	}
}

static void write_changed(struct relay *r, int64_t now_ms)
{
	struct jobs *js = r->jobs;
	struct batch *b = NULL;
	size_t n = 0;
	if (js->writing || now_ms < js->write_ms)
		return;
	for (size_t i = 0; i < js->n && n < WRITE_MOST; i++) {
		struct work *w = js->v[i];
		struct buf text = BUF_INIT(2 * JOB_TEXT_MAX);
		if (!w->changed)
			continue;
		job_write(&text, &w->job);
		b = b ? b : batch_new();
		put(b, w->job.id, buf_detach(&text));
		w->changed = false;
		w->walked_ms = now_ms;
		n++;
	}
	if (!b)
		return;
	forget_ended(js, b);
	js->writing = true;
	journal_commit(r->journal, b, written, r);
}

/* Of the journal, perhaps left there by a command. */
static void take_record(struct jobs *js, const struct fold_record *f)
{
	struct job j = {0};
	struct err err = {0};
	if (job_read(&j, f->state, strlen(f->state), &err) < 0) {
		log_warn("a job that the journal holds cannot be read; it is left alone",
			 log_str("job", f->key), log_str("why", err.msg));
		return;
	}
	j.id = strtoll(f->key, NULL, 10);
	if (j.id < 1 || jobs_find(js, j.id))
		job_release(&j);
	else
		jobs_add(js, &j);
}

struct jobs *relay_open_jobs(const struct store_head *head)
{
	struct jobs *js = xcalloc(1, sizeof *js);
	for (size_t i = 0; i < head->nfolds; i++)
		if (!strcmp(head->folds[i].fold, JOB_FOLD))
			take_record(js, &head->folds[i]);
	return js;
}

void relay_close_jobs(struct jobs *js)
{
	if (!js)
		return;
	while (js->n)
		jobs_remove_at(js, js->n - 1);
	batch_free(js->late);
	free(js->agains);
	free(js->v);
	free(js);
}

/* ---- what people ask for ---- */

int job_may_reroute(const struct relay *r, const struct known_destination *k, struct err *err)
{
	const struct destination_settings *s = settings_destination(r->settings, k->record.name);
	if (!s)
		return err_set(err, ERR_DENIED, "reroute: %s is detached: no rule sends there",
			       k->record.name);
	if (s->type->topical)
		return err_set(err, ERR_DENIED,
			       "reroute: what %s publishes is fixed, with the sequence before it; "
			       "it can be sent again, but not routed again",
			       k->record.name);
	return 0;
}

static int check(const struct relay *r, const struct job *j, struct err *err)
{
	const struct known_destination *k;
	if (jobs_count_open(r->jobs) >= JOBS_MAX)
		return err_set(err, ERR_LIMIT, "%d jobs are open already", JOBS_MAX);
	if (!j->destination)
		return 0;
	k = relay_known(r, j->destination);
	if (!k)
		return err_set(err, ERR_MISSING, "destination: there is none called %s",
			       j->destination);
	return j->reroute ? job_may_reroute(r, k, err) : 0;
}

static enum job_kind kind_of(const char *name)
{
	int kind = 0;
	while (strcmp(job_kinds[kind], name) != 0)
		kind++;
	return (enum job_kind)kind;
}

int relay_take_job(struct relay *r, const char *kind, const struct admin_request *q,
		   struct buf *ret_job, struct err *err)
{
	struct jobs *js = r->jobs;
	struct job j;
	if (job_read_request(&j, kind_of(kind), q->body, q->len, err) < 0)
		return -1;
	if (check(r, &j, err) < 0) {
		job_release(&j);
		return -1;
	}
	j.id = js->n ? js->v[js->n - 1]->job.id + 1 : 1;
	struct work *w = jobs_add(js, &j);
	w->changed = true;
	job_write(ret_job, &w->job);
	write_changed(r, relay_now(r).mono_ms);
	return 0;
}

void relay_list_jobs(const struct relay *r, struct buf *out)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < r->jobs->n; i++) {
		if (i)
			buf_addc(out, ',');
		job_write(out, &r->jobs->v[i]->job);
	}
	buf_addc(out, ']');
}

size_t relay_count_jobs(const struct relay *r)
{
	return jobs_count_open(r->jobs);
}

static void end(struct work *w, enum job_state state, const char *why)
{
	struct job *j = &w->job;
	j->state = state;
	free(j->why);
	j->why = xstrdup(why);
	w->changed = true;
	log_info("job ended", log_num("job", j->id), log_str("kind", job_kinds[j->kind]),
		 log_opt("destination", j->destination), log_str("state", job_states[state]),
		 log_opt("why", why), log_num("looked", j->looked), log_num("taken", j->taken));
}

int relay_cancel_job(struct relay *r, int64_t id, struct err *err)
{
	struct work *w = jobs_find(r->jobs, id);
	if (!w)
		return err_set(err, ERR_MISSING, "there is no job %lld", (long long)id);
	if (!job_is_open(&w->job))
		return err_set(err, ERR_DENIED, "job %lld has ended: %s", (long long)id,
			       job_states[w->job.state]);
	if (r->jobs->now == w)
		w->cancelled = true;
	else
		end(w, JOB_CANCELLED, NULL);
	return 0;
}

/* ---- steps ---- */

/* A relay that ends keeps the hold: it begins no other step, and what this one took up may not be
 * committed. */
static struct work *end_step(struct relay *r)
{
	struct jobs *js = r->jobs;
	struct work *w = js->now;
	if (!relay_ending(r))
		journal_release(r->journal);
	js->now = NULL;
	js->stage = STAGE_NONE;
	batch_free(js->late);
	js->late = NULL;
	free(js->agains);
	js->agains = NULL;
	js->nagains = 0;
	if (w->cancelled)
		end(w, JOB_CANCELLED, NULL);
	return w;
}

void job_step_again(struct relay *r, int64_t pause_ms)
{
	r->jobs->now->wait_ms = relay_now(r).mono_ms + pause_ms;
	end_step(r);
}

void job_step_failed(struct relay *r, const struct err *why)
{
	struct work *w = end_step(r);
	if (job_is_open(&w->job))
		end(w, JOB_FAILED, why->msg);
}

void job_step_kept(struct relay *r)
{
	struct jobs *js = r->jobs;
	const struct job_step s = js->step;
	int64_t now_ms = relay_now(r).mono_ms;
	struct job *j = &js->now->job;
	j->after_destination = s.after_destination;
	j->after = s.after;
	j->looked += s.looked;
	j->taken += s.taken;
	struct work *w = end_step(r);
	if (s.full)
		w->wait_ms = now_ms + ROOM_MS;
	if (s.taken || now_ms >= w->walked_ms + WRITE_EVERY_MS)
		w->changed = true;
	if (s.end && job_is_open(j))
		end(w, JOB_DONE, NULL);
}

static void held(void *arg)
{
	struct relay *r = arg;
	if (relay_ending(r))
		job_step_again(r, 0);
	else
		job_step_begin(r);
}

static void begin(struct relay *r, struct work *w)
{
	struct job *j = &w->job;
	if (j->state == JOB_QUEUED) {
		j->state = JOB_RUNNING;
		w->changed = true;
	}
	if (!j->last) {
		j->last = journal_latest(r->journal);
		log_info("job begins", log_num("job", j->id), log_str("kind", job_kinds[j->kind]),
			 log_opt("destination", j->destination), log_num("up_to", j->last));
	}
	if (!j->last) { /* nothing was ever journaled */
		end(w, JOB_DONE, NULL);
		return;
	}
	r->jobs->now = w;
	r->jobs->step = (struct job_step){j->after_destination, j->after, 0, 0, false, false};
	r->jobs->stage = STAGE_ASKED;
	journal_hold(r->journal, held, r);
}

/* Whose turn it is; NULL: nobody's, and *wait says for how long. */
static struct work *next(struct jobs *js, int64_t now_ms, int *wait)
{
	for (size_t i = 0; i < js->n; i++) {
		struct work *w = js->v[(js->turn + i) % js->n];
		if (!job_is_open(&w->job))
			continue;
		if (now_ms >= w->wait_ms) {
			js->turn = (js->turn + i) % js->n;
			return w;
		}
		if (w->wait_ms - now_ms < *wait)
			*wait = (int)(w->wait_ms - now_ms);
	}
	return NULL;
}

int relay_tick_jobs(struct relay *r, struct instant now)
{
	struct jobs *js = r->jobs;
	int wait = INT_MAX;
	if (!js->n || relay_ending(r))
		return INT_MAX;
	if (js->stage == STAGE_KEEPING) {
		if (!delivery_stamp(r->delivery))
			return KEEP_LOOK_MS;
		job_step_kept(r);
	}
	write_changed(r, now.mono_ms);
	if (js->stage != STAGE_NONE)
		return INT_MAX;
	struct work *w = next(js, now.mono_ms, &wait);
	if (!w)
		return wait;
	begin(r, w);
	return js->stage == STAGE_ASKED ? INT_MAX : 1;
}

bool relay_jobs_busy(const struct relay *r)
{
	return r->jobs->stage == STAGE_ASKED || r->jobs->writing;
}
