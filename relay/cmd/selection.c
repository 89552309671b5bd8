/* selection — see the header. */
#include "relay/cmd/selection.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

#define CHUNK 1000 /* routes read at a time */

/* ---- reading ---- */

static int add_time(struct buf *out, const struct args *a, const char *flag, struct err *err)
{
	int64_t ms;
	if (!arg_given(a, flag))
		return 0;
	if (!cmd_when(arg_value(a, flag), &ms))
		return err_set(err, ERR_USAGE,
			       "--%s is a date, or a time span such as 2h or 7d ago", flag);
	json_add_date(out, flag, ms);
	return 0;
}

static void add_text(struct buf *out, const struct args *a, const char *flag, const char *name)
{
	if (arg_given(a, flag))
		json_add_text(out, name, arg_value(a, flag));
}

static int write_request(struct buf *out, enum job_kind kind, const struct args *a, size_t first,
			 struct err *err)
{
	buf_addc(out, '{');
	json_add_text(out, "kind", job_kinds[kind]);
	add_text(out, a, "to", "destination");
	add_text(out, a, "type", "type");
	if (kind != JOB_REPLAY)
		add_text(out, a, "status", "status");
	else if (arg_given(a, "reroute"))
		json_add_bool(out, "reroute", true);
	if (add_time(out, a, "since", err) < 0 || add_time(out, a, "until", err) < 0)
		return -1;
	json_add_name(out, "ids");
	buf_addc(out, '[');
	for (size_t i = first; i < a->noperands; i++) {
		if (i > first)
			buf_addc(out, ',');
		json_write_string(out, a->operands[i]);
	}
	buf_adds(out, "]}");
	return 0;
}

int selection_read(struct selection *ret, enum job_kind kind, const struct args *a, size_t first,
		   struct err *err)
{
	struct buf text = BUF_INIT(JOB_TEXT_MAX);
	int failed = write_request(&text, kind, a, first, err);
	if (!failed && text.full)
		failed = err_set(err, ERR_USAGE, "more than can be asked for at once");
	if (!failed)
		failed = job_read_request(&ret->job, kind, text.data, text.len, err);
	if (!failed)
		ret->text = buf_detach(&text);
	buf_release(&text);
	return failed;
}

void selection_release(struct selection *s)
{
	job_release(&s->job);
	free(s->text);
	*s = (struct selection){0};
}

bool selection_is_empty(const struct selection *s)
{
	const struct job *j = &s->job;
	bool placed = j->destination && j->kind != JOB_REPLAY;
	return !placed && !j->since_ms && !j->until_ms && !j->type && !j->status && !j->ids.n;
}

/* ---- walking ---- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static bool has_sequence(const struct pick_query *q, int64_t sequence)
{
	return bsearch(&sequence, q->sequences, q->nsequences, sizeof sequence, compare);
}

/* met: the sequences that were walked before; NULL: none. */
static int walk_query(struct selection_walk *w, struct pick_query *q, int64_t *left,
		      const struct pick_query *met, struct err *err)
{
	struct store *s = w->from->store;
	bool more = true;
	while (more && *left) {
		struct picks found = {0};
		q->limit = *left < CHUNK ? (size_t)*left : CHUNK;
		int failed = s->type->picks(s, q, &found, err);
		for (size_t i = 0; i < found.n && !failed; i++)
			if (!met || !has_sequence(met, found.v[i].sequence))
				failed = w->fn(w->arg, &found.v[i]);
		*left -= (int64_t)found.n;
		more = found.more;
		q->after_destination = found.scanned_destination;
		q->after = found.scanned;
		picks_release(&found);
		if (failed)
			return -1;
	}
	w->more = w->more || more;
	return 0;
}

/* Those that are sequences, ascending, and each once; for the caller to free. */
static int64_t *sort_sequences(const struct strings *ids, size_t *ret_n)
{
	int64_t *v = xcalloc(ids->n + 1, sizeof *v);
	size_t all = 0, n = 0;
	for (size_t i = 0; i < ids->n; i++)
		all += cmd_number(ids->v[i], &v[all]);
	qsort(v, all, sizeof *v, compare);
	for (size_t i = 0; i < all; i++)
		if (!n || v[i] != v[n - 1])
			v[n++] = v[i];
	*ret_n = n;
	return v;
}

static bool was_named(const struct strings *ids, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(ids->v[i], ids->v[at]))
			return true;
	return false;
}

/* Sequences in one query. An event that is named twice, in whatever way, is met once. */
static int walk_ids(struct selection_walk *w, const struct pick_query *q, int64_t *left,
		    struct err *err)
{
	const struct strings *ids = &w->selection->job.ids;
	struct pick_query met = *q, one;
	int64_t *sequences = sort_sequences(ids, &met.nsequences), ignored;
	met.sequences = sequences;
	one = met;
	int failed = one.nsequences ? walk_query(w, &one, left, NULL, err) : 0;
	for (size_t i = 0; i < ids->n && !failed; i++) {
		if (cmd_number(ids->v[i], &ignored) || was_named(ids, i))
			continue;
		one = *q;
		one.id = ids->v[i];
		failed = walk_query(w, &one, left, &met, err);
	}
	free(sequences);
	return failed;
}

int selection_walk(struct selection_walk *w, struct err *err)
{
	const struct job *j = &w->selection->job;
	int64_t left = w->limit ? w->limit : INT64_MAX;
	struct pick_query q = {
		.parked = j->kind != JOB_REPLAY,
		.since_ms = j->since_ms,
		.until_ms = j->until_ms,
		.type = j->type,
		.why = j->status,
	};
	if (j->destination) {
		const struct destination_record *d = reading_find(w->from, j->destination, err);
		if (!d)
			return -1;
		q.destination = d->number;
	}
	w->more = false;
	return j->ids.n ? walk_ids(w, &q, &left, err) : walk_query(w, &q, &left, NULL, err);
}

bool selection_takes(enum job_kind kind, bool settled, bool excepted, enum exception_state state)
{
	bool parked = excepted && state == EXCEPTION_PARKED;
	return kind == JOB_REPLAY ? settled && (!excepted || parked) : parked;
}

struct counting {
	enum job_kind kind;
	int64_t n;
};

static int count(void *arg, const struct pick *p)
{
	struct counting *c = arg;
	c->n += selection_takes(c->kind, p->settled, p->excepted, p->state);
	return 0;
}

int selection_count(const struct reading *from, const struct selection *s, int64_t *ret,
		    struct err *err)
{
	struct counting c = {.kind = s->job.kind};
	struct selection_walk w = {.from = from, .selection = s, .fn = count, .arg = &c};
	if (selection_walk(&w, err) < 0)
		return -1;
	*ret = c.n;
	return 0;
}
