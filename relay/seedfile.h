/*
 * seedfile — where `relay probe` leaves what it learned (relay/source/seed.h): a small file beside
 * the journal, read when a relay starts or its source: section changes. A file of its own because a
 * running relay holds the journal's lock. It is replaced as a whole, so it may be written at any
 * time.
 */
#ifndef RELAY_SEEDFILE_H
#define RELAY_SEEDFILE_H

#include "relay/source/seed.h"

char *seedfile_path(const char *journal_file); /* "FILE.probe.json"; yours. NULL: of none */

/* 1: read; 0: there is no file (path NULL: neither); -1: it cannot be used. */
int seedfile_load(const char *path, const char *base_url, struct seed *ret, struct err *err);

#endif
