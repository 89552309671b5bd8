/* sqlite_world — opens and closes one journal file for a test, and removes it. */
#include "tests/suite/sqlite_world.h"

#include "relay/base/mem.h"

static const struct suite_store under = {&store_sqlite, fixture_sqlite, fixture_forget_sqlite};

int sqlite_world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	faulty_install();
	w->under = &under;
	w->options = fixture_sqlite();
	*state = w;
	return 0;
}

int sqlite_world_teardown(void **state)
{
	struct world *w = *state;

	faulty_heal();
	store_sqlite.close(w->store);
	fixture_forget_sqlite(w->options);
	free(w);
	return 0;
}

const char *sqlite_world_path(const struct world *w)
{
	return ((struct sqlite_options *)w->options)->path;
}

void sqlite_world_open(struct world *w)
{
	w->store = store_sqlite.open(w->options, STORE_WRITE, &w->err);
	if (!w->store)
		fail_msg("open: %s", w->err.msg);
}

void sqlite_world_close(struct world *w)
{
	store_sqlite.close(w->store);
	w->store = NULL;
}

void sqlite_world_renew(struct world *w)
{
	sqlite_world_close(w);
	fixture_forget_sqlite(w->options);
	w->options = fixture_sqlite();
}
