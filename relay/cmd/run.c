/*
 * relay run — the daemon. Signals become bytes in a pipe that the loop reads: the handler does
 * nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"
#include "relay/cmd/cmd.h"
#include "relay/relay.h"

#define FILES_WANTED 65536

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	{0, "log-level", "LEVEL", "debug, info, warn or error; overrules the file"},
	{0},
};

const struct command cmd_run = {
	.name = "run",
	.operands = "",
	.summary = "follow the broadcasts and deliver what happens to them",
	.example =
		"  relay run -c relay.yaml\n\n"
		"SIGHUP loads the configuration anew; SIGTERM and SIGINT stop: what is in flight\n"
		"may end, a second signal ends at once.",
	.flags = flags,
	.run = run,
};

static int signal_pipe[2];

static void on_signal(int number)
{
	int before = errno;
	char byte = number == SIGHUP ? 'H' : 'T';
	if (write(signal_pipe[1], &byte, 1) < 0) {
		/* The pipe is full of commands already. */
	}
	errno = before;
}

static int catch_signals(struct err *err)
{
	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigemptyset(&act.sa_mask);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	return 0;
}

/* Every call that is open is a file, and a shell's usual 1,024 are few. Nothing here uses select(),
 * for which that limit is kept low. */
static void raise_open_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_WANTED)
		return;
	files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &files); /* else it goes on with fewer */
}

static int run(const struct command *self, const struct args *a)
{
	struct err err = {0};
	enum log_level level = LOG_INFO;
	const char *name = arg_value(a, "log-level");
	if (name && !log_level_parse(name, &level))
		return cmd_usage(self, "--log-level is debug, info, warn or error, not \"%s\"",
				 name);
	mem_return_large();
	raise_open_files();
	struct settings *s = cmd_settings(a);
	if (!s)
		return EXIT_BAD_CONFIG;
	log_set_level(name ? level : (enum log_level)s->config.log_level);
	if (catch_signals(&err) < 0) {
		settings_free(s);
		return cmd_fail(self, &err);
	}
	prctl(PR_SET_DUMPABLE, 0); /* keys stay out of core files */
	struct relay_env env = {.seed = random_u64()};
	struct relay *r = relay_open(s, &env, &err);
	if (!r)
		return cmd_fail(self, &err);
	log_info("relay started", log_str("version", RELAY_VERSION), log_str("config", s->path));
	int status = relay_run(r, signal_pipe[0]);
	relay_close(r);
	log_info("relay stopped", log_num("status", status));
	return status;
}
