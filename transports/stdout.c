/*
 * stdout — one event a line on standard output, or at the end of a file.
 *
 * A thread of its own writes, since a full pipe, a stopped terminal or a slow disk would hold up
 * the loop; nothing about the descriptor is changed, as others share it. Invariant: SENT is
 * answered after the whole line was taken by the kernel, and a line that was torn by an error or a
 * kill is ended by a newline before the next one.
 */
#include "transports/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define WRITE_MAX (1 << 20) /* lines are gathered up to here into one write */
#define BUF_MAX	  (2 * EVENT_BODY_MAX + WRITE_MAX)
#define LOOK_MS	  100 /* how soon a blocked writer sees that it must end */

struct stdout_settings {
	char *path;
};

static const struct option options[] = {
	{"path", OPT_PATH, offsetof(struct stdout_settings, path),
	 .help = "a file to append to instead of standard output"},
	{0},
};

struct line {
	struct line *next;
	struct writer *writer;
	const char *body; /* borrowed from the parcel */
	size_t len;
	uint64_t id;
	int64_t started_us;
	int failed; /* errno, 0: written */
};

struct lines {
	struct line *first, *last;
};

/* Outlives the transport's self while the loop's mailbox still holds lines of it. */
struct writer {
	const struct transport_env *env;
	struct mailbox *loop;
	size_t open_lines; /* loop thread only */
	bool closed;	   /* the same */

	pthread_t thread;
	struct mailbox *inbox;
	atomic_bool stop;

	/* the thread's own while it runs */
	int fd;
	bool waits; /* no regular file: a write may block */
	bool torn;  /* the last line has no end */
	struct lines got, writing;
	struct buf out;
};

struct stdout_self {
	struct writer *writer;
};

static void lines_add(struct lines *l, struct line *line)
{
	line->next = NULL;
	if (l->first)
		l->last->next = line;
	else
		l->first = line;
	l->last = line;
}

/* --- the loop's side --- */

static void writer_free(struct writer *w)
{
	buf_release(&w->out);
	free(w);
}

static void free_line(struct line *line)
{
	struct writer *w = line->writer;

	free(line);
	if (--w->open_lines == 0 && w->closed)
		writer_free(w);
}

static void report(struct line *line)
{
	const struct transport_env *env = line->writer->env;
	struct outcome outcome = {
		.verdict = line->failed ? TRY_AGAIN : SENT,
		.why = line->failed ? strerror(line->failed) : NULL,
		.wait_ms = -1,
		.no_connection = line->failed != 0,
		.took_ms = (clock_mono_us() - line->started_us) / 1000,
	};

	if (!line->writer->closed)
		env->done(env->arg, line->id, &outcome);
}

/* A chain of lines came back from the thread. */
static void take_back(void *arg)
{
	struct line *next;

	for (struct line *line = arg; line; line = next) {
		next = line->next;
		report(line);
		free_line(line);
	}
}

/* --- the thread's side --- */

static void take_line(void *arg)
{
	struct line *line = arg;

	lines_add(&line->writer->got, line);
}

/* The only place where the thread may be cancelled: a terminal can be stopped for ever. */
static ssize_t write_some(const struct writer *w, const char *bytes, size_t len)
{
	struct pollfd out = {.fd = w->fd, .events = POLLOUT};
	ssize_t n;
	int state;

	if (w->waits) {
		if (poll(&out, 1, LOOK_MS) == 0) {
			errno = EAGAIN;
			return -1;
		}
		/* A pipe that is ready has room for this much, so the write does not block. */
		if (len > PIPE_BUF)
			len = PIPE_BUF;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	n = write(w->fd, bytes, len);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return n;
}

/* How many of the bytes were written: all, or fewer with errno. */
static size_t write_all(const struct writer *w, const char *bytes, size_t len)
{
	size_t done = 0;

	errno = 0;
	while (done < len && !atomic_load(&w->stop)) {
		ssize_t n = write_some(w, bytes + done, len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return done;
}

/* Writes the lines gathered in `out`; who is not written whole, failed. */
static void write_lines(struct writer *w)
{
	size_t done = write_all(w, w->out.data, w->out.len), at = w->torn ? 1 : 0;
	int failed = errno;
	struct line *line;

	if (atomic_load(&w->stop) && done < w->out.len)
		failed = ECANCELED; /* not reported any more */
	for (line = w->writing.first; line; line = line->next) {
		at += line->len + 1;
		line->failed = at <= done ? 0 : failed;
	}
	if (done)
		w->torn = w->out.data[done - 1] != '\n';
	buf_clear(&w->out);
	line = w->writing.first;
	w->writing = (struct lines){0};
	mailbox_post(w->loop, take_back, line);
}

static void write_got(struct writer *w)
{
	while (w->got.first && !atomic_load(&w->stop)) {
		if (w->torn)
			buf_addc(&w->out, '\n');
		while (w->got.first && w->out.len < WRITE_MAX) {
			struct line *line = w->got.first;

			w->got.first = line->next;
			buf_add(&w->out, line->body, line->len);
			buf_addc(&w->out, '\n');
			lines_add(&w->writing, line);
		}
		write_lines(w);
	}
}

static void *run(void *arg)
{
	struct writer *w = arg;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (!atomic_load(&w->stop)) {
		mailbox_wait(w->inbox, -1);
		mailbox_run(w->inbox);
		write_got(w);
	}
	return NULL;
}

/* --- open, send, close --- */

/* Does the file end within a line? A kill may have done that. */
static bool ends_torn(int fd)
{
	char path[64], last = '\n';
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* ours may be open for writing only */
	own = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return false;
	if (pread(own, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(own);
	return last != '\n';
}

static int open_fd(struct writer *w, const char *path, struct err *err)
{
	struct stat st;

	/* Not to wait for the reader of a named pipe; the mode keeps recipients' data private. */
	w->fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600)
		     : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return err_set(err, ERR_IO, "%s: %s", path ? path : "standard output",
			       strerror(errno));
	w->waits = !S_ISREG(st.st_mode);
	w->torn = ends_torn(w->fd);
	return 0;
}

static int stdout_open(void *self, const void *settings, const struct transport_env *env,
		       struct err *err)
{
	const struct stdout_settings *s = settings;
	struct writer *w = xcalloc(1, sizeof *w);

	w->env = env;
	w->loop = env->loop;
	buf_init(&w->out, BUF_MAX);
	if (open_fd(w, s->path, err) < 0) {
		writer_free(w);
		return -1;
	}
	w->inbox = mailbox_open(NULL, NULL);
	if (thread_start(&w->thread, "stdout", run, w, err) < 0) {
		mailbox_close(w->inbox);
		close(w->fd);
		writer_free(w);
		return -1;
	}
	((struct stdout_self *)self)->writer = w;
	return 0;
}

static void stdout_send(void *self, const struct parcel *parcel)
{
	struct writer *w = ((struct stdout_self *)self)->writer;
	struct line *line = xcalloc(1, sizeof *line);

	line->writer = w;
	line->body = parcel->event->body;
	line->len = parcel->event->len;
	line->id = parcel->id;
	line->started_us = clock_mono_us();
	w->open_lines++;
	mailbox_post(w->inbox, take_line, line);
}

static void wake(void *arg)
{
	(void)arg; /* that it came is all */
}

static void free_lines(struct line *line)
{
	struct line *next;

	for (; line; line = next) {
		next = line->next;
		free_line(line);
	}
}

static void stdout_close(void *self)
{
	struct writer *w = ((struct stdout_self *)self)->writer;

	if (!w)
		return;
	atomic_store(&w->stop, true);
	mailbox_post(w->inbox, wake, NULL);
	pthread_cancel(w->thread);
	pthread_join(w->thread, NULL);
	mailbox_close(w->inbox); /* what was in it is now among the lines got */
	close(w->fd);
	free_lines(w->got.first);
	free_lines(w->writing.first); /* the thread ended within the write */
	w->closed = true;
	if (!w->open_lines) /* else the last one in the loop's mailbox does it */
		writer_free(w);
	((struct stdout_self *)self)->writer = NULL;
}

const struct transport_type transport_stdout = {
	.name = "stdout",
	.size = sizeof(struct stdout_self),
	.options = options,
	.settings_size = sizeof(struct stdout_settings),
	.in_flight = 256, /* lines that one write takes together */
	.open = stdout_open,
	.send = stdout_send,
	.close = stdout_close,
};
