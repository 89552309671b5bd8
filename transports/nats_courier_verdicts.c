/* nats_courier_verdicts — verdicts on their way to the loop, all of one turn in one message. */
#include <stdlib.h>

#include "relay/base/mem.h"
#include "transports/nats_courier_parts.h"

struct verdicts {
	struct courier *courier;
	size_t n, cap;
	struct one {
		uint64_t id;
		struct outcome outcome; /* why: owned */
		int64_t started_us;
	} * v;
};

static void verdicts_free(struct verdicts *list)
{
	for (size_t i = 0; i < list->n; i++)
		free((char *)list->v[i].outcome.why);
	free(list->v);
	free(list);
}

/* On the loop thread. `done` may send more, and may close this transport. */
static void report(void *arg)
{
	struct verdicts *list = arg;
	struct courier *c = list->courier;

	for (size_t i = 0; i < list->n && !c->closed; i++) {
		struct one *v = &list->v[i];
		v->outcome.took_ms = (clock_mono_us() - v->started_us) / 1000;
		c->env.done(c->env.arg, v->id, &v->outcome);
	}
	verdicts_free(list);
	courier_leave(c);
}

void courier_post_verdicts(struct courier *c)
{
	struct verdicts *list = c->verdicts;

	if (!list)
		return;
	c->verdicts = NULL;
	pthread_mutex_lock(&c->lock);
	bool open = !c->closed;
	if (open) {
		atomic_fetch_add(&c->users, 1);
		mailbox_post(c->env.loop, report, list);
	}
	pthread_mutex_unlock(&c->lock);
	if (!open)
		verdicts_free(list);
}

void courier_judge(struct courier *c, struct nats_items *list, struct nats_item *i,
		   const struct outcome *out)
{
	struct verdicts *v = c->verdicts;

	if (!v) {
		v = c->verdicts = xcalloc(1, sizeof *v);
		v->courier = c;
	}
	v->v = mem_grow(v->v, v->n, &v->cap, sizeof *v->v);
	v->v[v->n] = (struct one){i->id, *out, i->started_us};
	v->v[v->n].outcome.why = xstrdup(out->why);
	v->v[v->n++].outcome.wait_ms = -1;
	items_remove(list, i);
	free(i);
}
