/*
 * err — how a function says why it failed.
 *
 * A fallible function returns int (0, or -1) or a pointer (or NULL) and takes a `struct err *`
 * last, which is never NULL and which it leaves untouched on success. A message is one sentence
 * without a final stop, complete enough to print: it names the thing (file, URL without secrets,
 * destination). Callers add context from outside in: "poll: page 3: not JSON at byte 17".
 *
 * Mistakes of our own and lack of memory abort instead (assert, mem.h): the journal makes a crash
 * safe, a half-dead process is worse.
 */
#ifndef RELAY_ERR_H
#define RELAY_ERR_H

#include <stdarg.h>

enum err_code {
	ERR_NONE,
	ERR_USAGE,   /* the command line */
	ERR_CONFIG,  /* the configuration; the message starts with file:line:col */
	ERR_IO,	     /* files, sockets, threads */
	ERR_NET,     /* no usable answer from the other side */
	ERR_FORMAT,  /* bytes from outside that are not what they should be */
	ERR_STORE,   /* the journal */
	ERR_LIMIT,   /* a ceiling was reached */
	ERR_DENIED,  /* a policy, or the state of things, forbids it */
	ERR_MISSING, /* what is named is not there */
};

struct err {
	enum err_code code;
	char msg[512]; /* NUL-terminated; a longer text is cut at a character */
};

/* Sets the message. Always returns -1, so that to fail is one line: return err_set(err, …). */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there. Always returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
