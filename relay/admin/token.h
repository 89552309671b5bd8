/*
 * token — the file that holds the admin API's token: a line of text that the relay and those who
 * may ask it share. A file that other users can read is no secret and is refused.
 */
#ifndef RELAY_TOKEN_H
#define RELAY_TOKEN_H

#include "relay/base/err.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 512

/* `configured`, or the journal's file and ".token"; you own it. NULL: neither is there. */
char *token_path(const char *configured, const char *journal_file);
/* 1: *ret is the token, yours; 0: there is no such file; -1 with err. */
int token_read(const char *path, char **ret, struct err *err);
/* The same, but makes the file (256 bits in hex, mode 0600) when there is none. NULL with err. */
char *token_take(const char *path, struct err *err);

#endif
