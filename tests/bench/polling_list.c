/* polling_list — see the header. Invariant: a remote simulator and the drive's model have the same
 * options and undergo the same changes, so that they pick the same rows and show the same. */
#include "tests/bench/polling_list.h"

#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/bench/child.h"
#include "tests/bench/polling_remote.h"
#include "tests/bench/rows.h"
#include "tests/suite/store_fixture.h"

#define SETTLED_MS   (90LL * POLLING_MINUTE_MS) /* the campaign is over */
#define UNTIL_MS     (80LL * POLLING_MINUTE_MS)
#define SWEPT_MS     (24 * 60LL * POLLING_MINUTE_MS)
#define PATIENCE_MS  (6 * 60LL * POLLING_MINUTE_MS)
#define LAG_MS	     90000 /* what lags has arrived */
#define QUIET_MS     30000
#define LIST_TICK_MS 5000

static void take_event(void *arg, const struct event *ev)
{
	struct list *l = arg;
	if (polling_what(ev) != (int)l->what || ev->time_ms != l->changed_ms || !l->missing)
		return;
	delays_add(&l->delays, drive_now_ms(l->drive) - ev->time_ms);
	l->missing--;
}

static void serve_remotely(void *arg, int64_t now_ms, const struct sim_request *rq, http_done *done,
			   void *done_arg)
{
	struct list *l = arg;
	remote_serve(l->remote, now_ms, rq, done, done_arg);
}

static bool is_swept(void *arg)
{
	struct list *l = arg;
	struct source_status status;
	relay_source_status(drive_relay(l->drive), &status);
	return status.sweeps > 0;
}

struct list *list_open(const struct polling_job *job, bool over_http)
{
	struct sim_broadcast one = {.recipients = job->recipients, .kind = "whatsapp"};
	struct list *l = xcalloc(1, sizeof *l);
	*l = (struct list){.dir = fixture_folder(), .random = {job->recipients}};
	struct drive_options o = {
		.model = {.seed = 7,
			  .epoch_ms = POLLING_EPOCH_MS,
			  .org = "org_1",
			  .broadcasts = &one,
			  .nbroadcasts = 1,
			  .ramp_ms = POLLING_MINUTE_MS,
			  .until_ms = UNTIL_MS,
			  .order = job->order->order,
			  .counters = polling_counters_of(job),
			  .rate_limit = POLLING_API_RATE},
		.dir = l->dir,
		.source = "",
		.rest = "",
		.start_ms = SETTLED_MS,
		.arg = l,
		.asked = polling_asked,
		.event = take_event,
	};
	if (over_http) {
		l->remote = remote_open(job, &o.model);
		o.serve = serve_remotely;
	}
	l->drive = drive_open(&o);
	model_advance(drive_model(l->drive), drive_now_ms(l->drive));
	if (!drive_run_until(l->drive, SWEPT_MS, is_swept, l))
		child_give_up("the first sweep does not end");
	return l;
}

void list_close(struct list *l)
{
	drive_close(l->drive);
	remote_close(l->remote);
	fixture_remove(l->dir);
	delays_release(&l->delays);
	free(l);
}

double list_opened(const struct list *l)
{
	return (double)rows_count(drive_model(l->drive), SIM_OPENED) /
	       (double)rows_count(drive_model(l->drive), SIM_ADDED);
}

void list_rest(struct list *l)
{
	struct source_status before, now;
	int64_t quiet_ms = 0;
	drive_run(l->drive, LAG_MS);
	relay_source_status(drive_relay(l->drive), &before);
	for (int64_t past = 0; past < PATIENCE_MS && quiet_ms < QUIET_MS; past += LIST_TICK_MS) {
		uint64_t asked = l->asked.pages + l->asked.filtered;
		drive_run(l->drive, LIST_TICK_MS);
		quiet_ms =
			asked == l->asked.pages + l->asked.filtered ? quiet_ms + LIST_TICK_MS : 0;
		relay_source_status(drive_relay(l->drive), &now);
		if (now.sweeps > before.sweeps)
			break;
	}
}

static void change(struct list *l, enum sim_what what, uint32_t n)
{
	static const char broadcast[] = "bc_1";
	struct model *m = drive_model(l->drive);
	char(*ids)[ROWS_ID] = rows_pick(m, broadcast, what, n, &l->random);
	if (!ids)
		child_give_up("there are not so many rows to change");
	for (uint32_t i = 0; i < n; i++) {
		if (!model_change(m, broadcast, ids[i], what, true))
			child_give_up("a row cannot be changed");
		if (l->remote)
			remote_change(l->remote, drive_now_ms(l->drive), broadcast, ids[i], what);
	}
	free(ids);
}

static bool is_found(void *arg)
{
	return ((struct list *)arg)->missing == 0;
}

struct list_change list_change(struct list *l, enum sim_what what, uint32_t n)
{
	/* At any moment between two looks at the list. */
	drive_run(l->drive, (int64_t)(prng_unit(&l->random) * LIST_TICK_MS));
	l->what = what;
	l->changed_ms = drive_now_ms(l->drive);
	l->missing = n;
	change(l, what, n);
	struct polling_asked before = l->asked;
	bool found = drive_run_until(l->drive, PATIENCE_MS, is_found, l);
	for (; l->missing; l->missing--) /* the true delay is longer */
		delays_add(&l->delays, drive_now_ms(l->drive) - l->changed_ms);
	uint64_t all = polling_asked_all(&l->asked) - polling_asked_all(&before);
	return (struct list_change){all, all - (l->asked.lists - before.lists), found};
}
