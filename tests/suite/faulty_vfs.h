/*
 * faulty_vfs — a disk under SQLite that fails when told to: the n-th write, sync or truncation from
 * now on gives an error, once or from then on. For this process only.
 */
#ifndef RELAY_FAULTY_VFS_H
#define RELAY_FAULTY_VFS_H

#include <stdbool.h>

void faulty_install(void); /* from now on every connection uses it; until told it passes all on */
void faulty_fail(int nth, int code, bool lasting); /* SQLITE_FULL, SQLITE_IOERR_FSYNC, … */
bool faulty_heal(void);				   /* no more failures; did one happen? */

#endif
