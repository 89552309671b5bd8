/* relay init — writes a configuration to start from: short, commented, and right as it stands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "relay/cmd/cmd.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	{0, "force", NULL, "overwrite a file that is there"},
	{0},
};

const struct command cmd_init = {
	.name = "init",
	.operands = "[FILE]",
	.most = 1,
	.summary = "write a commented configuration to start from",
	.example = "  relay init relay.yaml\n  export INVENT_API_KEY=…\n  relay check relay.yaml\n"
		   "  relay run -c relay.yaml",
	.flags = flags,
	.run = run,
};

static const char starter[] =
	"# Relay's configuration. `relay options` lists every setting, `relay check` finds "
	"mistakes.\n"
	"\n"
	"source:\n"
	"  api_key: ${INVENT_API_KEY}     # or api_key_file: /etc/relay/invent.key\n"
	"  orgs: [c]                      # c is the organization the key belongs to\n"
	"  since: now                     # what happened before the first start is no event; or: "
	"all\n"
	"  rate_limit: 450/min            # the API allows 500 a minute and IP address\n"
	"\n"
	"journal:\n"
	"  sqlite: { path: relay.db, keep: 30d }\n"
	"\n"
	"admin:                             # health, metrics, and what `relay status` asks\n"
	"  listen: 127.0.0.1:8077\n"
	"\n"
	"destinations:\n"
	"  # Services subscribe here: relay subscribe tcp://127.0.0.1:5555 recipient.failed\n"
	"  bus:\n"
	"    nng:\n"
	"      listen: [tcp://127.0.0.1:5555]\n"
	"      refill: tcp://127.0.0.1:5556   # where subscribers fetch what they missed\n"
	"\n"
	"  # Calls an HTTP endpoint of yours. Its failures are retried for three days, then "
	"parked.\n"
	"  # Try it: relay send-test --to crm, relay parked list\n"
	"  # crm:\n"
	"  #   http:\n"
	"  #     url: https://crm.example.com/hooks/invent\n"
	"  #     secret: ${CRM_SECRET}          # whsec_…: callbacks are signed (Standard "
	"Webhooks)\n"
	"\n"
	"rules:                             # in order; all that match apply\n"
	"  - name: everything to the bus\n"
	"    to: [bus]\n"
	"\n"
	"  # - name: failures to the CRM\n"
	"  #   when:\n"
	"  #     type: [recipient.failed, recipient.bounced]\n"
	"  #   to: [crm]\n"
	"\n"
	"  # Counts instead of sending, and calls when there are so many of one broadcast.\n"
	"  # - name: failure storm\n"
	"  #   when: { type: [recipient.failed, recipient.bounced] }\n"
	"  #   alert: { per: [data.broadcast_id], within: 5m, count: 100 }\n"
	"  #   to: [crm]\n";

static int run(const struct command *self, const struct args *a)
{
	const char *path = a->noperands ? a->operands[0] : "relay.yaml";
	int exclusive = arg_given(a, "force") ? O_TRUNC : O_EXCL;
	struct err err = {0};
	if (!strcmp(path, "-")) {
		fputs(starter, stdout);
		return EXIT_OK;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | exclusive, 0644);
	if (fd < 0 && errno == EEXIST)
		err_set(&err, ERR_IO, "%s is there already; --force overwrites it", path);
	else if (fd < 0)
		err_set(&err, ERR_IO, "%s: %s", path, strerror(errno));
	if (fd < 0)
		return cmd_fail(self, &err);
	ssize_t n = write(fd, starter, sizeof starter - 1);
	if (close(fd) < 0 || n != (ssize_t)(sizeof starter - 1)) {
		err_set(&err, ERR_IO, "%s: could not be written whole", path);
		return cmd_fail(self, &err);
	}
	printf("%s written. Next: export INVENT_API_KEY=…, relay check %s, relay run -c %s\n", path,
	       path, path);
	return EXIT_OK;
}
