/*
 * Destinations by hand: enabled, disabled, dropped. Dropping takes a count first, so that it can be
 * told what was lost; then the journal forgets it, and only then does the relay. The event that
 * says so comes behind, as a journal that is full takes none, and dropping is what makes room
 * there.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay_state.h"

#define BY_HAND "disabled by hand"

static int enable(struct relay *r, struct known_destination *k, struct err *err)
{
	const struct destination_settings *s = settings_destination(r->settings, k->record.name);
	if (s && !s->options.enabled)
		return err_set(err, ERR_DENIED, "%s is not enabled in the configuration",
			       k->record.name);
	delivery_set_state(r->delivery, k->record.number, DESTINATION_ENABLED, NULL);
	k->record.state = DESTINATION_ENABLED;
	log_info("destination enabled by hand", log_str("destination", k->record.name));
	return 0;
}

static int disable(struct relay *r, struct known_destination *k, const char *why)
{
	delivery_set_state(r->delivery, k->record.number, DESTINATION_DISABLED,
			   why ? why : BY_HAND);
	log_info("destination disabled by hand", log_str("destination", k->record.name),
		 log_opt("why", why));
	relay_note_disabled(r, k, why ? why : BY_HAND);
	return 0;
}

/* ---- dropping ---- */

struct dropping {
	struct relay *relay;
	uint32_t number;
	struct gathered lost;
};

static void tell(struct relay *r, const struct known_destination *k, const struct gathered *lost)
{
	struct buf data = BUF_INIT(EVENT_BODY_MAX);
	relay_dropped_data(&data, k->record.name, DROP_BY_HAND, lost);
	relay_tell_surely(r, &(struct relay_word){.type = "relay.dropped",
						  .subject = k->record.name,
						  .data = &data,
						  .about = k->record.number});
	buf_release(&data);
}

static void take_out(struct relay *r, struct known_destination *k)
{
	size_t at = (size_t)(k - r->destinations);
	known_destination_release(k);
	r->ndestinations--;
	memmove(k, k + 1, (r->ndestinations - at) * sizeof *k);
}

static void dropped(void *arg, const struct batch *b, const struct err *err)
{
	(void)b;
	struct dropping d = *(struct dropping *)arg;
	struct relay *r = d.relay;
	struct known_destination *k = relay_known_number(r, d.number);
	free(arg);
	k->dropping = false;
	if (err) {
		log_error("a destination was not dropped: the journal refused it",
			  log_str("destination", k->record.name), log_str("why", err->msg));
		return;
	}
	log_info("destination dropped", log_str("destination", k->record.name),
		 log_num("events", d.lost.count));
	if (!r->delivery)
		return;
	relay_tell_last(r, k);
	if (d.lost.count)
		tell(r, k, &d.lost);
	delivery_forget(r->delivery, d.number);
	take_out(r, k);
}

static size_t count_parked(const struct relay *r, uint32_t number)
{
	struct delivery_status *s = xcalloc(r->ndestinations + 1, sizeof *s);
	size_t n = delivery_status(r->delivery, s, r->ndestinations), parked = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i].number == number)
			parked = s[i].parked;
	free(s);
	return parked;
}

static void forget_rows(struct dropping *d)
{
	struct relay *r = d->relay;
	const struct known_destination *k = relay_known_number(r, d->number);
	struct batch *b = batch_new();
	struct destination_record *record = batch_destination(b);
	record->number = d->number;
	record->name = xstrdup(k->record.name);
	record->state = DESTINATION_DROPPED;
	journal_commit(r->journal, b, dropped, d);
}

/* The names are a courtesy: without them it is dropped all the same. */
static void parked_named(void *arg, struct picks *p, const struct err *err)
{
	struct dropping *d = arg;
	(void)err;
	if (relay_ending(d->relay)) {
		relay_known_number(d->relay, d->number)->dropping = false;
		free(d);
		return;
	}
	for (size_t i = 0; i < p->n && d->lost.nids < GATHERED_IDS; i++)
		memcpy(d->lost.ids[d->lost.nids++], p->v[i].id, EVENT_ID_SIZE);
	forget_rows(d);
}

static void owed_counted(void *arg, const struct owed *owed, const struct err *err)
{
	struct dropping *d = arg;
	struct relay *r = d->relay;
	struct known_destination *k = relay_known_number(r, d->number);
	if (err || relay_ending(r)) {
		k->dropping = false;
		if (err)
			log_error("a destination was not dropped: the journal failed",
				  log_str("destination", k->record.name), log_str("why", err->msg));
		free(d);
		return;
	}
	d->lost.count = owed->n + (int64_t)count_parked(r, d->number);
	d->lost.nids = owed->nids;
	memcpy(d->lost.ids, owed->ids, sizeof owed->ids);
	journal_picks(r->journal,
		      &(struct pick_query){
			      .destination = d->number, .parked = true, .limit = GATHERED_IDS},
		      parked_named, d);
}

static int drop(struct relay *r, struct known_destination *k, struct err *err)
{
	if (k->record.state != DESTINATION_DETACHED)
		return err_set(err, ERR_DENIED,
			       "%s is in the configuration; take it out first, and reload",
			       k->record.name);
	if (r->next && settings_destination(r->next, k->record.name))
		return err_set(err, ERR_DENIED, "%s is just coming back into the configuration",
			       k->record.name);
	if (k->dropping)
		return 0;
	struct dropping *d = xcalloc(1, sizeof *d);
	d->relay = r;
	d->number = k->record.number;
	k->dropping = true;
	journal_owed(
		r->journal,
		&(struct owed_query){.destination = d->number, .until = journal_latest(r->journal)},
		owed_counted, d);
	return 0;
}

int relay_act_on(struct relay *r, const char *name, enum admin_act act, const char *why,
		 struct err *err)
{
	struct known_destination *k = relay_known(r, name);
	if (!k || !k->taken)
		return err_set(err, ERR_MISSING, "there is no destination %.256s", name);
	if (act == ADMIN_DROP)
		return drop(r, k, err);
	if (k->record.state == DESTINATION_DETACHED)
		return err_set(err, ERR_DENIED, "%s is not in the configuration any more", name);
	return act == ADMIN_ENABLE ? enable(r, k, err) : disable(r, k, why);
}

bool relay_dropping(const struct relay *r)
{
	for (size_t i = 0; i < r->ndestinations; i++)
		if (r->destinations[i].dropping)
			return true;
	return false;
}
