/*
 * test_suite — files of tests, run: what is told of each test, in whichever form it is asked for.
 */
#ifndef RELAY_TEST_SUITE_H
#define RELAY_TEST_SUITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/base/buf.h"

struct test_result {
	char *name; /* owned, as all texts here */
	unsigned line;
	bool failed;
	char *text;  /* of one that failed: lines of where it differs … */
	char *json;  /* … and an array of the same */
	char *shown; /* what came, where that was asked for; or NULL */
	int64_t took_us;
};

struct test_suite { /* a file */
	char *path;
	char *bad; /* why it, or the configuration it names, could not be read, a line each; or NULL
		    */
	struct test_result *v;
	size_t n;
};

struct test_suites {
	struct test_suite *v;
	size_t n;
};

struct test_wish {
	const char *config; /* in place of what the files name; or NULL */
	const char *filter; /* only tests whose name holds it; or NULL */
	bool show;
};

/* Runs one file and appends what is to tell. Warnings go to stderr. */
void test_suite_run(struct test_suites *all, const char *path, const struct test_wish *wish);
void test_suites_release(struct test_suites *all);

struct test_totals {
	size_t passed, failed, bad; /* bad: files */
};
struct test_totals test_suites_count(const struct test_suites *all);

/* The forms. */
typedef void test_report_fn(const struct test_suites *all, FILE *out);
void test_report_text(const struct test_suites *all, FILE *out);  /* for people */
void test_report_json(const struct test_suites *all, FILE *out);  /* a line a test, and totals */
void test_report_tap(const struct test_suites *all, FILE *out);	  /* TAP version 14 */
void test_report_junit(const struct test_suites *all, FILE *out); /* JUnit's XML */

#endif
