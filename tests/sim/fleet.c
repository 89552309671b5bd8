/* fleet — see the header. Receivers' threads, the journal's and the test's come here: each takes
 * the lock for the whole of it. */
#include "tests/sim/fleet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static const char *const names[FLEET] = {"plain", "headers", "batch", "blank"};
static const bool ordered[FLEET] = {true, false, true, true};

static void set_fault(struct fleet *f, const char *fmt, va_list args)
{
	if (!*f->fault)
		vsnprintf(f->fault, sizeof f->fault, fmt, args);
}

/* With the lock. */
__attribute__((format(printf, 2, 3))) static void wrong(struct fleet *f, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	set_fault(f, fmt, args);
	va_end(args);
}

void fleet_fault(struct fleet *f, const char *fmt, ...)
{
	va_list args;
	pthread_mutex_lock(&f->lock);
	va_start(args, fmt);
	set_fault(f, fmt, args);
	va_end(args);
	pthread_mutex_unlock(&f->lock);
}

/* ---- what is committed ---- */

static struct owing *due_at(struct track *t, int64_t sequence)
{
	while ((size_t)sequence >= t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 1024;
		t->v = xrealloc(t->v, cap, sizeof *t->v);
		memset(t->v + t->cap, 0, (cap - t->cap) * sizeof *t->v);
		t->cap = cap;
	}
	return &t->v[sequence];
}

/* The number that a name has, or had last; 0: none. */
static uint32_t number_of(const struct fleet *f, const char *name)
{
	for (uint32_t n = NUMBERS - 1; n; n--)
		if (f->tracks[n].known && !strcmp(f->tracks[n].name, name))
			return n;
	return 0;
}

/* Everywhere behind `"data":`, as the fields' values have no quotes. */
static char *without(const char *body, const char *field)
{
	struct buf out = BUF_INIT(EVENT_BODY_MAX);
	const char *at = strstr(body, "\"data\":"), *next;
	size_t len = strlen(field);
	buf_add(&out, body, (size_t)(at - body));
	while ((next = strstr(at, field))) {
		buf_add(&out, at, (size_t)(next - at) + len);
		at = next + len;
		if (*at != '"')
			continue;
		buf_adds(&out, "null");
		at = strchr(at + 1, '"') + 1;
	}
	buf_adds(&out, at);
	return buf_detach(&out);
}

static void take_dropped(struct fleet *f, const char *body)
{
	for (size_t i = 0; i < FLEET; i++) {
		char wanted[64];
		snprintf(wanted, sizeof wanted, "\"destination\":\"%s\"", names[i]);
		if (strstr(body, wanted))
			f->tracks[number_of(f, names[i])].told +=
				strtoll(strstr(body, "\"count\":") + 8, NULL, 10);
	}
}

static void take_event(struct fleet *f, const struct event *ev)
{
	if (ev->sequence != (int64_t)f->nevents + 1)
		wrong(f, "sequence %lld follows %zu", (long long)ev->sequence, f->nevents);
	f->events = mem_grow(f->events, f->nevents, &f->events_cap, sizeof *f->events);
	struct known_event *e = &f->events[f->nevents++];
	char *phoneless = without(ev->body, "\"phone\":");
	*e = (struct known_event){
		.body = xstrdup(ev->body),
		.blank = without(phoneless, "\"email\":"),
		.key = ev->order_key,
	};
	free(phoneless);
	memcpy(e->id, ev->id, sizeof e->id);
	memcpy(e->type, ev->type, sizeof e->type);
	if (!strcmp(e->type, "relay.dropped"))
		take_dropped(f, e->body);
}

static void take_destination(struct fleet *f, const struct destination_record *d)
{
	struct track *t = &f->tracks[d->number];
	t->known = true;
	t->state = d->state;
	t->dropped |= d->state == DESTINATION_DROPPED;
	snprintf(t->name, sizeof t->name, "%s", d->name);
}

void fleet_committed(void *arg, const struct batch *b)
{
	struct fleet *f = arg;
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < b->ndestinations; i++)
		take_destination(f, &b->destinations[i]);
	for (size_t i = 0; i < b->events.n; i++)
		take_event(f, &b->events.v[i]);
	for (size_t i = 0; i < b->nroutes; i++) {
		const struct route *r = &b->routes[i];
		struct owing *u =
			due_at(&f->tracks[r->destination], b->events.v[r->event].sequence);
		u->routed = true;
		u->turned = f->turning;
	}
	for (size_t i = 0; i < b->nlate; i++) {
		const struct late_route *l = &b->late[i];
		struct owing *u = due_at(&f->tracks[l->destination], l->sequence);
		u->late |= !u->routed;
		u->routed = u->turned = true;
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- what comes ---- */

/* Nothing it stands behind is still to come. */
static void check_order(struct fleet *f, size_t i, const struct track *t, int64_t sequence)
{
	const struct owing *u = &t->v[sequence];
	if (!ordered[i] || u->attempts || u->late || u->turned)
		return;
	for (int64_t s = sequence - 1; s > 0; s--) {
		const struct owing *before = &t->v[s];
		if (!before->routed || f->events[s - 1].key != f->events[sequence - 1].key)
			continue;
		if (!before->accepted && !before->refused && !before->turned &&
		    before->attempts < ATTEMPTS)
			wrong(f, "%s: %lld comes before %lld of its key, which came %u times",
			      names[i], (long long)sequence, (long long)s, before->attempts);
	}
}

static void check_content(struct receiver *r, const struct received *q, int64_t sequence)
{
	struct fleet *f = r->fleet;
	const struct known_event *e = &f->events[sequence - 1];
	const char *want = r == &f->v[3] ? e->blank : e->body;
	char header[256] = "";
	if (r == &f->v[1]) {
		const char *data = strstr(want, "\"data\":") + 7;
		size_t len = strlen(data) - 1; /* the outer brace */
		if (q->len != len || memcmp(q->body, data, len) != 0)
			wrong(f, "%s: another body of %lld: %s", r->name, (long long)sequence,
			      q->body);
		received_header(q, "ce-id", header, sizeof header);
		if (strcmp(header, e->id) != 0)
			wrong(f, "%s: ce-id %s of %s", r->name, header, e->id);
	} else if (r == &f->v[2] ? !strstr(q->body, want) : strcmp(q->body, want) != 0) {
		wrong(f, "%s: another body of %lld: %s", r->name, (long long)sequence, q->body);
	}
	received_header(q, "webhook-id", header, sizeof header);
	if (r != &f->v[2] && strcmp(header, e->id) != 0)
		wrong(f, "%s: webhook-id %s of %s", r->name, header, e->id);
}

static void check_arrival(struct receiver *r, const struct received *q, struct track *t,
			  int64_t sequence)
{
	struct fleet *f = r->fleet;
	struct owing *u = due_at(t, sequence);
	check_content(r, q, sequence);
	if (!u->routed)
		wrong(f, "%s: %lld was not routed there", r->name, (long long)sequence);
	if (r->closed)
		wrong(f, "%s: %lld comes though nothing may", r->name, (long long)sequence);
	if (u->accepted && u->life == f->life && !u->turned)
		wrong(f, "%s: %lld comes again", r->name, (long long)sequence);
	check_order(f, (size_t)(r - f->v), t, sequence);
	f->repeats += u->accepted > 0;
	u->attempts++;
}

static const struct {
	const char *line;
	bool refused;
} answers[] = {
	{"204 No Content", false}, {"503 Busy", false},		{"404 Not Found", true},
	{"429 Slower", false},	   {"410 Gone", false},		{"500 Oh", false},
	{"408 Timeout", false},	   {"422 Unprocessable", true},
};

/* Which answer, or -1 for none; `picky`: it is one of those that are refused at times. */
static int choose(struct receiver *r, bool picky)
{
	static const int moods[] = {0, 1, 3, 5, 6, -1, 7, 0, 0, 0, 0, 0};
	switch (r->mood) {
	case BUSY:
	case LATER: return 1;
	case AWAY: return -1;
	case THROTTLES: return 3;
	case GONE: return 4;
	case MOODY: return moods[prng_next(&r->fleet->random) % 12];
	case PICKY: return picky ? 2 : 0;
	default: return 0;
	}
}

static const char *answer(struct receiver *r, int which)
{
	char wait[48] = "";
	if (which < 0)
		return "";
	if (r->mood == THROTTLES || r->mood == LATER)
		snprintf(wait, sizeof wait, "Retry-After: %d\r\n", r->wait_s);
	snprintf(r->reply, sizeof r->reply, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s",
		 answers[which].line, wait, which == 1 ? 3 : 0, which == 1 ? "no\n" : "");
	return r->reply;
}

static int64_t committed(struct fleet *f, const char *digits)
{
	int64_t sequence = strtoll(digits, NULL, 10);
	if (sequence > 0 && sequence <= (int64_t)f->nevents)
		return sequence;
	wrong(f, "%lld comes and was never committed", (long long)sequence);
	return 0;
}

/* The next event in a request, behind *at; 0: none is left. */
static int64_t next_sequence(struct fleet *f, const struct received *q, const char **at)
{
	static const char field[] = "\"sequence\":\"";
	char header[64];
	if (received_header(q, "ce-sequence", header, sizeof header)) {
		bool first = *at == q->body;
		*at = q->body + q->len;
		return first ? committed(f, header) : 0;
	}
	const char *found = strstr(*at, field);
	if (!found)
		return 0;
	*at = found + strlen(field);
	return committed(f, *at);
}

static const char *judge(void *arg, const struct received *q)
{
	struct receiver *r = arg;
	struct fleet *f = r->fleet;
	const char *at = q->body;
	bool picky = false;
	int64_t sequence;
	pthread_mutex_lock(&f->lock);
	struct track *t = &f->tracks[number_of(f, r->name)];
	f->calls++;
	while ((sequence = next_sequence(f, q, &at))) {
		check_arrival(r, q, t, sequence);
		picky |= sequence % 7 == 3;
	}
	int which = choose(r, picky);
	at = q->body;
	while ((sequence = next_sequence(f, q, &at))) {
		struct owing *u = due_at(t, sequence);
		u->accepted += which == 0;
		u->refused += which >= 0 && answers[which].refused;
		if (which == 0)
			u->life = f->life;
	}
	const char *ret = answer(r, which);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

/* ---- what is done to it ---- */

void fleet_open(struct fleet *f, uint64_t seed)
{
	*f = (struct fleet){.life = 1};
	pthread_mutex_init(&f->lock, NULL);
	f->random.state = seed;
	for (size_t i = 0; i < FLEET; i++) {
		f->v[i] = (struct receiver){.fleet = f, .name = names[i]};
		f->v[i].http = http_receiver_open("");
		http_receiver_ask(f->v[i].http, judge, &f->v[i]);
	}
}

void fleet_close(struct fleet *f)
{
	for (size_t i = 0; i < FLEET; i++)
		http_receiver_close(f->v[i].http);
	for (size_t i = 0; i < NUMBERS; i++)
		free(f->tracks[i].v);
	for (size_t i = 0; i < f->nevents; i++) {
		free(f->events[i].body);
		free(f->events[i].blank);
	}
	free(f->events);
	pthread_mutex_destroy(&f->lock);
}

void fleet_mood(struct fleet *f, size_t i, enum mood mood, int wait_s)
{
	pthread_mutex_lock(&f->lock);
	f->v[i].mood = mood;
	f->v[i].wait_s = wait_s;
	pthread_mutex_unlock(&f->lock);
}

void fleet_shut(struct fleet *f, size_t i, bool closed)
{
	pthread_mutex_lock(&f->lock);
	f->v[i].closed = closed;
	pthread_mutex_unlock(&f->lock);
}

void fleet_new_life(struct fleet *f)
{
	pthread_mutex_lock(&f->lock);
	f->life++;
	pthread_mutex_unlock(&f->lock);
}

void fleet_turn(struct fleet *f, bool goes_on)
{
	pthread_mutex_lock(&f->lock);
	f->turning = goes_on;
	for (size_t n = 1; n < NUMBERS; n++)
		for (size_t s = 0; s < f->tracks[n].cap; s++)
			f->tracks[n].v[s].turned |= f->tracks[n].v[s].routed;
	pthread_mutex_unlock(&f->lock);
}

size_t fleet_calls(struct fleet *f)
{
	pthread_mutex_lock(&f->lock);
	size_t n = f->calls;
	pthread_mutex_unlock(&f->lock);
	return n;
}
