/*
 * fold_rows — what a fold keeps in the journal, in memory: texts by the fold's name and a key, as
 * many as there are, found in a constant number of steps. Feed it the records of the start, then
 * those of each batch that was committed, and it says what the journal holds.
 */
#ifndef RELAY_FOLD_ROWS_H
#define RELAY_FOLD_ROWS_H

#include "relay/base/table.h"
#include "relay/journal/batch.h"

struct fold_row {
	struct table_head head;	   /* of fold and key */
	struct fold_record record; /* owned */
};

struct fold_rows {
	struct table rows; /* struct fold_row; for all of them: table_from */
};

void fold_rows_init(struct fold_rows *rows);
void fold_rows_release(struct fold_rows *rows);

/* Copies the record; one without a state takes its row out. */
void fold_rows_keep(struct fold_rows *rows, const struct fold_record *record);
/* The state, until the row is written again; NULL: there is no row. */
const char *fold_rows_state(const struct fold_rows *rows, const char *fold, const char *key);

#endif
