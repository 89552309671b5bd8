/* fed — see the header. The relay's own turn, and a commit kept going beside it. */
#include "tests/bench/fed.h"

#include <stdlib.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/relay.h"
#include "relay/relay_state.h"
#include "tests/bench/child.h"
#include "tests/bench/filled.h"

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

static struct relay *open_relay(const char *folder)
{
	char *path = xasprintf("%s/relay.yaml", folder);
	struct problems problems = {0};
	struct err err = {0};
	struct relay_env env = {.seed = 1};
	struct settings *settings = settings_load(path, &problems);
	struct relay *r = settings ? relay_open(settings, &env, &err) : NULL;

	if (!r)
		child_give_up(settings ? err.msg : problems.v[0]);
	free(path);
	return r;
}

static void run(void *arg)
{
	log_set_level(LOG_ERROR);
	struct fed f = {.relay = open_relay(arg)};
	uint32_t destination = f.relay->destinations[0].record.number;

	for (;;) { /* until it is ended */
		if (!f.committing) {
			f.committing = true;
			journal_commit(f.relay->journal, filled_batch(destination), committed, &f);
		}
		relay_wait(f.relay, relay_tick(f.relay, relay_now(f.relay)));
	}
}

pid_t fed_start(const char *folder)
{
	char *copy = xstrdup(folder);
	pid_t pid = child_fork(run, copy);

	free(copy);
	return pid;
}
