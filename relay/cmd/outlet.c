/* outlet — see the header. Not stdio: there, what a signal cut short is neither known nor tried
 * again. */
#include "relay/cmd/outlet.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"

#define FULL	65536
#define LOOK_MS 200  /* between two looks at *stop */
#define LAST_MS 1000 /* for a reader to take something once *stop is set */

void outlet_init(struct outlet *l, const volatile sig_atomic_t *stop, bool quiet)
{
	*l = (struct outlet){.text = BUF_INIT(SIZE_MAX / 2), .stop = stop, .quiet = quiet};
}

int outlet_add(struct outlet *l, const char *text, size_t len, struct err *err)
{
	buf_add(&l->text, text, len);
	buf_addc(&l->text, '\n');
	return l->text.len >= FULL ? outlet_flush(l, err) : 0;
}

static int fail(const struct outlet *l, struct err *err)
{
	if (errno == EPIPE && l->quiet) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return err_set(err, ERR_IO, "standard output: %s", strerror(errno));
}

/* Waits until some bytes can be written without waiting. */
static int wait_writable(const struct outlet *l, struct err *err)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	int64_t until_ms = INT64_MAX;

	while (poll(&p, 1, LOOK_MS) <= 0) {
		int64_t now = clock_now().mono_ms;
		if (*l->stop && until_ms == INT64_MAX)
			until_ms = now + LAST_MS;
		if (now >= until_ms)
			return err_set(err, ERR_IO, "standard output: nobody reads it");
	}
	return 0;
}

static int write_all(const struct outlet *l, struct err *err)
{
	size_t done = 0;

	while (done < l->text.len) {
		size_t len = l->text.len - done;
		if (wait_writable(l, err) < 0)
			return -1;
		/* A pipe that can be written takes so much at once. */
		ssize_t n =
			write(STDOUT_FILENO, l->text.data + done, len < PIPE_BUF ? len : PIPE_BUF);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fail(l, err);
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int outlet_flush(struct outlet *l, struct err *err)
{
	if (l->failed)
		return err_set(err, ERR_IO, "standard output failed before");
	l->failed = write_all(l, err) < 0;
	buf_clear(&l->text);
	return l->failed ? -1 : 0;
}
