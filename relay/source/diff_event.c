/* diff_event — writes what diff found in a recipient's row. Invariant: `previous` is what the
 * events before this one left, so that the events of a row tell one history in whatever portions
 * it was seen. */
#include "relay/source/diff_event.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/source/fact.h"

void diff_event_begin(struct buf *data, const struct diff_place *at, const char *recipient,
		      const char *integration_id)
{
	buf_addc(data, '{');
	fact_text(data, "org_id", at->org);
	fact_text(data, "broadcast_id", at->broadcast);
	fact_text(data, "broadcast_name", at->broadcast_name);
	fact_text(data, "recipient_id", recipient);
	fact_text(data, "integration_id", integration_id);
}

/* 12300 ms: 12.3 */
static void write_seconds(struct buf *data, const char *key, int64_t ms)
{
	char fraction[8];
	int digits = 3;

	fact_key(data, key);
	buf_addi(data, ms / 1000);
	snprintf(fraction, sizeof fraction, "%03d", (int)(ms % 1000));
	while (digits > 0 && fraction[digits - 1] == '0')
		digits--;
	if (digits)
		buf_addf(data, ".%.*s", digits, fraction);
}

/* How long before the change the row was created and its other flags rose, as far as known. */
static void write_since(struct buf *data, const struct look *l, const struct change *c)
{
	int64_t then = time_or(c->at, l->at->recorded_ms), created = l->now->created_ms;

	fact_key(data, "since");
	buf_addc(data, '{');
	if (created != DATE_NONE && created <= then)
		write_seconds(data, "created", then - created);
	for (unsigned i = 0; i < STATES_MAX && i < l->at->states->n; i++) {
		const char *name = l->at->states->v[i];
		int64_t at = l->after->at[i];
		if (i == c->state || !is_true(l->after->states, i) || at == DATE_NONE || at > then)
			continue;
		if (strcmp(name, "created") != 0) /* an is_created would be told twice */
			write_seconds(data, name, then - at);
	}
	buf_addc(data, '}');
}

static void write_changed(struct buf *data, const struct look *l)
{
	const struct {
		const char *name;
		bool changed;
	} parts[] = {
		{"identity", l->before->identity != l->now->identity},
		{"error", l->before->error != l->now->error},
		{"contact", l->before->contact != l->now->contact},
	};

	fact_key(data, "changed");
	buf_addc(data, '[');
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!parts[i].changed)
			continue;
		fact_comma(data);
		json_write_string(data, parts[i].name);
	}
	buf_addc(data, ']');
}

static const char *state_name(const struct look *l, const struct change *c)
{
	return l->at->states->v[c->state];
}

/* What data.at says: when it happened; of a flag that fell, when it had risen. */
static int64_t shown_at(const struct look *l, const struct change *c)
{
	switch (c->kind) {
	case ADDED: return l->now->created_ms;
	case ROSE: return c->at;
	case REVERTED: return c->lost < 0 ? DATE_NONE : c->lost;
	case UPDATED: return l->now->updated_ms;
	case PROCESSED: break;
	}
	return DATE_NONE;
}

static void write_data(struct buf *data, const struct look *l, const struct change *c)
{
	diff_event_begin(data, l->at, l->after->id, l->after->integration_id);
	if (c->kind == ROSE || c->kind == REVERTED)
		fact_text(data, "state", state_name(l, c));
	fact_date(data, "at", shown_at(l, c));
	fact_text(data, "error_message", l->after->error_message);
	fact_text(data, "external_message_id", l->after->external_message_id);
	if (c->kind == UPDATED)
		write_changed(data, l);
	if (c->kind != ADDED)
		fact_previous(data, l->at, l->states, l->status);
	if (c->kind == ROSE)
		write_since(data, l, c);
	fact_key(data, "recipient");
	buf_add(data, l->row.data, l->row.len);
	buf_addc(data, '}');
}

struct part_texts {
	char time[FACT_TIME], before[49], after[49];
};

static const char *fingerprints(char ret[49], const struct recipient_record *r)
{
	snprintf(ret, 49, "%016llx%016llx%016llx", (unsigned long long)r->identity,
		 (unsigned long long)r->error, (unsigned long long)r->contact);
	return ret;
}

/* A row is processed once, as a rule; the creation names that time, whenever it was seen. */
static int64_t processed_time(const struct recipient_record *now)
{
	int64_t ms = now->processed > 1 ? now->updated_ms : now->created_ms;

	return time_or(ms, -(int64_t)now->processed);
}

static void add_parts(struct fact *f, const struct look *l, const struct change *c,
		      struct part_texts *t)
{
	int64_t time = 0;

	switch (c->kind) {
	case ADDED: time = time_or(l->now->created_ms, -1); break;
	case ROSE: time = recipient_record_time(l->now, c->state)->at; break;
	case PROCESSED: time = processed_time(l->now); break;
	case REVERTED:
		fact_part(f, state_name(l, c));
		time = c->lost;
		break;
	case UPDATED:
		fact_part(f, fingerprints(t->before, l->before));
		fact_part(f, fingerprints(t->after, l->now));
		fact_part(f, fact_updated(t->time, l->at, l->now->updated_ms));
		return;
	}
	fact_part(f, fact_time(t->time, time));
}

static const char *type_end(const struct look *l, const struct change *c)
{
	switch (c->kind) {
	case ADDED: return "added";
	case PROCESSED: return "processed";
	case REVERTED: return "reverted";
	case UPDATED: return "updated";
	case ROSE: break;
	}
	return state_name(l, c);
}

void diff_event(struct look *l, const struct change *c, struct events *out)
{
	struct buf data = BUF_INIT(SIZE_MAX / 2); /* event_make sees to an event's ceiling */
	struct part_texts texts;
	struct fact f = {.broadcast = l->at->broadcast,
			 .recipient = l->after->id,
			 .integration_id = l->after->integration_id,
			 .time_ms = c->kind == REVERTED ? DATE_NONE : shown_at(l, c)};

	snprintf(f.type, sizeof f.type, "recipient.%s", type_end(l, c));
	add_parts(&f, l, c, &texts);
	write_data(&data, l, c);
	fact_add(out, l->at, &f, &data);
	buf_release(&data);

	if (c->kind == ROSE)
		l->states |= UINT64_C(1) << c->state;
	else if (c->kind == REVERTED)
		l->states &= ~(UINT64_C(1) << c->state);
	else if (c->kind == PROCESSED)
		l->status = l->now->status;
}
