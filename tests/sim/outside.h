/*
 * outside — a scene whose relay also calls a receiver, "crm", over a real socket: virtual time
 * stands while its answers are awaited. Beside it everything goes into events.ndjson ("file").
 */
#ifndef RELAY_TEST_OUTSIDE_H
#define RELAY_TEST_OUTSIDE_H

#include "relay/relay_state.h"
#include "tests/sim/scene.h"
#include "tests/suite/http_receiver.h"

#define ANSWER_OK   "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
#define ANSWER_NO   "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nJoe"
#define ANSWER_GONE "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
#define ANSWER_BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

struct outside {
	struct scene s;
	struct http_receiver *receiver;
	char *rest; /* destinations and rules, as they are */
};

/* Nothing runs yet: o->s.o may be changed. options: of crm, "order: none, "; rule: what goes to it,
 * as "when: { … }, ", or "" for everything. */
void outside_new(struct outside *o, uint32_t recipients, const char *answer, const char *options,
		 const char *rule);
struct drive *outside_begin(struct outside *o);
void outside_finish(struct outside *o);
/* The same with other options and rules, crm left out where options is NULL. */
void outside_reload(struct outside *o, const char *options, const char *rule);

struct relay *outside_relay(const struct outside *o);
struct delivery_status outside_status(const struct outside *o, const char *destination);
/* All that is owed is answered, and what came of it told. */
void outside_rest(struct outside *o);
/* Asks for a job as the admin API does and waits for its end; what became of it. */
struct job_ended {
	char state[16];
	int64_t looked, taken;
};
struct job_ended outside_job(struct outside *o, const char *kind, const char *body);
/* The last job's end, waited for. */
struct job_ended outside_wait(struct outside *o);
/* How many requests have come whose body has both texts; and in all. */
size_t outside_calls(const struct outside *o, const char *a, const char *b);

#endif
