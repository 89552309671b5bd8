/* main — `invent-sim` serves until a signal, `invent-sim verify` compares. The only file that
 * starts the real clock and waits for signals. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "examples/invent-sim/server.h"
#include "examples/invent-sim/settings.h"
#include "examples/invent-sim/verify.h"
#include "relay/base/clock.h"

static int fail(const struct err *err, int status)
{
	fprintf(stderr, "invent-sim: %s\n", err->msg);
	return status;
}

static int serve_until_signal(struct sim *sim, const struct settings *s)
{
	struct err err = {0};
	sigset_t set;
	int caught;

	sigemptyset(&set); /* blocked before any thread is made, so that sigwait gets them */
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);

	struct sim_server *server = sim_server_open(sim, s->host, s->port, &err);
	if (!server)
		return fail(&err, 1);
	printf(strchr(s->host, ':') ? "listening on http://[%s]:%u\n"
				    : "listening on http://%s:%u\n",
	       s->host, sim_server_port(server));
	fflush(stdout);
	sigwait(&set, &caught);
	sim_server_close(server);
	return 0;
}

static int replay(const struct settings *s, struct err *err)
{
	struct sim sim = {.replay = replay_open(s->replay, err)};

	if (!sim.replay)
		return fail(err, 2);
	int status = serve_until_signal(&sim, s);
	replay_free(sim.replay);
	return status;
}

static int serve(struct settings *s)
{
	struct err err = {0};
	struct sim sim = {
		.clock = {.epoch_ms = s->model.epoch_ms, .speed = s->speed, .held = true}};

	if (s->replay)
		return replay(s, &err);
	sim.model = model_new(&s->model, &err);
	if (!sim.model || model_set_faults(sim.model, s->faults.v, s->faults.n, &err)) {
		model_free(sim.model);
		return fail(&err, 2);
	}
	if (!s->hold)
		sim_clock_start(&sim.clock, clock_now().mono_ms);
	int status = serve_until_signal(&sim, s);
	model_free(sim.model);
	return status;
}

static int serve_main(int argc, char **argv)
{
	struct settings s;
	int status;

	if (!settings_read(&s, argc, argv, &status))
		status = serve(&s);
	settings_release(&s);
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "verify"))
		return verify_main(argc - 1, argv + 1);
	return serve_main(argc, argv);
}
