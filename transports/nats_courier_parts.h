/*
 * nats_courier_parts — a courier that is open, and the parcels in its hands. Shared by
 * nats_courier*.c only.
 */
#ifndef RELAY_NATS_COURIER_PARTS_H
#define RELAY_NATS_COURIER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "transports/nats_courier.h"
#include "transports/nats_link.h"
#include "transports/nats_subject.h"

struct nats_item {
	struct courier *courier;
	struct nats_item *prev, *next;
	uint64_t id;		   /* of the parcel */
	const struct event *event; /* borrowed until the verdict or `closed` */
	uint64_t turn;		   /* of hand-over */
	uint64_t number;	   /* of the last publishing; 0: none yet */
	int64_t started_us, deadline_ms;
	int64_t not_before_ms; /* to be published */
};

/* In the order of hand-over, so that deadlines rise. */
struct nats_items {
	struct nats_item *first, *last;
};

struct courier {
	atomic_int users; /* the loop, the thread, links, lists of verdicts */
	struct transport_env env;
	struct nats_setup setup;
	struct nats_server *servers;
	size_t nservers;
	struct nats_subject subject;
	char *name, *stream;
	int64_t timeout_ms;
	struct mailbox *inbox; /* of the thread */

	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool closed;	/* neither a parcel nor the loop's mailbox is touched any more */
	size_t threads; /* the courier's and its links' */

	/* the thread's own */
	bool stop;
	struct nats_items waiting, out; /* for a connection; for an acknowledgement */
	uint64_t turn, number;
	struct nats_link *link;	   /* that is up; NULL: none */
	struct nats_link *dialled; /* that may come up; NULL: none */
	size_t server;		   /* to be dialled next */
	size_t failed;		   /* servers in a row that took no connection */
	int64_t dial_ms;	   /* not before; or, while one is dialled, not after */
	int64_t up_ms;		   /* when the link came up */
	char why[640];		   /* there is none */
	struct json_doc *doc;
	struct buf text; /* of a subject */
	struct verdicts *verdicts;
};

/* nats_courier_items.c */
void items_insert(struct nats_items *list, struct nats_item *i);
void items_remove(struct nats_items *list, struct nats_item *i);
struct nats_item *items_find(const struct nats_items *list, uint64_t number); /* NULL: none */
void items_free(struct nats_items *list);

/* nats_courier_verdicts.c: what became of parcels. The item is freed; *out->why is copied. */
void courier_judge(struct courier *c, struct nats_items *list, struct nats_item *i,
		   const struct outcome *out);
void courier_post_verdicts(struct courier *c);

/* nats_courier_dial.c: the connection. */
void courier_keep_connected(struct courier *c, int64_t now_ms);
void courier_broken(struct courier *c, const char *why, int64_t now_ms);
void courier_hang_up(struct courier *c);

/* nats_courier_publish.c */
void courier_publish(struct courier *c);
void courier_answered(void *arg, uint64_t number, const char *text, size_t len);
void courier_expire(struct courier *c, int64_t now_ms);

void courier_leave(struct courier *c); /* of its users, the last frees it */

#endif
