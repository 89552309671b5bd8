/* stdout under the transports' contract, and what is its own: files, torn lines, full pipes. */
#include "tests/suite/transport_suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/mem.h"

struct far {
	char *folder, *path;
	int fifo; /* -1: a file */
	char *text, **lines;
	size_t n;
};

static void *far_open(bool hangs, char **ret_config)
{
	const char *tmp = getenv("TMPDIR");
	struct far *f = xcalloc(1, sizeof *f);

	f->folder = xasprintf("%s/relay-stdout-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->folder));
	f->path = xasprintf("%s/out", f->folder);
	f->fifo = -1;
	if (hangs) {
		assert_int_equal(mkfifo(f->path, 0600), 0);
		f->fifo = open(f->path, O_RDONLY | O_NONBLOCK);
		assert_true(f->fifo >= 0);
	}
	*ret_config = xasprintf("{path: %s}", f->path);
	return f;
}

static void forget_lines(struct far *f)
{
	free(f->text);
	free(f->lines);
	f->text = NULL;
	f->lines = NULL;
	f->n = 0;
}

/* The whole lines that the file holds now. */
static void read_lines(struct far *f)
{
	FILE *file = fopen(f->path, "r");
	size_t cap = 0, size = 0;
	char *save = NULL;
	struct stat st;

	forget_lines(f);
	if (!file)
		return;
	assert_int_equal(fstat(fileno(file), &st), 0);
	f->text = xcalloc(1, (size_t)st.st_size + 1);
	size = fread(f->text, 1, (size_t)st.st_size, file);
	fclose(file);
	while (size && f->text[size - 1] != '\n')
		f->text[--size] = '\0';
	for (char *line = strtok_r(f->text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		f->lines = mem_grow(f->lines, f->n, &cap, sizeof *f->lines);
		f->lines[f->n++] = line;
	}
}

static size_t far_count(void *far, size_t n)
{
	struct far *f = far;
	int64_t end = clock_mono_us() + 10000000;

	do {
		read_lines(f);
	} while (f->n < n && clock_mono_us() < end);
	return f->n;
}

static const char *far_body(void *far, size_t i)
{
	return ((struct far *)far)->lines[i];
}

static void far_close(void *far)
{
	struct far *f = far;

	if (f->fifo >= 0)
		close(f->fifo);
	forget_lines(f);
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	free(f->folder);
	free(f->path);
	free(f);
}

static const struct suite_transport under = {
	.type = &transport_stdout,
	.far_open = far_open,
	.far_count = far_count,
	.far_body = far_body,
	.far_close = far_close,
	.can_hang = true,
};

/* --- its own --- */

struct answers {
	size_t n;
	enum verdict last;
	char why[64];
};

static void take(void *arg, uint64_t id, const struct outcome *outcome)
{
	struct answers *a = arg;

	(void)id;
	a->n++;
	a->last = outcome->verdict;
	snprintf(a->why, sizeof a->why, "%s", outcome->why ? outcome->why : "");
}

struct pen {
	struct far *far;
	char *config;
	struct mailbox *loop;
	struct transport_env env;
	struct answers answers;
	void *self;
};

static void pen_start(struct pen *p)
{
	struct {
		char *path;
	} settings = {p->far->path};
	struct err err = {0};

	p->self = xcalloc(1, transport_stdout.size);
	if (transport_stdout.open(p->self, &settings, &p->env, &err) < 0)
		fail_msg("%s", err.msg);
}

static void pen_stop(struct pen *p)
{
	transport_stdout.close(p->self);
	free(p->self);
}

static void pen_open(struct pen *p, bool fifo)
{
	*p = (struct pen){0};
	p->far = far_open(fifo, &p->config);
	p->loop = mailbox_open(NULL, NULL);
	p->env = (struct transport_env){
		.destination = "out", .loop = p->loop, .done = take, .arg = &p->answers};
}

static void pen_close(struct pen *p)
{
	mailbox_close(p->loop);
	far_close(p->far);
	free(p->config);
}

static void write_line(struct pen *p, struct event *ev, struct parcel *parcel)
{
	*parcel = (struct parcel){.id = 1, .event = ev};
	transport_stdout.send(p->self, parcel);
}

static void wait_answers(struct pen *p, size_t n)
{
	for (int i = 0; i < 100 && p->answers.n < n; i++) {
		mailbox_wait(p->loop, 100);
		mailbox_run(p->loop);
	}
	assert_int_equal(p->answers.n, n);
}

static void test_torn_line_is_ended(void **state)
{
	struct event ev = {.body = (char[]){"{\"a\":1}"}, .len = 7};
	struct parcel parcel;
	struct pen p;
	FILE *torn;

	(void)state;
	pen_open(&p, false);
	torn = fopen(p.far->path, "w");
	assert_non_null(torn);
	fputs("{\"a\":0}\n{\"a", torn); /* as a kill leaves it */
	fclose(torn);
	for (size_t i = 1; i <= 2; i++) { /* the second start finds nothing torn */
		pen_start(&p);
		write_line(&p, &ev, &parcel);
		wait_answers(&p, i);
		pen_stop(&p);
	}
	assert_int_equal(far_count(p.far, 4), 4);
	assert_string_equal(p.far->lines[1], "{\"a");
	assert_string_equal(p.far->lines[2], "{\"a\":1}");
	assert_string_equal(p.far->lines[3], "{\"a\":1}");
	pen_close(&p);
}

/* An error within a line: that line is tried again, and begins a new one. */
static void test_line_torn_by_an_error(void **state)
{
	struct event ev = {.body = (char[]){"{\"a\":1}"}, .len = 7};
	struct rlimit before, tight;
	struct parcel parcel;
	struct pen p;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = (struct rlimit){.rlim_cur = 12, .rlim_max = before.rlim_max};
	pen_open(&p, false);
	pen_start(&p);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (size_t i = 1; i <= 2; i++) {
		write_line(&p, &ev, &parcel);
		wait_answers(&p, i);
		assert_int_equal(p.answers.last, i == 1 ? SENT : TRY_AGAIN);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(p.answers.why, strerror(EFBIG));
	write_line(&p, &ev, &parcel);
	wait_answers(&p, 3);
	assert_int_equal(far_count(p.far, 3), 3);
	assert_string_equal(p.far->lines[1], "{\"a\"");
	assert_string_equal(p.far->lines[2], "{\"a\":1}");
	pen_stop(&p);
	pen_close(&p);
}

static void test_mode_of_a_new_file(void **state)
{
	struct stat st;
	struct pen p;

	(void)state;
	pen_open(&p, false);
	pen_start(&p);
	assert_int_equal(stat(p.far->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	pen_stop(&p);
	pen_close(&p);
}

/* No verdict while the pipe is full; SENT once its reader reads; each line once and whole. */
static void test_full_pipe_goes_on(void **state)
{
	enum { LINES = 40, LEN = 9000 };
	static char body[LEN + 1];
	struct event ev = {.body = body, .len = LEN};
	struct parcel parcels[LINES];
	char *got = xcalloc(1, LINES * (LEN + 1) + 1);
	size_t n = 0;
	struct pen p;

	(void)state;
	memset(body, 'y', LEN);
	pen_open(&p, true);
	pen_start(&p);
	for (size_t i = 0; i < LINES; i++)
		write_line(&p, &ev, &parcels[i]);
	mailbox_wait(p.loop, 200);
	mailbox_run(p.loop);
	assert_true(p.answers.n < LINES);
	while (n < LINES * (LEN + 1)) {
		struct pollfd in = {.fd = p.far->fifo, .events = POLLIN};

		assert_int_equal(poll(&in, 1, 5000), 1);
		ssize_t more = read(p.far->fifo, got + n, LINES * (LEN + 1) - n);

		assert_true(more > 0);
		n += (size_t)more;
	}
	wait_answers(&p, LINES);
	assert_int_equal(p.answers.last, SENT);
	for (size_t i = 0; i < LINES; i++) {
		assert_memory_equal(got + i * (LEN + 1), body, LEN);
		assert_int_equal(got[i * (LEN + 1) + LEN], '\n');
	}
	pen_stop(&p);
	pen_close(&p);
	free(got);
}

static void test_reader_gone(void **state)
{
	struct event ev = {.body = (char[]){"{}"}, .len = 2};
	struct parcel parcel;
	struct pen p;

	(void)state;
	pen_open(&p, true);
	pen_start(&p);
	close(p.far->fifo);
	write_line(&p, &ev, &parcel);
	wait_answers(&p, 1);
	assert_int_equal(p.answers.last, TRY_AGAIN);
	assert_string_equal(p.answers.why, strerror(EPIPE));
	p.far->fifo = open(p.far->path, O_RDONLY | O_NONBLOCK); /* another reader comes */
	write_line(&p, &ev, &parcel);
	wait_answers(&p, 2);
	assert_int_equal(p.answers.last, SENT);
	pen_stop(&p);
	pen_close(&p);
}

static void test_disk_full(void **state)
{
	struct event ev = {.body = (char[]){"{}"}, .len = 2};
	struct parcel parcel;
	struct pen p;

	(void)state;
	pen_open(&p, false);
	free(p.far->path);
	p.far->path = xstrdup("/dev/full");
	pen_start(&p);
	write_line(&p, &ev, &parcel);
	wait_answers(&p, 1);
	assert_int_equal(p.answers.last, TRY_AGAIN);
	assert_string_equal(p.answers.why, strerror(ENOSPC));
	pen_stop(&p);
	free(p.far->path);
	p.far->path = xasprintf("%s/out", p.far->folder);
	pen_close(&p);
}

static void test_open_fails_with_the_path(void **state)
{
	struct {
		char *path;
	} settings = {(char[]){"/nonexistent/folder/out"}};
	struct transport_env env = {.destination = "out"};
	void *self = xcalloc(1, transport_stdout.size);
	struct err err = {0};

	(void)state;
	assert_int_equal(transport_stdout.open(self, &settings, &env, &err), -1);
	assert_non_null(strstr(err.msg, "/nonexistent/folder/out: "));
	transport_stdout.close(self);
	free(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torn_line_is_ended),
		cmocka_unit_test(test_line_torn_by_an_error),
		cmocka_unit_test(test_mode_of_a_new_file),
		cmocka_unit_test(test_full_pipe_goes_on),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_open_fails_with_the_path),
	};

	return transport_suite_run(&under) + cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
