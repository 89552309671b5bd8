/* yaml_line — one line of a configuration file as it may be shown below a problem. Invariant: what
 * stands behind the name of a secret never leaves here, unless it is a ${VAR}. */
#include "relay/config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define SHOWN_BYTES  160 /* two lines of a terminal */
#define SHOWN_BEFORE 60	 /* characters before the column when a line is cut */

/* How many bytes of a line break start here: those that libyaml counts. */
static size_t break_len(const char *s, const char *end)
{
	if (*s == '\n')
		return 1;
	if (*s == '\r')
		return end - s > 1 && s[1] == '\n' ? 2 : 1;
	if (end - s > 1 && !memcmp(s, "\xC2\x85", 2))
		return 2;
	if (end - s > 2 && (!memcmp(s, "\xE2\x80\xA8", 3) || !memcmp(s, "\xE2\x80\xA9", 3)))
		return 3;
	return 0;
}

struct span {
	const char *at;
	size_t len;
};

/* The span of the line that starts at `from`; *ret_next is where the next one starts. */
static struct span line_at(const char *from, const char *end, const char **ret_next)
{
	const char *s = from;
	size_t width = 0;

	while (s < end && !(width = break_len(s, end)))
		s++;
	*ret_next = s + width;
	return (struct span){from, (size_t)(s - from)};
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool sounds_secret(const char *name, size_t len)
{
	static const char *const words[] = {"secret", "token", "passw", "key",	     "bearer",
					    "basic",  "auth",  "pwd",	"credential"};
	char lower[64];
	size_t n = len < sizeof lower - 1 ? len : sizeof lower - 1;

	for (size_t i = 0; i < n; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
	lower[n] = '\0';
	if (n > 5 && !strcmp(lower + n - 5, "_file"))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(lower, words[i]))
			return true;
	return false;
}

/* Where the value of a key that sounds secret starts, from `s` on; NULL: there is none. */
static const char *secret_value(const char *s, const char *end)
{
	while (s < end) {
		const char *name = s;
		while (s < end && name_char(*s))
			s++;
		size_t len = (size_t)(s - name);
		if (!len) {
			s++;
			continue;
		}
		while (s < end && (*s == '"' || *s == '\'' || *s == ' '))
			s++;
		if (s < end && *s == ':' && sounds_secret(name, len))
			return s + 1;
	}
	return NULL;
}

static size_t indent_of(struct span line)
{
	size_t n = 0;
	while (n < line.len && line.at[n] == ' ')
		n++;
	return n;
}

/* Where the first name of a line stands, behind the dashes of lists. */
static size_t name_indent(struct span line)
{
	size_t n = 0;
	while (n < line.len && (line.at[n] == ' ' || line.at[n] == '-'))
		n++;
	return n;
}

/* Is the line part of the value of a name at this indent, as deeper lines and items are? */
static bool is_below(struct span line, size_t indent)
{
	size_t its = indent_of(line);
	return its > indent || (its == indent && its < line.len && line.at[its] == '-');
}

/* Does the line belong to the value of a secret that was named on a line above? */
static bool below_secret(const struct yaml_source *src, struct span line)
{
	const char *next;
	size_t indent = 0;
	bool inside = false;

	for (const char *s = src->text; s < line.at; s = next) {
		struct span above = line_at(s, src->text + src->len, &next);
		size_t its = indent_of(above);
		if (its == above.len || above.at[its] == '#' || (inside && is_below(above, indent)))
			continue;
		inside = secret_value(above.at, above.at + above.len) != NULL;
		indent = name_indent(above);
	}
	return inside && is_below(line, indent);
}

static void blank(char *from)
{
	for (char *s = from; *s; s++)
		if (((unsigned char)*s & 0xC0) != 0x80)
			*s = *s == ' ' ? ' ' : '*';
}

/* ${NAME} and nothing else; a default would be a secret itself. */
static bool only_reference(const char *s)
{
	size_t len = strncmp(s, "${", 2) ? 0 : 2;

	while (len && name_char(s[len]))
		len++;
	return len && s[len] == '}' && strchr(" \"'],}", s[len + 1]);
}

/* Values behind secret names, and "user:password@" in URLs. Characters stay characters, so that
 * columns hold; whatever follows on the line is blanked too, as only YAML knows where the value
 * ends. */
static void blank_secrets(char *line)
{
	const char *end = line + strlen(line);
	const char *value = line;

	for (char *url = line; (url = strchr(url, ':')); url++) {
		if (strncmp(url, "://", 3))
			continue;
		char *at = url + 3 + strcspn(url + 3, "@/?# ,");
		for (char *s = url + 3; *at == '@' && s < at; s++)
			*s = ((unsigned char)*s & 0xC0) == 0x80 ? *s : '*';
	}
	while ((value = secret_value(value, end))) {
		const char *s = value + strspn(value, " \"'[");
		if (*s && !only_reference(s)) {
			blank(line + (s - line));
			return;
		}
	}
}

static size_t next_char(const char *s, size_t at, size_t len)
{
	do
		at++;
	while (at < len && ((unsigned char)s[at] & 0xC0) == 0x80);
	return at < len ? at : len;
}

/* Cuts a long line to what is around the column. */
static char *window(char *line, unsigned *column)
{
	size_t len = strlen(line), start = 0, stop;

	if (len <= SHOWN_BYTES)
		return line;
	for (; *column > SHOWN_BEFORE + 1 && start < len; --*column)
		start = next_char(line, start, len);
	stop = start;
	while (stop < len && stop - start < SHOWN_BYTES)
		stop = next_char(line, stop, len);
	char *part = xasprintf("%s%.*s%s", start ? "…" : "", (int)(stop - start), line + start,
			       stop < len ? "…" : "");
	*column += start > 0;
	free(line);
	return part;
}

char *yaml_line(const struct yaml_source *src, unsigned line, unsigned *column)
{
	const char *end = src->text + src->len, *next = src->text;
	struct span found = {src->text, 0};

	for (unsigned i = 0; i < line; i++)
		found = next < end ? line_at(next, end, &next) : (struct span){end, 0};
	char *text = xstrndup(found.at, found.len);
	for (char *s = text; (size_t)(s - text) < found.len; s++)
		if (!*s)
			*s = '?';
	if (below_secret(src, found))
		blank(text);
	else
		blank_secrets(text);
	return window(text, column);
}

void yaml_count_place(const char *text, size_t len, unsigned *line, unsigned *column)
{
	const char *end = text + len;

	while (text < end) {
		size_t width = break_len(text, end);
		if (width) {
			++*line;
			*column = 1;
		} else {
			width = next_char(text, 0, len);
			++*column;
		}
		text += width;
		len = (size_t)(end - text);
	}
}
