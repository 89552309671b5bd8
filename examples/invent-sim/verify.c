/* verify — the ledger against the events. Invariant: an event is claimed by one line at most, and
 * every distinct id ends up claimed, second or invented. */
#include "examples/invent-sim/verify.h"

#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/facts.h"
#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"

const char *const verify_count_names[VERIFY_COUNTS] = {
	"owed", "received", "missing", "invented", "repeats", "second id", "different",
};

#define TYPES	64
#define SAMPLES 5

struct type_counts {
	char name[64];
	uint64_t n[VERIFY_COUNTS];
};

struct verify {
	const char *const *only;
	struct facts facts;
	struct type_counts types[TYPES];
	size_t ntypes;
	char *files[256];
	size_t nfiles;
	char *samples[VERIFY_COUNTS][SAMPLES];
	uint64_t unreadable;
	uint64_t *spare; /* facts without a time that are not owed */
	size_t nspare, spare_cap;
	struct json_doc *doc;
};

struct verify *verify_new(const char *const *types)
{
	struct verify *v = xcalloc(1, sizeof *v);

	v->only = types;
	v->doc = json_doc_new();
	return v;
}

void verify_free(struct verify *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->nfiles; i++)
		free(v->files[i]);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		for (int k = 0; k < SAMPLES; k++)
			free(v->samples[i][k]);
	facts_release(&v->facts);
	free(v->spare);
	json_doc_free(v->doc);
	free(v);
}

/* ---- counts and samples */

static int type_number(struct verify *v, const char *name)
{
	for (size_t i = 0; i < v->ntypes; i++)
		if (!strcmp(v->types[i].name, name))
			return (int)i;
	if (v->ntypes < TYPES) {
		snprintf(v->types[v->ntypes].name, sizeof v->types->name, "%s", name);
		return (int)v->ntypes++;
	}
	return TYPES - 1;
}

static bool is_compared(const struct verify *v, const char *type)
{
	if (!v->only)
		return !strncmp(type, "recipient.", 10) && strcmp(type, "recipient.updated");
	for (const char *const *t = v->only; *t; t++)
		if (!strcmp(*t, type))
			return true;
	return false;
}

static void count(struct verify *v, unsigned type, enum verify_count what, const char *text,
		  size_t len)
{
	v->types[type].n[what]++;
	for (int i = 0; text && i < SAMPLES; i++) {
		if (v->samples[what][i])
			continue;
		v->samples[what][i] = xstrndup(text, len);
		return;
	}
}

/* The text of an event that was read before, for a sample. */
static char *read_again(const struct verify *v, const struct received *r)
{
	FILE *file = fopen(v->files[r->file], "r");
	char *line = NULL;
	size_t cap = 0;

	if (file && !fseeko(file, (off_t)r->where, SEEK_SET) && getline(&line, &cap, file) > 0)
		line[strcspn(line, "\n")] = '\0';
	else
		line = xasprintf("%s, byte %llu", v->files[r->file], (unsigned long long)r->where);
	if (file)
		fclose(file);
	return line;
}

static void count_event(struct verify *v, const struct received *r, enum verify_count what)
{
	bool wanted = !v->samples[what][SAMPLES - 1];
	char *text = wanted ? read_again(v, r) : NULL;

	count(v, r->type, what, text, text ? strlen(text) : 0);
	free(text);
}

/* ---- events */

struct fact {
	const char *broadcast, *recipient, *type, *state;
};

static uint64_t fact_hash(const struct fact *f)
{
	const char *parts[] = {f->broadcast, f->recipient, f->type, f->state};
	char text[1024];
	size_t n = 0;

	for (int i = 0; i < 4; i++) { /* each with its NUL, so that no two facts run together */
		size_t len = parts[i] ? strlen(parts[i]) : 0;
		if (n + len + 1 > sizeof text)
			len = sizeof text - n > 1 ? sizeof text - n - 1 : 0;
		if (n == sizeof text)
			break;
		memcpy(text + n, parts[i] ? parts[i] : "", len);
		text[n + len] = '\0';
		n += len + 1;
	}
	return hash64(text, n);
}

static const char *text_of(const struct json *object, const char *key)
{
	return json_string(json_get(object, key));
}

static bool is_reverted(const char *type)
{
	return !strcmp(type, "recipient.reverted");
}

static int64_t time_of(const struct json *event, const struct json *data)
{
	const char *at = text_of(data, "at"), *time = text_of(event, "time");
	int64_t ms = DATE_NONE;

	if (at && date_parse(at, strlen(at), &ms))
		return ms;
	if (time)
		date_parse(time, strlen(time), &ms);
	return ms;
}

/* All of the event but what differs from copy to copy. */
static uint64_t content_hash(const char *text, size_t len)
{
	static const char *const without[] = {"prevsequence", NULL};
	struct buf copy = BUF_INIT(len + 1);

	json_copy(&copy, text, len, without);
	uint64_t hash = hash64(copy.data, copy.len);
	buf_release(&copy);
	return hash;
}

static void add_event(struct verify *v, const struct received *r)
{
	const struct received *same = facts_of_id(&v->facts, r->id);

	if (!same) {
		facts_add(&v->facts, r);
		count(v, r->type, VERIFY_RECEIVED, NULL, 0);
	} else if (same->content == r->content) {
		count(v, r->type, VERIFY_REPEATS, NULL, 0);
	} else {
		count_event(v, r, VERIFY_DIFFERENT);
	}
}

static void take_event(struct verify *v, const char *text, size_t len, struct received *r)
{
	struct err err = {0};
	const struct json *event = json_parse(v->doc, text, len, JSON_DEPTH, &err);
	const char *id = text_of(event, "id"), *type = text_of(event, "type");

	if (!event || !id || !type) {
		v->unreadable++;
		return;
	}
	if (!is_compared(v, type))
		return;
	const struct json *data = json_get(event, "data");
	struct fact fact = {.broadcast = text_of(data, "broadcast_id"),
			    .recipient = text_of(data, "recipient_id"),
			    .type = type,
			    .state = is_reverted(type) ? text_of(data, "state") : NULL};
	r->fact = fact_hash(&fact);
	r->id = hash64(id, strlen(id));
	r->content = content_hash(text, len);
	r->at = time_of(event, data);
	r->type = (uint8_t)type_number(v, type);
	add_event(v, r);
}

int verify_events(struct verify *v, const char *path, struct err *err)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!file)
		return err_set(err, ERR_IO, "%s: cannot be opened", path);
	if (v->nfiles == sizeof v->files / sizeof *v->files) {
		fclose(file);
		return err_set(err, ERR_LIMIT, "%s: too many files", path);
	}
	v->files[v->nfiles++] = xstrdup(path);
	for (uint64_t where = 0; (len = getline(&line, &cap, file)) > 0; where += (uint64_t)len) {
		struct received r = {.where = where, .file = (uint8_t)(v->nfiles - 1)};
		const char *text = strchr(line, '{'); /* behind a topic, which has no brace */
		if (text)
			take_event(v, text, (size_t)(line + len - text), &r);
		else if (line[strspn(line, " \r\n")])
			v->unreadable++;
	}
	free(line);
	fclose(file);
	return 0;
}

/* ---- the ledger */

struct ledger_line {
	struct fact fact;
	int64_t at;
	bool timed, owed;
};

static int read_ledger_line(struct verify *v, const char *text, size_t len, struct ledger_line *ret,
			    struct err *err)
{
	const struct json *line = json_parse(v->doc, text, len, 4, err);

	if (!line)
		return -1;
	*ret = (struct ledger_line){
		.fact = {text_of(line, "broadcast"), text_of(line, "recipient"),
			 text_of(line, "type"), text_of(line, "state")},
		.at = DATE_NONE,
		.timed = json_bool(json_get(line, "timed"), false),
		.owed = json_bool(json_get(line, "owed"), false),
	};
	const char *at = text_of(line, "at");
	if (!ret->fact.type || !ret->fact.broadcast || !at || !date_parse(at, strlen(at), &ret->at))
		return err_set(err, ERR_FORMAT, "not a line of a ledger");
	return 0;
}

/* A fact without a time may happen again, so each line claims one event. */
static bool claim_one(struct verify *v, uint64_t fact)
{
	size_t slot;

	for (struct received *r = facts_first(&v->facts, fact, &slot); r;
	     r = facts_next(&v->facts, fact, &slot)) {
		if (r->matched)
			continue;
		r->matched = r->timeless = true;
		return true;
	}
	return false;
}

/* Claims the events that say this; the first is right, more are second ids. */
static bool claim_timed(struct verify *v, uint64_t fact, int64_t at)
{
	bool found = false;
	size_t slot;

	for (struct received *r = facts_first(&v->facts, fact, &slot); r;
	     r = facts_next(&v->facts, fact, &slot)) {
		if (r->matched || r->at != at)
			continue;
		r->matched = true;
		if (found)
			count_event(v, r, VERIFY_SECOND);
		found = true;
	}
	return found;
}

static bool claim(struct verify *v, const struct ledger_line *l)
{
	uint64_t fact = fact_hash(&l->fact);

	if (l->timed)
		return claim_timed(v, fact, l->at);
	if (l->owed)
		return claim_one(v, fact);
	v->spare = mem_grow(v->spare, v->nspare, &v->spare_cap, sizeof *v->spare);
	v->spare[v->nspare++] = fact;
	return false;
}

/* Which of several facts without a time an event means cannot be told: those that are owed come
 * first, and these may have what is left. */
static void claim_spare(struct verify *v)
{
	for (size_t i = 0; i < v->nspare; i++)
		claim_one(v, v->spare[i]);
}

/* What no line claimed is invented; or a second id, when the fact has no time and its lines were
 * used up by others. */
static void judge_rest(struct verify *v)
{
	for (size_t i = 0; i < v->facts.n; i++) {
		const struct received *r = &v->facts.v[i];
		bool others = false;
		size_t slot;
		if (r->matched)
			continue;
		for (struct received *o = facts_first(&v->facts, r->fact, &slot); o;
		     o = facts_next(&v->facts, r->fact, &slot))
			others |= o->timeless;
		count_event(v, r, others ? VERIFY_SECOND : VERIFY_INVENTED);
	}
}

int verify_ledger(struct verify *v, FILE *from, const char *name, struct err *err)
{
	struct ledger_line l;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int status = 0;

	while (!status && (len = getline(&line, &cap, from)) > 0) {
		len -= line[len - 1] == '\n';
		status = read_ledger_line(v, line, (size_t)len, &l, err);
		if (status || !is_compared(v, l.fact.type))
			continue;
		unsigned type = (unsigned)type_number(v, l.fact.type);
		bool found = claim(v, &l);
		v->types[type].n[VERIFY_OWED] += l.owed;
		if (!found && l.owed)
			count(v, type, VERIFY_MISSING, line, (size_t)len);
	}
	free(line);
	if (status)
		return err_wrap(err, "%s", name);
	claim_spare(v);
	judge_rest(v);
	return 0;
}

/* ---- what came of it */

uint64_t verify_total(const struct verify *v, enum verify_count what)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->ntypes; i++)
		n += v->types[i].n[what];
	return n;
}

uint64_t verify_unreadable(const struct verify *v)
{
	return v->unreadable;
}

bool verify_holds(const struct verify *v)
{
	return !verify_total(v, VERIFY_MISSING) && !verify_total(v, VERIFY_INVENTED) &&
	       !verify_total(v, VERIFY_SECOND) && !verify_total(v, VERIFY_DIFFERENT);
}

static void print_counts(const char *name, const uint64_t *n, FILE *out)
{
	fprintf(out, "  %-24s", name);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		fprintf(out, " %10llu", (unsigned long long)n[i]);
	fputc('\n', out);
}

void verify_print(const struct verify *v, const char *label, FILE *out)
{
	uint64_t total[VERIFY_COUNTS];

	fprintf(out, "%-26s", label);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		fprintf(out, " %10s", verify_count_names[i]);
	fputc('\n', out);
	for (size_t i = 0; i < v->ntypes; i++)
		print_counts(v->types[i].name, v->types[i].n, out);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		total[i] = verify_total(v, (enum verify_count)i);
	print_counts("all", total, out);
	if (v->unreadable)
		fprintf(out, "  %llu lines are no events\n", (unsigned long long)v->unreadable);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		for (int k = 0; k < SAMPLES && v->samples[i][k]; k++)
			fprintf(out, "  %s: %.300s\n", verify_count_names[i], v->samples[i][k]);
}

void verify_json(const struct verify *v, const char *label, struct buf *out)
{
	buf_adds(out, "{\"label\":");
	json_write_string(out, label);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		buf_addf(out, ",\"%s\":%llu",
			 i == VERIFY_SECOND ? "second_id" : verify_count_names[i],
			 (unsigned long long)verify_total(v, (enum verify_count)i));
	buf_addf(out, ",\"unreadable\":%llu,\"holds\":%s}", (unsigned long long)v->unreadable,
		 verify_holds(v) ? "true" : "false");
}
