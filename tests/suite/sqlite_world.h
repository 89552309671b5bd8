/*
 * sqlite_world — a test's SQLite journal by its file: not open at first, on a disk that can be told
 * to fail (faulty_vfs.h).
 */
#ifndef RELAY_SQLITE_WORLD_H
#define RELAY_SQLITE_WORLD_H

#include "relay/journal/sqlite.h"
#include "tests/suite/faulty_vfs.h"
#include "tests/suite/store_world.h"

int sqlite_world_setup(void **state);
int sqlite_world_teardown(void **state);
#define IN_SQLITE_WORLD(test)                                                                      \
	cmocka_unit_test_setup_teardown(test, sqlite_world_setup, sqlite_world_teardown)

const char *sqlite_world_path(const struct world *w);
void sqlite_world_open(struct world *w); /* for writing */
void sqlite_world_close(struct world *w);
/* A new, empty folder in place of the old one. */
void sqlite_world_renew(struct world *w);

#endif
