/* pace_play — see the header. */
#include "pace_play.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct play play_begin(const struct receiver *r)
{
	struct play p = {.receiver = *r, .random = {11}};

	pace_bound(&p.pace, 16, PACE_MOST, 1);
	return p;
}

static double service_ms(struct play *p)
{
	const struct receiver *r = &p->receiver;
	double over = (double)(p->taken + 1) / r->workers;
	double ms = r->ms * (1 - r->varied - r->varied * log(1 - prng_unit(&p->random)));

	return over > 1 ? ms * pow(over, r->thrash) : ms;
}

/* When a worker will have done it. */
static double served_ms(struct play *p)
{
	unsigned first = 0;

	for (unsigned i = 1; i < p->receiver.workers && i < 64; i++)
		if (p->free_at[i] < p->free_at[first])
			first = i;
	if (p->free_at[first] < p->now_ms)
		p->free_at[first] = p->now_ms;
	p->free_at[first] += service_ms(p);
	return p->free_at[first];
}

/* A run begins so seldom that the share comes out. */
static bool fails(struct play *p)
{
	const struct receiver *r = &p->receiver;
	size_t run = r->run ? r->run : 1;
	double begins = r->fails / (r->fails + (double)run * (1 - r->fails));

	if (!p->run && r->fails > 0 && prng_unit(&p->random) < begins)
		p->run = run;
	if (!p->run)
		return false;
	p->run--;
	return true;
}

static void call(struct play *p)
{
	const struct receiver *r = &p->receiver;
	struct play_call *c = &p->out[p->n];

	*c = (struct play_call){.start_ms = p->now_ms, .end_ms = p->now_ms + 1};
	c->failed = fails(p);
	if (r->refuses && p->taken >= r->refuses) {
		c->failed = true;
	} else if (c->failed && r->fails_ms > 0) {
		c->end_ms = p->now_ms + r->fails_ms;
	} else {
		c->end_ms = served_ms(p);
		c->taken = true;
		p->taken++;
	}
	if (r->stands_ms > 0 && fmod(c->end_ms, r->every_ms) < r->stands_ms)
		c->end_ms += r->stands_ms - fmod(c->end_ms, r->every_ms);
	if (r->timeout_ms > 0 && c->end_ms > p->now_ms + r->timeout_ms) {
		c->end_ms = p->now_ms + r->timeout_ms;
		c->failed = true;
	}
	pace_sent(&p->pace, ++p->n);
}

static void answer(struct play *p)
{
	size_t next = 0, limit = p->pace.limit;
	struct play_call c;

	for (size_t i = 1; i < p->n; i++)
		if (p->out[i].end_ms < p->out[next].end_ms)
			next = i;
	c = p->out[next];
	p->out[next] = p->out[--p->n];
	p->now_ms = c.end_ms;
	p->taken -= c.taken;
	p->answers += !c.failed;
	p->failures += c.failed;
	p->lowest = limit < p->lowest ? limit : p->lowest;
	p->highest = limit > p->highest ? limit : p->highest;
	pace_answer(&p->pace, (int64_t)(c.end_ms - c.start_ms),
		    c.failed ? PACE_FAILED : PACE_ANSWERED, p->n);
}

void play_pass(struct play *p, double ms)
{
	double end_ms = p->now_ms + ms;

	p->answers = p->failures = 0;
	p->since_ms = p->now_ms;
	p->lowest = SIZE_MAX;
	p->highest = 0;
	while (p->now_ms < end_ms) {
		while (p->n < pace_limit(&p->pace))
			call(p);
		answer(p);
	}
}

void play_check(const struct play *p, const struct play_want *want, const char *what, size_t i)
{
	const struct receiver *r = &p->receiver;
	double each_ms = (p->now_ms - p->since_ms) / (double)p->answers;
	double throughput = r->ms / r->workers / each_ms;
	double failed = (double)p->failures / (double)(p->answers + p->failures);

	if (throughput < want->throughput || p->lowest < want->lowest ||
	    p->highest > want->highest || failed > want->failed)
		fail_msg("%s, case %zu: limit %zu to %zu, throughput %.2f, failed %.3f", what, i,
			 p->lowest, p->highest, throughput, failed);
}
