/* bench_journal — what a commit costs beside what the disk takes for the same bytes. Everything
 * lies under build/bench, so on the disk that the checkout is on. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/journal/journal.h"
#include "relay/journal/sqlite.h"
#include "tests/bench/bench.h"

#define GROUP	100 /* events in a commit: a page of the API */
#define BODY	600 /* bytes of an event */
#define ROUNDS	7
#define COMMITS 250 /* a round: some three checkpoints' worth of log */
#define APPENDS 200 /* a round of the limit */
#define LOOPED	600 /* commits while the loop's calls are timed */

/* At least this part of 100 x the rate at which the disk takes 70 KB, the same bytes, durably; and
 * at most this CPU. Both were reached by a study with room to spare. */
#define BAR_RATE 0.35
#define BAR_CPU	 0.7
/* The loop must stay free for sockets: a call over this would show in every delivery's latency. */
#define BAR_LOOP_MS 5.0

struct bench {
	char folder[64];
	int fd; /* of the file that is appended to */
	struct sqlite_options options;
	struct store *store;
	struct batch *group;  /* 100 events, one route each */
	struct batch *bus;    /* the same to a bus and to a callback */
	struct batch *single; /* one event */
	double cpu[ROUNDS];
	size_t rounds;
};

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "bench_journal: %s: %s\n", what, why);
	exit(2);
}

static void add_event(struct batch *b, int n)
{
	char id[EVENT_ID_SIZE], recipient[32], data[BODY];
	struct event_head head = {
		.id = id,
		.type = "recipient.delivered",
		.source = "https://api.useinvent.com/orgs/c/broadcasts/bc_1",
		.subject = recipient,
		.partitionkey = recipient,
		.integration_id = "twilio",
		.broadcast_id = "bc_1",
		.time_ms = 1763805600000 + n,
		.recorded_ms = 1763805604000,
	};
	struct event probe;

	snprintf(recipient, sizeof recipient, "rcp_%022d", n);
	event_id(id, (struct id_part[]){ID_PART(recipient), ID_PART("delivered")}, 2);
	event_make(&probe, &head, "{\"padding\":\"\"}", 14);
	int padding = BODY - (int)probe.len;
	event_release(&probe);
	int len = snprintf(data, sizeof data, "{\"padding\":\"%0*d\"}", padding, n);
	event_make(batch_event(b), &head, data, (size_t)len);
}

static void add_route(struct batch *b, uint32_t destination, bool topical)
{
	struct route *r = batch_route(b);

	*r = (struct route){.event = b->events.n - 1,
			    .destination = destination,
			    .rule = 1,
			    .topical = topical};
}

static struct batch *make_batch(int events, bool bus)
{
	struct batch *b = batch_new();

	for (int i = 0; i < events; i++) {
		add_event(b, i);
		add_route(b, 1, false);
		if (bus)
			add_route(b, 2, true);
	}
	return b;
}

static void commit(struct bench *b, struct batch *batch)
{
	struct err err;
	bool more;

	if (b->store->type->commit(b->store, &batch, 1, &err) != 0)
		give_up("commit", err.msg);
	b->store->type->tidy(b->store, 1763805600000, true, &more);
}

static double commit_often(struct bench *b, struct batch *batch, int commits)
{
	double start = bench_wall_s();

	for (int i = 0; i < commits; i++)
		commit(b, batch);
	return commits * (double)batch->events.n / (bench_wall_s() - start);
}

static double groups(void *arg)
{
	struct bench *b = arg;
	double cpu = bench_cpu_s();
	double rate = commit_often(b, b->group, COMMITS);

	if (b->rounds < ROUNDS)
		b->cpu[b->rounds++] = (bench_cpu_s() - cpu) * 1e5 / (COMMITS * GROUP);
	return rate;
}

static double bus_groups(void *arg)
{
	struct bench *b = arg;

	return commit_often(b, b->bus, COMMITS);
}

static double singles(void *arg)
{
	struct bench *b = arg;

	return commit_often(b, b->single, COMMITS);
}

/* Appends of len bytes, each on the disk before the next; a second. */
static double append(struct bench *b, size_t len)
{
	static char bytes[70000];
	double start = bench_wall_s();

	for (int i = 0; i < APPENDS; i++) {
		if (write(b->fd, bytes, len) != (ssize_t)len || fdatasync(b->fd) != 0)
			give_up("append", "write or fdatasync failed");
	}
	return APPENDS / (bench_wall_s() - start);
}

static double group_appends(void *arg)
{
	return GROUP * append(arg, 70000);
}

static double single_appends(void *arg)
{
	return append(arg, 700);
}

/* 512 due routes with their events, from the midst of all that the rounds left; in ms. */
static double read_due(struct bench *b)
{
	struct store_head head;
	struct delivery_routes r;
	struct err err;
	double took[21];

	if (b->store->type->head(b->store, &head, &err) != 0)
		give_up("head", err.msg);
	for (int i = 0; i < 21; i++) {
		struct route_query q = {.destination = 1, .limit = 512};

		q.after = head.latest / 30 * i;
		double start = bench_wall_s();
		if (b->store->type->routes(b->store, &q, &r, &err) != 0)
			give_up("routes", err.msg);
		took[i] = (bench_wall_s() - start) * 1000;
		if (r.n != 512)
			give_up("routes", "too few");
		delivery_routes_release(&r);
	}
	store_head_release(&head);
	return bench_median(took, 21);
}

/* ---- the loop's calls while commits run on their thread */

#define BUCKETS 12 /* from 8 µs, doubling */

struct loop {
	struct mailbox *mailbox;
	struct journal *j;
	size_t answered;
	size_t histogram[BUCKETS];
	double longest_ms;
};

static void count_answer(void *arg, const struct batch *b, const struct err *err)
{
	struct loop *l = arg;

	(void)b;
	if (err)
		give_up("commit", err->msg);
	l->answered++;
}

static long preempted(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nivcsw;
}

/* A call during which another process was given the core says nothing about this program; one that
 * waits for a lock or a disk gives the core away by itself, and counts. */
static void note_call(struct loop *l, double start, long switches)
{
	double ms = (bench_wall_s() - start) * 1000;
	int i = 0;

	if (preempted() != switches)
		return;
	while (i < BUCKETS - 1 && ms * 1000 >= 8 << i)
		i++;
	l->histogram[i]++;
	if (ms > l->longest_ms)
		l->longest_ms = ms;
}

static void run_mailbox(struct loop *l)
{
	double start = bench_wall_s();
	long switches = preempted();

	if (mailbox_run(l->mailbox))
		note_call(l, start, switches);
}

static void commit_one(struct loop *l)
{
	struct batch *b = make_batch(GROUP, true);

	for (uint32_t i = 0; i < GROUP; i++) {
		struct recipient_write *w = batch_recipient(b);

		w->broadcast = 1;
		w->r = (struct recipient_record){.number = i, .id = xasprintf("rcp_%022u", i)};
	}
	double start = bench_wall_s();
	long switches = preempted();
	journal_commit(l->j, b, count_answer, l);
	note_call(l, start, switches);
}

static void time_loop(struct bench *b)
{
	struct loop l = {.mailbox = mailbox_open(NULL, NULL)};
	struct journal_options o = {&store_sqlite, &b->options};
	struct store_head head;
	struct err err;

	l.j = journal_open(&o, l.mailbox, &head, &err);
	if (!l.j)
		give_up("journal_open", err.msg);
	store_head_release(&head);
	for (int i = 0; i < LOOPED; i++) {
		while (journal_commits_pending(l.j) > 3) {
			mailbox_wait(l.mailbox, -1);
			run_mailbox(&l);
		}
		commit_one(&l);
	}
	while (l.answered < LOOPED) {
		mailbox_wait(l.mailbox, -1);
		run_mailbox(&l);
	}
	journal_close(l.j);
	mailbox_close(l.mailbox);
	bench_row("longest call on the loop beside commits of 100", l.longest_ms, "ms", BENCH_NONE,
		  NULL, BAR_LOOP_MS, false);
	printf("    calls on the loop by µs:");
	for (int i = 0; i < BUCKETS; i++)
		printf(" <%d: %zu", 8 << i, l.histogram[i]);
	putchar('\n');
}

static void open_bench(struct bench *b)
{
	struct err err;
	char *appended;

	mkdir("build", 0777);
	mkdir("build/bench", 0777);
	snprintf(b->folder, sizeof b->folder, "build/bench/journal.XXXXXX");
	if (!mkdtemp(b->folder))
		give_up(b->folder, "cannot be made");
	b->options = (struct sqlite_options){.path = xasprintf("%s/relay.db", b->folder),
					     .keep_ms = INT64_MAX / 2};
	b->store = store_sqlite.open(&b->options, STORE_WRITE, &err);
	if (!b->store)
		give_up("open", err.msg);
	appended = xasprintf("%s/appended", b->folder);
	b->fd = open(appended, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (b->fd < 0)
		give_up(appended, "cannot be made");
	free(appended);
	b->group = make_batch(GROUP, false);
	b->bus = make_batch(GROUP, true);
	b->single = make_batch(1, false);
}

static void close_bench(struct bench *b)
{
	DIR *dir = opendir(b->folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		char *path = xasprintf("%s/%s", b->folder, entry->d_name);

		unlink(path);
		free(path);
	}
	if (dir)
		closedir(dir);
	rmdir(b->folder);
	close(b->fd);
	batch_free(b->group);
	batch_free(b->bus);
	batch_free(b->single);
	free(b->options.path);
}

int main(void)
{
	static struct bench b;
	struct bench_pair pair;

	open_bench(&b);
	groups(&b); /* a warm start for both: pages, caches, the file system's own journal */
	group_appends(&b);
	b.rounds = 0;
	pair = bench_pairs(ROUNDS, groups, group_appends, &b);
	bench_row("commit, groups of 100 events, one destination", pair.ours, "events/s",
		  pair.ratio, "100 x append + fdatasync of 70 KB", BAR_RATE, true);
	bench_row("CPU of it", bench_median(b.cpu, b.rounds), "CPU-s per 100k", BENCH_NONE, NULL,
		  BAR_CPU, false);
	pair = bench_pairs(5, bus_groups, group_appends, &b);
	bench_row("commit, groups of 100, a bus and a callback", pair.ours, "events/s", pair.ratio,
		  "100 x append + fdatasync of 70 KB", BENCH_NONE, true);
	pair = bench_pairs(5, singles, single_appends, &b);
	bench_row("commit, single events", pair.ours, "events/s", pair.ratio,
		  "append + fdatasync of 700 B", BENCH_NONE, true);
	bench_row("512 due routes with their events", read_due(&b), "ms", BENCH_NONE, NULL,
		  BENCH_NONE, false);
	store_sqlite.close(b.store);
	time_loop(&b);
	close_bench(&b);
	return bench_write("journal");
}
