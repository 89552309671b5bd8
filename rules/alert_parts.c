/* What an alert's settings are made of: paths into events, and named templates. Invariant: after a
 * problem what was read so far is whole, so that release needs no case for it. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "rules/alert_rule.h"

#define PATH_PARTS_MAX 16
#define PATH_MAX_BYTES 256
#define TEXT_MAX_BYTES (16 << 10)

static const char *const members[] = {
	"specversion",	"id",	    "type",	    "source",	       "subject", "time",
	"recordedtime", "sequence", "partitionkey", "datacontenttype", "data",	  NULL,
};

static bool is_member(const char *name)
{
	for (size_t i = 0; members[i]; i++)
		if (strcmp(members[i], name) == 0)
			return true;
	return false;
}

static char *label_of(const char *part)
{
	char *label = xasprintf("%s%s", *part >= '0' && *part <= '9' ? "_" : "", part);
	for (char *c = label; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9')))
			*c = '_';
	return label;
}

static size_t count_parts(const char *text)
{
	size_t n = 1;
	for (; *text; text++)
		if (*text == '.')
			n++;
	return n;
}

/* NULL: a good path. Otherwise what is wrong with it. */
static const char *refuse(const char *text)
{
	size_t len = strlen(text);
	if (!len || text[0] == '.' || text[len - 1] == '.' || strstr(text, ".."))
		return "is no path such as data.broadcast_id";
	if (len > PATH_MAX_BYTES || count_parts(text) > PATH_PARTS_MAX)
		return "is too long for a path: 16 parts and 256 bytes at most";
	return NULL;
}

static void split(struct alert_path *ret, const char *text)
{
	size_t n = 0;
	*ret = (struct alert_path){.text = xstrdup(text)};
	ret->keys = xcalloc(count_parts(text) + 1, sizeof *ret->keys);
	while (*text) {
		size_t len = strcspn(text, ".");
		ret->keys[n++] = xstrndup(text, len);
		text += len + (text[len] == '.');
	}
	ret->label = label_of(ret->keys[n - 1]);
}

static void refuse_root(const char *root, const struct node *at, struct problems *p)
{
	const char *near = problem_nearest(root, members);
	problem_at(p, at, "an event has no \"%s\" at its root%s%s%s", root,
		   near ? "; did you mean \"" : "; what is told of a recipient stands below data",
		   near ? near : "", near ? "\"?" : "");
}

static void read_path(struct alert_paths *ret, const struct node *at, struct problems *p)
{
	const char *text = node_string(at), *why = text ? refuse(text) : NULL;
	if (!text || at->unset || node_is_null(at))
		return; /* told by the table of options */
	if (why) {
		char shown[NODE_SHOWN];
		problem_at(p, at, "%s %s", node_shown(at, shown), why);
		return;
	}
	struct alert_path *path = &ret->v[ret->n++];
	split(path, text);
	if (!is_member(path->keys[0]))
		refuse_root(path->keys[0], at, p);
	for (size_t i = 0; i + 1 < ret->n; i++)
		if (strcmp(ret->v[i].label, path->label) == 0)
			problem_at(p, at, "ends in \"%s\", as another path of the list does",
				   path->label);
}

void alert_paths_read(struct alert_paths *ret, const struct node *map, const char *name,
		      struct problems *p)
{
	const struct node *at = node_get(map, name);
	if (!at || at->kind == NODE_MAP)
		return; /* a map is told by the table of options */
	size_t n = at->kind == NODE_LIST ? at->n : 1;
	if (n > ALERT_PATHS_MAX) {
		problem_at(p, at, "%zu paths; at most %d are allowed", n, ALERT_PATHS_MAX);
		return;
	}
	ret->v = xcalloc(n + 1, sizeof *ret->v);
	if (at->kind == NODE_SCALAR)
		read_path(ret, at, p);
	for (size_t i = 0; at->kind == NODE_LIST && i < n; i++)
		read_path(ret, at->items[i], p);
}

void alert_paths_release(struct alert_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		struct alert_path *path = &paths->v[i];
		for (size_t k = 0; path->keys[k]; k++)
			free(path->keys[k]);
		free(path->keys);
		free(path->text);
		free(path->label);
	}
	free(paths->v);
	*paths = (struct alert_paths){0};
}

bool alert_paths_have(const struct alert_paths *paths, const char *text)
{
	for (size_t i = 0; i < paths->n; i++)
		if (strcmp(paths->v[i].text, text) == 0)
			return true;
	return false;
}

/* Prometheus' rule for label names; two underscores in front are its own. */
static bool is_label_name(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9') || strncmp(name, "__", 2) == 0)
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || *name == '_'))
			return false;
	return true;
}

static void read_text(struct alert_texts *ret, const struct node *at, struct problems *p)
{
	struct err err = {0};
	if (!is_label_name(at->key)) {
		problem_at_key(
			p, at,
			"a name has letters, digits and _, and begins with a letter or one _");
		return;
	}
	if (at->kind != NODE_SCALAR || node_is_null(at)) {
		problem_at(p, at, "must be a text; {{data.…}} stands for what the alert says");
		return;
	}
	if (at->len > TEXT_MAX_BYTES) {
		problem_at(p, at, "is longer than %d bytes", TEXT_MAX_BYTES);
		return;
	}
	struct template *text = template_compile(TEMPLATE_TEXT, at->text, at->len, &err);
	if (!text)
		problem_at(p, at, "%s", err.msg);
	else
		ret->v[ret->n++] = (struct alert_text){xstrdup(at->key), text};
}

void alert_texts_read(struct alert_texts *ret, const struct node *map, const char *name,
		      struct problems *p)
{
	const struct node *at = node_get(map, name);
	if (!at || (at->kind == NODE_SCALAR && node_is_null(at)))
		return;
	if (at->kind != NODE_MAP) {
		problem_at(p, at, "must be a map of names and texts");
		return;
	}
	if (at->n > ALERT_LABELS_MAX) {
		problem_at(p, at, "%zu %s; at most %d are allowed", at->n, name, ALERT_LABELS_MAX);
		return;
	}
	ret->v = xcalloc(at->n + 1, sizeof *ret->v);
	for (size_t i = 0; i < at->n; i++)
		read_text(ret, at->items[i], p);
}

void alert_texts_release(struct alert_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		free(texts->v[i].name);
		template_free(texts->v[i].text);
	}
	free(texts->v);
	*texts = (struct alert_texts){0};
}
