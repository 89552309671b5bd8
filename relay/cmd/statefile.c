/* statefile — what a subscriber remembers. Invariant: at every moment PATH is a whole file or does
 * not exist; PATH.new may be left over from a crash and is overwritten. */
#include "relay/cmd/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int statefile_write(const char *path, const char *text, size_t len, struct err *err)
{
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
