/* diff — what changed in a recipient's row, and in what order it is told. Invariant: the record
 * that is kept has the row's states, status and fingerprints, so that the same row seen again is
 * no change. */
#include "relay/source/diff.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/source/diff_event.h"
#include "relay/source/fact.h"

/* Ties and missing times come out in the order of a message's life: skipped, sent, delivered,
 * opened, played, failed, bounced, complained, unsubscribed; then what the API grew, by number. */
static unsigned place_of(unsigned state)
{
	static const uint8_t life[STATES_KNOWN] = {0, 5, 1, 2, 7, 8, 3, 4, 6};

	return state < STATES_KNOWN ? life[state] : state;
}

/* The next value for a flag that rose without a time. A dated rise between two undated ones
 * starts the count again; no API is known to mix them. */
static int64_t next_count(const struct recipient_record *before, unsigned state)
{
	const struct state_time *last = before ? recipient_record_time(before, state) : NULL;

	return last && last->at < 0 ? last->at - 1 : -1;
}

/* The time of a flag that stays true is the one its event told, whatever the row says now. */
static void keep_times(const struct recipient_record *before, const struct row *after,
		       struct recipient_record *ret)
{
	uint64_t rises = after->states & ~(before ? before->states : 0);

	if (before) {
		memcpy(ret->times, before->times, sizeof ret->times);
		ret->ntimes = before->ntimes;
	}
	for (unsigned i = 0; i < STATES_MAX; i++) {
		if (!is_true(rises, i))
			continue;
		int64_t at = after->at[i];
		recipient_record_set_time(ret, i, at == DATE_NONE ? next_count(before, i) : at);
	}
}

static bool says_processed(const struct diff_place *at, uint8_t status)
{
	const char *name = fact_status(at, status);

	return name && strcmp(name, "PROCESSED") == 0;
}

/* It says PROCESSED and did not. A status that the API left out for a while is no second time. */
static bool became_processed(const struct diff_place *at, const struct recipient_record *before,
			     const struct row *after)
{
	if (!says_processed(at, after->status))
		return false;
	if (!before || before->status == STATUS_NONE)
		return !before || before->processed == 0;
	return !says_processed(at, before->status);
}

static void keep(const struct diff_place *at, const struct recipient_record *before,
		 const struct row *after, struct recipient_record *ret)
{
	*ret = (struct recipient_record){
		.id = xstrdup(after->id),
		.states = after->states,
		.status = after->status,
		.created_ms = after->created_ms,
		.updated_ms = after->updated_ms,
		.contact_id = xstrdup(after->contact_id),
		.integration_id = xstrdup(after->integration_id),
		.identity = after->identity,
		.error = after->error,
		.contact = after->contact,
	};
	if (before) {
		ret->number = before->number;
		ret->processed = before->processed;
		ret->created_ms = time_or(after->created_ms, before->created_ms);
		ret->updated_ms = time_or(after->updated_ms, before->updated_ms);
	}
	if (became_processed(at, before, after) && ret->processed < UINT8_MAX)
		ret->processed++;
	keep_times(before, after, ret);
}

static void append(struct look *l, enum kind kind)
{
	l->v[l->n++] = (struct change){.kind = kind, .at = DATE_NONE};
}

/* A dated rise stands before the first later one, an undated one before the first that comes later
 * in a message's life; so undated ones are put in when the dated ones are in order. */
static bool goes_before(const struct change *a, const struct change *b)
{
	if (a->at == DATE_NONE || a->at == b->at)
		return a->place < b->place;
	return a->at < b->at;
}

static void insert(struct look *l, struct change c)
{
	size_t i = 0;

	while (i < l->n && (l->v[i].kind != c.kind || !goes_before(&c, &l->v[i])))
		i++;
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof *l->v);
	l->v[i] = c;
	l->n++;
}

static void insert_rise(struct look *l, unsigned state)
{
	insert(l, (struct change){.kind = ROSE,
				  .state = (uint8_t)state,
				  .place = place_of(state),
				  .at = l->after->at[state]});
}

static void insert_rises(struct look *l, uint64_t rises)
{
	for (unsigned i = 0; i < STATES_MAX; i++)
		if (is_true(rises, i) && l->after->at[i] != DATE_NONE)
			insert_rise(l, i);
	for (unsigned i = 0; i < STATES_MAX; i++)
		if (is_true(rises, i) && l->after->at[i] == DATE_NONE)
			insert_rise(l, i);
}

/* The flags of a row seen for the first time that rose since `since`. */
static uint64_t recent(const struct look *l)
{
	uint64_t rises = 0;

	for (unsigned i = 0; i < STATES_MAX; i++) {
		int64_t at = time_or(l->after->at[i], l->at->broadcast_created_ms);
		if (is_true(l->after->states, i) && at >= l->at->since_ms)
			rises |= UINT64_C(1) << i;
	}
	return rises;
}

static void find_first(struct look *l)
{
	uint64_t rises = recent(l);

	l->states = l->after->states & ~rises;
	l->status = STATUS_NONE;
	if (l->now->created_ms >= l->at->since_ms)
		append(l, ADDED);
	insert_rises(l, rises);
}

/* When a flag fell is not known: they come out in the order of a message's life. */
static void find_reverted(struct look *l)
{
	uint64_t falls = l->before->states & ~l->after->states;

	for (unsigned i = 0; i < STATES_MAX; i++) {
		if (!is_true(falls, i))
			continue;
		const struct state_time *lost = recipient_record_time(l->before, i);
		insert(l, (struct change){.kind = REVERTED,
					  .state = (uint8_t)i,
					  .place = place_of(i),
					  .at = DATE_NONE,
					  .lost = lost ? lost->at : -1});
	}
}

static bool fingerprints_differ(const struct look *l)
{
	return l->before->identity != l->now->identity || l->before->error != l->now->error ||
	       l->before->contact != l->now->contact;
}

/* In the order they are told: the row, its flags by time, then what has no time of its own. A row
 * that is processed when its status is first known was so at some time after its creation. */
static void find_changes(struct look *l)
{
	const struct recipient_record *before = l->before;

	if (before) {
		l->states = before->states;
		l->status = before->status;
		insert_rises(l, l->after->states & ~before->states);
	} else {
		find_first(l);
	}
	if (became_processed(l->at, before, l->after) &&
	    (l->status != STATUS_NONE || l->now->created_ms >= l->at->since_ms))
		append(l, PROCESSED);
	if (!before)
		return;
	if (!l->at->partial)
		find_reverted(l);
	if (l->at->updates && fingerprints_differ(l))
		append(l, UPDATED);
}

void diff_recipient(const struct diff_place *at, const struct recipient_record *before,
		    const struct row *after, const char *text, struct events *out,
		    struct recipient_record *ret)
{
	static const char *const without[] = {"contact.channels", NULL};
	struct look l = {.at = at, .before = before, .after = after, .now = ret};

	keep(at, before, after, ret);
	find_changes(&l);
	if (l.n == 0)
		return;
	buf_init(&l.row, SIZE_MAX / 2);
	json_copy(&l.row, text + after->text.at, after->text.len, at->channels ? NULL : without);
	for (size_t i = 0; i < l.n; i++)
		diff_event(&l, &l.v[i], out);
	buf_release(&l.row);
}

/* The columns that are kept, in the API's shape: names and channels are not among them. */
static void write_columns(struct buf *data, const struct diff_place *at,
			  const struct recipient_record *r)
{
	buf_addc(data, '{');
	fact_text(data, "id", r->id);
	fact_text(data, "broadcast_id", at->broadcast);
	fact_text(data, "integration_id", r->integration_id);
	fact_text(data, "status", fact_status(at, r->status));
	for (size_t i = 0; i < r->ntimes; i++) {
		const struct state_time *t = &r->times[i];
		const char *name = at->states->v[t->state];
		char key[sizeof "is__at" + NAME_SIZE];
		snprintf(key, sizeof key, "is_%s", name);
		fact_key(data, key);
		buf_adds(data, is_true(r->states, t->state) ? "true" : "false");
		snprintf(key, sizeof key, "is_%s_at", name);
		fact_date(data, key, t->at < 0 ? DATE_NONE : t->at);
	}
	fact_date(data, "created_at", r->created_ms);
	fact_date(data, "updated_at", r->updated_ms);
	fact_key(data, "contact");
	buf_addc(data, '{');
	fact_text(data, "id", r->contact_id);
	buf_adds(data, "}}");
}

void diff_removed(const struct diff_place *at, const struct recipient_record *before,
		  struct events *out)
{
	struct buf data = BUF_INIT(SIZE_MAX / 2);
	char time[FACT_TIME];
	struct fact f = {.type = "recipient.removed",
			 .broadcast = at->broadcast,
			 .recipient = before->id,
			 .integration_id = before->integration_id,
			 .time_ms = DATE_NONE};

	fact_part(&f, fact_updated(time, at, before->updated_ms));
	diff_event_begin(&data, at, before->id, before->integration_id);
	fact_date(&data, "at", DATE_NONE);
	fact_previous(&data, at, before->states, before->status);
	fact_key(&data, "recipient");
	write_columns(&data, at, before);
	buf_addc(&data, '}');
	fact_add(out, at, &f, &data);
	buf_release(&data);
}
