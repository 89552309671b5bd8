/* fold_rows — see the header. Invariant: a row has a state. */
#include "relay/journal/fold_rows.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

void fold_rows_init(struct fold_rows *rows)
{
	table_init(&rows->rows, sizeof(struct fold_row), TABLE_NONE);
}

static void drop(struct fold_rows *rows, struct fold_row *row)
{
	fold_record_release(&row->record);
	table_remove(&rows->rows, row);
}

void fold_rows_release(struct fold_rows *rows)
{
	struct fold_row *row;

	for (uint32_t i = 0; (row = table_from(&rows->rows, i));) {
		i = row->head.slot + 1;
		drop(rows, row);
	}
}

static struct hash128 identity(const char *fold, const char *key)
{
	struct hash128 ret = hash128(key, strlen(key));

	ret.low ^= hash64(fold, strlen(fold));
	return ret;
}

void fold_rows_keep(struct fold_rows *rows, const struct fold_record *record)
{
	struct hash128 id = identity(record->fold, record->key);
	struct fold_row *row = table_get(&rows->rows, id, 0);

	if (!record->state) {
		if (row)
			drop(rows, row);
		return;
	}
	if (!row) {
		row = table_add(&rows->rows, id, 0);
		row->record.fold = xstrdup(record->fold);
		row->record.key = xstrdup(record->key);
	}
	free(row->record.state);
	row->record.state = xstrdup(record->state);
}

const char *fold_rows_state(const struct fold_rows *rows, const char *fold, const char *key)
{
	const struct fold_row *row = table_get(&rows->rows, identity(fold, key), 0);

	return row ? row->record.state : NULL;
}
