/* log — logfmt lines on stderr. Each line is made in a bounded buffer and written at once, so
 * lines of several threads do not mix; nothing a value holds can end a line, end its quotes or
 * reach a terminal as a control character. */
#include "relay/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"

#define LINE_SIZE   8192
#define ROOM	    ((size_t)LINE_SIZE - 8) /* without quotes, ellipsis and line end */
#define ELLIPSIS    "\xE2\x80\xA6"
#define PREFIX_SIZE 80 /* " key="; our own keys are shorter */

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static atomic_int least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *ret)
{
	for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
		if (strcmp(name, level_names[level]) == 0) {
			*ret = (enum log_level)level;
			return true;
		}
	}
	return false;
}

struct line {
	char text[LINE_SIZE];
	size_t len;
	bool cut; /* it did not fit; nothing more is added */
};

/* All of the bytes or none: an escape or a character is never split. */
static void add(struct line *l, const char *bytes, size_t len)
{
	if (l->cut || l->len + len > ROOM) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void add_tail(struct line *l, const char *bytes)
{
	memcpy(l->text + l->len, bytes, strlen(bytes));
	l->len += strlen(bytes);
}

/* The character at s and its length, or 0 and length 1 for a byte that begins none. */
static uint32_t decode(const unsigned char *s, size_t *ret_len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xC0 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7Fu >> len);

	*ret_len = 1;
	if (len == 0 || s[0] > 0xF4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xC0) != 0x80) /* the ending NUL too */
			return 0;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*ret_len = len;
	return c;
}

/* Controls, line ends and the characters that change the direction of what follows. */
static bool unseen(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{0x00, 0x1F},	  {0x7F, 0x9F},	    {0x61C, 0x61C},
		{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	}
	return false;
}

bool log_seen(const char *s, size_t *ret_len)
{
	return !unseen(decode((const unsigned char *)s, ret_len));
}

static bool is_plain(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t len;

	for (; *s; s += len) {
		uint32_t c = decode(s, &len);
		if (c == ' ' || c == '"' || c == '=' || c == '\\' || unseen(c))
			return false;
	}
	return *value != '\0';
}

/* The rest of a quoted value and its end. */
static void add_quoted(struct line *l, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t len;

	for (; *s && !l->cut; s += len) {
		char escape[12];
		uint32_t c = decode(s, &len);
		if (c != '"' && c != '\\' && !unseen(c)) {
			add(l, (const char *)s, len);
			continue;
		}
		const char *as = !unseen(c) ? "\\%c" : len == 1 ? "\\x%02x" : "\\u{%x}";
		snprintf(escape, sizeof escape, as, len == 1 ? (unsigned)*s : (unsigned)c);
		add(l, escape, strlen(escape));
	}
	add_tail(l, l->cut ? ELLIPSIS "\"" : "\"");
}

static void add_field(struct line *l, const char *key, const char *value)
{
	char prefix[PREFIX_SIZE];
	size_t len = strlen(value);

	if (l->cut)
		return;
	snprintf(prefix, sizeof prefix, "%s%s=", l->len ? " " : "", key);
	bool plain = is_plain(value) && l->len + strlen(prefix) + len <= ROOM;
	add(l, prefix, strlen(prefix));
	add(l, plain ? value : "\"", plain ? len : 1);
	if (l->cut)
		add_tail(l, " " ELLIPSIS);
	else if (!plain)
		add_quoted(l, value);
}

static void write_line(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t done = write(STDERR_FILENO, text, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) /* a log that cannot be written stops nobody */
			return;
		text += done;
		len -= (size_t)done;
	}
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;

	struct line l;
	char text[DATE_TEXT];

	l.len = 0;
	l.cut = false;
	add_field(&l, "time", date_format(text, clock_now().wall_ms));
	add_field(&l, "level", level_names[level]);
	add_field(&l, "msg", msg);
	for (; fields->key; fields++) {
		if (!*fields->key)
			continue;
		snprintf(text, sizeof text, "%" PRId64, fields->number);
		add_field(&l, fields->key, fields->text ? fields->text : text);
	}
	add_tail(&l, "\n");
	write_line(l.text, l.len);
}
