/* shell — one command, fed and waited for. Not popen: its pclose takes a command that reads no
 * input for one that failed. */
#include "relay/cmd/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"

extern char **environ;

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static bool names_one_of(const char *variable, char *const *list)
{
	size_t len = strcspn(variable, "=") + 1;

	for (; *list; list++)
		if (strncmp(*list, variable, len) == 0)
			return true;
	return false;
}

static int start(const char *command, char *const *variables, int input, pid_t *ret)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)command, NULL};
	size_t n = count(variables), rest = count(environ);
	char **all = xcalloc(n + rest + 1, sizeof *all);
	posix_spawn_file_actions_t files;

	memcpy(all, variables, n * sizeof *all);
	for (size_t i = 0; i < rest; i++)
		if (!names_one_of(environ[i], variables))
			all[n++] = environ[i];
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	int failed = posix_spawn(ret, "/bin/sh", &files, NULL, argv, all);
	posix_spawn_file_actions_destroy(&files);
	free(all);
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

int shell_feed(const char *command, char *const *variables, const char *text, size_t len,
	       struct err *err)
{
	int ends[2], status, failed;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	failed = start(command, variables, ends[0], &pid);
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
