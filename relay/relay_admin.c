/* What the admin API is shown of the relay, and its start: the last thing opened, so that whoever
 * gets an answer gets it from a whole relay. */
#include "relay/relay.h"

#include <stdlib.h>
#include <string.h>

#include "relay/admin/server.h"
#include "relay/admin/token.h"
#include "relay/base/log.h"
#include "relay/relay_state.h"

/* ---- what it may do ---- */

static int act_on(void *arg, const char *name, enum admin_act act, const char *why, struct err *err)
{
	return relay_act_on(arg, name, act, why, err);
}

static int take_job(void *arg, const char *kind, const struct admin_request *q, struct buf *ret_job,
		    struct err *err)
{
	return relay_take_job(arg, kind, q, ret_job, err);
}

static void list_jobs(void *arg, struct buf *out)
{
	relay_list_jobs(arg, out);
}

static int cancel(void *arg, int64_t id, struct err *err)
{
	return relay_cancel_job(arg, id, err);
}

static uint64_t count_dropped(void *arg, uint32_t number)
{
	const struct known_destination *k = relay_known_number(arg, number);
	return k ? k->ndropped : 0;
}

/* ---- what it sees ---- */

static void show(void *arg, struct admin_view *ret)
{
	struct relay *r = arg;

	r->acts = (struct admin_acts){act_on, take_job, list_jobs, cancel, count_dropped, r};
	*ret = (struct admin_view){
		.acts = &r->acts,
		.now = relay_now(r),
		.version = RELAY_VERSION,
		.started_ms = r->started_ms,
		.source = r->source,
		.journal = r->journal,
		.delivery = r->delivery,
		.journal_file = journal_file(&r->settings->journal),
		.loop = &r->loop,
		.rules = rules_count(r->settings->rules),
		.events = r->events,
		.jobs = relay_count_jobs(r),
		.answered = r->answered,
		.journal_full = r->full,
		.stopping = r->stopping,
		.down_why = r->down_why,
	};
	relay_alerts_status(r->alerts, &ret->alerts);
}

static int open_with(struct relay *r, const char *token_file, struct err *err)
{
	const struct admin_options *o = &r->settings->admin;
	char *token = token_take(token_file, err);

	if (!token)
		return err_wrap(err, "admin.token_file");
	struct admin_env env = {
		.loop = r->mailbox,
		.view = show,
		.arg = r,
		.token = token,
		.endpoints = admin_endpoints,
	};
	r->admin = admin_open(o, &env, err);
	explicit_bzero(token, strlen(token));
	free(token);
	if (!r->admin)
		return -1;
	log_info("the admin API listens", log_str("address", o->listen),
		 log_num("port", admin_port(r->admin)), log_str("token_file", token_file));
	return 0;
}

int relay_open_admin(struct relay *r, struct err *err)
{
	const struct admin_options *o = &r->settings->admin;

	if (!o->on || !server_is_built_in()) /* then the settings have warned */
		return 0;
	char *file = token_path(o->token_file, journal_file(&r->settings->journal));
	if (!file)
		return err_set(err, ERR_CONFIG,
			       "admin.token_file: is needed, as the journal is no file here");
	int failed = open_with(r, file, err);
	free(file);
	return failed;
}
