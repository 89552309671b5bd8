/* relay replay — past events, once more, to a destination that lost them or is new to them. */
#include "relay/cmd/job_run.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{'t', "to", "DESTINATION", "who gets them"},
	FLAG_SINCE,
	FLAG_UNTIL,
	FLAG_TYPE,
	{0, "reroute", NULL, "by the rules as they are now: also what was not sent to it then"},
	FLAG_ALL,
	FLAG_DRY_RUN,
	FLAG_NO_WAIT,
	{0},
};

const struct command cmd_replay = {
	.name = "replay",
	.operands = "[SEQUENCE|ID …]",
	.most = JOB_IDS_MAX,
	.summary = "send past events once more, to one destination",
	.example =
		"  relay replay --to crm --since 2026-11-20 --until 2026-11-22 --dry-run\n"
		"  relay replay --to crm --since 2h --type recipient.failed\n"
		"  relay replay --to new --since 7d --reroute\n\n"
		"What the journal still holds and was sent there, or parked, is sent again, with "
		"the ids\n"
		"it had: receivers drop what they know. Where no relay runs it begins at the next "
		"start.",
	.flags = flags,
	.run = run,
};

static int run(const struct command *self, const struct args *a)
{
	if (!arg_given(a, "to"))
		return cmd_usage(self, "--to DESTINATION is missing");
	return job_run(self, a, JOB_REPLAY, 0);
}
