/* sqlite_record — small binary columns: the times of a recipient's flags and the bitmap of a
 * cursor. Invariant: unpack(pack(x)) is x, and unpack takes any bytes without harm. */
#include "relay/journal/sqlite_store.h"

#include <string.h>

/* A flag's time is one byte for the state, its top bit set when a count of rises follows instead
 * of a time, and a number in groups of seven bits; a time as its distance from created_ms (the sign
 * in the lowest bit), which takes three bytes for the first half hour. */
#define IS_COUNT 0x80

static size_t put_number(uint8_t *ret, uint64_t n)
{
	size_t len = 0;

	while (n >= 0x80) {
		ret[len++] = (uint8_t)(n | 0x80);
		n >>= 7;
	}
	ret[len++] = (uint8_t)n;
	return len;
}

/* Bytes used; 0 when they do not end. */
static size_t get_number(const uint8_t *bytes, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len && i < 10; i++) {
		n |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
		if (!(bytes[i] & 0x80)) {
			*ret = n;
			return i + 1;
		}
	}
	return 0;
}

static uint64_t base_of(const struct recipient_record *r)
{
	return r->created_ms == DATE_NONE ? 0 : (uint64_t)r->created_ms;
}

/* Unsigned arithmetic wraps, so that any two dates have a distance. */
size_t sqlite_times_pack(const struct recipient_record *r, uint8_t *ret)
{
	uint8_t *at = ret;

	for (size_t i = 0; i < r->ntimes; i++) {
		const struct state_time *t = &r->times[i];
		uint64_t distance = (uint64_t)t->at - base_of(r);

		*at = t->state;
		if (t->at < 0) {
			*at++ |= IS_COUNT;
			at += put_number(at, 0 - (uint64_t)t->at);
		} else {
			at++;
			at += put_number(at, distance << 1 ^ (0 - (distance >> 63)));
		}
	}
	return (size_t)(at - ret);
}

int sqlite_times_unpack(const uint8_t *bytes, size_t len, struct recipient_record *r)
{
	size_t at = 0;

	for (r->ntimes = 0; at < len; r->ntimes++) {
		uint8_t state = bytes[at] & 0x7f;
		bool is_count = bytes[at] & IS_COUNT;
		uint64_t n;
		size_t used = get_number(bytes + at + 1, len - at - 1, &n);

		if (!used || state >= STATES_MAX || r->ntimes >= STATES_MAX)
			return -1;
		n = is_count ? 0 - n : base_of(r) + (n >> 1 ^ (0 - (n & 1)));
		r->times[r->ntimes] = (struct state_time){.state = state, .at = (int64_t)n};
		at += 1 + used;
	}
	return 0;
}

/* Little endian, without the zeros at the end: an idle cursor is empty. */
size_t sqlite_cursor_pack(const struct cursor *c, uint8_t ret[SETTLE_WINDOW / 8])
{
	size_t len = 0;

	for (size_t i = 0; i < SETTLE_WINDOW / 8; i++) {
		ret[i] = (uint8_t)(c->done[i / 8] >> (8 * (i % 8)));
		if (ret[i])
			len = i + 1;
	}
	return len;
}

int sqlite_cursor_unpack(const uint8_t *bytes, size_t len, struct cursor *ret)
{
	if (len > SETTLE_WINDOW / 8)
		return -1;
	memset(ret->done, 0, sizeof ret->done);
	for (size_t i = 0; i < len; i++)
		ret->done[i / 8] |= (uint64_t)bytes[i] << (8 * (i % 8));
	return 0;
}

int sqlite_get_cursor(struct sqlite_store *s, sqlite3_stmt *st, uint32_t *ret_destination,
		      struct cursor *ret, struct err *err)
{
	*ret_destination = (uint32_t)sqlite3_column_int64(st, 0);
	ret->position = sqlite3_column_int64(st, 1);
	if (sqlite_cursor_unpack(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2),
				 ret) != 0)
		return sqlite_damaged(s, "cursor", *ret_destination, err);
	return 0;
}

bool sqlite_is_settled(const struct cursor *c, int64_t sequence)
{
	if (sequence <= c->position)
		return true;
	uint64_t bit = (uint64_t)(sequence - c->position - 1);
	return bit < SETTLE_WINDOW && (c->done[bit / 64] >> (bit % 64) & 1);
}
