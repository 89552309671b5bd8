/*
 * admin — the HTTP side door: health, metrics and status of a running relay, and what acts on it.
 *
 *   server's thread: Host, path, token judged ──► loop's mailbox ──► the endpoint's function
 *          answer sent ◄── waits, 2 s at most ◄────────────────────────── fills a reply
 *
 * The server's thread touches nothing of the loop's. An endpoint is a row of a table and a function
 * that runs on the loop thread; a loop that does not get to it in time is answered for with 503.
 * What a function fills in belongs to its question alone, so that a question nobody waits for any
 * more harms nothing.
 */
#ifndef RELAY_ADMIN_H
#define RELAY_ADMIN_H

#include <netinet/in.h>

#include "relay/admin/view.h"
#include "relay/base/buf.h"
#include "relay/base/mailbox.h"
#include "relay/config/option.h"

/* admin: */
struct admin_options {
	char *listen; /* 127.0.0.1:8077 */
	char *token_file;
	struct strings hosts; /* more names it is called by */
	bool insecure;
	/* worked out of the above by admin_options_read */
	bool on;
	struct sockaddr_storage address;
};
extern const struct option admin_option_table[];
/* node NULL (no section) or `false`: off. `true` or a section without values: all presets. */
void admin_options_read(struct admin_options *ret, const struct node *node, struct problems *p);
void admin_options_release(struct admin_options *o);

struct admin_reply {
	int status;		  /* 200 when the function leaves it 0 */
	const char *content_type; /* constant; NULL: application/json */
	struct buf body;	  /* 8 MiB at most */
};
/* In one answer: as many destinations as a configuration may have; of broadcasts fewer, as 1,000
 * took the loop 6 ms. */
#define ADMIN_DESTINATIONS_MAX 1000
#define ADMIN_BROADCASTS_MAX   500

/* Sets the status, and the body to {"error": text}. */
void admin_error(struct admin_reply *r, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What was asked; borrowed for the call. */
struct admin_request {
	const char *part; /* what stands for the path's "*"; NULL: it has none */
	const char *body; /* of a POST; NUL-terminated */
	size_t len;
};

/* On the loop thread, for a moment: no call on it may take longer than 5 ms. */
typedef void admin_answer(const struct admin_view *v, const struct admin_request *q,
			  struct admin_reply *ret);
struct admin_endpoint {
	const char *method; /* GET (which serves HEAD) or POST */
	const char *path;   /* one of its parts may be "*", which is any */
	bool open;	    /* without a token */
	admin_answer *answer;
};
extern const struct admin_endpoint admin_endpoints[]; /* ends with method NULL */

/* The endpoints' functions, in files by topic. */
admin_answer admin_healthz, admin_readyz, admin_metrics, admin_status;
/* {"destinations": [...]} as in the status; enable, disable (body: {"why": …} or empty), drop. */
admin_answer admin_destinations, admin_enable, admin_disable, admin_drop;
/* A job (relay/job.h) of that kind; 202 and the job as it was taken. {"jobs": [...]}, open ones and
 * the last that ended; cancel. */
admin_answer admin_retry, admin_drop_parked, admin_replay, admin_jobs, admin_cancel;

struct admin_env {
	struct mailbox *loop;
	void (*view)(void *arg, struct admin_view *ret); /* on the loop thread, for each answer */
	void *arg;
	const char *token;			/* copied */
	const struct admin_endpoint *endpoints; /* borrowed */
	int patience_ms;			/* for the loop; 0: 2 s */
};

struct admin;

/* Listens. Options are borrowed for the call. An address that is taken is told with the setting's
 * name. */
struct admin *admin_open(const struct admin_options *o, const struct admin_env *env,
			 struct err *err);
uint16_t admin_port(const struct admin *a);
/* Ends the server, then runs the loop's mailbox once, so that no question is left in it. On the
 * loop thread; NULL is allowed. */
void admin_close(struct admin *a);

#endif
