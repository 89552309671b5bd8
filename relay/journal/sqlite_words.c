/* sqlite_words — the dictionary of event types and topics, each text stored once. Invariant: a
 * cached pair is in the file as this connection sees it; a rollback empties the cache. */
#include "relay/journal/sqlite_store.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/mem.h"

#define PLACES 512 /* direct-mapped; live topics are a few hundred at most */

struct word {
	int64_t number; /* 0: an empty place */
	char *text;	/* owned */
};

struct words {
	struct word by_text[PLACES], by_number[PLACES];
};

struct words *words_new(void)
{
	return xcalloc(1, sizeof(struct words));
}

void words_clear(struct words *w)
{
	for (size_t i = 0; i < PLACES; i++) {
		free(w->by_text[i].text);
		free(w->by_number[i].text);
	}
	*w = (struct words){0};
}

void words_free(struct words *w)
{
	if (!w)
		return;
	words_clear(w);
	free(w);
}

static void remember(struct word *place, int64_t number, const char *text)
{
	free(place->text);
	*place = (struct word){.number = number, .text = xstrdup(text)};
}

static int add_word(struct sqlite_store *s, const char *text, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = sqlite_ready(s, SQL_ADD_WORD, err);

	if (!st)
		return -1;
	sqlite_bind_text(st, 1, text);
	if (sqlite_run(s, st, err) != 0)
		return -1;
	*ret = sqlite3_last_insert_rowid(s->db);
	return 0;
}

int sqlite_word_number(struct sqlite_store *s, const char *text, int64_t *ret, struct err *err)
{
	struct word *place = &s->words->by_text[hash64(text, strlen(text)) % PLACES];
	int64_t number = 0;

	if (place->number && strcmp(place->text, text) == 0) {
		*ret = place->number;
		return 0;
	}
	sqlite3_stmt *st = sqlite_ready(s, SQL_FIND_WORD, err);
	if (!st)
		return -1;
	sqlite_bind_text(st, 1, text);
	if (sqlite_number(s, st, &number, err) != 0)
		return -1;
	if (!number && add_word(s, text, &number, err) != 0)
		return -1;
	remember(place, number, text);
	*ret = number;
	return 0;
}

const char *sqlite_word(struct sqlite_store *s, int64_t number, struct err *err)
{
	struct word *place = &s->words->by_number[(uint64_t)number % PLACES];

	if (place->number == number && number)
		return place->text;
	sqlite3_stmt *st = sqlite_ready(s, SQL_WORD, err);
	if (!st)
		return NULL;
	sqlite_bind_int(st, 1, number);
	int got = sqlite_row(s, st, err);
	const char *text = got > 0 ? (const char *)sqlite3_column_text(st, 0) : NULL;
	if (text)
		remember(place, number, text);
	else if (got >= 0)
		err_set(err, ERR_STORE, "%s: is damaged: type or topic %lld is missing", s->path,
			(long long)number);
	sqlite3_reset(st);
	return text ? place->text : NULL;
}
