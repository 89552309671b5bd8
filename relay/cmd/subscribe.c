/*
 * relay subscribe — a subscriber that loses nothing: one event a line, or one call of a command for
 * each. What it holds is kept in a file when asked for, so that a restart goes on behind it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/event_command.h"
#include "relay/cmd/follow.h"
#include "relay/cmd/outlet.h"
#include "relay/cmd/statefile.h"
#include "relay/config/option.h"
#include "transports/nng_address.h"
#include "transports/nng_frame.h"
#include "transports/pem.h"

#define OPERANDS_MAX 32
#define SAVE_MS	     1000 /* between two saves of the state */
#define NAME_LONGEST 255  /* TLS takes no longer one */

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	{'r', "refill", "URL", "ask here for what was missed; may be given several times"},
	{0, "after", "SEQUENCE", "begin behind this event"},
	{0, "all", NULL, "begin with the oldest event in the journal"},
	{0, "ca", "FILE", "PEM of the authorities to trust with TLS, in place of the system's"},
	{0, "cert", "FILE", "PEM of our own certificate, where the relay's ca_file wants one"},
	{0, "key", "FILE", "PEM of its key"},
	{0, "server-name", "NAME", "what the relay's certificate is for, if not the URL's host"},
	{'s', "state", "FILE", "remember in FILE what was seen, and go on from there"},
	{'x', "exec", "CMD", "run CMD for each event, with the event on its standard input"},
	{'n', "count", "N", "end after N events"},
	{0, "idle", "DURATION", "end when no event came for so long: 500ms 5s 3m"},
	{0},
};

const struct command cmd_subscribe = {
	.name = "subscribe",
	.operands = "URL… TOPIC…",
	.least = 1,
	.most = OPERANDS_MAX,
	.summary = "print events as they are published on nng, filling gaps",
	.example =
		"  relay subscribe tcp://127.0.0.1:5555 recipient.failed.\n"
		"  relay subscribe tcp://127.0.0.1:5555 '' --refill tcp://127.0.0.1:5556 --all\n"
		"  relay subscribe tls+tcp://relay.example.com:5555 '' --ca ca.pem\n"
		"  relay subscribe ipc:///run/relay/bus recipient.failed. --refill "
		"ipc:///run/relay/refill \\\n"
		"    --state failures.state --exec './on-failure.sh'\n\n"
		"A TOPIC is the beginning of topics, TYPE.INTEGRATION.BROADCAST; with a space at "
		"its\n"
		"end it is exactly that topic, and '' is every event. Several URLs may lead to "
		"the\n"
		"same relay or to relays that share a journal. Without --refill, --state, --after "
		"or\n"
		"--all it begins with what is published from now on. For --exec, the environment "
		"has\n"
		"RELAY_TOPIC, RELAY_TYPE, RELAY_ID and RELAY_SEQUENCE.",
	.flags = flags,
	.run = run,
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void on_pipe(int number)
{
	(void)number;
}

struct subscriber {
	const struct command *self;
	const char *urls[OPERANDS_MAX], *topics[OPERANDS_MAX];
	size_t nurls, ntopics;
	const char *refills[ARGS_VALUES];
	size_t nrefills;
	const char *ca, *cert, *key, *server_name;
	const char *state, *exec;
	int64_t after; /* STREAM_NOW: from now on */
	int64_t count; /* 0: no end */
	int64_t idle_ms;

	struct outlet out;
	bool locked; /* the state */
	struct follow follow;
	int64_t given;
	int64_t event_ms, saved_ms; /* when the last event was given, the state saved */
	bool changed;		    /* since the state was saved */
	int64_t position;	    /* as saved */
};

/* ---- output ---- */

static int print(struct subscriber *s, const struct bus_event *ev, struct err *err)
{
	if (!memchr(ev->body, '\n', ev->len))
		return outlet_add(&s->out, ev->body, ev->len, err);
	/* A line is a line, even if somebody publishes JSON with line ends between its tokens. */
	struct buf flat = BUF_INIT(FRAME_MESSAGE_MAX);
	json_copy(&flat, ev->body, ev->len, NULL);
	int failed = outlet_add(&s->out, flat.data, flat.len, err);
	buf_release(&flat);
	return failed;
}

static int give(void *arg, const struct bus_event *ev, struct err *err)
{
	struct subscriber *s = arg;

	if ((s->exec ? event_command(s->exec, ev, err) : print(s, ev, err)) < 0)
		return -1;
	s->event_ms = clock_now().mono_ms;
	s->changed = true;
	return ++s->given == s->count;
}

static int save(struct subscriber *s, struct err *err)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2);

	if (outlet_flush(&s->out, err) < 0)
		return -1;
	s->changed |= stream_position(s->follow.stream) != s->position;
	if (!s->state || !s->changed || stream_position(s->follow.stream) == STREAM_NOW)
		return 0;
	stream_save(s->follow.stream, &text);
	int failed = statefile_write(s->state, text.data, text.len, err);
	buf_release(&text);
	s->changed = false;
	s->position = stream_position(s->follow.stream);
	return failed;
}

static int on_pause(void *arg, int64_t now_ms, struct err *err)
{
	struct subscriber *s = arg;

	if (outlet_flush(&s->out, err) < 0)
		return -1;
	if (s->state && (s->exec ? s->changed : now_ms - s->saved_ms >= SAVE_MS)) {
		s->saved_ms = now_ms;
		if (save(s, err) < 0)
			return -1;
	}
	return s->idle_ms && now_ms - s->event_ms >= s->idle_ms;
}

static void on_say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "relay subscribe: %s\n", text);
}

/* ---- flags ---- */

static bool read_number(const char *text, int64_t *ret)
{
	return !text || frame_sequence(text, ret);
}

static int read_operands(struct subscriber *s, const struct args *a)
{
	for (size_t i = 0; i < a->noperands; i++) {
		if (strstr(a->operands[i], "://"))
			s->urls[s->nurls++] = a->operands[i];
		else if (strlen(a->operands[i]) > FRAME_TOPIC_MAX)
			return cmd_usage(s->self, "a topic is too long");
		else
			s->topics[s->ntopics++] = a->operands[i];
	}
	if (!s->nurls)
		return cmd_usage(s->self, "a URL is missing, e.g. tcp://127.0.0.1:5555");
	if (!s->ntopics)
		return cmd_usage(s->self, "a TOPIC is missing; '' is every event");
	return 0;
}

static bool has_tls(const char *const *urls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (nng_address_is_tls(urls[i]))
			return true;
	return false;
}

static int read_tls_flags(struct subscriber *s, const struct args *a)
{
	s->ca = arg_value(a, "ca");
	s->cert = arg_value(a, "cert");
	s->key = arg_value(a, "key");
	s->server_name = arg_value(a, "server-name");
	if (!s->cert != !s->key)
		return cmd_usage(s->self, "--cert and --key belong together");
	if (s->server_name && (!*s->server_name || strlen(s->server_name) > NAME_LONGEST))
		return cmd_usage(s->self, "--server-name: 1 to %d bytes are expected",
				 NAME_LONGEST);
	if ((s->ca || s->cert || s->server_name) && !has_tls(s->urls, s->nurls) &&
	    !has_tls(s->refills, s->nrefills))
		return cmd_usage(
			s->self,
			"--ca, --cert, --key and --server-name need a tls+tcp:// or wss:// URL");
	return 0;
}

static int read_flags(struct subscriber *s, const struct args *a)
{
	const char *idle = arg_value(a, "idle");

	for (size_t i = 0; i < arg_count(a, "refill"); i++)
		s->refills[s->nrefills++] = arg_nth(a, "refill", i);
	s->state = arg_value(a, "state");
	s->exec = arg_value(a, "exec");
	s->after = arg_given(a, "all") ? 0 : STREAM_NOW;
	if (arg_given(a, "all") && arg_given(a, "after"))
		return cmd_usage(s->self, "--all and --after say different things");
	if (!read_number(arg_value(a, "after"), &s->after))
		return cmd_usage(s->self, "--after: a sequence is expected, not \"%s\"",
				 arg_value(a, "after"));
	if (!read_number(arg_value(a, "count"), &s->count) || (arg_given(a, "count") && !s->count))
		return cmd_usage(s->self, "--count: a number is expected, not \"%s\"",
				 arg_value(a, "count"));
	if (idle && (!option_duration(idle, &s->idle_ms) || !s->idle_ms))
		return cmd_usage(s->self, "--idle: a duration such as 5s is expected, not \"%s\"",
				 idle);
	if (!s->nrefills && (s->state || s->after != STREAM_NOW))
		return cmd_usage(s->self, "--state, --after and --all need --refill URL");
	return read_tls_flags(s, a);
}

/* ---- run ---- */

static int load_state(struct subscriber *s, struct err *err)
{
	struct buf text = BUF_INIT(STATEFILE_MAX);

	if (!s->state)
		return 0;
	if (statefile_lock(s->state, err) < 0)
		return -1;
	s->locked = true;
	int got = statefile_read(s->state, &text, err);
	if (got > 0) {
		struct err why = {0};
		got = stream_load(s->follow.stream, text.data, text.len, &why);
		if (got < 0)
			err_set(err, ERR_FORMAT, "%s: %s; remove it to begin anew", s->state,
				why.msg);
	}
	buf_release(&text);
	s->position = stream_position(s->follow.stream);
	s->changed = !got; /* so that the next start goes on from where this one began */
	return got;
}

/* Here the flag that names a file is known. */
static int check_tls_files(const struct subscriber *s, struct err *err)
{
	const struct pem_files files = {s->cert, s->key, s->ca};
	const char *which;

	if (pem_check(&files, &which, err) == 0)
		return 0;
	return err_wrap(err, "--%s %s",
			which == s->ca	   ? "ca"
			: which == s->cert ? "cert"
					   : "key",
			which);
}

static int open_follow(struct subscriber *s, struct err *err)
{
	struct bus_addresses at = {s->urls,   s->nurls,	      s->refills, s->nrefills,
				   s->topics, s->ntopics,     s->ca,	  s->cert,
				   s->key,    s->server_name, &stopped};

	s->follow = (struct follow){
		.stream = stream_new(s->topics, s->ntopics, s->after),
		.subscriptions = s->topics,
		.nsubscriptions = s->ntopics,
		.refills = s->nrefills > 0,
		.stop = &stopped,
		.give = give,
		.pause = on_pause,
		.say = on_say,
		.arg = s,
	};
	if (s->nurls > 1)
		stream_share(s->follow.stream);
	if (check_tls_files(s, err) < 0 || load_state(s, err) < 0)
		return -1;
	s->follow.missing = stream_position(s->follow.stream) != STREAM_NOW;
	s->follow.begun = !s->follow.missing;
	s->follow.unsure = true;
	s->follow.client = bus_client_open(&at, err);
	return s->follow.client ? 0 : -1;
}

static void catch_signals(struct subscriber *s)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, before;

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL); /* a second one ends it at once */
	sigaction(SIGTERM, &act, NULL);
	/* A refill address may go, a command need not read its input. Not SIG_IGN, which that
	 * would inherit. */
	act.sa_handler = on_pipe;
	act.sa_flags = SA_RESTART;
	sigaction(SIGPIPE, &act, &before);
	outlet_init(&s->out, &stopped, before.sa_handler == SIG_DFL);
}

/* What was given before something failed is remembered, so that only the rest comes again. */
static int end_badly(struct subscriber *s, const struct err *why)
{
	struct err second = {0};

	if (s->follow.client && !s->out.failed && save(s, &second) < 0)
		on_say(s, second.msg);
	if (why->code == ERR_STORE && s->state)
		fprintf(stderr, "relay subscribe: remove %s to begin anew\n", s->state);
	if (!stopped || !s->exec)
		return cmd_fail(s->self, why);
	on_say(s, why->msg); /* a command that a signal ended, most likely the one for us */
	return EXIT_OK;
}

/* `idle` came before all that was wanted. */
static int end_idle(struct subscriber *s)
{
	if (!follow_was_connected(&s->follow)) {
		on_say(s, "it was never connected");
		return EXIT_FOUND;
	}
	if (follow_is_owed(&s->follow)) {
		on_say(s, "it ends, and events that are missing could not be asked for");
		return EXIT_FOUND;
	}
	return s->count ? EXIT_FOUND : EXIT_OK;
}

static int follow_events(struct subscriber *s)
{
	struct err err = {0};

	catch_signals(s);
	s->event_ms = s->saved_ms = clock_now().mono_ms;
	int end = open_follow(s, &err);
	if (!end)
		end = follow_run(&s->follow, &err);
	if (end >= 0 && save(s, &err) < 0)
		end = -1;
	if (end < 0)
		return end_badly(s, &err);
	return end && (!s->count || s->given < s->count) ? end_idle(s) : EXIT_OK;
}

static int run(const struct command *self, const struct args *a)
{
	struct subscriber s = {.self = self};
	int failed = read_operands(&s, a);

	if (!failed)
		failed = read_flags(&s, a);
	if (failed)
		return failed;
	int status = follow_events(&s);
	if (s.locked)
		statefile_unlock(s.state);
	_exit(status); /* nng_close of a subscriber's socket may never return: see nng_client.h */
}
