/* nats_far — starts, asks and ends a nats-server. Invariant: no server outlives its struct. */
#include "tests/suite/nats_far.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/suite/store_fixture.h"

#define DEADLINE_MS 10000
#define SERVER	    "/usr/sbin/nats-server"

static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void wait_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

struct nats_far *nats_far_new(void)
{
	struct nats_far *f = xcalloc(1, sizeof *f);

	f->folder = fixture_folder();
	f->port = free_port();
	f->url = xasprintf("nats://127.0.0.1:%d", f->port);
	assert_int_equal(natsOptions_Create(&f->options), NATS_OK);
	return f;
}

static void write_config(const struct nats_far *f, const char *path, const char *extra)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file,
		"listen: \"127.0.0.1:%d\"\nlog_file: \"%s/log\"\n"
		"jetstream { store_dir: \"%s/js\", max_mem: 64MB, max_file: 256MB }\n%s\n",
		f->port, f->folder, f->folder, extra ? extra : "");
	fclose(file);
}

static bool is_open(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((in_port_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool open = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

	close(fd);
	return open;
}

static void show_log(const struct nats_far *f)
{
	char *path = xasprintf("%s/log", f->folder), line[512];
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof line, file))
		fprintf(stderr, "  server: %s", line);
	if (file)
		fclose(file);
	free(path);
}

void nats_far_start(struct nats_far *f, const char *extra)
{
	char *config = xasprintf("%s/nats.conf", f->folder);
	int64_t end = clock_now().mono_ms + DEADLINE_MS;

	assert_int_equal(f->pid, 0);
	write_config(f, config, extra);
	pid_t parent = getpid();
	f->pid = fork();
	if (f->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails has no time to end it */
		if (getppid() == parent)
			execl(SERVER, SERVER, "-c", config, NULL);
		_exit(127);
	}
	assert_true(f->pid > 0);
	while (!is_open(f->port) && clock_now().mono_ms < end) {
		if (waitpid(f->pid, NULL, WNOHANG) != 0) {
			f->pid = 0;
			show_log(f);
			fail_msg("%s does not run", SERVER);
		}
		wait_a_little();
	}
	free(config);
}

static void hang_up(struct nats_far *f)
{
	natsMsg_Destroy(f->message);
	jsCtx_Destroy(f->js);
	natsConnection_Destroy(f->connection);
	f->message = NULL;
	f->js = NULL;
	f->connection = NULL;
}

void nats_far_kill(struct nats_far *f, int signal)
{
	hang_up(f);
	if (!f->pid)
		return;
	kill(f->pid, signal);
	kill(f->pid, SIGCONT); /* one that is stopped takes no other signal than SIGKILL */
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
}

/* On a busy machine a signal takes its time. */
void nats_far_stop(struct nats_far *f)
{
	int status;

	kill(f->pid, SIGSTOP);
	assert_int_equal(waitpid(f->pid, &status, WUNTRACED), f->pid);
	assert_true(WIFSTOPPED(status));
}

void nats_far_free(struct nats_far *f)
{
	nats_far_kill(f, SIGKILL);
	natsOptions_Destroy(f->options);
	fixture_remove(f->folder);
	free(f->url);
	free(f);
}

/* JetStream may take a moment longer than the port. */
static void connect_far(struct nats_far *f)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	jsAccountInfo *info = NULL;

	if (f->js)
		return;
	assert_int_equal(natsOptions_SetURL(f->options, f->url), NATS_OK);
	natsStatus s = natsConnection_Connect(&f->connection, f->options);
	if (s != NATS_OK)
		fail_msg("%s: %s", f->url, natsStatus_GetText(s));
	assert_int_equal(natsConnection_JetStream(&f->js, f->connection, NULL), NATS_OK);
	while ((s = js_GetAccountInfo(&info, f->js, NULL, NULL)) != NATS_OK &&
	       clock_now().mono_ms < end)
		wait_a_little();
	if (s != NATS_OK)
		fail_msg("JetStream: %s", natsStatus_GetText(s));
	jsAccountInfo_Destroy(info);
}

void nats_far_stream(struct nats_far *f, const char *name, const char *subject, int max_msg_size)
{
	jsStreamConfig config;
	jsErrCode code = 0;

	connect_far(f);
	assert_int_equal(jsStreamConfig_Init(&config), NATS_OK);
	config.Name = name;
	config.Subjects = &subject;
	config.SubjectsLen = 1;
	config.MaxMsgSize = max_msg_size ? max_msg_size : -1;
	natsStatus s = js_AddStream(NULL, f->js, &config, NULL, &code);
	if (s != NATS_OK)
		fail_msg("stream %s: %s, %d", name, natsStatus_GetText(s), (int)code);
}

void nats_far_no_stream(struct nats_far *f, const char *name)
{
	connect_far(f);
	assert_int_equal(js_DeleteStream(f->js, name, NULL, NULL), NATS_OK);
}

static size_t count(struct nats_far *f, const char *stream)
{
	jsStreamInfo *info = NULL;

	connect_far(f);
	if (js_GetStreamInfo(&info, f->js, stream, NULL, NULL) != NATS_OK)
		return 0;
	size_t n = info->State.Msgs;
	jsStreamInfo_Destroy(info);
	return n;
}

size_t nats_far_count(struct nats_far *f, const char *stream, size_t n)
{
	int64_t end = clock_now().mono_ms + DEADLINE_MS;
	size_t got;

	while ((got = count(f, stream)) < n && clock_now().mono_ms < end)
		wait_a_little();
	return got;
}

natsMsg *nats_far_message(struct nats_far *f, const char *stream, size_t number)
{
	connect_far(f);
	natsMsg_Destroy(f->message);
	f->message = NULL;
	assert_int_equal(js_GetMsg(&f->message, f->js, stream, number, NULL, NULL), NATS_OK);
	return f->message;
}
