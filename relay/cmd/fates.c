/* fates — see the header. */
#include "relay/cmd/fates.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/cmd/one_event.h"
#include "relay/cmd/screen.h"
#include "transports/transport.h"

#define OUT_MAX (16 << 20)

/* One destination's part, and what explains it. */
struct fate {
	const struct event_fate *f;
	const struct destination_record *at; /* NULL: it is there no more */
	int64_t behind;			     /* of a waiting one: the sequence it waits for; 0 */
};

/* The first of its key that is tried again holds up the others. */
static int64_t waits_for(const struct store_head *h, const struct exception *x)
{
	for (size_t i = 0; i < h->nexceptions; i++) {
		const struct exception *other = &h->exceptions[i];
		if (other->destination == x->destination && other->order_key == x->order_key &&
		    other->sequence < x->sequence && other->state != EXCEPTION_PARKED)
			return other->sequence;
	}
	return 0;
}

static struct fate explain(const struct store_head *h, const struct event_fate *f)
{
	struct fate ret = {.f = f};
	for (size_t i = 0; i < h->ndestinations; i++)
		if (!strcmp(h->destinations[i].name, f->destination))
			ret.at = &h->destinations[i];
	if (f->excepted && f->exception.state == EXCEPTION_WAITING)
		ret.behind = waits_for(h, &f->exception);
	return ret;
}

/* ---- for people ---- */

static const char *verdict_word(int verdict)
{
	return verdict == SENT ? "sent" : verdict == TRY_AGAIN ? "try again" : "refused";
}

/* The success that ends a row of failures is kept with them, so that a last attempt that failed
 * tells of one that was dropped. But behind a 410 the relay may have started anew, and then a
 * success is not kept. */
static bool is_given_up(const struct event_fate *f)
{
	const struct attempt *last = f->nattempts ? &f->attempts[f->nattempts - 1] : NULL;
	return f->settled && !f->excepted && last && last->verdict != SENT &&
	       !(last->why && !strncmp(last->why, "410", 3));
}

static const char *fate_word(const struct event_fate *f)
{
	static const char *const words[] = {"to be tried again", "waiting for an earlier one",
					    "parked"};
	if (f->excepted)
		return words[f->exception.state];
	return is_given_up(f) ? "dropped" : f->settled ? "sent" : "not sent yet";
}

void fates_brief(struct buf *out, const struct event_fates *fates, const char *only)
{
	const char *separator = "";
	for (size_t i = 0; i < fates->n; i++) {
		const struct event_fate *f = &fates->v[i];
		if (only && strcmp(f->destination, only) != 0)
			continue;
		buf_addf(out, "%s%s: %s", separator, f->destination, fate_word(f));
		separator = ", ";
	}
}

/* Why nothing happens, where nothing does. */
static void print_destination(const struct fate *e)
{
	char when[DATE_TEXT];
	bool owed = e->f->excepted ? e->f->exception.state != EXCEPTION_PARKED : !e->f->settled;
	if (!e->at || !owed)
		return;
	if (e->at->state == DESTINATION_DETACHED) {
		puts("  the destination is not in the configuration any more");
	} else if (e->at->state == DESTINATION_DISABLED) {
		fputs("  the destination is disabled", stdout);
		if (e->at->why) {
			fputs(": ", stdout);
			screen_text(e->at->why);
		}
		putchar('\n');
	} else if (e->at->down_ms) {
		printf("  the destination is down since %s\n", date_format(when, e->at->down_ms));
	}
}

static void print_attempts(const struct event_fate *f)
{
	char when[DATE_TEXT];
	for (size_t k = 0; k < f->nattempts; k++) {
		const struct attempt *t = &f->attempts[k];
		printf("  %s  %s  %" PRId64 " ms%s", date_format(when, t->at_ms),
		       verdict_word(t->verdict), t->took_ms, t->why && *t->why ? "  " : "");
		screen_text(t->why ? t->why : "");
		putchar('\n');
	}
}

static void print_fate(const struct fate *e)
{
	const struct exception *x = &e->f->exception;
	char when[DATE_TEXT];
	printf("\n%s: %s (rule \"%s\")\n", e->f->destination, fate_word(e->f),
	       e->f->rule ? e->f->rule : "-");
	print_attempts(e->f);
	if (!e->f->excepted)
		return print_destination(e);
	if (x->state == EXCEPTION_RETRY)
		printf("  next attempt %s%s\n", date_format(when, x->due_ms),
		       x->held ? ", as the receiver asked" : "");
	else if (x->state == EXCEPTION_PARKED)
		printf("  after %u attempt%s: relay parked retry %" PRId64 " --to %s\n",
		       x->attempts, x->attempts == 1 ? "" : "s", x->sequence, e->f->destination);
	else if (e->behind)
		printf("  behind %" PRId64 ", which has the same key\n", e->behind);
	print_destination(e);
}

/* ---- for programs ---- */

static void write_attempts(struct buf *out, const struct event_fate *f)
{
	json_add_name(out, "attempts");
	buf_addc(out, '[');
	for (size_t k = 0; k < f->nattempts; k++) {
		json_add_element(out);
		json_add_date(out, "at", f->attempts[k].at_ms);
		json_add_text(out, "verdict", verdict_word(f->attempts[k].verdict));
		json_add_int(out, "took_ms", f->attempts[k].took_ms);
		json_add_text(out, "why", f->attempts[k].why);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void write_destination(struct buf *out, const struct destination_record *d)
{
	static const char *const states[] = {"enabled", "disabled", "detached", "dropped"};
	json_add_text(out, "destination_state", d ? states[d->state] : NULL);
	json_add_text(out, "destination_why", d ? d->why : NULL);
	json_add_date(out, "down_since", d && d->down_ms ? d->down_ms : DATE_NONE);
}

static const char *fate_name(const struct event_fate *f)
{
	static const char *const states[] = {"retry", "waiting", "parked"};
	if (f->excepted)
		return states[f->exception.state];
	return is_given_up(f) ? "dropped" : f->settled ? "sent" : "owed";
}

static void write_fate(struct buf *out, const struct fate *e)
{
	const struct event_fate *f = e->f;
	const struct exception *x = f->excepted ? &f->exception : NULL;
	bool retry = x && x->state == EXCEPTION_RETRY;
	json_add_element(out);
	json_add_text(out, "name", f->destination);
	json_add_text(out, "rule", f->rule);
	json_add_text(out, "topic", f->topic);
	json_add_text(out, "state", fate_name(f));
	json_add_date(out, "next_attempt", retry ? x->due_ms : DATE_NONE);
	json_add_bool(out, "held", retry && x->held);
	json_add_count(out, "behind", e->behind ? e->behind : -1);
	write_destination(out, e->at);
	write_attempts(out, f);
	buf_addc(out, '}');
}

/* ---- both ---- */

static void print_all(const struct store_head *h, const struct event *ev,
		      const struct event_fates *fates)
{
	puts(ev->body);
	for (size_t i = 0; i < fates->n; i++) {
		struct fate e = explain(h, &fates->v[i]);
		print_fate(&e);
	}
	if (!fates->n)
		puts("\nno rule sent it anywhere");
}

static void write_all(const struct store_head *h, const struct event *ev,
		      const struct event_fates *fates)
{
	struct buf out = BUF_INIT(OUT_MAX);
	buf_adds(&out, "{\"event\":");
	buf_add(&out, ev->body, ev->len);
	json_add_name(&out, "destinations");
	buf_addc(&out, '[');
	for (size_t i = 0; i < fates->n; i++) {
		struct fate e = explain(h, &fates->v[i]);
		write_fate(&out, &e);
	}
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

int fates_show(const struct reading *from, const char *what, bool json, struct err *err)
{
	struct store *s = from->store;
	struct event found = {0};
	struct event_fates fates = {0};
	int failed = one_event_find(&found, what, s, err);
	if (!failed)
		failed = s->type->fates(s, found.sequence, &fates, err);
	if (!failed && json)
		write_all(&from->head, &found, &fates);
	else if (!failed)
		print_all(&from->head, &found, &fates);
	event_fates_release(&fates);
	event_release(&found);
	return failed;
}
