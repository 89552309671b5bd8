/* settings — the options of `invent-sim` as one table, and the reading of their values. */
#include "examples/invent-sim/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/invent-sim/campaign.h"
#include "examples/invent-sim/fault.h"
#include "examples/invent-sim/values.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"

void strings_add(struct strings *s, const char *text)
{
	s->v = mem_grow(s->v, s->n + 1, &s->cap, sizeof *s->v);
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

enum option_id {
	OPT_LISTEN = 256,
	OPT_SEED,
	OPT_ORG,
	OPT_SUB_ORG,
	OPT_KEY,
	OPT_NO_KEY,
	OPT_BROADCASTS,
	OPT_RECIPIENTS,
	OPT_KIND,
	OPT_BROADCAST,
	OPT_CHANNELS,
	OPT_START,
	OPT_STAGGER,
	OPT_RAMP,
	OPT_ALONG_RAMP,
	OPT_REMOVALS,
	OPT_FLIPS,
	OPT_SWAPS,
	OPT_SPEED,
	OPT_HOLD,
	OPT_EPOCH,
	OPT_UNTIL,
	OPT_ORDER,
	OPT_COUNTERS,
	OPT_TIMES,
	OPT_RATE_LIMIT,
	OPT_STRANGER,
	OPT_REVOKED,
	OPT_RETRY_AFTER,
	OPT_NEXT_TOKENS,
	OPT_FAULT,
	OPT_REPLAY,
	OPT_HELP,
};

/* One row an option: what getopt needs, and the line of --help. */
static const struct {
	const char *name;
	int id;
	const char *value; /* NULL: takes none */
	const char *help;
} serve_options[] = {
	{"listen", OPT_LISTEN, "IP:PORT", "where to listen; port 0: any free one [127.0.0.1:0]"},
	{"seed", OPT_SEED, "N", "the same seed, the same campaign [1]"},
	{"org", OPT_ORG, "ID", "the key's organization, also reached as c [org_sim]"},
	{"sub-org", OPT_SUB_ORG, "ID", "a sub-organization (repeatable)"},
	{"key", OPT_KEY, "KEY", "the accepted Bearer token [sim-key]"},
	{"no-key", OPT_NO_KEY, NULL, "accept requests without a token"},
	{"broadcasts", OPT_BROADCASTS, "N", "how many, named bc_1, bc_2 … [1]"},
	{"recipients", OPT_RECIPIENTS, "N", "in each of them [1000]"},
	{"kind", OPT_KIND, "KIND", "of each of them [mix]"},
	{"broadcast", OPT_BROADCAST, "[ORG/]ID:RECIPIENTS[:KIND]", "one of its own (repeatable)"},
	{"channels", OPT_CHANNELS, "NAME:WEIGHT,…", "mix of integration_ids for all of them"},
	{"start", OPT_START, "DURATION", "from the epoch to the first send [1s]"},
	{"stagger", OPT_STAGGER, "DURATION", "from one broadcast's start to the next's [0s]"},
	{"ramp", OPT_RAMP, "DURATION", "from a broadcast's first send to its last [1m]"},
	{"along-ramp", OPT_ALONG_RAMP, NULL, "rows are created as they are sent to, not at start"},
	{"removals", OPT_REMOVALS, "RATE", "rows that leave the list, of each broadcast [0/h]"},
	{"flips", OPT_FLIPS, "RATE",
	 "flags that fall; half of them rise again in 10 minutes [0/h]"},
	{"swaps", OPT_SWAPS, "RATE", "pairs of rows that change places in the list [0/h]"},
	{"speed", OPT_SPEED, "X", "virtual seconds in a real one [1]"},
	{"hold", OPT_HOLD, NULL, "the clock stands still until POST /sim/start"},
	{"epoch", OPT_EPOCH, "TIME", "when virtual time begins, RFC 3339 [now]"},
	{"until", OPT_UNTIL, "DURATION", "from the epoch; later nothing changes [no end]"},
	{"order", OPT_ORDER, "ORDER",
	 "of recipients: none, id, created, updated (newest first), created-oldest, "
	 "updated-oldest [none]"},
	{"counters", OPT_COUNTERS, "MOOD",
	 "of a broadcast: exact, lag=DURATION, stuck, wrong, absent [exact]"},
	{"times", OPT_TIMES, "null=N,early=N,future=N",
	 "of a hundred _at values so many are null, too early, in the future [0]"},
	{"rate-limit", OPT_RATE_LIMIT, "N",
	 "requests a client may make in any 60 s; 0: no limit [500]"},
	{"stranger", OPT_STRANGER, "RATE",
	 "somebody else's requests that count against every client's limit, real time [0/h]"},
	{"revoked", OPT_REVOKED, "DURATION", "from the epoch; then the key is refused [never]"},
	{"retry-after", OPT_RETRY_AFTER, NULL, "a 429 for the limit says how long to wait"},
	{"next-tokens", OPT_NEXT_TOKENS, NULL, "pages name the next one in pagination-next"},
	{"fault", OPT_FAULT, "SPEC", "something that goes wrong (repeatable; see below)"},
	{"replay", OPT_REPLAY, "FILE", "serve recorded pages instead of a model (see replay.h)"},
	{"help", OPT_HELP, NULL, "this text"},
};
#define SERVE_OPTIONS (sizeof serve_options / sizeof *serve_options)

static void print_help(void)
{
	puts("usage: invent-sim [OPTION…]\n"
	     "       invent-sim verify --ledger FILE|- [--events FILE]… [--type T,T…]\n\n"
	     "Serves the broadcast endpoints of the Invent API for campaigns that never were.\n");
	for (size_t i = 0; i < SERVE_OPTIONS; i++) {
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", serve_options[i].name,
			 serve_options[i].value ? " " : "",
			 serve_options[i].value ? serve_options[i].value : "");
		printf("  %-42s %s\n", left, serve_options[i].help);
	}
	puts("\nDURATION: 500ms, 20s, 10m, 4h, 2d. RATE: 5/s, 10/min, 2/h (virtual time). KIND:");
	for (const struct campaign_kind *k = campaign_kinds; k->name; k++)
		printf("  %-16s %s\n", k->name, k->help);
	puts("\nSPEC: KIND[=VALUE][,p=CHANCE][,count=N][,after=N][,burst=N]"
	     "[,on=recipients|broadcasts|orgs]\n      [,broadcast=ID]; KIND:");
	for (const struct fault_kind *k = fault_kinds; k->name; k++)
		printf("  %-16s %s\n", k->name, k->help);
	puts("\nControl, without a token: GET /sim/status, POST /sim/start, POST /sim/step?ms=N,\n"
	     "POST /sim/faults?set=SPEC, POST /sim/change, GET /sim/ledger, POST /sim/end.\n\n"
	     "Example: a 20-second campaign that waits for a start, with some trouble\n"
	     "  invent-sim --recipients 2000 --ramp 20s --hold --fault 500,p=0.02");
}

static bool read_listen(struct settings *s, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *host = *text == '[' ? text + 1 : text;
	uint32_t port;

	if (!colon || !value_u32(colon + 1, 65535, &port))
		return false;
	size_t len = (size_t)(colon - host) - (*text == '[');
	if (len >= sizeof s->host)
		return false;
	memcpy(s->host, host, len);
	s->host[len] = '\0';
	s->port = port;
	return true;
}

#define RECIPIENTS_MAX 20000000U

/* "[ORG/]ID:RECIPIENTS[:KIND]"; cuts the argument itself into pieces. */
static bool read_broadcast(struct settings *s, char *text)
{
	struct sim_broadcast b = {0};
	char *slash = strchr(text, '/');

	if (slash) {
		*slash = '\0';
		b.org = text;
		text = slash + 1;
	}
	b.id = strsep(&text, ":");
	const char *recipients = strsep(&text, ":");
	b.kind = text;
	if (!*b.id || !recipients || !value_u32(recipients, RECIPIENTS_MAX, &b.recipients))
		return false;
	s->list = mem_grow(s->list, s->n, &s->cap, sizeof *s->list);
	s->list[s->n++] = b;
	return true;
}

static bool read_order(struct settings *s, const char *text)
{
	int order = sim_order_number(text);

	if (order < 0)
		return false;
	s->model.order = (enum sim_order)order;
	return true;
}

static bool read_speed(struct settings *s, const char *text)
{
	char *end;

	s->speed = strtod(text, &end);
	return *text && !*end && s->speed > 0 && s->speed <= 1e6;
}

/* Options that set a number or a duration somewhere in the settings. */
static int take_number(struct settings *s, int id, const char *value)
{
	switch (id) {
	case OPT_SEED: return value_number(value, UINT64_MAX, &s->model.seed);
	case OPT_BROADCASTS: return value_u32(value, UINT16_MAX, &s->broadcasts);
	case OPT_RECIPIENTS: return value_u32(value, RECIPIENTS_MAX, &s->recipients);
	case OPT_RATE_LIMIT: return value_u32(value, 1000000, &s->model.rate_limit);
	case OPT_START: return value_duration(value, &s->start_ms);
	case OPT_STAGGER: return value_duration(value, &s->stagger_ms);
	case OPT_RAMP: return value_duration(value, &s->model.ramp_ms);
	case OPT_UNTIL: return value_duration(value, &s->model.until_ms);
	case OPT_REMOVALS: return value_rate(value, &s->model.unrest.removals);
	case OPT_FLIPS: return value_rate(value, &s->model.unrest.flips);
	case OPT_SWAPS: return value_rate(value, &s->model.unrest.swaps);
	case OPT_STRANGER: return value_rate(value, &s->model.stranger);
	case OPT_REVOKED: return value_duration(value, &s->model.revoked_ms);
	case OPT_SPEED: return read_speed(s, value);
	default: return -1;
	}
}

static int take_switch(struct settings *s, int id)
{
	switch (id) {
	case OPT_NO_KEY: s->model.key = NULL; return true;
	case OPT_ALONG_RAMP: s->model.along_ramp = true; return true;
	case OPT_HOLD: s->hold = true; return true;
	case OPT_RETRY_AFTER: s->model.retry_after = true; return true;
	case OPT_NEXT_TOKENS: s->model.next_tokens = true; return true;
	default: return -1;
	}
}

static int take_text(struct settings *s, int id, char *value)
{
	switch (id) {
	case OPT_LISTEN: return read_listen(s, value);
	case OPT_ORG: s->model.org = value; return true;
	case OPT_SUB_ORG: strings_add(&s->sub_orgs, value); return true;
	case OPT_KEY: s->model.key = value; return true;
	case OPT_KIND: s->kind = value; return true;
	case OPT_BROADCAST: return read_broadcast(s, value);
	case OPT_CHANNELS: s->model.channels = value; return true;
	case OPT_EPOCH: return date_parse(value, strlen(value), &s->model.epoch_ms);
	case OPT_ORDER: return read_order(s, value);
	case OPT_COUNTERS: return sim_counters_parse(&s->model.counters, value);
	case OPT_TIMES: return sim_times_parse(&s->model.times, value);
	case OPT_REPLAY: s->replay = value; return true;
	case OPT_FAULT: strings_add(&s->faults, value); return true;
	default: return -1;
	}
}

/* 1: good; 0: not understood. */
static int take_option(struct settings *s, int id, char *value)
{
	int taken = take_switch(s, id);

	if (taken < 0)
		taken = take_number(s, id, value);
	if (taken < 0)
		taken = take_text(s, id, value);
	return taken > 0;
}

static void long_options(struct option *ret)
{
	for (size_t i = 0; i < SERVE_OPTIONS; i++)
		ret[i] = (struct option){serve_options[i].name, serve_options[i].value != NULL,
					 NULL, serve_options[i].id};
	ret[SERVE_OPTIONS] = (struct option){0};
}

/* As settings_read. */
static int read_arguments(struct settings *s, int argc, char **argv, int *ret_status)
{
	struct option options[SERVE_OPTIONS + 1];
	int id, at = -1;

	long_options(options);
	while ((id = getopt_long(argc, argv, "h", options, &at)) != -1) {
		if (id == OPT_HELP || id == 'h') {
			print_help();
			*ret_status = 0;
			return -1;
		}
		*ret_status = 2;
		if (id == '?')
			return -1;
		if (!take_option(s, id, optarg)) {
			fprintf(stderr, "invent-sim: --%s %s is not understood (see --help)\n",
				serve_options[at].name, optarg);
			return -1;
		}
	}
	*ret_status = 2;
	if (optind < argc) {
		fprintf(stderr, "invent-sim: %s is not understood (see --help)\n", argv[optind]);
		return -1;
	}
	return 0;
}

static void fill_broadcasts(struct settings *s)
{
	bool listed = s->n > 0;

	for (uint32_t i = 0; !listed && i < s->broadcasts; i++) {
		s->list = mem_grow(s->list, s->n, &s->cap, sizeof *s->list);
		s->list[s->n++] =
			(struct sim_broadcast){.recipients = s->recipients, .kind = s->kind};
	}
	for (size_t i = 0; i < s->n; i++)
		s->list[i].start_ms = s->start_ms + s->stagger_ms * (int64_t)i;
	s->model.broadcasts = s->list;
	s->model.nbroadcasts = s->n;
	s->model.sub_orgs = s->sub_orgs.v;
}

int settings_read(struct settings *ret, int argc, char **argv, int *ret_status)
{
	*ret = (struct settings){
		.model = {.seed = 1,
			  .epoch_ms = clock_now().wall_ms,
			  .org = "org_sim",
			  .key = "sim-key",
			  .ramp_ms = 60000,
			  .rate_limit = 500},
		.broadcasts = 1,
		.recipients = 1000,
		.start_ms = 1000,
		.host = "127.0.0.1",
		.speed = 1,
	};
	if (read_arguments(ret, argc, argv, ret_status))
		return -1;
	fill_broadcasts(ret);
	return 0;
}

void settings_release(struct settings *s)
{
	free(s->list);
	free(s->sub_orgs.v);
	free(s->faults.v);
}
