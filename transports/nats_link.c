/* nats_link — see the header. Invariants: libnats is called on threads that take no signals, so
 * that its own take none; after `ended` is set, under the lock, nothing is posted; the connection
 * is destroyed by the link's thread alone, after the owner ended the link.
 *
 * libnats is never closed as a whole: its three idle threads are the process's, as OpenSSL's tables
 * are. Its reconnecting is off: it would keep messages of its own and send them when it likes. */
#include "transports/nats_link.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "relay/base/mem.h"
#include "relay/base/thread.h"

#define PING_MS	   5000 /* a server that answers none of two in a row is dead */
#define PINGS	   2
#define WRITE_MS   2000 /* a server that reads nothing for so long, too */
#define WHY_MAX	   640
#define SAID_MAX   300
#define ANSWER_MAX 4096 /* an acknowledgement has some 60 bytes */
#define NUMBER_MAX 24

struct nats_link {
	atomic_int users; /* owner, thread, connection, subscription, what is in the inbox */
	const struct nats_setup *setup;
	struct nats_server server;
	struct nats_link_hooks hooks;
	natsConnection *connection; /* the thread's; the owner's too between up and end */
	natsSubscription *subscription;
	natsInbox *inbox; /* what answers come to: this, a dot, a number */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ended;
	bool broken;
	char said[SAID_MAX]; /* by the server, last */
	bool kept; /* the thread's: libnats may call for it at any time, so it is never freed */
};

static void leave(struct nats_link *l)
{
	void (*gone)(void *) = l->hooks.gone;
	void *arg = l->hooks.arg;

	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (!l->kept) {
		natsInbox_Destroy(l->inbox);
		pthread_cond_destroy(&l->changed);
		pthread_mutex_destroy(&l->lock);
		free(l);
	}
	gone(arg);
}

/* ---- news for the owner ---- */

struct news {
	struct nats_link *link;
	enum { NEWS_UP, NEWS_DOWN, NEWS_ANSWER } kind;
	uint64_t number;
	bool no_responders;
	size_t len;
	char text[];
};

static void hear(void *arg)
{
	struct news *n = arg;
	struct nats_link *l = n->link;
	const struct nats_link_hooks *h = &l->hooks;

	pthread_mutex_lock(&l->lock); /* the owner alone sets it, and is the one who is here */
	bool ended = l->ended;
	pthread_mutex_unlock(&l->lock);
	if (!ended && n->kind == NEWS_UP)
		h->up(h->arg);
	else if (!ended && n->kind == NEWS_DOWN)
		h->down(h->arg, n->text);
	else if (!ended)
		h->answered(h->arg, n->number, n->no_responders ? NULL : n->text, n->len);
	free(n);
	leave(l);
}

static struct news *new_news(struct nats_link *l, int kind, const char *text, size_t len)
{
	struct news *n = xcalloc(1, sizeof *n + len + 1);

	n->link = l;
	n->kind = kind;
	n->len = len;
	memcpy(n->text, text, len);
	return n;
}

static void tell(struct nats_link *l, struct news *n)
{
	pthread_mutex_lock(&l->lock);
	bool ended = l->ended;
	if (!ended) {
		atomic_fetch_add(&l->users, 1);
		mailbox_post(l->hooks.inbox, hear, n);
	}
	pthread_mutex_unlock(&l->lock);
	if (ended)
		free(n);
}

/* ---- what libnats calls ---- */

/* Of the calling thread. The library's own text is preceded by its source's file and line:
 * "(conn.c:1905): ". */
static const char *last_error(natsStatus s)
{
	natsStatus last = NATS_OK;
	const char *text = nats_GetLastError(&last);
	const char *behind = text && *text == '(' ? strstr(text, "): ") : NULL;

	if (behind)
		text = behind + 3;
	return text && *text ? text : natsStatus_GetText(s);
}

/* Here the text is this thread's; that of the connection may change while it is read. */
static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *closure)
{
	struct nats_link *l = closure;

	(void)nc, (void)sub;
	pthread_mutex_lock(&l->lock);
	snprintf(l->said, sizeof l->said, "%s", last_error(s));
	pthread_mutex_unlock(&l->lock);
}

/* Behind the last error of a connection that was made: libnats keeps them in order. */
static void on_closed(natsConnection *nc, void *closure)
{
	(void)nc;
	leave(closure);
}

static void on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	struct nats_link *l = closure;
	const char *number = strrchr(natsMsg_GetSubject(msg), '.');
	size_t len = (size_t)natsMsg_GetDataLength(msg);
	struct news *n = new_news(l, NEWS_ANSWER, len ? natsMsg_GetData(msg) : "",
				  len < ANSWER_MAX ? len : ANSWER_MAX);

	(void)nc, (void)sub;
	n->number = number ? strtoull(number + 1, NULL, 10) : 0;
	n->no_responders = natsMsg_IsNoResponders(msg);
	natsMsg_Destroy(msg);
	tell(l, n);
}

/* The last call of libnats for this subscription, which ends with its connection. */
static void on_complete(void *closure)
{
	struct nats_link *l = closure;

	pthread_mutex_lock(&l->lock);
	l->broken = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	leave(l);
}

/* ---- the thread ---- */

static natsStatus set_identity(natsOptions *o, const struct nats_setup *s)
{
	if (s->credentials_file)
		return natsOptions_SetUserCredentialsFromFiles(o, s->credentials_file, NULL);
	if (s->token)
		return natsOptions_SetToken(o, s->token);
	return s->user ? natsOptions_SetUserInfo(o, s->user, s->password) : NATS_OK;
}

/* The name is set in any case: how libnats was built decides whether it would compare it else. */
static natsStatus set_tls(natsOptions *o, const struct nats_setup *s,
			  const struct nats_server *server)
{
	natsStatus status = natsOptions_SetSecure(o, true);

	if (status == NATS_OK)
		status = natsOptions_SetExpectedHostname(o, server->host);
	if (status == NATS_OK && s->ca_file)
		status = natsOptions_LoadCATrustedCertificates(o, s->ca_file);
	if (status == NATS_OK && s->cert_file)
		status = natsOptions_LoadCertificatesChain(o, s->cert_file, s->key_file);
	return status;
}

static natsStatus set_basics(natsOptions *o, struct nats_link *l)
{
	char url[NATS_HOST_MAX + 24];
	const bool v6 = strchr(l->server.host, ':');
	natsStatus s;

	snprintf(url, sizeof url, "%s://%s%s%s:%u", l->server.tls ? "tls" : "nats", v6 ? "[" : "",
		 l->server.host, v6 ? "]" : "", l->server.port);
	s = natsOptions_SetURL(o, url);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, l->setup->name);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, l->setup->connect_timeout_ms);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsOptions_SetIgnoreDiscoveredServers(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, PING_MS);
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(o, PINGS);
	if (s == NATS_OK)
		s = natsOptions_SetWriteDeadline(o, WRITE_MS);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, l);
	return s == NATS_OK ? natsOptions_SetClosedCB(o, on_closed, l) : s;
}

static natsStatus connect_to(struct nats_link *l)
{
	natsOptions *o = NULL;
	natsStatus s = natsOptions_Create(&o);

	if (s == NATS_OK)
		s = set_basics(o, l);
	if (s == NATS_OK)
		s = set_identity(o, l->setup);
	if (s == NATS_OK && l->server.tls)
		s = set_tls(o, l->setup, &l->server);
	if (s == NATS_OK) {
		atomic_fetch_add(&l->users, 1);
		s = natsConnection_Connect(&l->connection, o);
		if (s != NATS_OK)
			leave(l); /* then it calls neither */
	}
	natsOptions_Destroy(o);
	return s;
}

static natsStatus subscribe(struct nats_link *l)
{
	char subject[256];
	natsStatus s = natsInbox_Create(&l->inbox);

	if (s != NATS_OK)
		return s;
	snprintf(subject, sizeof subject, "%s.*", l->inbox);
	atomic_fetch_add(&l->users, 1);
	s = natsConnection_Subscribe(&l->subscription, l->connection, subject, on_answer, l);
	if (s == NATS_OK)
		s = natsSubscription_SetOnCompleteCB(l->subscription, on_complete, l);
	if (s != NATS_OK) {
		/* The connection broke meanwhile, and nobody says when the last call of libnats
		 * was. A few hundred bytes are lost; the owner must not wait for it, or a server
		 * that often breaks connections would use up all its links. */
		l->kept = true;
		leave(l); /* the thread is still a user */
	}
	return s;
}

static void describe(struct nats_link *l, natsStatus s, char why[WHY_MAX])
{
	const struct nats_server *at = &l->server;
	const char *text = NULL;

	if (s != NATS_OK)
		text = last_error(s);
	else
		natsConnection_GetLastError(l->connection, &text); /* it is closed: nobody writes */
	if (!text || !*text)
		text = "the connection broke";
	snprintf(why, WHY_MAX, "%s:%u: %.300s", at->host, at->port, text);
	for (char *c = why; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void tell_down(struct nats_link *l, natsStatus s)
{
	char why[WHY_MAX];

	describe(l, s, why);
	tell(l, new_news(l, NEWS_DOWN, why, strlen(why)));
}

/* Has it been ended? Else it is broken. */
static bool wait_for(struct nats_link *l, bool or_broken)
{
	pthread_mutex_lock(&l->lock);
	while (!l->ended && !(or_broken && l->broken))
		pthread_cond_wait(&l->changed, &l->lock);
	bool ended = l->ended;
	pthread_mutex_unlock(&l->lock);
	return ended;
}

static void *run(void *arg)
{
	struct nats_link *l = arg;
	natsStatus s = connect_to(l);

	if (s == NATS_OK)
		s = subscribe(l);
	if (s == NATS_OK)
		tell(l, new_news(l, NEWS_UP, "", 0));
	if (s != NATS_OK || !wait_for(l, true))
		tell_down(l, s);
	wait_for(l, false);
	natsSubscription_Destroy(l->subscription);
	natsConnection_Destroy(l->connection);
	nats_ReleaseThreadMemory();
	OPENSSL_thread_stop(); /* here, or it may meet OpenSSL's own end at the process's exit */
	leave(l);
	return NULL;
}

/* ---- the owner's side ---- */

struct nats_link *nats_link_dial(const struct nats_setup *setup, const struct nats_server *server,
				 const struct nats_link_hooks *hooks, struct err *err)
{
	struct nats_link *l = xcalloc(1, sizeof *l);
	pthread_t thread;

	atomic_init(&l->users, 2);
	l->setup = setup;
	l->server = *server;
	l->hooks = *hooks;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	if (thread_start(&thread, "nats-link", run, l, err) == 0) {
		pthread_detach(thread);
		return l;
	}
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}

void nats_link_end(struct nats_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->ended = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	leave(l);
}

const struct nats_server *nats_link_server(const struct nats_link *l)
{
	return &l->server;
}

natsMsg *nats_link_compose(const struct nats_link *l, const struct nats_outgoing *m)
{
	char reply[256];
	natsMsg *msg = NULL;

	snprintf(reply, sizeof reply, "%s.%" PRIu64, l->inbox, m->number);
	if (natsMsg_Create(&msg, m->subject, reply, m->body, (int)m->len) != NATS_OK)
		return NULL;
	if (natsMsgHeader_Set(msg, "Nats-Msg-Id", m->id) == NATS_OK &&
	    natsMsgHeader_Set(msg, "content-type", NATS_CONTENT_TYPE) == NATS_OK &&
	    (!m->stream || natsMsgHeader_Set(msg, "Nats-Expected-Stream", m->stream) == NATS_OK))
		return msg;
	natsMsg_Destroy(msg);
	return NULL;
}

enum nats_published nats_link_publish(struct nats_link *l, natsMsg *msg, struct err *err)
{
	natsStatus s = natsConnection_PublishMsg(l->connection, msg);

	if (s == NATS_OK)
		return NATS_PUBLISHED;
	err_set(err, ERR_NET, "%s:%u: %.300s", l->server.host, l->server.port, last_error(s));
	return s == NATS_MAX_PAYLOAD	     ? NATS_TOO_LARGE
	       : s == NATS_NO_SERVER_SUPPORT ? NATS_UNABLE
					     : NATS_BROKEN;
}

void nats_link_complaint(struct nats_link *l, char *ret, size_t size)
{
	pthread_mutex_lock(&l->lock);
	snprintf(ret, size, "%s", l->said);
	pthread_mutex_unlock(&l->lock);
}
