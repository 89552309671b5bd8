/* paced — see the header. Times are all of the one monotonic clock: the page's in the relay's
 * process, the commit's on its journal thread, the arrival's where it arrives. */
#include "tests/bench/paced.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/journal/sqlite.h"
#include "relay/relay.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/bench/filled.h"

#define PER_S	   1000
#define CALLS	   8
#define PATIENCE_S 60

/* Of a row; shared with the bench. */
struct note {
	int64_t read_us, commit_us, committed_us; /* when, how long, when */
	int64_t sequence;
};

struct stage {
	const char *config;
	const struct paced *paced;
	unsigned per_page;
	struct note *notes;
	struct relay *relay;
	struct {
		unsigned page; /* 0: the list */
		http_done *done;
		void *arg;
	} calls[CALLS];
	size_t ncalls;
	int64_t due_us; /* of the next page */
};

/* ---- the API ---- */

static const char list[] =
	"[{\"id\":\"bc_1\",\"name\":\"Autumn offer\",\"status\":\"SENDING\",\"scheduled_at\":null,"
	"\"started_at\":\"2026-01-01T00:00:00.000Z\",\"completed_at\":null,\"contacts_count\":%u,"
	"\"recipients_count\":%u,\"sent_count\":0,\"failed_count\":0,\"error_message\":null,"
	"\"created_at\":\"2026-01-01T00:00:00.000Z\",\"updated_at\":\"2026-01-01T00:00:00.000Z\"}]";

/* One event: it appears. */
static const char row[] =
	"%s{\"id\":\"rcp_%022u\",\"broadcast_id\":\"bc_1\",\"integration_id\":\"twilio\","
	"\"user_id\":\"%u\",\"name\":\"Oleksandr Kowalska\",\"username\":null,"
	"\"phone\":\"+155500000002\",\"email\":\"kowalska@mail.example.net\",\"status\":"
	"\"SENDING\","
	"\"is_skipped\":false,\"is_skipped_at\":null,\"is_failed\":false,\"is_failed_at\":null,"
	"\"is_sent\":false,\"is_sent_at\":null,\"is_delivered\":false,\"is_delivered_at\":null,"
	"\"is_opened\":false,\"is_opened_at\":null,\"is_bounced\":null,\"is_bounced_at\":null,"
	"\"error_message\":null,\"external_message_id\":\"SM%022u\","
	"\"created_at\":\"2026-01-01T00:00:00.000Z\",\"updated_at\":\"2026-01-01T00:00:00.000Z\","
	"\"broadcast_name\":\"Autumn offer\",\"contact\":{\"id\":\"con_%022u\","
	"\"name\":\"Oleksandr Kowalska\",\"blocked\":false,\"channels\":[{\"type\":\"twilio\","
	"\"user_id\":\"%u\",\"language\":\"de\",\"platform_data\":{}}],\"unsubscribed\":false}}";

static void write_page(const struct stage *s, struct buf *out, unsigned page)
{
	unsigned first = (page - 1) * s->per_page;

	buf_addc(out, '[');
	for (unsigned n = first; n < first + s->per_page && n < PACED_EVENTS; n++)
		buf_addf(out, row, n == first ? "" : ",", n, n, n, n, n);
	buf_addc(out, ']');
}

static int fetch(void *arg, const struct http_call *call, http_done *done, void *done_arg,
		 struct err *err)
{
	struct stage *s = arg;
	const char *page = strstr(call->url, "/recipients") ? strstr(call->url, "page=") : NULL;

	if (s->ncalls == CALLS)
		return err_set(err, ERR_LIMIT, "too many calls");
	s->calls[s->ncalls].page = page ? (unsigned)strtoul(page + 5, NULL, 10) : 0;
	s->calls[s->ncalls].done = done;
	s->calls[s->ncalls++].arg = done_arg;
	return 0;
}

/* The rows of a page that is read for the first time are news from here on. */
static void note_read(struct stage *s, unsigned page)
{
	int64_t now_us = clock_mono_us();

	for (unsigned n = (page - 1) * s->per_page; n < page * s->per_page && n < PACED_EVENTS; n++)
		if (!s->notes[n].read_us)
			s->notes[n].read_us = now_us;
}

static void answer(struct stage *s, size_t i)
{
	unsigned page = s->calls[i].page;
	http_done *done = s->calls[i].done;
	void *arg = s->calls[i].arg;
	struct buf body = BUF_INIT(1 << 20), headers = BUF_INIT(256);

	s->calls[i] = s->calls[--s->ncalls];
	if (page)
		write_page(s, &body, page);
	else
		buf_addf(&body, list, PACED_EVENTS, PACED_EVENTS);
	buf_addf(&headers, "pagination-count: %u", page ? PACED_EVENTS : 1);
	buf_addc(&headers, '\0');
	if (page)
		note_read(s, page);
	done(arg, &(struct http_reply){
			  .status = 200,
			  .body = body.data,
			  .len = body.len,
			  .retry_after_ms = -1,
			  .date_ms = DATE_NONE,
			  .headers = &headers,
		  });
	buf_release(&body);
	buf_release(&headers);
}

/* The list at once, a page when its time has come. ms until that. */
static int answer_due(struct stage *s)
{
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < s->ncalls; i++) {
		unsigned page = s->calls[i].page;
		unsigned first = (page - 1) * s->per_page;
		bool news = page && first < PACED_EVENTS && !s->notes[first].read_us;

		if (!news) {
			answer(s, i);
			return 0;
		}
		if (now_us >= s->due_us) {
			int64_t every_us = (int64_t)s->per_page * 1000000 / PER_S;

			s->due_us = (s->due_us ? s->due_us : now_us) + every_us;
			answer(s, i);
			return 0;
		}
	}
	return s->ncalls ? (int)((s->due_us - now_us + 999) / 1000) : 1000;
}

/* ---- the journal, timed ---- */

static struct store_type timed;
static struct note *timed_notes;

static struct store *open_timed(const void *options, enum store_mode mode, struct err *err)
{
	struct store *s = store_sqlite.open(options, mode, err);

	if (s)
		s->type = &timed;
	return s;
}

static int commit_timed(struct store *s, struct batch *const *batches, size_t n, struct err *err)
{
	int64_t start_us = clock_mono_us();
	int failed = store_sqlite.commit(s, batches, n, err);
	int64_t end_us = clock_mono_us();

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < batches[i]->events.n; k++) {
			const struct event *ev = &batches[i]->events.v[k];
			const char *id = strstr(ev->body, "\"rcp_");

			if (id) {
				struct note *note = &timed_notes[strtoul(id + 5, NULL, 10)];
				note->sequence = ev->sequence;
				note->commit_us = end_us - start_us;
				note->committed_us = end_us;
			}
		}
	return failed;
}

/* ---- the relay's process ---- */

static struct relay *open_relay(struct stage *s)
{
	struct problems problems = {0};
	struct err err = {0};
	struct relay_env env = {.fetch = fetch, .fetch_arg = s, .seed = 1};
	struct settings *settings = settings_load(s->config, &problems);

	if (!settings)
		child_give_up(problems.v[0]);
	timed = store_sqlite;
	timed.open = open_timed;
	timed.commit = commit_timed;
	timed_notes = s->notes;
	settings->journal.type = &timed;
	struct relay *r = relay_open(settings, &env, &err);
	if (!r)
		child_give_up(err.msg);
	return r;
}

static void run(void *arg)
{
	struct stage *s = arg;

	log_set_level(LOG_ERROR);
	s->relay = open_relay(s);
	if (s->paced->connect)
		s->paced->connect(s->paced->arg);
	for (;;) { /* until it is ended */
		int wait = relay_tick(s->relay, clock_now()), page = answer_due(s);

		relay_wait(s->relay, wait < page ? wait : page);
	}
}

/* ---- the bench's ---- */

static void configure(const struct paced *p, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		child_give_up(strerror(errno));
	fprintf(f,
		"source: { base_url: \"http://127.0.0.1:1\", since: all, rate_limit: 0/s }\n"
		"journal: { sqlite: { path: relay.db } }\n"
		"destinations:\n%s"
		"rules: [{ name: all, to: [%s] }]\n",
		p->destinations, p->to);
	fclose(f);
}

/* At the last of those watched; 0: it is not there yet. */
static int64_t arrival(const struct paced *p, int64_t sequence)
{
	int64_t last = 0;

	for (unsigned i = 0; sequence && i < p->n; i++) {
		int64_t at_us = p->at_us[i][sequence];

		if (!at_us)
			return 0;
		if (at_us > last)
			last = at_us;
	}
	return last;
}

static bool arrived(const struct stage *s)
{
	for (unsigned n = 0; n < PACED_EVENTS; n++)
		if (!arrival(s->paced, s->notes[n].sequence))
			return false;
	return true;
}

static double percentile(double *v, size_t n, unsigned percent)
{
	bench_median(v, n); /* which sorts */
	return v[(n - 1) * percent / 100];
}

static struct paced_delays delays_of(const struct stage *s)
{
	static double total[PACED_EVENTS], beyond[PACED_EVENTS], commit[PACED_EVENTS],
		behind[PACED_EVENTS];
	const struct note *last = &s->notes[PACED_EVENTS - 1];
	int64_t took_us = last->read_us - s->notes[0].read_us;

	for (unsigned n = 0; n < PACED_EVENTS; n++) {
		const struct note *note = &s->notes[n];

		commit[n] = (double)note->commit_us / 1000;
		int64_t at_us = arrival(s->paced, note->sequence);

		total[n] = (double)(at_us - note->read_us) / 1000;
		behind[n] = (double)(at_us - note->committed_us) / 1000;
		beyond[n] = total[n] - commit[n];
	}
	return (struct paced_delays){
		.p50 = percentile(total, PACED_EVENTS, 50),
		.p99 = percentile(total, PACED_EVENTS, 99),
		.beyond_p99 = percentile(beyond, PACED_EVENTS, 99),
		.behind_p50 = percentile(behind, PACED_EVENTS, 50),
		.behind_p99 = percentile(behind, PACED_EVENTS, 99),
		.commit_p50 = percentile(commit, PACED_EVENTS, 50),
		.commit_p99 = percentile(commit, PACED_EVENTS, 99),
		.per_s = (double)(PACED_EVENTS - s->per_page) * 1e6 / (double)took_us,
	};
}

struct paced_delays paced_measure(const struct paced *p)
{
	char *folder = filled_folder(), *config = xasprintf("%s/relay.yaml", folder);
	struct stage s = {.config = config, .paced = p, .per_page = p->per_page};
	size_t size = PACED_EVENTS * sizeof *s.notes;
	double patience = bench_wall_s() + PATIENCE_S;

	configure(p, config);
	s.notes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.notes == MAP_FAILED)
		child_give_up(strerror(errno));
	pid_t pid = child_fork(run, &s);
	while (!arrived(&s)) {
		if (bench_wall_s() > patience)
			child_give_up("events do not arrive");
		child_nap();
	}
	child_end(pid);
	struct paced_delays delays = delays_of(&s);
	munmap(s.notes, size);
	filled_remove(folder);
	free(config);
	return delays;
}
