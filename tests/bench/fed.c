/* fed — see the header. The relay's own turn, and a commit kept going beside it. */
#include "tests/bench/fed.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay.h"
#include "relay/relay_state.h"
#include "tests/bench/child.h"

struct fed {
	struct relay *relay;
	bool committing;
};

static void committed(void *arg, const struct batch *b, const struct err *err)
{
	struct fed *f = arg;

	if (err)
		child_give_up(err->msg);
	f->committing = false;
	relay_committed(f->relay, b);
}

/* An API that takes its time for ever: one that refuses would be told in the bench's output. */
static int never(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		 struct err *err)
{
	(void)arg, (void)call, (void)done, (void)done_arg, (void)err;
	return 0;
}

static struct relay *open_relay(const char *folder)
{
	char *path = xasprintf("%s/relay.yaml", folder);
	struct problems problems = {0};
	struct err err = {0};
	struct relay_env env = {.fetch = never, .seed = 1};
	struct settings *settings = settings_load(path, &problems);
	struct relay *r = settings ? relay_open(settings, &env, &err) : NULL;

	if (!r)
		child_give_up(settings ? err.msg : problems.v[0]);
	free(path);
	return r;
}

static void feed(struct fed *f, const struct filled *what)
{
	uint32_t destination = f->relay->destinations[0].record.number;

	if (f->committing)
		return;
	f->committing = true;
	journal_commit(f->relay->journal, filled_batch(what, destination), committed, f);
}

static void run(void *arg)
{
	const struct fed_settings *s = arg;

	log_set_level(LOG_ERROR);
	struct fed f = {.relay = open_relay(s->folder)};

	while (s->go && !*s->go)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	for (;;) { /* until it is ended */
		if (s->at_full_speed)
			feed(&f, &s->what);
		relay_wait(f.relay, relay_tick(f.relay, relay_now(f.relay)));
	}
}

pid_t fed_start(const struct fed_settings *settings)
{
	return child_fork(run, (void *)(uintptr_t)settings);
}
