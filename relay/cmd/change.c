/* change — see the header. Invariant: the journal is written only by who holds its lock, so never
 * beside a running relay. */
#include "relay/cmd/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/http.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/ask.h"
#include "relay/cmd/cmd.h"

#define ANSWER_MAX (8 << 20)
#define WHY_MAX	   1024

const char *const change_acts[] = {"enable", "disable", "drop", NULL};

/* ---- the journal, where no relay runs ---- */

struct writing {
	struct store *store;
	struct store_head head;
	struct batch *batch;
};

/* nobody: why no relay could be asked. It may run all the same: then it holds the lock. */
static int open_journal(struct writing *ret, const struct settings *s, const struct err *nobody,
			struct err *err)
{
	const struct store_type *type = s->journal.type;
	ret->batch = batch_new();
	ret->store = type->open(s->journal.options, STORE_WRITE, err);
	if (!ret->store) {
		struct err why = *err;
		return err_set(err, why.code, "%s, and %s", why.msg, nobody->msg);
	}
	return type->head(ret->store, &ret->head, err);
}

static int commit(struct writing *w, struct err *err)
{
	struct batch *const batches[] = {w->batch};
	return w->store->type->commit(w->store, batches, 1, err);
}

static void close_journal(struct writing *w)
{
	if (w->store)
		w->store->type->close(w->store);
	store_head_release(&w->head);
	batch_free(w->batch);
}

static const struct destination_record *find(const struct store_head *h, const char *name,
					     struct err *err)
{
	for (size_t i = 0; i < h->ndestinations; i++)
		if (!strcmp(h->destinations[i].name, name))
			return &h->destinations[i];
	err_set(err, ERR_USAGE, "the journal knows no destination \"%s\"", name);
	return NULL;
}

/* What is not there is a wrong use, whether the relay says so or the journal. */
static void refuse(struct err *ret, const struct err *by_relay)
{
	*ret = *by_relay;
	if (ret->code == ERR_MISSING)
		ret->code = ERR_USAGE;
}

/* ---- jobs ---- */

/* Behind those that are there. */
static int number_job(const struct store_head *h, struct job *j, struct err *err)
{
	size_t open = 0;
	j->id = 1;
	for (size_t i = 0; i < h->nfolds; i++) {
		int64_t id;
		if (strcmp(h->folds[i].fold, JOB_FOLD) != 0)
			continue;
		open++;
		if (cmd_number(h->folds[i].key, &id) && id >= j->id)
			j->id = id + 1;
	}
	return open < JOBS_MAX ? 0 : err_set(err, ERR_LIMIT, "%d jobs wait already", JOBS_MAX);
}

/* One that is new in the configuration gets its record at the next start, before the job begins. */
static int check_name(const struct writing *w, const struct settings *s, const char *name,
		      struct err *err)
{
	if (!name || node_get(s->config.destinations, name) || find(&w->head, name, err))
		return 0;
	return -1;
}

static int write_job(struct writing *w, struct job *j, struct err *err)
{
	struct buf text = BUF_INIT(2 * JOB_TEXT_MAX);
	if (number_job(&w->head, j, err) < 0)
		return -1;
	job_write(&text, j);
	struct fold_record *f = batch_fold(w->batch);
	f->fold = xstrdup(JOB_FOLD);
	f->key = xasprintf("%016" PRId64, j->id);
	f->state = buf_detach(&text);
	return commit(w, err);
}

static int leave_job(const struct settings *s, const char *text, const struct err *nobody,
		     struct job *ret, struct err *err)
{
	struct writing w = {0};
	struct job j = {0};
	int failed = job_read(&j, text, strlen(text), err);
	if (!failed)
		failed = open_journal(&w, s, nobody, err);
	if (!failed)
		failed = check_name(&w, s, j.destination, err);
	if (!failed)
		failed = write_job(&w, &j, err);
	close_journal(&w);
	if (failed)
		job_release(&j);
	else
		*ret = j;
	return failed;
}

int change_job(const struct settings *s, const char *text, struct job *ret, bool *ret_running,
	       struct err *err)
{
	static const char *const paths[] = {"/api/v1/parked/retry", "/api/v1/parked/drop",
					    "/api/v1/replay"};
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct job asked = {0};
	struct err nobody = {0};
	if (job_read(&asked, text, strlen(text), err) < 0)
		return -1;
	int result = ask_relay(s, paths[asked.kind], text, &answer, &nobody);
	*ret_running = result == 0;
	if (result == ASK_NOBODY)
		result = leave_job(s, text, &nobody, ret, err);
	else if (result == 0)
		result = job_read(ret, answer.data, answer.len, err) < 0
				 ? err_wrap(err, "the relay's answer")
				 : 0;
	else
		refuse(err, &nobody);
	job_release(&asked);
	buf_release(&answer);
	return result;
}

/* Of {"jobs": […]}. */
static int find_job(const struct json *root, struct job *ret, struct err *err)
{
	for (const struct json *v = json_first(json_get(root, "jobs")); v; v = json_next(v)) {
		struct buf text = BUF_INIT(2 * JOB_TEXT_MAX);
		struct job now = {0};
		int64_t id;
		if (!json_int(json_get(v, "id"), &id) || id != ret->id)
			continue;
		json_write(&text, v);
		int failed = job_read(&now, text.data, text.len, err);
		buf_release(&text);
		if (failed)
			return err_wrap(err, "the relay's answer");
		job_release(ret);
		*ret = now;
		return 0;
	}
	ret->state = JOB_DONE;
	return 0;
}

int change_job_state(const struct settings *s, struct job *ret, struct err *err)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct json_doc *doc = json_doc_new();
	int failed = ask_relay(s, "/api/v1/jobs", NULL, &answer, err) != 0 ? -1 : 0;
	const struct json *root =
		failed ? NULL : json_parse(doc, answer.data, answer.len, JSON_DEPTH, err);
	if (!failed)
		failed = root ? find_job(root, ret, err) : -1;
	json_doc_free(doc);
	buf_release(&answer);
	return failed;
}

/* ---- destinations ---- */

/* Its cursor stays: only the record is written. */
static int write_state(struct writing *w, const char *name, enum change_act act, const char *why,
		       struct err *err)
{
	static const enum destination_state states[] = {DESTINATION_ENABLED, DESTINATION_DISABLED,
							DESTINATION_DROPPED};
	const struct destination_record *old = find(&w->head, name, err);
	if (!old)
		return -1;
	bool detached = old->state == DESTINATION_DETACHED;
	if (act == CHANGE_DROP && !detached)
		return err_set(err, ERR_DENIED,
			       "%s is in the configuration; take it out, and what it is owed can "
			       "be dropped after the next start",
			       name);
	if (act != CHANGE_DROP && detached)
		return err_set(err, ERR_DENIED, "%s is not in the configuration any more", name);
	struct destination_record *d = batch_destination(w->batch);
	d->number = old->number;
	d->name = xstrdup(name);
	d->state = states[act];
	d->why = act == CHANGE_DISABLE && why ? xstrdup(why) : NULL;
	return commit(w, err);
}

static int leave_state(const struct settings *s, const char *name, enum change_act act,
		       const char *why, const struct err *nobody, struct err *err)
{
	struct writing w = {0};
	int failed = open_journal(&w, s, nobody, err);
	if (!failed)
		failed = write_state(&w, name, act, why, err);
	close_journal(&w);
	return failed;
}

int change_destination(const struct settings *s, const char *name, enum change_act act,
		       const char *why, bool *ret_running, struct err *err)
{
	struct buf answer = BUF_INIT(ANSWER_MAX), path = BUF_INIT(WHY_MAX),
		   body = BUF_INIT(8 * WHY_MAX);
	struct err nobody = {0};
	if (why && strlen(why) > WHY_MAX)
		return err_set(err, ERR_USAGE, "--why is longer than %d bytes", WHY_MAX);
	buf_adds(&path, "/api/v1/destinations/");
	http_escape(&path, name);
	buf_addf(&path, "/%s", change_acts[act]);
	if (why) {
		buf_addc(&body, '{');
		json_add_text(&body, "why", why);
		buf_addc(&body, '}');
	}
	int result = ask_relay(s, path.data, body.data, &answer, &nobody);
	*ret_running = result == 0;
	if (result == ASK_NOBODY)
		result = leave_state(s, name, act, why, &nobody, err);
	else if (result != 0)
		refuse(err, &nobody);
	buf_release(&body);
	buf_release(&path);
	buf_release(&answer);
	return result;
}
