/* polling_remote — see the header. Invariant: before anything is asked, the process has been
 * stepped to the time of the question. */
#include "tests/bench/polling_remote.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "relay/base/http.h"
#include "relay/base/mem.h"
#include "tests/bench/child.h"
#include "tests/suite/store_fixture.h"

struct remote {
	pid_t pid;
	char *dir, *url;
	struct http *http;
	int64_t now_ms;
};

struct wait {
	http_done *done;
	void *arg;
	bool over;
};

/* Real time is none of the simulation's. */
static void pass_on(void *arg, const struct http_reply *reply)
{
	struct wait *w = arg;
	struct http_reply r = *reply;
	r.took_us = 0;
	w->over = true;
	w->done(w->arg, &r);
}

static void ask(struct remote *r, const char *method, const char *path, const char *authorization,
		struct wait *w)
{
	struct err err = {0};
	char *url = xasprintf("%s%s", r->url, path);
	char *key = authorization ? xasprintf("Authorization: %s", authorization) : NULL;
	struct http_call call = {.method = method,
				 .url = url,
				 .headers = (const char *const[]){key, NULL},
				 .body = "",
				 .max_reply = 16 << 20};
	if (http_start(r->http, &call, pass_on, w, NULL, &err) < 0)
		child_give_up(err.msg);
	while (!w->over)
		if (http_wait(r->http, 1000, -1, &err) < 0)
			child_give_up(err.msg);
	free(key);
	free(url);
}

static void must_work(void *arg, const struct http_reply *reply)
{
	(void)arg;
	if (reply->failure != HTTP_OK || reply->status != 200)
		child_give_up("the simulator refuses what it is told to do");
}

static void command(struct remote *r, char *path)
{
	ask(r, "POST", path, NULL, &(struct wait){.done = must_work});
	free(path);
}

static void step_to(struct remote *r, int64_t now_ms)
{
	if (now_ms == r->now_ms)
		return;
	command(r, xasprintf("/sim/step?ms=%lld", (long long)(now_ms - r->now_ms)));
	r->now_ms = now_ms;
}

struct remote *remote_open(const struct polling_job *job, const struct model_options *o)
{
	struct remote *r = xcalloc(1, sizeof *r);
	struct err err = {0};
	char epoch[DATE_TEXT];
	*r = (struct remote){.dir = fixture_folder(), .now_ms = o->epoch_ms};
	char *log = xasprintf("%s/sim.log", r->dir), *program = child_binary("invent-sim");
	char *seed = xasprintf("%llu", (unsigned long long)o->seed);
	char *recipients = xasprintf("%u", job->recipients);
	char *ramp = xasprintf("%lldms", (long long)o->ramp_ms);
	char *until = xasprintf("%lldms", (long long)o->until_ms);
	r->pid = child_start((const char *const[]){program,
						   "--hold",
						   "--no-key",
						   "--rate-limit",
						   "0",
						   "--start",
						   "0s",
						   "--org",
						   o->org,
						   "--kind",
						   o->broadcasts[0].kind,
						   "--order",
						   job->order->name,
						   "--counters",
						   job->counters->option,
						   "--epoch",
						   date_format(epoch, o->epoch_ms),
						   "--seed",
						   seed,
						   "--recipients",
						   recipients,
						   "--ramp",
						   ramp,
						   "--until",
						   until,
						   NULL},
			     log);
	r->url = child_url(log);
	r->http = http_open(1, &err);
	if (!r->http)
		child_give_up(err.msg);
	free(log);
	free(program);
	free(seed);
	free(recipients);
	free(ramp);
	free(until);
	return r;
}

void remote_close(struct remote *r)
{
	int status;
	if (!r)
		return;
	http_close(r->http);
	kill(r->pid, SIGTERM);
	waitpid(r->pid, &status, 0);
	fixture_remove(r->dir);
	free(r->url);
	free(r);
}

void remote_serve(struct remote *r, int64_t now_ms, const struct sim_request *rq, http_done *done,
		  void *done_arg)
{
	step_to(r, now_ms);
	char *path =
		xasprintf("%s%s%s", rq->path, rq->query ? "?" : "", rq->query ? rq->query : "");
	ask(r, rq->method, path, rq->authorization, &(struct wait){done, done_arg, false});
	free(path);
}

void remote_change(struct remote *r, int64_t now_ms, const char *broadcast, const char *recipient,
		   enum sim_what what)
{
	step_to(r, now_ms);
	command(r, xasprintf("/sim/change?broadcast=%s&recipient=%s&state=%s&value=true", broadcast,
			     recipient, sim_what_names[what]));
}
