/*
 * Questions between two threads. Invariant: a question is freed by exactly one side, by the one
 * that comes second: the server's thread once it was answered, the loop once it was given up.
 */
#include "relay/admin/admin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/access.h"
#include "relay/admin/server.h"
#include "relay/base/json.h"
#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define PATIENCE_MS 2000
#define BODY_MAX    (64 << 10)
#define ANSWER_MAX  (8 << 20)

struct admin {
	struct admin_env env;
	char *token;			 /* owned */
	struct sockaddr_storage address; /* as configured */
	struct strings hosts;		 /* owned */
	struct server *server;
	pthread_mutex_t lock;
	pthread_cond_t answered; /* on the monotonic clock */
	bool closing;
};

struct question {
	struct admin *admin;
	const struct admin_endpoint *endpoint;
	char *part, *body; /* owned; what `request` borrows */
	struct admin_request request;
	struct admin_reply reply; /* the loop's until `answered` */
	bool answered, given_up;  /* under the lock */
};

void admin_error(struct admin_reply *r, int status, const char *fmt, ...)
{
	struct buf text = BUF_INIT(1024);
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	json_write_string(&text, line);
	r->status = status;
	r->content_type = NULL;
	buf_clear(&r->body);
	buf_addf(&r->body, "{\"error\":%s}\n", text.data);
	buf_release(&text);
}

/* ---- the question ---- */

static void free_question(struct question *q)
{
	buf_release(&q->reply.body);
	free(q->part);
	free(q->body);
	free(q);
}

/* On the loop. The admin outlives every question: admin_close runs those that are left. */
static void answer_question(void *arg)
{
	struct question *q = arg;
	struct admin *a = q->admin;
	struct admin_view view = {0};

	pthread_mutex_lock(&a->lock);
	bool given_up = q->given_up;
	pthread_mutex_unlock(&a->lock);
	if (!given_up) {
		a->env.view(a->env.arg, &view);
		q->endpoint->answer(&view, &q->request, &q->reply);
	}
	pthread_mutex_lock(&a->lock);
	q->answered = true;
	given_up = q->given_up;
	pthread_cond_broadcast(&a->answered);
	pthread_mutex_unlock(&a->lock);
	if (given_up)
		free_question(q);
}

/* NULL when the answer came; otherwise why not, and then the question is the loop's to free. */
static const char *await(struct admin *a, struct question *q)
{
	int ms = a->env.patience_ms ? a->env.patience_ms : PATIENCE_MS;
	struct timespec end = thread_deadline(ms);
	const char *why = NULL;
	int late = 0;

	pthread_mutex_lock(&a->lock);
	while (!q->answered && !a->closing && !late)
		late = pthread_cond_timedwait(&a->answered, &a->lock, &end);
	if (!q->answered)
		why = a->closing ? "the relay is ending" : "the relay's loop does not answer";
	q->given_up = why != NULL;
	pthread_mutex_unlock(&a->lock);
	return why;
}

/* ---- on the server's thread ---- */

static void reply_with(struct server_reply *ret, const struct admin_reply *r)
{
	ret->status = r->status;
	ret->content_type = r->content_type ? r->content_type : "application/json";
	buf_add(&ret->body, r->body.data, r->body.len);
	if (!r->body.full && !ret->body.full)
		return;
	buf_clear(&ret->body);
	ret->status = 500;
	ret->content_type = "application/json";
	buf_adds(&ret->body, "{\"error\":\"the answer is too long\"}\n");
}

static void refuse(struct server_reply *ret, int status, const char *why)
{
	struct admin_reply r = {.body = BUF_INIT(1024)};

	admin_error(&r, status, "%s", why);
	reply_with(ret, &r);
	buf_release(&r.body);
}

/* What was found of a path and a method. */
struct found {
	const struct admin_endpoint *endpoint; /* with path and method */
	struct admin_slice {
		const char *at;
		size_t len;
	} part;		      /* of that endpoint's "*" */
	bool path, get, post; /* is the path known, and by which methods? */
	bool open;
};

static void ask_loop(struct admin *a, const struct found *f, const struct server_request *r,
		     struct server_reply *ret)
{
	struct question *q = xcalloc(1, sizeof *q);

	*q = (struct question){.admin = a, .endpoint = f->endpoint};
	q->part = f->part.at ? xstrndup(f->part.at, f->part.len) : NULL;
	q->body = xstrndup(r->body, r->len);
	q->request = (struct admin_request){q->part, q->body, r->len};
	buf_init(&q->reply.body, ANSWER_MAX);
	mailbox_post(a->env.loop, answer_question, q);
	const char *why = await(a, q);
	if (why) {
		refuse(ret, 503, why);
		return;
	}
	reply_with(ret, &q->reply);
	free_question(q);
}

static bool serves(const struct admin_endpoint *e, const char *method)
{
	return !strcmp(e->method, method) || (!strcmp(e->method, "GET") && !strcmp(method, "HEAD"));
}

/* Part by part; "*" is any that is not empty. */
static bool is_path(const char *pattern, const char *path, struct admin_slice *ret_part)
{
	for (;;) {
		size_t want = strcspn(pattern, "/"), have = strcspn(path, "/");

		if (want == 1 && *pattern == '*' && have)
			*ret_part = (struct admin_slice){path, have};
		else if (want != have || memcmp(pattern, path, have) != 0)
			return false;
		if (!pattern[want] || !path[have])
			return !pattern[want] && !path[have];
		pattern += want + 1;
		path += have + 1;
	}
}

static struct found find_endpoint(const struct admin *a, const struct server_request *r)
{
	struct found f = {.open = true};

	for (const struct admin_endpoint *e = a->env.endpoints; e->method; e++) {
		struct admin_slice part = {0};

		if (!is_path(e->path, r->path, &part))
			continue;
		f.path = true;
		f.open = f.open && e->open;
		f.get = f.get || !strcmp(e->method, "GET");
		f.post = f.post || !strcmp(e->method, "POST");
		if (serves(e, r->method)) {
			f.endpoint = e;
			f.part = part;
		}
	}
	f.open = f.path && f.open;
	return f;
}

/* Of a request that changes something. */
static bool may_post(const struct server_request *r, struct server_reply *ret)
{
	if (!access_origin_ok(server_header(r, "Origin"), server_header(r, "Sec-Fetch-Site"),
			      server_header(r, "Host")))
		refuse(ret, 403, "pages of other sites may not act on this relay");
	else if (!access_is_json(server_header(r, "Content-Type")))
		refuse(ret, 415, "a body is application/json");
	else if (strlen(r->body) != r->len)
		refuse(ret, 400, "the body has a NUL byte");
	else
		return true;
	return false;
}

static void handle(void *arg, const struct server_request *r, struct server_reply *ret)
{
	struct admin *a = arg;
	struct found f = find_endpoint(a, r);

	server_reply_header(ret, "Cache-Control", "no-store");
	server_reply_header(ret, "X-Content-Type-Options", "nosniff");
	if (!access_host_ok(server_header(r, "Host"), &a->address, &a->hosts)) {
		refuse(ret, 403, "this relay is not called by that name; see admin.hosts");
	} else if (!f.open && !access_token_ok(server_header(r, "Authorization"), a->token)) {
		server_reply_header(ret, "WWW-Authenticate", "Bearer");
		refuse(ret, 401, "a token is needed: Authorization: Bearer …");
	} else if (!f.path) {
		refuse(ret, 404, "there is no such path");
	} else if (!f.endpoint) {
		server_reply_header(ret, "Allow",
				    !f.get   ? "POST"
				    : f.post ? "GET, HEAD, POST"
					     : "GET, HEAD");
		refuse(ret, 405, "this path does not take that method");
	} else if (strcmp(f.endpoint->method, "POST") != 0 || may_post(r, ret)) {
		ask_loop(a, &f, r, ret);
	}
}

/* ---- life ---- */

static void free_admin(struct admin *a)
{
	pthread_cond_destroy(&a->answered);
	pthread_mutex_destroy(&a->lock);
	explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	for (size_t i = 0; i < a->hosts.n; i++)
		free(a->hosts.v[i]);
	free(a->hosts.v);
	free(a);
}

struct admin *admin_open(const struct admin_options *o, const struct admin_env *env,
			 struct err *err)
{
	struct admin *a = xcalloc(1, sizeof *a);

	a->env = *env;
	a->address = o->address;
	a->hosts.v = xcalloc(o->hosts.n + 1, sizeof *a->hosts.v);
	for (; a->hosts.n < o->hosts.n; a->hosts.n++)
		a->hosts.v[a->hosts.n] = xstrdup(o->hosts.v[a->hosts.n]);
	a->token = xstrdup(env->token);
	pthread_mutex_init(&a->lock, NULL);
	thread_cond_init(&a->answered);
	struct server_options server = {
		.listen = o->listen,
		.body_max = BODY_MAX,
		.json = true,
		.handler = handle,
		.arg = a,
	};
	a->server = server_open(&server, err);
	if (a->server)
		return a;
	err_wrap(err, "admin.listen");
	free_admin(a);
	return NULL;
}

uint16_t admin_port(const struct admin *a)
{
	return server_port(a->server);
}

void admin_close(struct admin *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->closing = true;
	pthread_cond_broadcast(&a->answered);
	pthread_mutex_unlock(&a->lock);
	server_close(a->server);
	mailbox_run(a->env.loop);
	free_admin(a);
}

const struct admin_endpoint admin_endpoints[] = {
	{"GET", "/healthz", true, admin_healthz},
	{"GET", "/readyz", true, admin_readyz},
	{"GET", "/metrics", false, admin_metrics},
	{"GET", "/api/v1/status", false, admin_status},
	{"GET", "/api/v1/destinations", false, admin_destinations},
	{"POST", "/api/v1/destinations/*/enable", false, admin_enable},
	{"POST", "/api/v1/destinations/*/disable", false, admin_disable},
	{"POST", "/api/v1/destinations/*/drop", false, admin_drop},
	{"POST", "/api/v1/parked/retry", false, admin_retry},
	{"POST", "/api/v1/parked/drop", false, admin_drop_parked},
	{"POST", "/api/v1/replay", false, admin_replay},
	{"GET", "/api/v1/jobs", false, admin_jobs},
	{"POST", "/api/v1/jobs/*/cancel", false, admin_cancel},
	{0},
};
