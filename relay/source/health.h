/*
 * health — does anything usable come from the API? Pure.
 *
 * One refused key proves nothing (the API also answers 401 for a path that keys may not use), so
 * another path is asked before the key is declared dead. Failures count as an outage when three
 * came in a row, of the broadcast list and of something else: one broken broadcast is not the API,
 * nor is a list that cannot be read; when only the list failed, another path is asked. While in
 * doubt or down only probes are asked, of the list and of another path in turn: a dead key once a
 * minute, else after 1 s doubling to a minute.
 */
#ifndef RELAY_HEALTH_H
#define RELAY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/source/client.h"

struct health {
	bool down;    /* declared */
	bool no_key;  /* … for a refused key */
	bool doubt;   /* a path refused the key */
	bool probing; /* a probe is under way */
	bool list_failed, other_failed;
	bool list_alone;	   /* it failed often enough; does anything else work? */
	enum request_kind refused; /* the path in doubt */
	unsigned failed;	   /* requests in a row */
	unsigned probes;	   /* in a row */
	int64_t probe_at_ms;
};

enum health_change { HEALTH_SAME, HEALTH_FELL, HEALTH_ROSE };
enum health_change health_worked(struct health *h);
enum health_change health_failed(struct health *h, enum request_kind what, double random,
				 int64_t now_mono_ms);
enum health_change health_no_key(struct health *h, enum request_kind what, int64_t now_mono_ms);

bool health_is_good(const struct health *h); /* all may be asked; else only a probe */
int64_t health_wait_ms(const struct health *h, int64_t now_mono_ms); /* until one may be asked */
/* The path to ask, now; it is under way until health_probed, before one of the three above. */
enum request_kind health_probe(struct health *h);
void health_probed(struct health *h);

#endif
