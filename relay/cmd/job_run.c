/* job_run — see the header. */
#include "relay/cmd/job_run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/json_add.h"
#include "relay/cmd/change.h"
#include "relay/cmd/named.h"
#include "relay/cmd/screen.h"

#define LOOK_MS 200

static const struct {
	const char *is, *will; /* so many events */
} words[] = {
	[JOB_RETRY] = {"due again", "be tried again"},
	[JOB_DROP] = {"dropped", "be dropped"},
	[JOB_REPLAY] = {"due once more", "be sent once more"},
};

/* ---- waiting ---- */

static void show_progress(const struct job *j, bool *shown)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\rjob %" PRId64 ": %" PRId64 " events looked at, %" PRId64 " taken", j->id,
		j->looked, j->taken);
	*shown = true;
}

static int wait_for_end(const struct settings *s, struct job *j, struct err *err)
{
	bool shown = false;
	int failed = 0;
	while (!failed && job_is_open(j)) {
		struct timespec look = {0, LOOK_MS * 1000000L};
		nanosleep(&look, NULL);
		failed = change_job_state(s, j, err);
		show_progress(j, &shown);
	}
	if (shown)
		fputs("\r\033[K", stderr);
	return failed ? err_wrap(err,
				 "job %" PRId64
				 " was taken and goes on; how far it is cannot be told",
				 j->id)
		      : 0;
}

/* ---- telling ---- */

static void print_json(const struct job *j)
{
	struct buf out = BUF_INIT(2 * JOB_TEXT_MAX);
	job_write(&out, j);
	puts(out.data);
	buf_release(&out);
}

static void print_text(const struct job *j, bool running)
{
	if (!running) {
		printf("no relay runs: job %" PRId64 " is in the journal and begins at the next "
		       "start\n",
		       j->id);
		return;
	}
	if (j->state == JOB_DONE || j->taken)
		printf("%" PRId64 " event%s %s", j->taken, j->taken == 1 ? " is" : "s are",
		       words[j->kind].is);
	if (j->state != JOB_DONE)
		printf("%sjob %" PRId64 " is %s", j->taken ? "; " : "", j->id,
		       job_states[j->state]);
	if (j->why) {
		fputs(": ", stdout);
		screen_text(j->why);
	}
	putchar('\n');
}

static int do_it(const struct command *self, const struct args *a, const struct selection *s)
{
	struct settings *settings = cmd_settings_part(a, SETTINGS_ADMIN);
	struct job j = {0};
	struct err err = {0};
	bool running = false;
	if (!settings)
		return EXIT_BAD_CONFIG;
	int failed = change_job(settings, s->text, &j, &running, &err);
	if (!failed && running && !arg_given(a, "no-wait"))
		failed = wait_for_end(settings, &j, &err);
	if (!failed && cmd_wants_json(a))
		print_json(&j);
	else if (!failed)
		print_text(&j, running);
	int status = failed						 ? cmd_fail(self, &err)
		     : j.state == JOB_FAILED || j.state == JOB_CANCELLED ? EXIT_FOUND
									 : EXIT_OK;
	job_release(&j);
	settings_free(settings);
	return status;
}

static int count(const struct command *self, const struct args *a, const struct selection *s)
{
	struct reading from = {0};
	struct err err = {0};
	int64_t n = 0;
	int failed = reading_open(&from, a, SETTINGS_JOURNAL, &err);
	if (!failed)
		failed = selection_count(&from, s, &n, &err);
	if (!failed && cmd_wants_json(a))
		printf("{\"events\":%" PRId64 "}\n", n);
	else if (!failed)
		printf("%" PRId64 " event%s would %s\n", n, n == 1 ? "" : "s",
		       words[s->job.kind].will);
	reading_close(&from);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

/* Those that are named one by one are looked up beforehand: a job tells only how many it took. */
static int check_named(const struct command *self, const struct args *a, const struct selection *s,
		       size_t *ret_missing)
{
	struct reading from = {0};
	struct err err = {0};
	*ret_missing = 0;
	if (!s->job.ids.n)
		return EXIT_OK;
	int failed = reading_open(&from, a, SETTINGS_JOURNAL, &err);
	if (!failed)
		failed = named_check(&from, s, self->name, ret_missing, &err);
	reading_close(&from);
	return failed ? reading_fail(self, &err) : EXIT_OK;
}

static int take(const struct command *self, const struct args *a, const struct selection *s)
{
	size_t missing;
	int status = check_named(self, a, s, &missing);
	if (status != EXIT_OK)
		return status;
	if (missing && missing == s->job.ids.n)
		return EXIT_FOUND;
	status = arg_given(a, "dry-run") ? count(self, a, s) : do_it(self, a, s);
	return status == EXIT_OK && missing ? EXIT_FOUND : status;
}

int job_run(const struct command *self, const struct args *a, enum job_kind kind, size_t first)
{
	struct selection s = {0};
	struct err err = {0};
	int status;
	if (selection_read(&s, kind, a, first, &err) < 0)
		return cmd_usage(self, "%s", err.msg);
	if (selection_is_empty(&s) && !arg_given(a, "all"))
		status = cmd_usage(self, "nothing says which events; --all takes all of them");
	else if (s.job.reroute && arg_given(a, "dry-run"))
		status = cmd_usage(self, "--reroute cannot be counted beforehand; `relay backtest` "
					 "tells what rules would send");
	else
		status = take(self, a, &s);
	selection_release(&s);
	return status;
}
