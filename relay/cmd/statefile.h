/*
 * statefile — a small file that is either the old or the new one, whatever happens while it is
 * written: a new file, fsync, rename, fsync of the folder.
 */
#ifndef RELAY_STATEFILE_H
#define RELAY_STATEFILE_H

#include <stddef.h>

#include "relay/base/buf.h"
#include "relay/base/err.h"

#define STATEFILE_MAX (16 << 20)

/* Keeps others from using the same file, by a lock on PATH.lock, until the process ends or unlocks,
 * which removes that file. Fails also where nothing can be written. */
int statefile_lock(const char *path, struct err *err);
void statefile_unlock(const char *path);
int statefile_write(const char *path, const char *text, size_t len, struct err *err);
/* 1: *ret holds it; 0: there is none; -1 with err. */
int statefile_read(const char *path, struct buf *ret, struct err *err);

#endif
