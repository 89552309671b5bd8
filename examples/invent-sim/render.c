/* render — rows as the API writes them: the documented fields in the documented order, then those
 * that newer pages of the documentation show. Invariant: the same state gives the same bytes. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "examples/invent-sim/state.h"
#include "relay/base/clock.h"
#include "relay/base/json.h"

#define DAY_MS 86400000LL

/* key: with its quotes, colon and the comma before it. */
static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_adds(out, key);
	json_write_string(out, text);
}

static void put_date(struct buf *out, const char *key, int64_t ms)
{
	char text[DATE_TEXT];

	buf_adds(out, key);
	if (ms == DATE_NONE) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '"');
	buf_adds(out, date_format(text, ms));
	buf_addc(out, '"');
}

static void put_number(struct buf *out, const char *key, uint64_t n)
{
	buf_adds(out, key);
	buf_addi(out, (long long)n);
}

/* ---- a recipient */

void row_state(struct row_state *ret, const struct model *m, const struct broadcast *b,
	       uint32_t row)
{
	ret->row = row;
	ret->flags = b->flags[row];
	campaign_life(&b->campaign, row, &ret->life);
	for (unsigned i = 0; i < SIM_STATES; i++) {
		ret->at[i] = DATE_NONE;
		if (!(ret->flags & FLAG(i)))
			continue;
		int64_t at = ret->life.at[i];
		if (ret->flags & TOUCHED)
			at = history_find(&m->history, (uint64_t)b->number << 32 | row, i)->at;
		ret->at[i] = time_shown(m, b, row, (enum sim_what)i, at);
	}
}

/* The flags in the order of the documentation. Where a channel cannot know a state the API says
 * null, not false. */
static const struct {
	enum sim_what what;
	const char *key, *key_at;
	const char *channels; /* that can know it; NULL: all */
} flag_fields[] = {
	{SIM_SKIPPED, ",\"is_skipped\":", ",\"is_skipped_at\":", NULL},
	{SIM_FAILED, ",\"is_failed\":", ",\"is_failed_at\":", NULL},
	{SIM_SENT, ",\"is_sent\":", ",\"is_sent_at\":", NULL},
	{SIM_DELIVERED, ",\"is_delivered\":", ",\"is_delivered_at\":", NULL},
	{SIM_COMPLAINED, ",\"is_complained\":", ",\"is_complained_at\":", "gmail whatsapp_bot"},
	{SIM_UNSUBSCRIBED, ",\"is_unsubscribed\":", ",\"is_unsubscribed_at\":", NULL},
	{SIM_OPENED, ",\"is_opened\":", ",\"is_opened_at\":", NULL},
	{SIM_PLAYED, ",\"is_played\":", ",\"is_played_at\":", "telnyx whatsapp_bot"},
	{SIM_BOUNCED, ",\"is_bounced\":", ",\"is_bounced_at\":", "gmail"},
	{SIM_REPLIED, ",\"is_replied\":", ",\"is_replied_at\":", ""},
};

static void put_flags(struct buf *out, const struct row_state *s)
{
	const char *channel = channel_names[s->life.channel];

	for (size_t i = 0; i < sizeof flag_fields / sizeof *flag_fields; i++) {
		enum sim_what what = flag_fields[i].what;
		bool on = s->flags & FLAG(what),
		     known = !flag_fields[i].channels || strstr(flag_fields[i].channels, channel);
		if (what == SIM_REPLIED && !on) /* not of the documented fields */
			continue;
		buf_adds(out, flag_fields[i].key);
		buf_adds(out, on ? "true" : known ? "false" : "null");
		put_date(out, flag_fields[i].key_at, s->at[what]);
	}
}

static const char *error_of(const struct row_state *s)
{
	uint32_t shown = FLAG(SIM_SKIPPED) | FLAG(SIM_FAILED) | FLAG(SIM_BOUNCED);

	if (!(s->flags & shown))
		return NULL;
	return s->life.why ? s->life.why : "Undeliverable";
}

static void put_message_id(struct buf *out, const struct model *m, const struct row_state *s)
{
	static const char *const prefixes[CHANNELS] = {
		"msg_", "msg_", "wamid.", "m_", "ig_", "SM", "call_", "p", "tg_", "gm_", "evt_",
	};
	char id[ID_TEXT];

	buf_adds(out, ",\"external_message_id\":");
	if (!(s->flags & FLAG(SIM_SENT))) {
		buf_adds(out, "null");
		return;
	}
	id_text(id, prefixes[s->life.channel], sim_mix64(m->id_key + s->row * 3ULL));
	json_write_string(out, id);
}

static void put_channel(struct buf *out, const struct person *p, const struct row_state *s,
			int64_t since)
{
	static const char *const countries[] = {"PT", "ES", "DE", "BR", "PL", "IE", "US", "NG"};
	static const char *const languages[] = {"pt", "es", "de", "pt-BR", "pl", "en", "en", "en"};
	char id[ID_TEXT], user[ID_TEXT];
	unsigned place = p->contact % 8;

	id_text(id, "chn_", sim_mix64(p->contact * 16ULL + s->life.channel));
	put_text(out, "{\"id\":", id);
	put_text(out, ",\"type\":", channel_names[s->life.channel]);
	put_text(out, ",\"user_id\":", person_user_id(p, s->life.channel, user));
	put_text(out, ",\"avatar\":", NULL);
	put_text(out, ",\"name\":", p->name);
	put_text(out, ",\"username\":", p->username);
	put_text(out, ",\"email\":", p->email);
	put_text(out, ",\"phone\":", p->phone);
	put_text(out, ",\"country\":", countries[place]);
	put_text(out, ",\"agent\":", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101");
	buf_addf(out, ",\"ip\":\"192.0.2.%u\"", p->contact % 254 + 1);
	put_text(out, ",\"language\":", languages[place]);
	buf_adds(out, ",\"platform_data\":{}");
	put_date(out, ",\"created_at\":", since);
	put_date(out, ",\"updated_at\":", since + 3600000);
	put_text(out, ",\"link\":", NULL);
	buf_addc(out, '}');
}

static void put_segments(struct buf *out, const struct model *m, uint32_t contact)
{
	static const char *const names[] = {"Newsletter",   "Clientes VIP",    "Trial ended",
					    "Região Norte", "Webinar \"May\"", "Beta"};
	char id[ID_TEXT];

	buf_adds(out, ",\"segments\":[");
	for (uint32_t i = 0; i < contact % 3; i++) {
		unsigned segment = (contact + i * 5) % 6;
		id_text(id, "seg_", sim_mix64(m->seed + segment));
		put_text(out, i ? ",{\"id\":" : "{\"id\":", id);
		put_text(out, ",\"name\":", names[segment]);
		put_number(out, ",\"contacts_count\":", 120 + segment * 37);
		put_date(out, ",\"created_at\":", m->epoch_ms - (100 + segment) * DAY_MS);
		put_date(out, ",\"updated_at\":", m->epoch_ms - 2 * DAY_MS);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void put_contact(struct buf *out, const struct model *m, const struct person *p,
			const struct row_state *s)
{
	int64_t since = m->epoch_ms - (1 + p->contact % 300) * DAY_MS;

	put_text(out, ",\"contact\":{\"id\":", p->contact_id);
	put_text(out, ",\"name\":", p->name);
	buf_adds(out, ",\"blocked\":false,\"is_admin\":false,\"channels\":[");
	put_channel(out, p, s, since);
	buf_addc(out, ']');
	put_segments(out, m, p->contact);
	put_date(out, ",\"created_at\":", since);
	put_date(out, ",\"updated_at\":", since + 7200000);
	buf_adds(out, ",\"unsubscribed\":");
	buf_adds(out, s->flags & FLAG(SIM_UNSUBSCRIBED) ? "true}" : "false}");
}

static void put_template_id(struct buf *out, const char *key, const struct broadcast *b,
			    unsigned channel)
{
	char id[ID_TEXT];

	id_text(id, "tpl_", sim_mix64(b->campaign.seed + channel));
	put_text(out, key, id);
}

void render_row(struct buf *out, const struct model *m, const struct broadcast *b, uint32_t row)
{
	struct row_state s;
	struct person p;
	char id[ID_TEXT], user[ID_TEXT];

	row_state(&s, m, b, row);
	person_make(&p, m, row % b->contacts);
	row_id(id, m, b, row);
	put_text(out, "{\"id\":", id);
	put_text(out, ",\"broadcast_id\":", b->id);
	put_text(out, ",\"integration_id\":", channel_names[s.life.channel]);
	put_text(out, ",\"user_id\":", person_user_id(&p, s.life.channel, user));
	put_text(out, ",\"name\":", p.name);
	put_text(out, ",\"username\":", p.contact % 4 ? p.username : NULL);
	put_text(out, ",\"phone\":", p.phone);
	put_text(out, ",\"email\":", p.email);
	put_text(out, ",\"status\":", s.flags & FLAG(SIM_PROCESSED) ? "PROCESSED" : "SENDING");
	put_flags(out, &s);
	put_text(out, ",\"error_message\":", error_of(&s));
	put_message_id(out, m, &s);
	put_date(out, ",\"created_at\":", s.at[SIM_ADDED]);
	put_date(out, ",\"updated_at\":", b->created_ms + b->updated[row]);
	put_template_id(out, ",\"template_id\":", b, s.life.channel);
	put_text(out, ",\"broadcast_name\":", b->name);
	put_contact(out, m, &p, &s);
	buf_addc(out, '}');
}

/* ---- a broadcast */

static void put_counters(struct buf *out, const struct model *m, const struct broadcast *b)
{
	static const struct {
		const char *key;
		enum sim_what what;
	} counters[] = {
		{",\"recipients_count\":", SIM_ADDED},
		{",\"skipped_count\":", SIM_SKIPPED},
		{",\"sent_count\":", SIM_SENT},
		{",\"failed_count\":", SIM_FAILED},
		{",\"delivered_count\":", SIM_DELIVERED},
		{",\"opened_count\":", SIM_OPENED},
		{",\"played_count\":", SIM_PLAYED},
		{",\"click_count\":", SIM_CLICKED},
		{",\"complained_count\":", SIM_COMPLAINED},
		{",\"unsubscribed_count\":", SIM_UNSUBSCRIBED},
	};

	uint64_t counts[SIM_WHATS];

	if (!counters_shown(m, b, counts))
		return;
	put_number(out, ",\"contacts_count\":", b->campaign.recipients);
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
		put_number(out, counters[i].key, counts[counters[i].what]);
}

static void put_templates(struct buf *out, const struct model *m, const struct broadcast *b)
{
	char id[ID_TEXT];
	bool first = true;

	buf_adds(out, ",\"templates\":[");
	for (unsigned i = 0; i < CHANNELS; i++) {
		uint64_t rows = b->campaign.mix.share[i];
		if (!rows)
			continue;
		put_template_id(out, first ? "{\"id\":" : ",{\"id\":", b, i);
		put_text(out, ",\"broadcast_id\":", b->id);
		id_text(id, "cnx_", sim_mix64(i + 1));
		put_text(out, ",\"connection_id\":", id);
		put_text(out, ",\"integration_id\":", channel_names[i]);
		if (m->counters.mood != SIM_COUNTERS_ABSENT)
			put_number(out,
				   ",\"recipients_count\":", rows * b->campaign.recipients / 1000);
		buf_adds(out, ",\"config\":{},\"error\":null");
		put_date(out, ",\"created_at\":", b->created_ms);
		put_date(out, ",\"updated_at\":", b->created_ms);
		buf_addc(out, '}');
		first = false;
	}
	buf_addc(out, ']');
}

void render_broadcast(struct buf *out, const struct model *m, const struct broadcast *b)
{
	bool scheduled = !b->campaign.kind->draft && !b->campaign.kind->transactional;

	put_text(out, "{\"id\":", b->id);
	put_text(out, ",\"name\":", b->name);
	put_text(out, ",\"status\":", status_names[b->statuses[b->nstatuses - 1].status]);
	put_date(out, ",\"scheduled_at\":", scheduled ? b->campaign.start_ms : DATE_NONE);
	put_date(out, ",\"started_at\":", b->started_ms);
	put_date(out, ",\"completed_at\":", b->completed_ms);
	put_counters(out, m, b);
	put_text(out, ",\"error_message\":", NULL);
	put_segments(out, m, 1 + b->number % 2u);
	buf_adds(out, ",\"send_to_all\":false");
	put_templates(out, m, b);
	put_date(out, ",\"created_at\":", b->created_ms);
	put_date(out, ",\"updated_at\":", b->updated_ms);
	buf_addc(out, '}');
}

void render_org(struct buf *out, const struct model *m, const char *id)
{
	put_text(out, "{\"id\":", id);
	put_text(out, ",\"name\":", id);
	buf_adds(out,
		 ",\"logo_url\":null,\"plan\":\"business\",\"balance\":100,\"promo_balance\":0,"
		 "\"billing\":{\"auto_recharge\":false,\"use_parent_balance\":true},"
		 "\"members\":[],\"spending_cap_used\":0");
	put_date(out, ",\"created_at\":", m->epoch_ms - 90 * DAY_MS);
	buf_adds(out, ",\"features\":{\"enterprise\":false,\"allow_overdraft\":false,"
		      "\"workflows\":false,\"broadcasts\":true},"
		      "\"config\":{\"modules\":{\"enable_broadcasts\":true}}}");
}

void render_http_date(char ret[32], int64_t ms)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t s = (time_t)(ms / 1000);
	struct tm t;

	gmtime_r(&s, &t);
	snprintf(ret, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
		 months[t.tm_mon], (t.tm_year + 1900) % 10000, t.tm_hour, t.tm_min, t.tm_sec);
}
