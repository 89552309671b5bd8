/* snapshot — a page's tree → rows. Each row's members are walked once; what a member means is
 * looked up once a page, because rows of a page list the same members in the same order.
 * Invariant: a row in `v` has an id of 1 to 256 bytes that no other row in `v` has. The three
 * fingerprints are kept in journals: how they are made may never change. */
#include "relay/source/snapshot.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

const char *const skip_names[SKIP_KINDS] = {
	[SKIP_NO_OBJECT] = "not an object",
	[SKIP_NO_ID] = "without an id",
	[SKIP_LONG_ID] = "with an overlong id",
	[SKIP_BAD_FLAG] = "with a flag that is no boolean",
	[SKIP_TOO_MANY] = "beyond the page's ceiling",
	[SKIP_BAD_JSON] = "that is no sound JSON (UTF-8, NUL, depth or names)",
};

void skip_mended(size_t skipped[SKIP_KINDS], size_t mended)
{
	if (mended > skipped[SKIP_NO_OBJECT]) /* the others are beyond the page's ceiling */
		mended = skipped[SKIP_NO_OBJECT];
	skipped[SKIP_NO_OBJECT] -= mended;
	skipped[SKIP_BAD_JSON] += mended;
}

/* What a member of a row means. The first TEXTS are strings, all but ID or null. */
enum meaning {
	ID,
	/* the identity fingerprint goes through these in this order */
	USER_ID,
	NAME,
	USERNAME,
	PHONE,
	EMAIL,
	INTEGRATION_ID,
	EXTERNAL_MESSAGE_ID,
	TEMPLATE_ID,
	/* … up to here */
	ERROR_MESSAGE,
	STATUS,
	CREATED_AT,
	UPDATED_AT,
	TEXTS,
	CONTACT = TEXTS,
	FLAG,
	FLAG_AT,
	UNKNOWN, /* passes through in the row's text */
};

static const char *const field_names[] = {
	[ID] = "id",
	[USER_ID] = "user_id",
	[NAME] = "name",
	[USERNAME] = "username",
	[PHONE] = "phone",
	[EMAIL] = "email",
	[INTEGRATION_ID] = "integration_id",
	[EXTERNAL_MESSAGE_ID] = "external_message_id",
	[TEMPLATE_ID] = "template_id",
	[ERROR_MESSAGE] = "error_message",
	[STATUS] = "status",
	[CREATED_AT] = "created_at",
	[UPDATED_AT] = "updated_at",
	[CONTACT] = "contact",
};

static const char *const states_known[STATES_KNOWN] = {
	[STATE_SKIPPED] = "skipped",
	[STATE_FAILED] = "failed",
	[STATE_SENT] = "sent",
	[STATE_DELIVERED] = "delivered",
	[STATE_COMPLAINED] = "complained",
	[STATE_UNSUBSCRIBED] = "unsubscribed",
	[STATE_OPENED] = "opened",
	[STATE_PLAYED] = "played",
	[STATE_BOUNCED] = "bounced",
};

#define PLACES 64   /* members of a row whose meaning is remembered; the API has some 35 */
#define SLOTS  2048 /* a power of two, at least twice ROWS_MAX */

struct member {
	const char *key; /* in the doc's tree */
	uint8_t meaning, state;
};

struct reader {
	struct snapshot *s;
	struct names *states, *statuses;
	struct member places[PLACES]; /* what stood at this place in the last row */
	struct buf scratch;
	uint16_t seen[SLOTS]; /* open addressing by key.low: place in s->v + 1 */
};

void states_init(struct names *states)
{
	for (size_t i = 0; i < STATES_KNOWN; i++)
		names_number(states, states_known[i], STATES_MAX);
}

static bool state_name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len < NAME_SIZE && name[len] == '\0';
}

static bool may_be_flag(const struct json *v)
{
	return json_type(v) == JSON_BOOL || json_type(v) == JSON_NULL;
}

/* The number of is_X, new or not; -1: there is no such flag. A null makes none yet: it may become a
 * text as well. */
static int state_of(struct reader *r, const char *name, const struct json *flag)
{
	int known = names_find(r->states, name);

	if (known >= 0 || !flag || json_type(flag) != JSON_BOOL || !state_name_ok(name))
		return known;
	return names_number(r->states, name, STATES_MAX);
}

/* is_X is a flag, is_X_at its date: unless there is no is_X beside it and its value is a boolean
 * (is_looked_at). An unknown is_X of another type is a field like any other. */
static struct member pair_member(struct reader *r, const struct json *row, const struct json *v)
{
	const char *key = json_key(v), *name = key + 3;
	size_t len = strlen(name);
	struct member m = {.key = key, .meaning = FLAG};
	int state = names_find(r->states, name);

	if (state < 0 && len > 3 && len < NAME_SIZE + 3 && strcmp(name + len - 3, "_at") == 0) {
		char flag[3 + NAME_SIZE];
		memcpy(flag, key, len);
		flag[len] = '\0';
		const struct json *sibling = json_get(row, flag);
		state = state_of(r, flag + 3, sibling);
		if (state >= 0 || sibling || json_type(v) != JSON_BOOL)
			m.meaning = FLAG_AT;
	}
	if (state < 0 && m.meaning == FLAG)
		state = state_of(r, name, v);
	if (state < 0)
		return (struct member){.meaning = UNKNOWN};
	m.state = (uint8_t)state;
	return m;
}

/* Without a key, and so not remembered, where the next row's value may tell more. */
static struct member new_member(struct reader *r, const struct json *row, const struct json *v)
{
	const char *key = json_key(v);

	if (strncmp(key, "is_", 3) == 0)
		return pair_member(r, row, v);
	for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
		if (strcmp(key, field_names[i]) == 0)
			return (struct member){.key = key, .meaning = (uint8_t)i};
	}
	return (struct member){.key = key, .meaning = UNKNOWN};
}

static struct member member_of(struct reader *r, const struct json *row, const struct json *v,
			       size_t place)
{
	if (place >= PLACES)
		return new_member(r, row, v);
	struct member *m = &r->places[place];
	if (!m->key || strcmp(m->key, json_key(v)) != 0)
		*m = new_member(r, row, v);
	return *m;
}

/* 0001-01-01 and 1970-01-01 are what programs write that have no date but must give one. */
static int64_t date_of(const char *text)
{
	int64_t ms;

	if (!text || !date_parse(text, strlen(text), &ms) || ms <= 0)
		return DATE_NONE;
	return ms;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = a * UINT64_C(0x9e3779b97f4a7c15) + b;

	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* Of a value without regard to white space, to the spelling of numbers and strings, and to the
 * order of members. A member named `without` is left out on this level. */
static uint64_t digest(const struct json *v, const char *without)
{
	enum json_type type = json_type(v);
	uint64_t h = type;
	double number = json_number(v, 0);
	uint64_t bits;

	switch (type) {
	case JSON_NULL: return h;
	case JSON_BOOL: return mix(h, json_bool(v, false));
	case JSON_NUMBER: memcpy(&bits, &number, sizeof bits); return mix(h, bits);
	case JSON_STRING: return mix(h, hash64(json_string(v), strlen(json_string(v))));
	case JSON_ARRAY:
		for (v = json_first(v); v; v = json_next(v))
			h = mix(h, digest(v, NULL));
		return mix(h, type);
	case JSON_OBJECT:
		for (v = json_first(v); v; v = json_next(v)) {
			const char *key = json_key(v);
			if (!without || strcmp(key, without) != 0)
				h += mix(hash64(key, strlen(key)), digest(v, NULL));
		}
		return mix(h, type);
	}
	return h;
}

/* Each text with its length before it, so that no text moved to the next field looks the same. */
static uint64_t identity_of(struct reader *r, const char *const text[TEXTS])
{
	buf_clear(&r->scratch);
	for (size_t i = USER_ID; i <= TEMPLATE_ID; i++) {
		size_t len = text[i] ? strlen(text[i]) : 0;
		uint32_t mark = htole32(text[i] ? (uint32_t)len : UINT32_MAX);
		buf_add(&r->scratch, &mark, sizeof mark);
		buf_add(&r->scratch, text[i] ? text[i] : "", len);
	}
	return hash64(r->scratch.data, r->scratch.len);
}

static const char *id_or_null(const char *text)
{
	return text && strlen(text) <= ID_MAX ? text : NULL;
}

static void finish_row(struct reader *r, const char *const text[TEXTS], struct row *row)
{
	int status = text[STATUS] ? names_number(r->statuses, text[STATUS], STATUSES_MAX) : -1;

	row->id = text[ID];
	row->key = hash128(row->id, strlen(row->id));
	row->status = status < 0 ? STATUS_NONE : (uint8_t)status;
	row->created_ms = date_of(text[CREATED_AT]);
	row->updated_ms = date_of(text[UPDATED_AT]);
	row->integration_id = id_or_null(text[INTEGRATION_ID]);
	row->error_message = text[ERROR_MESSAGE];
	row->external_message_id = text[EXTERNAL_MESSAGE_ID];
	row->identity = identity_of(r, text);
	row->error =
		row->error_message ? hash64(row->error_message, strlen(row->error_message)) : 0;
}

/* False: a flag of the API's nine that is none. Of others, which only look like flags now and then,
 * no row is lost. */
static bool take_member(struct member m, const struct json *v, const char *text[TEXTS],
			struct row *row)
{
	if (m.meaning < TEXTS) {
		text[m.meaning] = json_string(v);
	} else if (m.meaning == FLAG) {
		row->states |= (uint64_t)json_bool(v, false) << m.state;
		if (m.state < STATES_KNOWN)
			return may_be_flag(v);
		row->odd |= (uint64_t)!may_be_flag(v) << m.state;
	} else if (m.meaning == FLAG_AT) {
		row->at[m.state] = date_of(json_string(v));
	} else if (m.meaning == CONTACT && json_type(v) == JSON_OBJECT) {
		row->contact_id = id_or_null(json_string(json_get(v, "id")));
		row->contact = digest(v, "channels");
	}
	return true;
}

/* SKIP_KINDS: the row is good. */
static enum skip read_row(struct reader *r, const struct json *object, struct row *row)
{
	const char *text[TEXTS] = {NULL};
	size_t place = 0;
	bool flags_ok = true;

	if (json_type(object) != JSON_OBJECT)
		return SKIP_NO_OBJECT;
	for (const struct json *v = json_first(object); v; v = json_next(v)) {
		struct member m = member_of(r, object, v, place++);
		flags_ok &= take_member(m, v, text, row);
	}
	if (!text[ID] || !*text[ID])
		return SKIP_NO_ID;
	if (strlen(text[ID]) > ID_MAX)
		return SKIP_LONG_ID;
	if (!flags_ok)
		return SKIP_BAD_FLAG;
	finish_row(r, text, row);
	return SKIP_KINDS;
}

/* False: a row before it has the same id. */
static bool take(struct reader *r, const struct row *row)
{
	struct snapshot *s = r->s;
	size_t i = (size_t)row->key.low % SLOTS;

	for (; r->seen[i]; i = (i + 1) % SLOTS) {
		if (hash128_equal(s->v[r->seen[i] - 1].key, row->key))
			return false;
	}
	s->v = mem_grow(s->v, s->n, &s->cap, sizeof *s->v);
	s->v[s->n++] = *row;
	r->seen[i] = (uint16_t)s->n;
	return true;
}

static void read_rows(struct reader *r, const struct json *page)
{
	struct snapshot *s = r->s;
	const struct json_span *spans;
	size_t n = json_elements(s->doc, &spans), i = 0;
	struct row blank = {.states = 0};

	for (size_t state = 0; state < STATES_MAX; state++)
		blank.at[state] = DATE_NONE;
	for (const struct json *v = json_first(page); v && i < n; v = json_next(v), i++) {
		struct row row = blank;
		enum skip skip = i < ROWS_MAX ? read_row(r, v, &row) : SKIP_TOO_MANY;
		row.text = spans[i];
		if (skip != SKIP_KINDS)
			s->skipped[skip]++;
		else if (!take(r, &row))
			s->doubled++;
		else
			s->odd |= row.odd;
	}
}

static void clear(struct snapshot *s)
{
	s->n = s->doubled = 0;
	s->new_states = s->new_statuses = 0;
	s->odd = 0;
	memset(s->skipped, 0, sizeof s->skipped);
}

int snapshot_read(struct snapshot *s, const char *text, size_t len, struct names *states,
		  struct names *statuses, struct err *err)
{
	struct reader r = {.s = s, .states = states, .statuses = statuses};
	unsigned nstates = states->n, nstatuses = statuses->n;

	clear(s);
	if (!s->doc)
		s->doc = json_doc_new();
	const struct json *page =
		json_parse_without(s->doc, text, len, JSON_DEPTH, "channels", err);
	if (!page)
		return -1;
	if (json_type(page) != JSON_ARRAY)
		return err_set(err, ERR_FORMAT, "not a page of recipients: no JSON array");
	buf_init(&r.scratch, SIZE_MAX / 2); /* bounded by the page itself */
	read_rows(&r, page);
	buf_release(&r.scratch);
	s->new_states = states->n - nstates;
	s->new_statuses = statuses->n - nstatuses;
	return 0;
}

void snapshot_release(struct snapshot *s)
{
	json_doc_free(s->doc);
	free(s->v);
	*s = (struct snapshot){0};
}
