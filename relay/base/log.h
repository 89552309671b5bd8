/*
 * log — one line a happening, logfmt on stderr:
 *
 *   time=2026-11-22T10:00:04.001Z level=warn msg="callback refused" event=evt_… destination=crm
 *
 * Levels: error (a person must act), warn (degraded; the line says what happens next), info (the
 * state changed), debug. Values are quoted where needed; control characters, quotes, invalid UTF-8
 * and bidirectional overrides come out as escapes, so nobody's data can start a line or colour a
 * terminal. Names, phone numbers, mail addresses, message bodies and keys are never logged:
 * callers do not pass them.
 *
 *   log_warn("callback refused", log_str("event", id), log_num("status", 404));
 *
 * log_opt is for what a happening may lack: without a value the line does not name it.
 *
 * Only the relay's top layer and its commands log above debug. Any thread may log; lines do not
 * mix. The level is set once at start.
 */
#ifndef RELAY_LOG_H
#define RELAY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;  /* NULL ends a list; "": is left out */
	const char *text; /* NULL: the number counts */
	int64_t number;
};

static inline struct log_field log_str(const char *key, const char *value)
{
	return (struct log_field){key, value ? value : "", 0};
}

static inline struct log_field log_opt(const char *key, const char *value)
{
	return (struct log_field){value && *value ? key : "", value, 0};
}

static inline struct log_field log_num(const char *key, int64_t value)
{
	return (struct log_field){key, 0, value};
}

/* May the character at s be shown as it is? *ret_len: its bytes, 1 for what is none. */
bool log_seen(const char *s, size_t *ret_len);

void log_set_level(enum log_level least);
bool log_level_parse(const char *name, enum log_level *ret); /* debug info warn error */
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

#define LOG_FIELDS(...)	    ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_error(msg, ...) log_write(LOG_ERROR, (msg), LOG_FIELDS(__VA_ARGS__))
#define log_warn(msg, ...)  log_write(LOG_WARN, (msg), LOG_FIELDS(__VA_ARGS__))
#define log_info(msg, ...)  log_write(LOG_INFO, (msg), LOG_FIELDS(__VA_ARGS__))
#define log_debug(msg, ...) log_write(LOG_DEBUG, (msg), LOG_FIELDS(__VA_ARGS__))

#endif
