/* yaml_include — lays included files over the one that includes them. Invariant: a file is read
 * once at most, so that neither cycles nor overlapping patterns can repeat anything. */
#include "relay/config/yaml_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"

static int by_key(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
	return strcmp(x->key, y->key);
}

static int by_key_and_place(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
	int order = strcmp(x->key, y->key);

	if (order)
		return order;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

/* A map's members in the order of their names. Caller frees. */
static const struct node **sorted(const struct node *map)
{
	const struct node **v = xcalloc(map->n, sizeof *v);

	if (map->n)
		memcpy(v, map->items, map->n * sizeof *v);
	qsort(v, map->n, sizeof *v, by_key_and_place);
	return v;
}

const struct node *yaml_duplicate_key(const struct node *map)
{
	const struct node *found = NULL;

	if (map->kind != NODE_MAP || map->n < 2)
		return NULL;
	const struct node **v = sorted(map);
	for (size_t i = 1; i < map->n; i++) {
		if (strcmp(v[i - 1]->key, v[i]->key) != 0)
			continue;
		bool before =
			!found || v[i]->key_line < found->key_line ||
			(v[i]->key_line == found->key_line && v[i]->key_column < found->key_column);
		found = before ? v[i] : found;
	}
	free(v);
	return found;
}

/* Makes room for `more` values and takes `over`'s as the base's own, without those in `leave`. */
static void append(struct yaml *y, struct node *base, const struct node *over, const bool *leave)
{
	const struct node **items = yaml_alloc(y, base->n + over->n, sizeof *items);
	size_t n = base->n;

	if (n)
		memcpy(items, base->items, n * sizeof *items);
	for (size_t i = 0; i < over->n; i++) {
		/* the tree is ours until it is handed out */
		struct node *child = (struct node *)(uintptr_t)over->items[i];
		if (leave && leave[i])
			continue;
		child->parent = base;
		child->index = base->kind == NODE_LIST ? n : 0;
		items[n++] = child;
	}
	base->items = items;
	base->n = n;
}

/* Joins two values of the same name. */
static void join(struct yaml *y, struct node *base, struct node *over, struct problems *p)
{
	if (node_is_null(over))
		return;
	if (node_is_null(base)) {
		const struct node *parent = base->parent;
		*base = *over;
		base->parent = parent;
		for (size_t i = 0; i < base->n; i++)
			((struct node *)(uintptr_t)base->items[i])->parent = base;
	} else if (base->kind != over->kind || base->kind == NODE_SCALAR) {
		problem_at_key(p, over, "is set already in %s:%u:%u", base->file, base->key_line,
			       base->key_column);
	} else if (base->kind == NODE_MAP) {
		yaml_merge(y, base, over, p);
	} else {
		append(y, base, over, NULL);
	}
}

void yaml_merge(struct yaml *y, struct node *base, struct node *over, struct problems *p)
{
	const struct node **names = sorted(base);
	bool *leave = xcalloc(over->n, sizeof *leave);

	for (size_t i = 0; i < over->n; i++) {
		struct node *child = (struct node *)(uintptr_t)over->items[i];
		const struct node *const *same =
			bsearch(&child, names, base->n, sizeof *names, by_key);
		leave[i] = same != NULL;
		if (same)
			join(y, (struct node *)(uintptr_t)*same, child, p);
	}
	append(y, base, over, leave);
	free(names);
	free(leave);
}

/* Cuts a member out of a map. */
static void drop(struct node *map, const char *key)
{
	const struct node **items = (const struct node **)(uintptr_t)map->items;
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++)
		if (strcmp(items[i]->key, key) != 0)
			items[kept++] = items[i];
	map->n = kept;
}

struct including {
	struct yaml *y;
	const struct yaml_source *src; /* the file that includes */
	struct node *root;	       /* its tree */
	const struct node *item;       /* the entry that is followed */
	struct problems *p;
};

/* Refuses a file that was read before. */
static bool is_new(const struct including *in, const char *path, const struct stat *st)
{
	const struct yaml_source *s = in->src;

	while (s && !(s->inode == st->st_ino && s->device == st->st_dev))
		s = s->from;
	if (s) {
		problem_at(in->p, in->item, "%s includes itself%s", path,
			   s == in->src ? "" : " in a circle");
		return false;
	}
	for (size_t i = 0; i < in->y->nsources; i++) {
		s = in->y->sources[i];
		if (s->inode == st->st_ino && s->device == st->st_dev) {
			problem_at(in->p, in->item, "%s is included twice", path);
			return false;
		}
	}
	return true;
}

/* Reads a file that is good to be included; NULL with a problem. */
static struct yaml_source *read_included(const struct including *in, const char *path)
{
	struct yaml_source *src = NULL;
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* no waiting for a pipe's writer */

	if (fd < 0 || fstat(fd, &st) != 0) {
		problem_at(in->p, in->item, "%s cannot be read: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		problem_at(in->p, in->item, "%s is not a file", path);
	} else if (in->y->nsources == YAML_FILES_MAX) {
		problem_at(in->p, in->item, "more than %d files", YAML_FILES_MAX);
	} else if (is_new(in, path, &st)) {
		text = yaml_slurp(fd, YAML_FILE_MAX, &len);
		if (!text && errno == EFBIG)
			problem_at(in->p, in->item, "%s is longer than %d bytes", path,
				   YAML_FILE_MAX);
		else if (!text)
			problem_at(in->p, in->item, "%s cannot be read: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (!text)
		return NULL;
	const char *slash = strrchr(path, '/');
	src = yaml_add_source(in->y, path, text, len);
	src->device = st.st_dev;
	src->inode = st.st_ino;
	src->from = in->src;
	if (slash) {
		free(src->dir);
		src->dir = xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	}
	return src;
}

static void include_file(const struct including *in, const char *path)
{
	struct yaml_source *src = read_included(in, path);
	struct node *over = src ? yaml_build(in->y, src, in->p) : NULL;

	if (!over)
		return;
	yaml_follow_includes(in->y, src, over, in->p);
	drop(over, "include");
	yaml_merge(in->y, in->root, over, in->p);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A folder that is not there has no files; one that cannot be read is a problem. */
static int stops_at(const char *path, int why)
{
	(void)path;
	return why != ENOENT && why != ENOTDIR;
}

static void include_pattern(const struct including *in, const char *pattern)
{
	struct buf escaped = BUF_INIT(64 << 10); /* the folder's own name is no pattern */
	glob_t found = {0};

	for (const char *s = in->src->dir; *s; s++)
		buf_addf(&escaped, strchr("*?[\\", *s) ? "\\%c" : "%c", *s);
	char *path = yaml_join(escaped.data, pattern);
	int failed = glob(path, GLOB_NOSORT, stops_at, &found);
	if (failed && failed != GLOB_NOMATCH)
		problem_at(in->p, in->item, "%s cannot be read: %s", path, strerror(errno));
	if (found.gl_pathc)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), by_name);
	for (size_t i = 0; i < found.gl_pathc; i++)
		include_file(in, found.gl_pathv[i]);
	globfree(&found);
	free(path);
	buf_release(&escaped);
}

static void follow(const struct including *in)
{
	const char *name = node_string(in->item);

	if (!name || node_is_null(in->item)) {
		problem_at(in->p, in->item, "the name of a file, or a pattern, is expected");
	} else if (strpbrk(name, "*?[")) {
		include_pattern(in, name);
	} else {
		char *path = yaml_join(in->src->dir, name);
		include_file(in, path);
		free(path);
	}
}

void yaml_follow_includes(struct yaml *y, const struct yaml_source *src, struct node *root,
			  struct problems *p)
{
	struct including in = {y, src, root, node_get(root, "include"), p};
	const struct node *list = in.item;

	if (!list || list->kind == NODE_SCALAR) {
		if (list)
			follow(&in);
		return;
	}
	if (list->kind == NODE_MAP)
		problem_at(p, list, "a list of files is expected");
	for (size_t i = 0; list->kind == NODE_LIST && i < list->n; i++) {
		in.item = list->items[i];
		follow(&in);
	}
}
