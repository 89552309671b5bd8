/* rule_mix — the vocabulary of events and rules. Invariant: what a rule of MIX_NEVER is about
 * begins with or holds an "x" that no event has there. */
#include "tests/bench/rule_mix.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/event.h"

#define BROADCASTS 1000
#define CONTACTS   10000
#define PREFIXES   1500 /* of telephone numbers */
#define CODES	   1000 /* of errors */
#define COMPANIES  700
#define NETWORKS   1000

static const char *const states[] = {"sent",   "delivered", "sent",    "delivered",    "opened",
				     "failed", "delivered", "bounced", "unsubscribed", "skipped",
				     "failed", "played",    "sent",    "complained"};
static const char *const channels[] = {"twilio", "whatsapp_bot", "gmail", "telegram",
				       "viber",	 "twilio",	 "gmail", "messenger"};
static const char *const countries[] = {"DE", "US", "BR", "IN", "FR", "ES", "KE", "PL"};
static const char *const segments[] = {"VIP", "Trial", "Newsletter", "Churned", "Press", "Staff"};
static const char *const words[] = {"unreachable", "handset",  "timeout",  "blocked", "carrier",
				    "mailbox",	   "rejected", "template", "paused",  "quota",
				    "unknown",	   "landline", "expired",  "opt-out", "throttled"};

#define PICK(random, list) ((list)[pick((random), sizeof(list) / sizeof *(list))])

static unsigned pick(struct prng *random, size_t n)
{
	return (unsigned)(prng_next(random) >> 33) % (unsigned)n;
}

static double seconds(struct prng *random)
{
	return (int)(prng_unit(random) * 36000) / 10.0;
}

/* ---- events */

static void add_error(struct buf *out, struct prng *random, const char *state)
{
	if (strcmp(state, "failed") != 0 && strcmp(state, "bounced") != 0 && pick(random, 6) != 0)
		buf_adds(out, "null");
	else
		buf_addf(out, "\"Error %05u: %s %s %s\"", pick(random, CODES), PICK(random, words),
			 PICK(random, words), PICK(random, words));
}

/* Of a row only what its channel has; whole: all that there may be. */
static void add_row(struct buf *out, struct prng *random, bool mail, bool whole)
{
	unsigned contact = pick(random, CONTACTS);

	buf_addf(out, "{\"status\":\"%s\"", pick(random, 3) ? "SENDING" : "PROCESSED");
	if (whole || !mail)
		buf_addf(out, ",\"name\":\"Person %u\",\"phone\":\"+49%04u%04u\"", contact,
			 pick(random, PREFIXES), pick(random, 10000));
	if (whole || mail)
		buf_addf(out, ",\"email\":\"user%u@company%u.example\"", contact,
			 pick(random, COMPANIES));
	buf_addf(out, ",\"contact\":{\"id\":\"ct_%05u\"", contact);
	if (whole || pick(random, 2))
		buf_addf(out, ",\"channels\":[{\"country\":\"%s\",\"ip\":\"10.%u.%u.7\"}]",
			 PICK(random, countries), pick(random, 8), pick(random, NETWORKS / 8));
	if (whole || !pick(random, 3))
		buf_addf(out, ",\"segments\":[{\"name\":\"%s\"}]", PICK(random, segments));
	buf_addf(out, ",\"blocked\":%s}", pick(random, 20) ? "false" : "true");
}

/* The members that a row has beside those: all that the API gives. */
static void add_rest(struct buf *out, const char *broadcast, const char *recipient)
{
	static const char *const flags[] = {"skipped", "failed", "sent",	 "delivered",
					    "opened",  "played", "unsubscribed", "complained"};

	buf_addf(out, ",\"id\":\"%s\",\"broadcast_id\":\"%s\"", recipient, broadcast);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		buf_addf(out, ",\"is_%s\":false,\"is_%s_at\":null", flags[i], flags[i]);
	buf_adds(out, ",\"user_id\":null,\"username\":null,\"error_message\":null,"
		      "\"external_message_id\":null,\"created_at\":\"2026-11-22T09:59:00.000Z\","
		      "\"updated_at\":\"2026-11-22T09:59:00.000Z\"");
}

static void add_data(struct buf *out, struct prng *random, const struct event_head *head,
		     const char *state, bool whole)
{
	buf_addf(out, "{\"broadcast_id\":\"%s\",\"integration_id\":\"%s\",\"state\":\"%s\",",
		 head->broadcast_id, head->integration_id, state);
	buf_adds(out, "\"error_message\":");
	add_error(out, random, state);
	if (whole || pick(random, 2))
		buf_addf(out, ",\"previous\":{\"states\":[\"%s\"]}",
			 pick(random, 2) ? "sent" : "opened");
	buf_addf(out, ",\"since\":{\"created\":%.1f},\"recipient\":", seconds(random));
	add_row(out, random, strcmp(head->integration_id, "gmail") == 0, whole);
	if (whole)
		add_rest(out, head->broadcast_id, head->subject);
	buf_adds(out, "}}");
}

void mix_event(struct buf *out, struct prng *random, bool whole)
{
	struct buf data = BUF_INIT(8192);
	const char *state = PICK(random, states);
	char id[EVENT_ID_SIZE], broadcast[16], recipient[16], source[64], type[EVENT_TYPE_SIZE];
	struct event_head head = {.id = id,
				  .type = type,
				  .source = source,
				  .subject = recipient,
				  .partitionkey = recipient,
				  .integration_id = PICK(random, channels),
				  .broadcast_id = broadcast,
				  .time_ms = 1763805600000 + pick(random, 1000000),
				  .recorded_ms = 1763806700000};
	struct event ev;

	snprintf(broadcast, sizeof broadcast, "bc_%04u", pick(random, BROADCASTS));
	snprintf(recipient, sizeof recipient, "rcp_%06u", pick(random, 1000000));
	snprintf(source, sizeof source, "https://api.useinvent.com/orgs/c/broadcasts/%s",
		 broadcast);
	snprintf(type, sizeof type, "recipient.%s", state);
	event_id(id, (struct id_part[]){ID_PART(recipient), ID_PART(type)}, 2);
	add_data(&data, random, &head, state, whole);
	event_make(&ev, &head, data.data, data.len);
	buf_add(out, ev.body, ev.len);
	event_release(&ev);
	buf_release(&data);
}

/* ---- rules */

/* Where conditions stand, each within one of the maps of `when`. */
enum place { TOP, DATA, PREVIOUS, SINCE, ROW, CONTACT, CHANNELS, SEGMENTS, PLACES };

struct rule {
	struct prng *random;
	const char *x; /* "x" in a rule that matches never */
	struct buf text[PLACES];
};

typedef void condition_fn(struct rule *r);

__attribute__((format(printf, 3, 4))) static void put(struct rule *r, enum place place,
						      const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_addf(&r->text[place], "%s%s", r->text[place].len ? ", " : "", text);
}

/* What a rule is about. */

static void about_broadcasts(struct rule *r)
{
	put(r, DATA, "broadcast_id: [%sbc_%04u, %sbc_%04u]", r->x, pick(r->random, BROADCASTS),
	    r->x, pick(r->random, BROADCASTS));
}

static void about_source(struct rule *r)
{
	put(r, TOP, "source: [{suffix: /%sbc_%04u}]", r->x, pick(r->random, BROADCASTS));
}

static void about_phone(struct rule *r)
{
	put(r, ROW, "phone: [{prefix: \"%s+49%04u\"}]", r->x, pick(r->random, PREFIXES));
}

static void about_name(struct rule *r)
{
	put(r, ROW, "name: [{equals-ignore-case: %sPERSON %u}]", r->x, pick(r->random, CONTACTS));
}

static void about_error(struct rule *r)
{
	put(r, DATA, "error_message: [{wildcard: \"*%s %05u:*\"}]", r->x, pick(r->random, CODES));
}

static void about_errors(struct rule *r)
{
	put(r, DATA, "error_message: [{regex: \"^Error %s%05u: [a-z]+\"}]", r->x,
	    pick(r->random, CODES));
}

/* Three tenths of a second of an hour. */
static void about_delay(struct rule *r)
{
	unsigned low = pick(r->random, 36000), high = low + 3;
	const char *sign = *r->x ? "-" : "";

	put(r, SINCE, "created: [{numeric: [\">=\", %s%u.%u, \"<\", %s%u.%u]}]", sign,
	    (*sign ? high : low) / 10, (*sign ? high : low) % 10, sign, (*sign ? low : high) / 10,
	    (*sign ? low : high) % 10);
}

static void about_company(struct rule *r)
{
	bool wildcard = pick(r->random, 2);

	put(r, ROW, "email: [{%s: \"%s@%scompany%u.example\"}]", wildcard ? "wildcard" : "suffix",
	    wildcard ? "user*" : "", r->x, pick(r->random, COMPANIES));
}

static void about_network(struct rule *r)
{
	put(r, CHANNELS, "ip: [{cidr: %s.%u.%u.0/24}]", *r->x ? "172" : "10", pick(r->random, 8),
	    pick(r->random, NETWORKS / 8));
}

static void about_contacts(struct rule *r)
{
	put(r, CONTACT, "id: [%sct_%05u, {prefix: %sct_%04u}]", r->x, pick(r->random, CONTACTS),
	    r->x, pick(r->random, CONTACTS / 10));
}

static condition_fn *const subjects[] = {
	about_broadcasts, about_source,	 about_phone,  about_name,    about_error,
	about_delay,	  about_company, about_errors, about_network, about_contacts};

/* What narrows it. */

static void of_types(struct rule *r)
{
	put(r, TOP, "type: [recipient.%s, recipient.%s]", PICK(r->random, states),
	    PICK(r->random, states));
}

static void of_channels(struct rule *r)
{
	put(r, DATA, "integration_id: [{prefix: wha}, %s, %s]", PICK(r->random, channels),
	    PICK(r->random, channels));
}

static void not_states(struct rule *r)
{
	put(r, DATA, "state: [{anything-but: [%s, %s]}]", PICK(r->random, states),
	    PICK(r->random, states));
}

static void of_status(struct rule *r)
{
	put(r, ROW, "status: [{equals-ignore-case: %s}]",
	    pick(r->random, 2) ? "processed" : "sending");
}

static void of_previous(struct rule *r)
{
	put(r, PREVIOUS, "states: [%s, {exists: false}]", pick(r->random, 2) ? "sent" : "opened");
}

static void of_blocked(struct rule *r)
{
	put(r, CONTACT, "blocked: [%s]", pick(r->random, 2) ? "false" : "{exists: true}");
}

static void of_countries(struct rule *r)
{
	put(r, CHANNELS, "country: [%s, {anything-but: %s}, null]", PICK(r->random, countries),
	    PICK(r->random, countries));
}

static void of_segments(struct rule *r)
{
	put(r, SEGMENTS, "name: [%s, {anything-but: {prefix: %c}}]", PICK(r->random, segments),
	    "VTNCPS"[pick(r->random, 6)]);
}

static void of_subjects(struct rule *r)
{
	put(r, TOP, "subject: [{wildcard: \"rcp_*%u\"}, {wildcard: \"rcp_*%u*\"}]",
	    pick(r->random, 10), pick(r->random, 10));
}

static void without_name(struct rule *r)
{
	put(r, DATA, "broadcast_name: [{exists: false}]");
}

static condition_fn *const limits[] = {of_types,    of_channels, not_states,   of_status,
				       of_previous, of_blocked,	 of_countries, of_segments,
				       of_subjects, without_name};
#define LIMITS (sizeof limits / sizeof *limits)

static void add_mixed(struct rule *r, unsigned n)
{
	unsigned more = pick(r->random, 4), at = pick(r->random, LIMITS);

	subjects[n % (sizeof subjects / sizeof *subjects)](r);
	for (unsigned i = 0; i < more; i++, at += 1 + pick(r->random, 3))
		limits[at % LIMITS](r);
}

static void add_residual(struct rule *r, unsigned n)
{
	if (n % 3 == 0)
		put(r, DATA, "error_message: [{regex: \"[Ee]rror 0*%u: (%s|%s) .+\"}]",
		    pick(r->random, CODES), PICK(r->random, words), PICK(r->random, words));
	else if (n % 3 == 1)
		put(r, ROW, "name: [{equals-ignore-case: person %u}]", pick(r->random, CONTACTS));
	else
		put(r, TOP, "type: [{anything-but: [recipient.%s, recipient.%s]}]",
		    PICK(r->random, states), PICK(r->random, states));
}

/* Some of these a recipient's number surely has. */
static void add_short(struct rule *r, unsigned n)
{
	if (n % 2)
		put(r, TOP, "subject: [{wildcard: \"*%02u*\"}]", pick(r->random, 100));
	else
		put(r, TOP, "subject: [{wildcard: \"*%03u*\"}]", pick(r->random, 1000));
}

static void add_bare(struct rule *r)
{
	put(r, TOP, "subject: [{regex: \"^[a-z]+.[0-9]*[%u%u]$$\"}]", pick(r->random, 10),
	    pick(r->random, 10));
}

static void put_inside(struct rule *r, enum place place, enum place in, const char *name)
{
	if (r->text[place].len)
		put(r, in, "%s: {%s}", name, r->text[place].data);
}

void mix_rule(struct buf *out, struct prng *random, enum mix_kind kind, unsigned n)
{
	struct rule r = {.random = random, .x = kind == MIX_NEVER ? "x" : ""};

	for (size_t i = 0; i < PLACES; i++)
		buf_init(&r.text[i], 4096);
	if (kind == MIX_RESIDUAL)
		add_residual(&r, n);
	else if (kind == MIX_SHORT)
		add_short(&r, n);
	else if (kind == MIX_BARE)
		add_bare(&r);
	else
		add_mixed(&r, n);
	put_inside(&r, SEGMENTS, CONTACT, "segments");
	put_inside(&r, CHANNELS, CONTACT, "channels");
	put_inside(&r, CONTACT, ROW, "contact");
	put_inside(&r, ROW, DATA, "recipient");
	put_inside(&r, SINCE, DATA, "since");
	put_inside(&r, PREVIOUS, DATA, "previous");
	put_inside(&r, DATA, TOP, "data");
	buf_addf(out, "{%s}", r.text[TOP].data);
	for (size_t i = 0; i < PLACES; i++)
		buf_release(&r.text[i]);
}
