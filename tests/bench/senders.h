/*
 * senders — programs that POST events of 600 bytes to a receiver as fast as they can, one after
 * the other as processes of their own: the relay, and what it is compared with.
 */
#ifndef RELAY_BENCH_SENDERS_H
#define RELAY_BENCH_SENDERS_H

#include "tests/bench/receiver.h"

enum sender {
	SENDER_WRK,
	SENDER_BARE,	  /* libcurl without anything else */
	SENDER_RELAY,	  /* from a filled journal */
	SENDER_RELAY_FED, /* while events are journaled at full speed */
	SENDER_SYSLOG_MEMORY,
	SENDER_SYSLOG_DISK,
	SENDER_NODE,
	SENDERS,
};

struct senders;
struct sending {
	double rate;  /* a second, as the receiver counts them */
	double cpu_s; /* of the sender, for 100,000 */
};

/* Gives up when a program is missing. */
struct senders *senders_open(const struct receiver *r);
void senders_close(struct senders *s);

/* Starts it, waits until it is under way, looks at it for some seconds, ends it. */
struct sending senders_measure(struct senders *s, enum sender which);

#endif
