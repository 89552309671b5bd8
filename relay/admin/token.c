/* Invariant: at PATH is a whole token or nothing, and no step of making it is readable by others:
 * PATH.new is created anew with mode 0600 and linked to PATH, which never replaces a file. */
#include "relay/admin/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/random.h"

#define TOKEN_BYTES 32

char *token_path(const char *configured, const char *journal_file)
{
	if (configured)
		return xstrdup(configured);
	return journal_file ? xasprintf("%s.token", journal_file) : NULL;
}

/* A group may be let in to read, as operators are; the world may not. */
static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_IO, "%s: is no file", path);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(err, ERR_DENIED,
			       "%s: mode %04o lets other users at the token; chmod 600 %s", path,
			       (unsigned)st.st_mode & 07777, path);
	return 0;
}

/* The first line; it must be one word, since it travels in a header. */
static int take_line(const char *text, size_t len, const char *path, char **ret, struct err *err)
{
	size_t word = strcspn(text, "\r\n"), behind = strspn(text + word, "\r\n");

	if (word + behind != len || len > TOKEN_MAX)
		return err_set(err, ERR_FORMAT, "%s: one line of at most %d characters is expected",
			       path, TOKEN_MAX);
	for (size_t i = 0; i < word; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return err_set(err, ERR_FORMAT,
				       "%s: a token is printable ASCII without blanks", path);
	if (word < TOKEN_MIN)
		return err_set(err, ERR_FORMAT,
			       "%s: too short for a token; at least %d characters are expected",
			       path, TOKEN_MIN);
	*ret = xstrndup(text, word);
	return 1;
}

int token_read(const char *path, char **ret, struct err *err)
{
	char text[TOKEN_MAX + 4] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	int result = check_file(fd, path, err);
	ssize_t n = result < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (n < 0)
		result = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	close(fd);
	if (result == 0)
		result = take_line(text, (size_t)n, path, ret, err);
	explicit_bzero(text, sizeof text);
	return result;
}

static int write_token(const char *fresh, struct err *err)
{
	unsigned char bytes[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 1];
	static const char digits[] = "0123456789abcdef";

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * TOKEN_BYTES] = '\n';
	unlink(fresh); /* left over from a crash */
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good =
		fd >= 0 && write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0;
	int why = errno;
	if (fd >= 0)
		close(fd);
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(text, sizeof text);
	return good ? 0 : err_set(err, ERR_IO, "%s: %s", fresh, strerror(why));
}

static int make_file(const char *path, struct err *err)
{
	char *fresh = xasprintf("%s.new", path);
	int failed = write_token(fresh, err);

	if (!failed && link(fresh, path) < 0 && errno != EEXIST)
		failed = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	unlink(fresh);
	free(fresh);
	return failed;
}

char *token_take(const char *path, struct err *err)
{
	char *token = NULL;
	int got = token_read(path, &token, err);

	if (got == 0 && make_file(path, err) == 0)
		got = token_read(path, &token, err);
	return got > 0 ? token : NULL;
}
