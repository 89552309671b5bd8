/* catchup — one feed of pages for each subscription, merged. Invariant: an event is given out only
 * when every feed has been read up to its sequence, so that the stream's position may follow. */
#include "relay/cmd/catchup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define LAG_TRIES   10 /* the relay's `latest` may lag behind a commit for a moment */
#define LAG_WAIT_MS 300

struct feed {
	const char *subscription;
	int64_t scanned; /* read up to here */
	bool more;
};

struct waiting { /* an event that some feed has not been read up to; owns its texts */
	struct bus_event event;
	char *topic, *body, *id, *type;
};

struct merge {
	struct follow *f;
	struct feed *feeds;
	size_t nfeeds;
	struct waiting *v; /* ascending */
	size_t n, cap;
	struct caught_up *result;
	int64_t from;	/* the stream's position when it began */
	int64_t marked; /* as stream_marked said then; 0: nothing is to be proven */
	char mark_id[STREAM_ID];
	bool proven; /* the marked event is in this journal, or too old to be */
};

static struct feed *next_feed(const struct merge *m)
{
	struct feed *found = NULL;

	for (size_t i = 0; i < m->nfeeds; i++)
		if (m->feeds[i].more && (!found || m->feeds[i].scanned < found->scanned))
			found = &m->feeds[i];
	return found;
}

static int64_t horizon(const struct merge *m)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < m->nfeeds; i++)
		if (m->feeds[i].scanned < least)
			least = m->feeds[i].scanned;
	return least;
}

/* Overlapping subscriptions bring an event twice; the second is known when its turn comes. */
static void insert(struct merge *m, const struct bus_event *ev)
{
	size_t i = m->n;

	while (i > 0 && m->v[i - 1].event.sequence > ev->sequence)
		i--;
	m->v = mem_grow(m->v, m->n, &m->cap, sizeof *m->v);
	memmove(m->v + i + 1, m->v + i, (m->n - i) * sizeof *m->v);
	m->n++;
	struct waiting *w = &m->v[i];
	w->event = *ev;
	w->event.topic = w->topic = xstrdup(ev->topic);
	w->event.body = w->body = xstrndup(ev->body, ev->len);
	w->event.id = w->id = xstrdup(ev->id);
	w->event.type = w->type = xstrdup(ev->type);
}

static void drop_first(struct merge *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(m->v[i].topic);
		free(m->v[i].body);
		free(m->v[i].id);
		free(m->v[i].type);
	}
	m->n -= n;
	if (m->n)
		memmove(m->v, m->v + n, m->n * sizeof *m->v);
}

/* Returns 1 when give wants no more. */
static int give_one(struct merge *m, const struct bus_event *ev, struct err *err)
{
	struct follow *f = m->f;

	if (stream_judge(f->stream, ev->topic, ev->sequence, ev->prevsequence) == STREAM_KNOWN)
		return 0;
	int got = f->give(f->arg, ev, err);
	if (got < 0)
		return -1;
	stream_hold(f->stream, ev->topic, ev->sequence);
	stream_mark(f->stream, ev->sequence, ev->id);
	follow_filled(f, ev);
	m->result->given++;
	m->result->last = got > 0;
	return follow_breathe(f, err) < 0 ? -1 : got;
}

/* Gives out what all feeds have been read up to. */
static int give_ready(struct merge *m, struct err *err)
{
	int64_t upto = horizon(m);
	size_t i = 0;
	int got = 0;

	if (!m->proven && upto >= m->marked)
		return err_set(err, ERR_STORE,
			       "event %" PRId64 " of the relay's journal is not the one that came "
			       "from there before: it is another journal, or one begun anew",
			       m->marked);
	while (!got && !*m->f->stop && i < m->n && m->v[i].event.sequence <= upto)
		got = give_one(m, &m->v[i++].event, err);
	bool all = i == m->n || m->v[i].event.sequence > upto;
	drop_first(m, i);
	if (got < 0)
		return -1;
	if (!got && all)
		stream_reach(m->f->stream, upto);
	m->result->cut_short = !all && *m->f->stop;
	return 0;
}

/* A journal that ends before what is held is not the one that this was held of; but its `latest`
 * may lag behind a commit for a moment. */
static int ask_page(struct merge *m, const struct feed *feed, const struct bus_page **ret,
		    struct err *err)
{
	for (int i = 0; i < LAG_TRIES && !*m->f->stop; i++) {
		if (bus_client_refill(m->f->client, feed->subscription, feed->scanned, ret, err) <
		    0)
			return -1;
		if ((*ret)->latest >= feed->scanned)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = LAG_WAIT_MS * 1000000L}, NULL);
	}
	return err_set(err, *m->f->stop ? ERR_NET : ERR_STORE,
		       "the relay's journal ends at event %" PRId64 ", before event %" PRId64
		       ", which is said to be known: is it another journal, or one begun anew?",
		       *m->f->stop ? 0 : (*ret)->latest, feed->scanned);
}

/* Retention took what was not yet asked for. */
static void note_lost(struct merge *m, const struct feed *feed, const struct bus_page *page)
{
	int64_t known = feed->scanned > m->from ? feed->scanned : m->from;

	if (known > 0 && page->oldest > known + 1)
		follow_lost(m->f, known + 1, page->oldest - 1);
	if (page->oldest > m->marked)
		m->proven = true;
}

static bool is_marked(const struct merge *m, const struct bus_event *ev)
{
	return ev->sequence == m->marked && ev->id &&
	       strncmp(ev->id, m->mark_id, STREAM_ID - 1) == 0;
}

static int read_page(struct merge *m, struct feed *feed, struct err *err)
{
	const struct bus_page *page;

	if (ask_page(m, feed, &page, err) < 0)
		return -1;
	if (page->next < feed->scanned || (page->more && page->next == feed->scanned))
		return err_set(err, ERR_NET, "the refill makes no progress at %" PRId64,
			       feed->scanned);
	note_lost(m, feed, page);
	for (size_t i = 0; i < page->n; i++) {
		const struct bus_event *ev = &page->events[i];
		if (is_marked(m, ev))
			m->proven = true;
		if (ev->sequence > feed->scanned && ev->sequence > m->from)
			insert(m, ev);
	}
	feed->scanned = page->next;
	feed->more = page->more;
	return 0;
}

static int read_all(struct merge *m, struct err *err)
{
	struct feed *feed;

	while (!m->result->last && !m->result->cut_short && (feed = next_feed(m))) {
		if (*m->f->stop) {
			m->result->cut_short = true;
			break;
		}
		if (read_page(m, feed, err) < 0 || give_ready(m, err) < 0 ||
		    follow_breathe(m->f, err) < 0)
			return -1;
	}
	return 0;
}

/* With the marked event, when it has to be seen. */
static int64_t begin(const struct merge *m)
{
	return m->marked && m->marked <= m->from ? m->marked - 1 : m->from;
}

int catch_up(struct follow *f, struct caught_up *ret, struct err *err)
{
	struct merge m = {.f = f, .nfeeds = f->nsubscriptions, .result = ret};
	const char *id;

	*ret = (struct caught_up){0};
	m.from = stream_position(f->stream);
	m.marked = f->unsure ? stream_marked(f->stream, &id) : 0;
	if (m.marked)
		snprintf(m.mark_id, sizeof m.mark_id, "%s", id);
	m.proven = !m.marked;
	m.feeds = xcalloc(m.nfeeds, sizeof *m.feeds);
	for (size_t i = 0; i < m.nfeeds; i++)
		m.feeds[i] = (struct feed){f->subscriptions[i], begin(&m), true};
	int failed = read_all(&m, err);
	if (!failed && m.proven)
		f->unsure = false;
	drop_first(&m, m.n);
	free(m.v);
	free(m.feeds);
	return failed;
}
