/* bus_rates — see the header. Publishers and subscribers are processes of their own; every one that
 * is started here is ended here. */
#include "tests/bench/bus_rates.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/bench/fed.h"
#include "tests/bench/listeners.h"
#include "transports/nng_frame.h"

#define SEND_BUFFER 8192
#define STILL_S	    1.0 /* nothing came for so long: what is missing is lost */
#define FED_S	    2.0
#define UNDER_WAY   4000
#define PATIENCE_S  60
#define STEPS	    7	 /* of the first search: to within 4 % */
#define NEAR	    1.1	 /* the steps of later rounds */
#define LEAST	    2000 /* messages a second: the search's bounds */
#define MOST	    300000

/* Between the bench and who publishes. */
struct signals {
	atomic_bool go;
	_Atomic int64_t first_us;
};

static struct signals *signals_new(void)
{
	struct signals *s =
		mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		child_give_up(strerror(errno));
	return s;
}

/* Nobody else takes it meanwhile, on a machine that measures. */
static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		child_give_up(strerror(errno));
	close(fd);
	return ntohs(at.sin_port);
}

void bus_scene_open(struct bus_scene *s, const struct filled *what, unsigned subscribers)
{
	*s = (struct bus_scene){.what = *what, .subscribers = subscribers};
	s->folder = filled_folder();
	s->url = xasprintf("tcp://127.0.0.1:%d", free_port());
	filled_make(s->folder, "bus", what);
}

void bus_scene_close(struct bus_scene *s)
{
	filled_remove(s->folder);
	free(s->url);
}

/* ---- who publishes without a relay ---- */

struct bare {
	const struct bus_scene *scene;
	struct signals *signals;
	double rate;
};

/* A message as the relay makes it, number 0; yours. *ret_digits: where that stands. */
static char *message_of(const struct filled *what, size_t *ret_len, size_t *ret_digits)
{
	struct batch *b = filled_batch(what, 1);
	struct event *ev = &b->events.v[0];
	size_t topic = strlen(ev->topic), len = topic + 1 + ev->len + FRAME_PREVSEQUENCE;
	char *text = xmalloc(len);

	event_number(ev, 1);
	memcpy(text, ev->topic, topic);
	text[topic] = ' ';
	frame_body(text + topic + 1, ev->body, ev->len, ev->sequence_at, 1);
	*ret_digits = topic + 1 + ev->sequence_at;
	*ret_len = len;
	batch_free(b);
	return text;
}

static void send_copy(nng_socket socket, const char *text, size_t len, size_t digits, uint32_t n)
{
	char number[17], before[17];
	nng_msg *msg;

	if (nng_msg_alloc(&msg, len) != 0)
		child_give_up("no memory for a message");
	memcpy(nng_msg_body(msg), text, len);
	snprintf(number, sizeof number, "%016" PRIu32, n);
	snprintf(before, sizeof before, "%016" PRIu32, n - 1);
	memcpy((char *)nng_msg_body(msg) + digits, number, 16);
	memcpy((char *)nng_msg_body(msg) + digits + FRAME_PREVSEQUENCE, before, 16);
	if (nng_sendmsg(socket, msg, 0) != 0)
		child_give_up("nng takes no message");
}

static void beat_until(nng_socket socket, const atomic_bool *go)
{
	static const char text[] = HEARTBEAT_TOPIC " {}";

	while (!*go) {
		nng_msg *msg;

		if (nng_msg_alloc(&msg, 0) != 0 ||
		    nng_msg_append(msg, text, sizeof text - 1) != 0 ||
		    nng_sendmsg(socket, msg, 0) != 0)
			child_give_up("nng takes no message");
		child_nap();
	}
}

static void nap_us(int64_t us)
{
	if (us > 0)
		usleep((useconds_t)us);
}

static void run_bare(void *arg)
{
	const struct bare *b = arg;
	size_t len, digits;
	char *text = message_of(&b->scene->what, &len, &digits);
	nng_socket socket;

	if (nng_pub0_open(&socket) || nng_socket_set_int(socket, NNG_OPT_SENDBUF, SEND_BUFFER) ||
	    nng_listen(socket, b->scene->url, NULL, 0))
		child_give_up("the bare publisher does not start");
	beat_until(socket, &b->signals->go);
	int64_t start_us = clock_mono_us();
	b->signals->first_us = start_us;
	for (uint32_t n = 0; n < b->scene->what.events;) {
		int64_t now_us = clock_mono_us();
		double due = (double)(now_us - start_us + 1000) * b->rate / 1e6;

		while (n < b->scene->what.events && n < due)
			send_copy(socket, text, len, digits, ++n);
		nap_us(1000 - (clock_mono_us() - now_us));
	}
	pause(); /* until it is ended: what is queued leaves meanwhile */
}

/* ---- what is measured ---- */

/* Waits until all have come, or nothing comes any more. */
static void await(const struct listeners *l, uint32_t events)
{
	double patience = bench_wall_s() + PATIENCE_S;

	while (listeners_least(l) < events) {
		int64_t last_us = listeners_last_us(l);

		if (bench_wall_s() > patience)
			child_give_up("a publisher does not end");
		if (last_us && (double)(clock_mono_us() - last_us) > STILL_S * 1e6)
			return;
		child_nap();
	}
}

static struct bus_rate rate_of(const struct bus_scene *s, const struct listeners *l,
			       int64_t first_us)
{
	struct bus_rate ret = {0};
	uint32_t events = s->what.events;

	for (unsigned i = 0; i < l->n; i++)
		ret.lost += (double)events - (double)l->seen[i].got;
	if (ret.lost <= 0)
		ret.rate = events * 1e6 / (double)(listeners_last_us(l) - first_us);
	return ret;
}

static struct bus_rate measure_bare(const struct bus_scene *s, double asked)
{
	struct bare bare = {s, signals_new(), asked};
	struct listeners l;

	pid_t pid = child_fork(run_bare, &bare);
	listeners_start(&l, s->url, s->subscribers);
	listeners_connect(&l);
	double cpu = child_cpu_s(pid);
	bare.signals->go = true;
	await(&l, s->what.events);
	struct bus_rate rate = rate_of(s, &l, bare.signals->first_us);
	rate.cpu_s = (child_cpu_s(pid) - cpu) * 1e5 / s->what.events;
	listeners_end(&l);
	child_end(pid);
	munmap(bare.signals, sizeof *bare.signals);
	return rate;
}

/* Between one that loses nothing and one that does, in equal ratios. */
static double search(struct bus_scene *s)
{
	double low = LEAST, high = MOST, best = 0;

	for (int i = 0; i < STEPS; i++) {
		double asked = sqrt(low * high);
		struct bus_rate rate = measure_bare(s, asked);

		if (rate.lost > 0) {
			high = asked;
			continue;
		}
		low = asked;
		best = rate.rate;
		s->asked = asked;
	}
	if (!best)
		child_give_up("the bare publisher loses messages at any rate");
	return best;
}

double bus_rate_bare(void *scene)
{
	struct bus_scene *s = scene;

	if (!s->asked)
		return search(s);
	struct bus_rate rate = measure_bare(s, s->asked);
	while (rate.lost > 0 && s->asked > LEAST) {
		s->asked /= NEAR;
		rate = measure_bare(s, s->asked);
	}
	struct bus_rate more = measure_bare(s, s->asked * NEAR);
	if (more.rate > rate.rate) {
		s->asked *= NEAR;
		return more.rate;
	}
	return rate.rate;
}

/* ---- with a relay ---- */

static void configure(const struct bus_scene *s, const char *folder)
{
	char *destinations = xasprintf("  bus: { nng: { listen: \"%s\" } }\n", s->url);

	filled_configure(folder, "http://127.0.0.1:1", destinations);
	free(destinations);
}

struct bus_rate bus_rate_relay(const struct bus_scene *s)
{
	struct signals *signals = signals_new();
	struct fed_settings settings = {.folder = s->folder, .go = &signals->go};
	struct listeners l;

	configure(s, s->folder);
	filled_rewind(s->folder);
	pid_t pid = fed_start(&settings);
	listeners_start(&l, s->url, s->subscribers);
	listeners_connect(&l);
	double cpu = child_cpu_s(pid);
	int64_t first_us = clock_mono_us();
	signals->go = true;
	await(&l, s->what.events);
	struct bus_rate rate = rate_of(s, &l, first_us);
	rate.cpu_s = (child_cpu_s(pid) - cpu) * 1e5 / s->what.events;
	listeners_end(&l);
	child_end(pid);
	munmap(signals, sizeof *signals);
	return rate;
}

struct bus_rate bus_rate_fed(const struct bus_scene *s)
{
	char *folder = filled_folder();
	struct signals *signals = signals_new();
	struct fed_settings settings = {
		.folder = folder, .at_full_speed = true, .what = s->what, .go = &signals->go};
	struct listeners l;

	configure(s, folder);
	pid_t pid = fed_start(&settings);
	listeners_start(&l, s->url, s->subscribers);
	listeners_connect(&l);
	signals->go = true;
	while (listeners_least(&l) < UNDER_WAY)
		child_nap();
	double cpu = child_cpu_s(pid), started = bench_wall_s();
	uint64_t first = listeners_least(&l);
	while (bench_wall_s() < started + FED_S)
		child_nap();
	double got = (double)(listeners_least(&l) - first), took = bench_wall_s() - started;
	struct bus_rate rate = {.rate = got / took, .cpu_s = (child_cpu_s(pid) - cpu) * 1e5 / got};
	child_end(pid);
	child_nap(); /* what has left it arrives */
	for (unsigned i = 0; i < l.n; i++)
		rate.lost += (double)l.seen[i].missed;
	listeners_end(&l);
	munmap(signals, sizeof *signals);
	filled_remove(folder);
	return rate;
}
