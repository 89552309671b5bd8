/* statefile — what a subscriber remembers. Invariant: at every moment PATH is a whole file or does
 * not exist; PATH.new may be left over from a crash and is overwritten. */
#include "relay/cmd/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

static void sync_folder(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd); /* some file systems know none for folders; the rename is done anyway */
		close(fd);
	}
	free(copy);
}

/* Somebody may have unlocked it, and so removed the name, since it was opened. */
static bool still_named(int fd, const char *name)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(name, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

static int lock(const char *path, const char *name, struct err *err)
{
	for (;;) {
		int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_set(err, ERR_IO, "%s: %s", name, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			return err_set(err, ERR_DENIED, "%s: another subscriber uses it", path);
		}
		if (still_named(fd, name))
			return 0;
		close(fd);
	}
}

int statefile_lock(const char *path, struct err *err)
{
	char *name = xasprintf("%s.lock", path);
	int failed = lock(path, name, err);

	free(name);
	return failed;
}

void statefile_unlock(const char *path)
{
	char *name = xasprintf("%s.lock", path);

	unlink(name);
	free(name);
}

int statefile_write(const char *path, const char *text, size_t len, struct err *err)
{
	if (len > STATEFILE_MAX)
		return err_set(err, ERR_LIMIT, "%s: what is held is too much for it", path);
	char *fresh = xasprintf("%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int failed = fd < 0 ? -1 : write_all(fd, text, len);

	if (fd >= 0 && close(fd) < 0)
		failed = -1;
	if (!failed)
		failed = rename(fresh, path);
	if (failed)
		err_set(err, ERR_IO, "%s: %s", fresh, strerror(errno));
	else
		sync_folder(path);
	free(fresh);
	return failed;
}

int statefile_read(const char *path, struct buf *ret, struct err *err)
{
	FILE *f = fopen(path, "re");
	char part[4096];
	size_t n;

	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(ret, part, n);
	int broken = ferror(f);
	fclose(f);
	if (broken)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	if (ret->full)
		return err_set(err, ERR_LIMIT, "%s: too long for a subscriber's state", path);
	return 1;
}
