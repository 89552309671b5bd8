/*
 * limit — at most so many requests of one client in any 60 seconds. What is refused does not
 * count. With no limit it only measures. A stranger behind the client's address may use up a part
 * of it, one request after the other at a steady rate.
 */
#ifndef INVENT_SIM_LIMIT_H
#define INVENT_SIM_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_WINDOW_MS 60000
#define LIMIT_CLIENTS	64

struct limit_entry {
	int64_t at;
	bool strange;
};

struct limit_client {
	char name[64];
	struct limit_entry *v; /* a ring of the requests in the window, oldest at `first` */
	size_t first, n, cap, own;
	int64_t stranger_ms;	/* when he comes next */
	uint32_t stranger_rest; /* … behind that ms, in parts of which a ms has `stranger` */
};

struct limit {
	unsigned max;	   /* 0: no limit */
	uint32_t stranger; /* his requests an hour */
	struct limit_client clients[LIMIT_CLIENTS];
	size_t nclients;
	size_t peak; /* of a client's own */
};

/* True: taken in. False: refused; *ret_wait_ms says when the next one would be taken in. */
bool limit_take(struct limit *l, const char *client, int64_t now_ms, int64_t *ret_wait_ms);
void limit_release(struct limit *l);

#endif
