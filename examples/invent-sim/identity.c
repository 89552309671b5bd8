/* identity — ids and people out of numbers. Invariant: an id is 22 base-62 characters of which the
 * first 11 hold a scrambled number that can be unscrambled; the rest follows from it. So nothing is
 * stored to find a row by its id, and ids sort as their numbers do. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/state.h"

#define HALF 11 /* 62^11 > 2^64 */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static char *put_half(char *at, uint64_t n)
{
	for (int i = HALF - 1; i >= 0; i--) {
		at[i] = digits[n % 62];
		n /= 62;
	}
	return at + HALF;
}

static bool take_half(const char *at, uint64_t *ret)
{
	uint64_t n = 0;

	for (int i = 0; i < HALF; i++) {
		const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
		if (!digit || __builtin_mul_overflow(n, 62, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(digit - digits), &n))
			return false;
	}
	*ret = n;
	return true;
}

void id_text(char ret[ID_TEXT], const char *prefix, uint64_t key)
{
	size_t len = strlen(prefix);

	memcpy(ret, prefix, len);
	*put_half(put_half(ret + len, key), sim_mix64(key + 0x632BE59BD9B4E019ULL)) = '\0';
}

/* The number in an id of that prefix; false when the id is none of ours. */
static bool id_number(const char *id, const char *prefix, uint64_t *ret)
{
	char again[ID_TEXT];
	uint64_t key;

	if (strncmp(id, prefix, strlen(prefix)) || !take_half(id + strlen(prefix), &key))
		return false;
	id_text(again, prefix, key);
	if (strcmp(again, id))
		return false;
	*ret = sim_unmix64(key);
	return true;
}

uint64_t row_id_key(const struct model *m, const struct broadcast *b, uint32_t row)
{
	return sim_mix64(m->id_key ^ ((uint64_t)b->number << 32 | row));
}

void row_id(char ret[ID_TEXT], const struct model *m, const struct broadcast *b, uint32_t row)
{
	id_text(ret, "rcp_", row_id_key(m, b, row));
}

bool row_of_id(const struct model *m, const struct broadcast *b, const char *id, uint32_t *ret)
{
	uint64_t n;

	if (!id_number(id, "rcp_", &n))
		return false;
	n ^= m->id_key;
	if (n >> 32 != b->number || (uint32_t)n >= b->campaign.recipients)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static const char *const first_names[] = {
	"Ana",	 "Luís",  "Marta",  "Tomás",  "Inês",	   "João",	   "Sofia",  "Miguel",
	"Zoë",	 "Renée", "Jürgen", "Søren",  "Łukasz",	   "Siobhán",	   "Nguyễn", "Amélie",
	"Priya", "Chidi", "Yuki",   "Fatima", "Oleksandr", "Mary \"Mae\"", "明",     "Dwayne",
};
static const char *const last_names[] = {
	"Silva", "Santos",  "O'Neil", "Fernández", "García", "Müller",	     "Kowalska",
	"Nowak", "Dubois",  "Rossi",  "Andersson", "Okafor", "Tanaka",	     "Haddad",
	"Novák", "Popescu", "Kumar",  "Smith",	   "Jones",  "García-López", "王",
};
static const char *const hosts[] = {"example.com", "example.org", "mail.example.net"};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What mail hosts make of a name: its plain letters. */
static void plain_letters(char *ret, size_t size, const char *name)
{
	size_t n = 0;

	for (; *name && n + 1 < size; name++)
		if (isalpha((unsigned char)*name) && !((unsigned char)*name & 0x80))
			ret[n++] = (char)tolower((unsigned char)*name);
	ret[n] = '\0';
}

#define PHONE_BASE 155500000000ULL /* +1 555: numbers nobody has */

void person_make(struct person *ret, const struct model *m, uint32_t contact)
{
	uint64_t draw = sim_mix64(m->seed * 0x2545F4914F6CDD1DULL + contact);
	const char *first = first_names[draw % COUNT(first_names)];
	const char *last = last_names[(draw >> 16) % COUNT(last_names)];
	char plain[16];

	ret->contact = contact;
	id_text(ret->contact_id, "con_", sim_mix64(~m->id_key ^ contact));
	plain_letters(plain, sizeof plain, last);
	snprintf(ret->name, sizeof ret->name, "%s %s", first, last);
	snprintf(ret->username, sizeof ret->username, "%s.%u", plain, contact);
	snprintf(ret->email, sizeof ret->email, "%s@%s", ret->username,
		 hosts[(draw >> 32) % COUNT(hosts)]);
	snprintf(ret->phone, sizeof ret->phone, "+%llu", PHONE_BASE + contact);
}

const char *person_user_id(const struct person *p, unsigned channel, char buffer[ID_TEXT])
{
	if (!strcmp(channel_names[channel], "gmail"))
		return p->email;
	if (strstr("whatsapp_bot twilio telnyx", channel_names[channel]))
		return p->phone + 1;
	snprintf(buffer, ID_TEXT, "u%u", p->contact);
	return buffer;
}

bool contact_of_text(const struct model *m, const char *text, uint32_t *ret)
{
	uint64_t n;

	if (id_number(text, "con_", &n)) {
		n ^= ~m->id_key;
		*ret = (uint32_t)n;
		return n <= UINT32_MAX;
	}
	size_t end = strcspn(text, "@"), at = end; /* the last number before the host */
	while (at > 0 && isdigit((unsigned char)text[at - 1]))
		at--;
	if (at == end || end - at > 12)
		return false;
	n = strtoull(text + at, NULL, 10);
	if (n >= PHONE_BASE)
		n -= PHONE_BASE;
	*ret = (uint32_t)n;
	return n <= UINT32_MAX;
}
