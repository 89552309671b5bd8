/* job — reads and writes one. Invariant: what was read can be done: its members fit each other. */
#include "relay/job.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/event.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

#define NAME_MAX_BYTES	 256
#define WHY_MAX_BYTES	 1024
#define STATUS_MAX_BYTES 64
#define EXACT_MAX	 ((int64_t)1 << 53)

const char *const job_kinds[] = {"retry", "drop", "replay", NULL};
const char *const job_states[] = {"queued", "running", "done", "failed", "cancelled", NULL};

void job_release(struct job *j)
{
	free(j->destination);
	free(j->type);
	free(j->status);
	free(j->why);
	for (size_t i = 0; i < j->ids.n; i++)
		free(j->ids.v[i]);
	free(j->ids.v);
	*j = (struct job){0};
}

bool job_is_open(const struct job *j)
{
	return j->state == JOB_QUEUED || j->state == JOB_RUNNING;
}

/* ---- one member ---- */

enum form { TEXT, DATE, COUNT, FLAG, IDS, KIND, STATE };

static const struct member {
	const char *name;
	enum form form;
	size_t offset; /* in struct job */
	size_t max;    /* of a text */
	bool given;    /* by the relay, not by who asks */
} members[] = {
	{"kind", KIND, offsetof(struct job, kind), 0, false},
	{"destination", TEXT, offsetof(struct job, destination), NAME_MAX_BYTES, false},
	{"since", DATE, offsetof(struct job, since_ms), 0, false},
	{"until", DATE, offsetof(struct job, until_ms), 0, false},
	{"type", TEXT, offsetof(struct job, type), EVENT_TYPE_SIZE - 1, false},
	{"status", TEXT, offsetof(struct job, status), STATUS_MAX_BYTES, false},
	{"ids", IDS, offsetof(struct job, ids), 0, false},
	{"reroute", FLAG, offsetof(struct job, reroute), 0, false},
	{"id", COUNT, offsetof(struct job, id), 0, true},
	{"state", STATE, offsetof(struct job, state), 0, true},
	{"looked", COUNT, offsetof(struct job, looked), 0, true},
	{"taken", COUNT, offsetof(struct job, taken), 0, true},
	{"why", TEXT, offsetof(struct job, why), WHY_MAX_BYTES, true},
	{"after_destination", COUNT, offsetof(struct job, after_destination), 0, true},
	{"after", COUNT, offsetof(struct job, after), 0, true},
	{"last", COUNT, offsetof(struct job, last), 0, true},
};
#define MEMBERS (sizeof members / sizeof *members)

static int read_text(char **at, const struct json *v, size_t max, struct err *err)
{
	const char *text = json_string(v);
	if (!text || !*text || strlen(text) > max)
		return err_set(err, ERR_USAGE, "a text of 1 to %zu bytes is expected", max);
	*at = xstrdup(text);
	return 0;
}

static int read_date(int64_t *at, const struct json *v, struct err *err)
{
	const char *text = json_string(v);
	if (!text || !date_parse(text, strlen(text), at))
		return err_set(err, ERR_USAGE, "a date is expected, as 2026-11-22T10:00:00Z");
	return 0;
}

static int read_count(int64_t *at, const struct json *v, struct err *err)
{
	int64_t n;
	if (!json_int(v, &n) || n < 0)
		return err_set(err, ERR_USAGE, "a number from 0 is expected");
	*at = n;
	return 0;
}

/* The place among the names; -1: it is none of them. */
static int place_of(const char *const *names, const struct json *v)
{
	const char *text = json_string(v);
	for (int i = 0; text && names[i]; i++)
		if (!strcmp(names[i], text))
			return i;
	return -1;
}

static bool is_id(const char *text)
{
	static const char hex[] = "0123456789abcdef";
	if (!strncmp(text, "evt_", 4))
		return strlen(text) == EVENT_ID_SIZE - 1 &&
		       strspn(text + 4, hex) == EVENT_ID_SIZE - 5;
	size_t digits = strspn(text, "0123456789");
	int64_t n = digits <= 16 && !text[digits] ? strtoll(text, NULL, 10) : 0;
	return n > 0 && n < EXACT_MAX;
}

static int read_ids(struct strings *at, const struct json *v, struct err *err)
{
	if (json_type(v) != JSON_ARRAY || json_count(v) > JOB_IDS_MAX)
		return err_set(err, ERR_USAGE, "a list of at most %d is expected", JOB_IDS_MAX);
	at->v = xcalloc(json_count(v) + 1, sizeof *at->v);
	for (const struct json *id = json_first(v); id; id = json_next(id)) {
		const char *text = json_string(id);
		if (!text || !is_id(text))
			return err_set(
				err, ERR_USAGE,
				"event ids (\"evt_…\") or sequences (\"1234\") are expected");
		at->v[at->n++] = xstrdup(text);
	}
	return 0;
}

static int read_member(struct job *j, const struct member *m, const struct json *v, struct err *err)
{
	void *at = (char *)j + m->offset;
	int place;
	switch (m->form) {
	case TEXT: return read_text(at, v, m->max, err);
	case DATE: return read_date(at, v, err);
	case COUNT: return read_count(at, v, err);
	case FLAG:
		if (json_type(v) != JSON_BOOL)
			return err_set(err, ERR_USAGE, "true or false is expected");
		*(bool *)at = json_bool(v, false);
		return 0;
	case IDS: return read_ids(at, v, err);
	case KIND:
		place = place_of(job_kinds, v);
		if (place < 0)
			return err_set(err, ERR_USAGE, "retry, drop or replay is expected");
		j->kind = (enum job_kind)place;
		return 0;
	default:
		place = place_of(job_states, v);
		if (place < 0)
			return err_set(err, ERR_USAGE, "the name of a state is expected");
		j->state = (enum job_state)place;
		return 0;
	}
}

/* ---- a job ---- */

static const struct member *find_member(const char *name, bool request)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (!strcmp(members[i].name, name) && !(request && members[i].given))
			return &members[i];
	return NULL;
}

static int read_members(struct job *j, const struct json *root, bool request, struct err *err)
{
	if (json_type(root) != JSON_OBJECT)
		return err_set(err, ERR_USAGE, "a JSON object is expected");
	for (const struct json *v = json_first(root); v; v = json_next(v)) {
		const struct member *m = find_member(json_key(v), request);
		if (!m)
			return err_set(err, ERR_USAGE, "%.64s: there is no such member",
				       json_key(v));
		if (json_type(v) != JSON_NULL && read_member(j, m, v, err) < 0)
			return err_wrap(err, "%s", m->name);
	}
	return 0;
}

static int check(const struct job *j, struct err *err)
{
	bool replay = j->kind == JOB_REPLAY;
	if (replay && !j->destination)
		return err_set(err, ERR_USAGE, "destination: a replay needs one");
	if (replay && j->status)
		return err_set(err, ERR_USAGE, "status: only what is parked has one");
	if (!replay && j->reroute)
		return err_set(err, ERR_USAGE, "reroute: only a replay asks the rules again");
	if (j->since_ms && j->until_ms && j->since_ms >= j->until_ms)
		return err_set(err, ERR_USAGE, "until: must be later than since");
	return 0;
}

static int read_as(struct job *ret, struct json_doc *doc, const char *text, size_t len,
		   bool request, struct err *err)
{
	struct err why = {0};
	if (len > JOB_TEXT_MAX)
		return err_set(err, ERR_USAGE, "a job has at most %d bytes", JOB_TEXT_MAX);
	const struct json *root = json_parse(doc, text, len, 3, &why);
	if (!root)
		return err_set(err, ERR_USAGE, "%s", why.msg);
	if (!request && !json_string(json_get(root, "kind")))
		return err_set(err, ERR_USAGE, "kind: is missing");
	return read_members(ret, root, request, err);
}

static int read_checked(struct job *ret, struct job *j, const char *text, size_t len, bool request,
			struct err *err)
{
	enum job_kind asked = j->kind;
	struct json_doc *doc = json_doc_new();
	int failed = read_as(j, doc, len ? text : "{}", len ? len : 2, request, err);
	json_doc_free(doc);
	if (!failed && request && j->kind != asked)
		failed = err_set(err, ERR_USAGE, "kind: %s is expected here", job_kinds[asked]);
	if (!failed)
		failed = check(j, err);
	if (failed)
		job_release(j);
	else
		*ret = *j;
	return failed;
}

int job_read(struct job *ret, const char *text, size_t len, struct err *err)
{
	struct job j = {0};
	return read_checked(ret, &j, text, len, false, err);
}

int job_read_request(struct job *ret, enum job_kind kind, const char *text, size_t len,
		     struct err *err)
{
	struct job j = {.kind = kind};
	return read_checked(ret, &j, text, len, true, err);
}

static void write_ids(struct buf *out, const struct strings *ids)
{
	json_add_name(out, "ids");
	for (size_t i = 0; i < ids->n; i++) {
		buf_addc(out, i ? ',' : '[');
		json_write_string(out, ids->v[i]);
	}
	buf_adds(out, ids->n ? "]" : "[]");
}

void job_write(struct buf *out, const struct job *j)
{
	buf_addc(out, '{');
	json_add_text(out, "kind", job_kinds[j->kind]);
	json_add_text(out, "destination", j->destination);
	json_add_date(out, "since", j->since_ms ? j->since_ms : DATE_NONE);
	json_add_date(out, "until", j->until_ms ? j->until_ms : DATE_NONE);
	json_add_text(out, "type", j->type);
	json_add_text(out, "status", j->status);
	write_ids(out, &j->ids);
	json_add_bool(out, "reroute", j->reroute);
	json_add_int(out, "id", j->id);
	json_add_text(out, "state", job_states[j->state]);
	json_add_int(out, "looked", j->looked);
	json_add_int(out, "taken", j->taken);
	json_add_text(out, "why", j->why);
	json_add_int(out, "after_destination", j->after_destination);
	json_add_int(out, "after", j->after);
	json_add_int(out, "last", j->last);
	buf_addc(out, '}');
}
