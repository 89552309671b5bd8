/* http_body — where the body's template comes from and of what kind it is. Invariant: every kind
 * that is taken has an escape, so that no value can become a part of the body's form. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "transports/http_content.h"

#define JSON_TYPE "application/json"
#define FORM_TYPE "application/x-www-form-urlencoded"

/* --- the kind --- */

static bool ends_with(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len > n && strncasecmp(text + len - n, with, n) == 0;
}

/* False for what has no escape: markup, or bytes of any other form. */
static bool kind_of(const char *type, enum template_kind *ret)
{
	size_t len = strcspn(type, "; ");

	if ((len == strlen(JSON_TYPE) && !strncasecmp(type, JSON_TYPE, len)) ||
	    ends_with(type, len, "+json"))
		*ret = TEMPLATE_JSON;
	else if (len == strlen(FORM_TYPE) && !strncasecmp(type, FORM_TYPE, len))
		*ret = TEMPLATE_URL;
	else if (!strncasecmp(type, "text/", 5) && len > 5 && !ends_with(type, len, "xml") &&
		 !ends_with(type, len, "html"))
		*ret = TEMPLATE_TEXT;
	else
		return false;
	return true;
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static bool read_type(const struct http_settings *s, const struct node *at,
		      struct http_content *ret, enum template_kind *kind, struct problems *p)
{
	const struct node *n = http_place(at, "content_type");

	*kind = TEMPLATE_JSON;
	if (s->content_type && !s->body && !s->body_file) {
		problem_at(p, n, "goes with body or body_file");
		return false;
	}
	if (s->content_type && (!is_ascii(s->content_type) || !kind_of(s->content_type, kind))) {
		problem_at(p, n,
			   "must be JSON (application/json, …+json), " FORM_TYPE
			   ", or text/… that is no markup: values are escaped for their place");
		return false;
	}
	ret->type = xstrdup(s->content_type ? s->content_type : JSON_TYPE);
	return true;
}

/* --- the text --- */

/* Up to one byte more than a template may have. */
static char *slurp(const char *path, size_t *ret_len, const char **ret_why)
{
	char *text = xmalloc(TEMPLATE_SIZE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t got = -1;
	struct stat st;

	*ret_why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		*ret_why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*ret_why = "it is not a file";
	while (!*ret_why && len <= TEMPLATE_SIZE_MAX &&
	       (got = read(fd, text + len, TEMPLATE_SIZE_MAX + 1 - len)) > 0)
		len += (size_t)got;
	if (!*ret_why && got < 0)
		*ret_why = strerror(errno);
	if (fd >= 0)
		close(fd);
	*ret_len = len;
	return text;
}

/* What the settings name, in memory of its own; NULL after a problem. */
static char *take_text(const struct http_settings *s, const struct node *n, size_t *ret_len,
		       struct problems *p)
{
	const char *why, *text = s->preset ? http_preset_text(s->preset) : s->body;
	char *read;

	if (text) {
		*ret_len = strlen(text);
		return xstrdup(text);
	}
	read = slurp(s->body_file, ret_len, &why);
	if (!why)
		return read;
	problem_at(p, n, "%s cannot be read: %s", s->body_file, why);
	free(read);
	return NULL;
}

static const char *source_of(const struct http_settings *s)
{
	return s->preset ? "preset" : s->body ? "body" : "body_file";
}

void http_body_read(const struct http_settings *s, const struct node *at, struct http_content *ret,
		    struct problems *p)
{
	int sources = (s->body != NULL) + (s->body_file != NULL) + (s->preset != NULL);
	const struct node *n = http_place(at, source_of(s));
	enum template_kind kind;
	struct err err = {0};
	size_t len;
	char *text;

	if (sources > 1)
		problem_at(p, n, "give one of body, body_file and preset");
	if (!read_type(s, at, ret, &kind, p) || sources != 1)
		return;
	text = take_text(s, n, &len, p);
	if (!text)
		return;
	while (kind == TEMPLATE_URL && len && strchr(" \r\n", text[len - 1]))
		len--; /* the last line's end is no part of a form */
	ret->body = template_compile(kind, text, len, &err);
	if (!ret->body)
		problem_at(p, n, "%s%s%s", s->body_file ? s->body_file : "",
			   s->body_file ? ": " : "", err.msg);
	free(text);
}
