/* shell — one command, fed and waited for. Not popen: its pclose takes a command that reads no
 * input for one that failed. */
#include "relay/cmd/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int start(const char *command, int input, pid_t *ret)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)command, NULL};
	posix_spawn_file_actions_t files;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	int failed = posix_spawn(ret, "/bin/sh", &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return failed;
}

static void feed(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return; /* it has read what it wanted */
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static int judge(const char *command, int status, struct err *err)
{
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s: ended by signal %d", command, WTERMSIG(status));
	if (WEXITSTATUS(status))
		return err_set(err, ERR_IO, "%s: exit status %d", command, WEXITSTATUS(status));
	return 0;
}

int shell_feed(const char *command, const char *text, size_t len, struct err *err)
{
	int ends[2], status, failed;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	failed = start(command, ends[0], &pid);
	close(ends[0]);
	if (!failed) {
		feed(ends[1], text, len);
		feed(ends[1], "\n", 1);
	}
	close(ends[1]);
	if (failed)
		return err_set(err, ERR_IO, "/bin/sh: %s", strerror(failed));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, ERR_IO, "%s: %s", command, strerror(errno));
	return judge(command, status, err);
}
