/* verify_main — the command line of `invent-sim verify`. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/settings.h"
#include "examples/invent-sim/verify.h"

struct verify_arguments {
	const char *ledger, *label;
	struct strings events, types;
	bool json;
};

static int verify_usage(FILE *out)
{
	fputs("usage: invent-sim verify --ledger FILE|- [--events FILE]… [--type T,T…]\n"
	      "                         [--label NAME] [--json]\n\n"
	      "Compares GET /sim/ledger with files of events, one JSON event a line (a topic may\n"
	      "stand before it). Exits 1 when one is missing, invented, under a second id, or\n"
	      "different under the same id.\n\n"
	      "Example: curl -s 127.0.0.1:8080/sim/ledger | invent-sim verify --ledger - \\\n"
	      "           --events bus.ndjson --type recipient.failed,recipient.bounced\n",
	      out);
	return out == stdout ? 0 : 2;
}

static int compare(struct verify *v, const struct verify_arguments *a, struct err *err)
{
	for (size_t i = 0; i < a->events.n; i++)
		if (verify_events(v, a->events.v[i], err))
			return -1;
	if (!strcmp(a->ledger, "-"))
		return verify_ledger(v, stdin, "ledger", err);

	FILE *file = fopen(a->ledger, "r");
	if (!file)
		return err_set(err, ERR_IO, "%s: cannot be opened", a->ledger);
	int status = verify_ledger(v, file, a->ledger, err);
	fclose(file);
	return status;
}

static int run_verify(const struct verify_arguments *a)
{
	struct verify *v = verify_new(a->types.v);
	struct err err = {0};
	int status;

	if (compare(v, a, &err)) {
		fprintf(stderr, "invent-sim: %s\n", err.msg);
		status = 2;
	} else {
		struct buf json = BUF_INIT(4096);
		verify_json(v, a->label, &json);
		if (a->json)
			puts(json.data);
		else
			verify_print(v, a->label, stdout);
		buf_release(&json);
		status = !verify_holds(v);
	}
	verify_free(v);
	return status;
}

int verify_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"ledger", 1, NULL, 'l'},
		{"events", 1, NULL, 'e'},
		{"type", 1, NULL, 't'},
		{"label", 1, NULL, 'n'},
		{"json", 0, NULL, 'j'},
		{"help", 0, NULL, 'h'},
		{0},
	};
	struct verify_arguments a = {.label = "events"};
	int id, status;

	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (id) {
		case 'l': a.ledger = optarg; break;
		case 'e': strings_add(&a.events, optarg); break;
		case 'n': a.label = optarg; break;
		case 'j': a.json = true; break;
		case 't':
			for (char *type; (type = strsep(&optarg, ","));)
				strings_add(&a.types, type);
			break;
		default: return verify_usage(id == 'h' ? stdout : stderr);
		}
	}
	status = a.ledger && optind == argc ? run_verify(&a) : verify_usage(stderr);
	free(a.events.v);
	free(a.types.v);
	return status;
}
