/* option_value — one value of a map into its field. Invariant: a field is written only with a good
 * value, and a message shows no secret. */
#include "relay/config/option_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/buf.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/config/yaml_tree.h"

#define SECRET_FILE_MAX (64 << 10)

static bool wrong(const struct reading *r, const char *what)
{
	char shown[NODE_SHOWN];

	problem_at(r->p, r->node, "must be %s, not %s", what, node_shown(r->node, shown));
	return false;
}

static bool in_bounds(const struct reading *r, int64_t value)
{
	struct buf least = BUF_INIT(32), most = BUF_INIT(32);

	if (!r->row->max || (value >= r->row->min && value <= r->row->max))
		return true;
	option_add_amount(&least, r->row, r->row->min);
	option_add_amount(&most, r->row, r->row->max);
	problem_at(r->p, r->node, "must be from %s to %s", least.data, most.data);
	buf_release(&least);
	buf_release(&most);
	return false;
}

static bool read_int(const struct reading *r)
{
	int64_t value;

	if (r->node->quoted || !option_int(r->node->text, &value))
		return wrong(r, "a whole number without quotes");
	if (!in_bounds(r, value))
		return false;
	*(int64_t *)r->field = value;
	return true;
}

static bool read_bool(const struct reading *r)
{
	if (!node_bool(r->node, r->field))
		return wrong(r, "true or false");
	return true;
}

static bool read_duration(const struct reading *r)
{
	int64_t value;

	if (!option_duration(r->node->text, &value))
		return wrong(r, "a duration such as 500ms, 5s, 3m, 6h or 14d");
	if (!in_bounds(r, value))
		return false;
	*(int64_t *)r->field = value;
	return true;
}

static bool read_size(const struct reading *r)
{
	int64_t value;

	if (!option_size(r->node->text, &value))
		return wrong(r, "a size such as 4096, 64KB, 256MB or 20GB");
	if (!in_bounds(r, value))
		return false;
	*(int64_t *)r->field = value;
	return true;
}

static bool read_rate(const struct reading *r)
{
	if (!option_rate(r->node->text, r->field))
		return wrong(r, "a rate such as 100/s or 450/min");
	return true;
}

static bool read_percent(const struct reading *r)
{
	if (!option_percent(r->node->text, r->field))
		return wrong(r, "a percentage such as 5%");
	return true;
}

static bool read_time(const struct reading *r)
{
	if (!date_parse(r->node->text, r->node->len, r->field))
		return wrong(r, "a time such as 2026-11-22T10:00:00Z");
	return true;
}

/* The place of the node's text among the choices, or -1 after a problem. */
static int choose(const struct reading *r)
{
	struct buf all = BUF_INIT(512);
	char shown[NODE_SHOWN];
	const char *const *choices = r->row->choices;

	for (int i = 0; choices[i]; i++) {
		if (strcmp(choices[i], r->node->text) == 0) {
			buf_release(&all);
			return i;
		}
		buf_addf(&all, "%s%s", i ? ", " : "", choices[i]);
	}
	const char *nearest = problem_nearest(r->node->text, choices);
	problem_at(r->p, r->node, "must be one of %s, not %s%s%s%s", all.data,
		   node_shown(r->node, shown), nearest ? "; did you mean \"" : "",
		   nearest ? nearest : "", nearest ? "\"?" : "");
	buf_release(&all);
	return -1;
}

static bool read_choice(const struct reading *r)
{
	int place = choose(r);

	if (place >= 0)
		*(int *)r->field = place;
	return place >= 0;
}

static bool read_string(const struct reading *r)
{
	if (r->row->choices && choose(r) < 0)
		return false;
	*(char **)r->field = xstrdup(r->node->text);
	return true;
}

static bool read_url(const struct reading *r)
{
	const char *why = option_url_refuses(r->node->text);
	char shown[NODE_SHOWN];

	if (!why)
		return read_string(r);
	if (strncmp(why, "must be ", 8) == 0)
		problem_at(r->p, r->node, "%s, not %s", why, node_shown(r->node, shown));
	else
		problem_at(r->p, r->node, "%s: %s", node_shown(r->node, shown), why);
	return false;
}

static bool read_secret(const struct reading *r)
{
	if (!r->node->len) {
		problem_at(r->p, r->node, "is empty");
		return false;
	}
	return read_string(r);
}

static bool read_path(const struct reading *r)
{
	if (!r->node->len) {
		problem_at(r->p, r->node, "is empty");
		return false;
	}
	*(char **)r->field = node_resolve_path(r->node, r->node->text);
	return true;
}

static bool (*const readers[])(const struct reading *r) = {
	[OPT_STRING] = read_string,	[OPT_STRINGS] = read_string,
	[OPT_URL] = read_url,		[OPT_SECRET] = read_secret,
	[OPT_SECRETS] = read_secret,	[OPT_PATH] = read_path,
	[OPT_INT] = read_int,		[OPT_BOOL] = read_bool,
	[OPT_DURATION] = read_duration, [OPT_DURATIONS] = read_duration,
	[OPT_SIZE] = read_size,		[OPT_RATE] = read_rate,
	[OPT_PERCENT] = read_percent,	[OPT_CHOICE] = read_choice,
	[OPT_TIME] = read_time,
};

bool option_read_scalar(const struct reading *r)
{
	return readers[r->row->type](r);
}

/* Opened first and judged then, so that the file that is judged is the one that is read. */
static char *read_file(const struct node *node, const char *path, struct problems *p, size_t *ret)
{
	struct stat st;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		problem_at(p, node, "%s cannot be read: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		problem_at(p, node, "%s is not a file", path);
	} else {
		text = yaml_slurp(fd, SECRET_FILE_MAX, ret);
		if (!text)
			problem_at(p, node, "%s cannot be read: %s", path, strerror(errno));
		else if (st.st_mode & (S_IRGRP | S_IROTH))
			problem_warn(p, node, "%s can be read by other users (chmod 600)", path);
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static bool is_blank(const char *text, size_t len)
{
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	return !len;
}

char *option_read_secret_file(const struct node *node, struct problems *p)
{
	char *path = node_resolve_path(node, node->text);
	size_t len = 0;
	char *text = read_file(node, path, p, &len);

	if (text && len && text[len - 1] == '\n')
		len--;
	if (text && len && text[len - 1] == '\r')
		len--;
	bool nul = text && memchr(text, '\0', len);
	if (nul || (text && is_blank(text, len))) {
		problem_at(p, node, "%s %s", path, nul ? "holds a NUL character" : "is empty");
		explicit_bzero(text, len);
		free(text);
		text = NULL;
	}
	if (text)
		text[len] = '\0';
	free(path);
	return text;
}
