/* yaml — loads a configuration file and all that it includes into one tree. Invariant: nodes and
 * their texts live in the yaml's arena, so that it is freed in one go and never in part. */
#include "relay/config/yaml_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"

#define BLOCK_SIZE (64 << 10)

struct block {
	struct block *next;
	size_t used, size;
	max_align_t bytes[];
};

void *yaml_alloc(struct yaml *y, size_t n, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		abort(); /* ceilings are checked before: a mistake of ours */
	bytes = (bytes + align - 1) / align * align;
	if (!y->blocks || y->blocks->size - y->blocks->used < bytes) {
		size_t room = bytes > BLOCK_SIZE ? bytes : BLOCK_SIZE;
		struct block *b = xcalloc(1, sizeof *b + room);
		*b = (struct block){.next = y->blocks, .size = room};
		y->blocks = b;
	}
	void *p = (char *)y->blocks->bytes + y->blocks->used;
	y->blocks->used += bytes;
	return p;
}

char *yaml_text(struct yaml *y, const char *text, size_t len)
{
	char *copy = yaml_alloc(y, len + 1, 1);

	if (len)
		memcpy(copy, text, len);
	return copy;
}

struct yaml_source *yaml_add_source(struct yaml *y, const char *name, char *text, size_t len)
{
	struct yaml_source *src = xcalloc(1, sizeof *src);
	size_t skip = len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0;

	src->text = xstrndup(text + skip, len - skip);
	src->len = len - skip;
	free(text);
	src->name = xstrdup(name);
	src->dir = xstrdup(".");
	y->sources = xrealloc(y->sources, y->nsources + 1, sizeof *y->sources);
	y->files = xrealloc(y->files, y->nsources + 2, sizeof *y->files);
	y->sources[y->nsources] = src;
	y->files[y->nsources++] = src->name;
	y->files[y->nsources] = NULL;
	return src;
}

char *yaml_slurp(int fd, size_t max, size_t *ret_len)
{
	struct buf text = BUF_INIT(max);
	char part[16 << 10];

	for (;;) {
		ssize_t n = read(fd, part, sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			buf_add(&text, part, (size_t)n);
		if (n > 0 && !text.full)
			continue;
		if (n == 0) {
			*ret_len = text.len;
			return buf_detach(&text);
		}
		int why = text.full ? EFBIG : errno;
		buf_release(&text);
		errno = why;
		return NULL;
	}
}

/* Builds the tree, once the yaml's first source is there. */
static struct yaml *finish(struct yaml *y, bool go_on, struct problems *p)
{
	size_t before = problems_count(p);

	y->root = yaml_build(y, y->sources[0], p);
	if (y->root)
		yaml_follow_includes(y, y->sources[0], y->root, p);
	if (problems_count(p) - before == (go_on ? y->gaps : 0))
		return y;
	yaml_free(y);
	return NULL;
}

struct yaml *yaml_parse(const char *name, const char *text, size_t len, struct problems *p)
{
	if (len > YAML_FILE_MAX) {
		problem_in(p, name, 0, 0, "is longer than %d bytes", YAML_FILE_MAX);
		return NULL;
	}
	struct yaml *y = xcalloc(1, sizeof *y);
	yaml_add_source(y, name, xstrndup(text, len), len);
	return finish(y, false, p);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static struct yaml *load(const char *path, bool go_on, struct problems *p)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	struct stat st = {0};

	if (fd >= 0 && fstat(fd, &st) == 0)
		text = yaml_slurp(fd, YAML_FILE_MAX, &len);
	int why = errno;
	if (fd >= 0 && !standard)
		close(fd);
	if (!text && why == EFBIG)
		problem_in(p, path, 0, 0, "is longer than %d bytes", YAML_FILE_MAX);
	else if (!text)
		problem_in(p, path, 0, 0, "cannot be read: %s", strerror(why));
	if (!text)
		return NULL;

	struct yaml *y = xcalloc(1, sizeof *y);
	struct yaml_source *src = yaml_add_source(y, standard ? "<stdin>" : path, text, len);
	if (!standard) {
		free(src->dir);
		src->dir = folder_of(path);
		src->device = st.st_dev;
		src->inode = st.st_ino;
	}
	return finish(y, go_on, p);
}

struct yaml *yaml_load(const char *path, struct problems *p)
{
	return load(path, false, p);
}

struct yaml *yaml_load_on(const char *path, struct problems *p)
{
	return load(path, true, p);
}

void yaml_free(struct yaml *y)
{
	if (!y)
		return;
	while (y->blocks) {
		struct block *b = y->blocks;
		y->blocks = b->next;
		free(b);
	}
	for (size_t i = 0; i < y->nsources; i++) {
		free(y->sources[i]->name);
		free(y->sources[i]->dir);
		free(y->sources[i]->text);
		free(y->sources[i]);
	}
	free(y->sources);
	free(y->files);
	free(y);
}

const struct node *yaml_root(const struct yaml *y)
{
	return y->root;
}

const char *const *yaml_files(const struct yaml *y)
{
	return y->files;
}
