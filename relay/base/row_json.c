/* row_json — see the header. Invariant: a state is named under `at` exactly when it is in `states`;
 * what a flag had before it fell is not shown. */
#include "relay/base/row_json.h"

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"

const char *row_name(const struct names *names, unsigned number)
{
	return number < names->n ? names->v[number] : NULL;
}

static bool is_true(const struct recipient_record *r, unsigned state)
{
	return r->states >> state & 1;
}

static unsigned count(const struct names *states)
{
	return states->n < STATES_MAX ? states->n : STATES_MAX;
}

static void add_states(struct buf *out, const struct recipient_record *r, const struct names *names)
{
	const char *comma = "";

	json_add_name(out, "states");
	buf_addc(out, '[');
	for (unsigned i = 0; i < count(names); i++) {
		if (!is_true(r, i))
			continue;
		buf_adds(out, comma);
		json_write_string(out, names->v[i]);
		comma = ",";
	}
	buf_addc(out, ']');
}

static void add_times(struct buf *out, const struct recipient_record *r, const struct names *names)
{
	json_add_name(out, "at");
	buf_addc(out, '{');
	for (unsigned i = 0; i < count(names); i++) {
		const struct state_time *t = recipient_record_time(r, i);

		if (is_true(r, i)) /* below 0 stands a count of rises that had no time */
			json_add_date(out, names->v[i], t && t->at >= 0 ? t->at : DATE_NONE);
	}
	buf_addc(out, '}');
}

void row_json(struct buf *out, const struct recipient_record *r, const struct row_names *names)
{
	buf_addc(out, '{');
	json_add_text(out, "recipient_id", r->id);
	json_add_text(out, "integration_id", r->integration_id);
	json_add_text(out, "contact_id", r->contact_id);
	json_add_text(out, "status", row_name(names->statuses, r->status));
	add_states(out, r, names->states);
	add_times(out, r, names->states);
	json_add_date(out, "created_at", r->created_ms);
	json_add_date(out, "updated_at", r->updated_ms);
	json_add_bool(out, "removed", r->gone);
	buf_addc(out, '}');
}

void row_json_broadcast(struct buf *out, const struct broadcast_record *b)
{
	buf_addc(out, '{');
	json_add_text(out, "org_id", b->org);
	json_add_text(out, "broadcast_id", b->id);
	json_add_text(out, "broadcast_name", b->name);
	json_add_text(out, "status", b->status);
	json_add_name(out, "counters");
	buf_adds(out, b->counters ? b->counters : "null");
	json_add_int(out, "rows", b->recipients);
	json_add_bool(out, "complete", b->baseline_done);
	json_add_bool(out, "removed", b->gone);
	buf_addc(out, '}');
}
