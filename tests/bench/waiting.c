/* waiting — see the header. */
#include "tests/bench/waiting.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/child.h"
#include "tests/bench/filled.h"

#define EVENTS	200000
#define WATCH_S 15 /* until calls to a silent one time out, and are made again */
#define RELAYS	3

static pid_t start(const char *folder, const char *url, uint32_t events)
{
	char *destinations = xasprintf("  sink: { http: { url: \"%s\" } }\n", url);
	char *relay = child_binary("relay"), *log = xasprintf("%s/log", folder);
	char *config = xasprintf("%s/relay.yaml", folder);

	/* Nobody answers as the API either; that takes no memory. */
	filled_configure(folder, "http://127.0.0.1:1", destinations);
	filled_make(folder, "sink", &(struct filled){.events = events, .body = FILLED_BODY});
	pid_t pid = child_start((const char *const[]){relay, "run", "-c", config, NULL}, log);
	free(destinations);
	free(relay);
	free(log);
	free(config);
	return pid;
}

struct waiting waiting_measure(const char *refused, const char *silent)
{
	const char *urls[RELAYS] = {refused, refused, silent};
	double most[RELAYS] = {0};
	char *folders[RELAYS];
	pid_t pids[RELAYS];

	for (int i = 0; i < RELAYS; i++) {
		folders[i] = filled_folder();
		pids[i] = start(folders[i], urls[i], i ? EVENTS : 0);
	}
	double until = bench_wall_s() + WATCH_S;
	while (bench_wall_s() < until) {
		for (int i = 0; i < RELAYS; i++) {
			double kb = child_rss_kb(pids[i]);

			if (kb < 0)
				child_give_up("a relay with waiting events has ended");
			most[i] = kb > most[i] ? kb : most[i];
		}
		child_nap();
	}
	for (int i = 0; i < RELAYS; i++) {
		child_end(pids[i]);
		filled_remove(folders[i]);
	}
	return (struct waiting){most[0], most[1], most[2]};
}
