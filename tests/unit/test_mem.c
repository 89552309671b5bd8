/* mem — what cannot be had ends the process by SIGABRT with one line; the rest is what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"

/* The sanitizers' allocators shall answer NULL, as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static volatile size_t huge = SIZE_MAX / 2 - 4096; /* volatile: the compiler shall not warn */

static void ask_malloc(void)
{
	free(xmalloc(huge));
}

static void ask_calloc(void)
{
	free(xcalloc(huge, 1));
}

static void ask_calloc_overflow(void)
{
	free(xcalloc(huge, 8));
}

static void ask_lines(void)
{
	free(mem_lines(huge, 1));
}

static void ask_lines_overflow(void)
{
	free(mem_lines(huge, 8));
}

static void ask_realloc(void)
{
	free(xrealloc(NULL, huge, 1));
}

static void ask_realloc_overflow(void)
{
	free(xrealloc(NULL, huge / 4 + 1026, 8)); /* the product would wrap to 8 */
}

static void ask_strndup(void)
{
	free(xstrndup("a", huge * 2 + 8193)); /* SIZE_MAX: no room for the NUL */
}

static void ask_grow(void)
{
	size_t cap = huge;

	free(mem_grow(NULL, cap, &cap, 16));
}

static void in_child(void (*ask)(void), int stderr_fd)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGABRT, SIG_DFL);
	dup2(stderr_fd, STDERR_FILENO);
	ask();
	_exit(0);
}

static void aborts_with_one_line(void **state)
{
	static void (*const asks[])(void) = {
		ask_lines,   ask_lines_overflow,   ask_malloc,	ask_calloc, ask_calloc_overflow,
		ask_realloc, ask_realloc_overflow, ask_strndup, ask_grow};

	(void)state;
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		char text[4096] = "";
		int fds[2], status;
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0)
			in_child(asks[i], fds[1]);
		close(fds[1]);
		FILE *in = fdopen(fds[0], "r");
		size_t len = fread(text, 1, sizeof text - 1, in);
		fclose(in);
		text[len] = '\0';
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_non_null(strstr(text, "relay: out of memory\n"));
	}
}

static void nothing_is_something(void **state)
{
	void *v[] = {xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xrealloc(NULL, 0, 8),
		     xrealloc(xmalloc(9), 3, 0)};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		assert_non_null(v[i]);
		free(v[i]);
	}
}

static void zeroes_and_keeps(void **state)
{
	unsigned char *p = xcalloc(100, 3);

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 300);
	p = xrealloc(p, 1000, 10);
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 7);
	free(p);
}

static void lines_begin_at_lines(void **state)
{
	(void)state;
	for (size_t n = 0; n < 200; n += 33) {
		unsigned char *p = mem_lines(n, 3);

		assert_int_equal((uintptr_t)p % MEM_LINE, 0);
		for (size_t i = 0; i < n * 3; i++)
			assert_int_equal(p[i], 0);
		memset(p, 1, n * 3);
		free(p);
	}
}

static void copies_strings(void **state)
{
	static const char unended[3] = {'a', '\0', 'b'};
	char *texts[] = {xstrdup("x y"), xstrndup("abcdef", 3), xstrndup(NULL, 0),
			 xasprintf("%s-%d", "n", 5), xstrndup(unended, 3)};

	(void)state;
	assert_null(xstrdup(NULL));
	assert_string_equal(texts[0], "x y");
	assert_string_equal(texts[1], "abc");
	assert_string_equal(texts[2], "");
	assert_string_equal(texts[3], "n-5");
	assert_memory_equal(texts[4], "a\0b", 4);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]);
}

static void grows_by_doubling(void **state)
{
	struct {
		int *v;
		size_t n, cap;
	} list = {0};
	size_t moves = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		size_t before = list.cap;
		list.v = mem_grow(list.v, list.n, &list.cap, sizeof *list.v);
		assert_true(list.cap > list.n);
		moves += list.cap != before;
		list.v[list.n++] = i;
	}
	for (int i = 0; i < 10000; i++)
		assert_int_equal(list.v[i], i);
	assert_true(moves <= 14);
	free(list.v);
}

static size_t mapped(void)
{
	return mallinfo2().hblkhd;
}

/* By itself malloc keeps in the heap what is not larger than the largest that was freed. */
static void large_is_returned(void **state)
{
	size_t before = mapped();

	(void)state;
	mem_return_large();
	void *largest = xmalloc(16 << 20);
	bool counted = mapped() > before;
	free(largest);
	if (!counted)
		skip(); /* a sanitizer's allocator counts elsewhere */
	void *large = xmalloc(2 << 20);
	assert_true(mapped() > before);
	free(large);
	assert_int_equal(mapped(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aborts_with_one_line), cmocka_unit_test(nothing_is_something),
		cmocka_unit_test(zeroes_and_keeps),	cmocka_unit_test(lines_begin_at_lines),
		cmocka_unit_test(copies_strings),	cmocka_unit_test(grows_by_doubling),
		cmocka_unit_test(large_is_returned),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
