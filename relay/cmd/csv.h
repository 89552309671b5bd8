/*
 * csv — lines of RFC 4180 for tables that people open in a spreadsheet: a field that such a program
 * would take for a formula begins with an apostrophe.
 */
#ifndef RELAY_CSV_H
#define RELAY_CSV_H

#include "relay/base/buf.h"

/* Appends a field, with a comma before it unless it is the line's first. NULL is empty. */
void csv_add(struct buf *line, const char *field);
/* Ends the line (CRLF), prints it and clears it. */
void csv_print(struct buf *line);

#endif
