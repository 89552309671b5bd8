/*
 * tls_files — certificates for tests, made on the spot: an authority, and one for the name
 * "localhost" by it. Keys are of elliptic curves and exist for one run.
 */
#ifndef RELAY_TESTS_TLS_FILES_H
#define RELAY_TESTS_TLS_FILES_H

#include <stdint.h>

/* Days from now; 0, 0: one that is valid now. */
struct tls_days {
	int from, to;
};

/* Writes DIR/NAME.ca, DIR/NAME.cert and DIR/NAME.key, this one with mode 0600. */
void tls_files_make(const char *dir, const char *name, struct tls_days days);
/* DIR/NAME.WHAT: yours to free. */
char *tls_files_path(const char *dir, const char *name, const char *what);
/* Removes the three. */
void tls_files_remove(const char *dir, const char *name);

#endif
