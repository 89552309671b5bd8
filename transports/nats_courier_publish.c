/* nats_courier_publish — messages out, acknowledgements in. Invariant: a parcel is judged when it
 * leaves `waiting` for good or `out`, once. */
#include <inttypes.h>
#include <stdio.h>

#include "transports/nats_ack.h"
#include "transports/nats_courier_parts.h"

#define UNHEARD_MS 250

/* ---- out ---- */

/* Under the lock, since the event may go away with `closed`. NULL: err says why, or it is closed.
 */
static natsMsg *compose(struct courier *c, struct nats_item *i, struct err *err)
{
	natsMsg *msg = NULL;

	pthread_mutex_lock(&c->lock);
	if (!c->closed && nats_subject_make(&c->subject, i->event, c->doc, &c->text, err) == 0) {
		const struct nats_outgoing out = {
			.subject = c->text.data,
			.id = i->event->id,
			.stream = c->stream,
			.body = i->event->body,
			.len = i->event->len,
			.number = ++c->number,
		};
		i->number = out.number;
		msg = nats_link_compose(c->link, &out);
		if (!msg)
			err_set(err, ERR_NET, "libnats has no memory for a message");
	}
	pthread_mutex_unlock(&c->lock);
	return msg;
}

static void judge_unsent(struct courier *c, struct nats_item *i, enum verdict verdict,
			 const char *why)
{
	const struct outcome out = {.verdict = verdict, .why = why};

	courier_judge(c, &c->waiting, i, &out);
}

/* False: no more can be done for now. */
static bool publish(struct courier *c, struct nats_item *i)
{
	struct err err = {0};
	natsMsg *msg = compose(c, i, &err);
	enum nats_published done;

	if (!msg && err.code == ERR_NONE)
		return false;
	if (!msg) {
		judge_unsent(c, i, err.code == ERR_NET ? TRY_AGAIN : REFUSED, err.msg);
		return true;
	}
	done = nats_link_publish(c->link, msg, &err);
	natsMsg_Destroy(msg);
	switch (done) {
	case NATS_PUBLISHED:
		items_remove(&c->waiting, i);
		items_insert(&c->out, i);
		return true;
	case NATS_TOO_LARGE: judge_unsent(c, i, REFUSED, err.msg); return true;
	case NATS_UNABLE: judge_unsent(c, i, TRY_AGAIN, err.msg); return true;
	case NATS_BROKEN: break;
	}
	courier_broken(c, err.msg, clock_now().mono_ms);
	return false;
}

void courier_publish(struct courier *c)
{
	int64_t now_ms = clock_now().mono_ms;
	struct nats_item *next;

	for (struct nats_item *i = c->waiting.first; c->link && i; i = next) {
		next = i->next;
		if (i->not_before_ms <= now_ms && !publish(c, i))
			return;
	}
}

/* ---- in ---- */

/* Nobody listens to the subject: no stream takes it, this server has no JetStream, or a cluster is
 * just choosing the stream's leader. So it is asked again for as long as the parcel has time. */
static void not_heard(struct courier *c, struct nats_item *i)
{
	char why[NATS_WHY_MAX];
	struct err unlikely = {0};

	i->not_before_ms = clock_now().mono_ms + UNHEARD_MS;
	if (i->not_before_ms < i->deadline_ms) {
		items_remove(&c->out, i);
		items_insert(&c->waiting, i);
		return;
	}
	pthread_mutex_lock(&c->lock);
	int made = c->closed
			   ? -1
			   : nats_subject_make(&c->subject, i->event, c->doc, &c->text, &unlikely);
	pthread_mutex_unlock(&c->lock);
	snprintf(why, sizeof why, "no stream takes the subject %.300s",
		 made == 0 ? c->text.data : "");
	courier_judge(c, &c->out, i,
		      &(struct outcome){.verdict = TRY_AGAIN, .why = why, .no_connection = true});
}

void courier_answered(void *arg, uint64_t number, const char *text, size_t len)
{
	struct courier *c = arg;
	struct nats_item *i = items_find(&c->out, number);
	struct nats_ack ack;

	if (!i)
		return; /* its time was over */
	if (!text) {
		not_heard(c, i);
		return;
	}
	nats_ack_read(&ack, c->doc, text, len);
	courier_judge(c, &c->out, i,
		      &(struct outcome){.verdict = ack.verdict,
					.why = ack.verdict == SENT ? NULL : ack.why});
}

/* ---- not in time ---- */

static void expire(struct courier *c, struct nats_items *list, const char *why, int64_t now_ms)
{
	const struct outcome out = {.verdict = TRY_AGAIN, .why = why, .no_connection = true};

	while (list->first && list->first->deadline_ms <= now_ms)
		courier_judge(c, list, list->first, &out);
}

void courier_expire(struct courier *c, int64_t now_ms)
{
	char said[NATS_WHY_MAX / 2] = "", why[NATS_WHY_MAX];

	if (c->out.first && c->out.first->deadline_ms <= now_ms) {
		if (c->link)
			nats_link_complaint(c->link, said, sizeof said);
		snprintf(why, sizeof why, "no acknowledgement within %" PRId64 " ms%s%s",
			 c->timeout_ms, *said ? "; the server said: " : "", said);
		expire(c, &c->out, why, now_ms);
	}
	snprintf(why, sizeof why, "no connection: %.400s",
		 *c->why ? c->why : "no server has answered yet");
	expire(c, &c->waiting, why, now_ms);
}
