/* nng_asker — one request at a time. Invariant: between two calls the link is down, or up with
 * nothing under way. */
#include "transports/nng_asker.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define CONNECT_MS 2000
#define REPLY_MS   10000
#define LOOK_MS	   200 /* between two looks at *stop, should its signal come just before a wait */

struct asker {
	struct link *link; /* owned */
	const volatile sig_atomic_t *stop;
	uint32_t request;
	bool used; /* the connection answered before: it may have ended since */
};

struct asker *asker_new(struct link *link, const volatile sig_atomic_t *stop)
{
	struct asker *a = xcalloc(1, sizeof *a);

	a->link = link;
	a->stop = stop;
	return a;
}

void asker_free(struct asker *a)
{
	if (!a)
		return;
	link_close(a->link);
	free(a);
}

const char *asker_url(const struct asker *a)
{
	return link_url(a->link);
}

/* Waits until there is something to do. False: *stop is set or the time is over. */
static bool wait_link(struct asker *a, bool to_send, int64_t until_ms)
{
	int64_t now = clock_now().mono_ms;
	int ms = until_ms - now < LOOK_MS ? (int)(until_ms - now) : LOOK_MS;
	struct pollfd p;

	if (*a->stop || now >= until_ms)
		return false;
	p.fd = link_poll(a->link, now, &p.events, &ms);
	if (to_send)
		p.events = POLLOUT;
	poll(&p, 1, ms);
	return true;
}

static int connect_link(struct asker *a, struct err *err)
{
	int64_t until = clock_now().mono_ms + CONNECT_MS;

	while (!link_up(a->link, clock_now().mono_ms)) {
		a->used = false;
		if (!wait_link(a, false, until))
			return err_set(err, ERR_NET, "%s",
				       *link_trouble(a->link) ? link_trouble(a->link)
							      : "no answer");
	}
	return 0;
}

static void put_word(unsigned char *at, uint32_t word)
{
	for (int i = 0; i < SP_HOP; i++)
		at[i] = (unsigned char)(word >> (24 - 8 * i));
}

static int send_all(struct asker *a, const unsigned char *bytes, size_t len, struct err *err)
{
	int64_t until = clock_now().mono_ms + REPLY_MS;

	while (len > 0) {
		ssize_t n = link_send(a->link, bytes, len);
		if (n < 0)
			return err_set(err, ERR_NET, "the connection ended");
		bytes += n;
		len -= (size_t)n;
		if (n == 0 && !wait_link(a, true, until))
			return err_set(err, ERR_NET, "the request is not taken");
	}
	return 0;
}

static int send_request(struct asker *a, const struct buf *request, struct err *err)
{
	size_t head = sp_head_size(link_is_ipc(a->link));
	unsigned char *message = xmalloc(head + SP_HOP + request->len);

	sp_head(message, link_is_ipc(a->link), SP_HOP + request->len);
	put_word(message + head, ++a->request | 0x80000000u);
	memcpy(message + head + SP_HOP, request->data, request->len);
	int failed = send_all(a, message, head + SP_HOP + request->len, err);
	free(message);
	return failed;
}

static int receive_reply(struct asker *a, struct asker_reply *ret, struct err *err)
{
	int64_t until = clock_now().mono_ms + REPLY_MS;
	unsigned char own[SP_HOP];
	const char *text;
	size_t len;
	int got;

	while ((got = link_receive(a->link, &text, &len)) == 0)
		if (!wait_link(a, false, until))
			return err_set(err, ERR_NET, *a->stop ? "given up" : "no answer");
	if (got < 0)
		return err_set(err, ERR_NET, "the connection ended");
	put_word(own, a->request | 0x80000000u);
	if (len < sizeof own || memcmp(text, own, sizeof own) != 0)
		return err_set(err, ERR_NET, "a reply to something that was not asked");
	*ret = (struct asker_reply){text + SP_HOP, len - SP_HOP};
	return 0;
}

static int exchange(struct asker *a, const struct buf *request, struct asker_reply *ret,
		    struct err *err)
{
	if (connect_link(a, err) < 0)
		return -1;
	if (send_request(a, request, err) < 0 || receive_reply(a, ret, err) < 0) {
		link_drop(a->link, clock_now().mono_ms, true);
		return -1;
	}
	a->used = true;
	return 0;
}

int asker_ask(struct asker *a, const struct buf *request, struct asker_reply *ret, struct err *err)
{
	struct err why = {0};
	bool used = a->used;

	if (exchange(a, request, ret, &why) == 0)
		return 0;
	/* The relay may have been restarted since the last request. */
	a->used = false;
	if (used && !*a->stop && exchange(a, request, ret, &why) == 0)
		return 0;
	*err = why;
	return err_wrap(err, "%s", asker_url(a));
}
