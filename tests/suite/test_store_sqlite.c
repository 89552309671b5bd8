/* test_store_sqlite — the contract of every store, for the SQLite back end. */
#include "tests/suite/store_world.h"

static const struct suite_store under = {&store_sqlite, fixture_sqlite, fixture_forget_sqlite};

int main(void)
{
	return store_suite_run(&under);
}
