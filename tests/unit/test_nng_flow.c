/* nng_flow: a bus and its subscribers in virtual time. Who can take it gets each message, and who
 * cannot holds up nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transports/nng_flow.h"

#define SUBSCRIBERS_MAX 200
#define NAP_US		1000

struct kind {
	unsigned n;
	double takes; /* messages a second */
	/* From here to there (ms) it takes nothing. */
	int64_t stops_ms, goes_on_ms;
	bool loses; /* else it must get all */
};

struct subscriber {
	const struct kind *kind;
	double offered, left, dropped;
	struct flow_queue flow;
};

struct play {
	double publishes; /* messages a second, when it does not wait */
	uint64_t cap;
	struct subscriber v[SUBSCRIBERS_MAX];
	const struct flow_queue *queues[SUBSCRIBERS_MAX];
	size_t n;
	int64_t now_us;
};

static bool stands_still(const struct kind *k, int64_t now_us)
{
	return now_us >= k->stops_ms * 1000 && now_us < k->goes_on_ms * 1000;
}

/* What leaves meanwhile. */
static void pass(struct play *p, double us)
{
	for (size_t i = 0; i < p->n; i++) {
		struct subscriber *s = &p->v[i];
		double held = s->offered - s->left - s->dropped, out = s->kind->takes * us / 1e6;

		if (!stands_still(s->kind, p->now_us))
			s->left = out < held ? s->left + out : s->offered - s->dropped;
	}
}

static void publish(struct play *p, uint64_t n)
{
	double us = (double)n * 1e6 / p->publishes;

	for (uint64_t k = 0; k < n; k++) {
		pass(p, us / (double)n);
		for (size_t i = 0; i < p->n; i++) {
			struct subscriber *s = &p->v[i];

			s->offered++;
			if (s->offered - s->left - s->dropped > (double)p->cap)
				s->dropped++;
		}
	}
	p->now_us += (int64_t)us + 1;
}

static void look(struct play *p, bool waited)
{
	for (size_t i = 0; i < p->n; i++) {
		struct subscriber *s = &p->v[i];
		struct queue_counts counts = {(uint64_t)s->offered, (uint64_t)s->left,
					      (uint64_t)s->dropped};

		flow_look(&s->flow, &counts, waited, p->now_us);
	}
}

/* Seconds that n messages take. */
static double publish_all(struct play *p, uint64_t n)
{
	int64_t start_us = p->now_us;
	bool waited = false;

	while (n > 0) {
		look(p, waited);
		uint64_t room = flow_room(p->queues, p->n, p->now_us);
		waited = room == 0;
		if (waited) {
			pass(p, NAP_US);
			p->now_us += NAP_US;
			continue;
		}
		room = room < n ? room : n;
		publish(p, room);
		n -= room;
	}
	return (double)(p->now_us - start_us) / 1e6;
}

static void begin(struct play *p, double publishes, uint64_t cap, const struct kind *kinds)
{
	memset(p, 0, sizeof *p);
	p->publishes = publishes;
	p->cap = cap;
	for (; kinds->n; kinds++)
		for (unsigned i = 0; i < kinds->n; i++) {
			p->v[p->n].kind = kinds;
			p->queues[p->n] = &p->v[p->n].flow;
			flow_begin(&p->v[p->n++].flow, cap, 0);
		}
}

static void check(const struct play *p, size_t which)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct subscriber *s = &p->v[i];

		if (!s->kind->loses && s->dropped > 0)
			fail_msg("case %zu: subscriber %zu lost %.0f of %.0f", which, i, s->dropped,
				 s->offered);
		if (s->kind->loses && s->dropped < 1)
			fail_msg("case %zu: subscriber %zu was waited for", which, i);
	}
}

static void who_can_take_it_gets_all(void **state)
{
	static const struct {
		double publishes;
		uint64_t cap, messages;
		struct kind kinds[4];
		double least_s, most_s; /* that it takes */
	} cases[] = {
		{150000, 8192, 50000, {{3, .takes = 1e6}}, 0.3, 0.4},
		{150000, 8192, 100000, {{3, .takes = 50000}}, 1.8, 2.3},
		/* a stopped one */
		{150000,
		 8192,
		 100000,
		 {{3, .takes = 50000}, {1, 50000, 20, 100000, .loses = true}},
		 1.8,
		 2.6},
		{150000,
		 8192,
		 100000,
		 {{3, .takes = 1e6}, {1, 1e6, 20, 100000, .loses = true}},
		 0.6,
		 1},
		/* one that is far too slow, and one that is not */
		{150000,
		 8192,
		 100000,
		 {{3, .takes = 50000}, {1, .takes = 2000, .loses = true}},
		 1.8,
		 3},
		{150000,
		 8192,
		 100000,
		 {{3, .takes = 1e6}, {1, .takes = 5000, .loses = true}},
		 0.6,
		 2},
		{150000, 8192, 100000, {{3, .takes = 50000}, {1, .takes = 10000}}, 8.5, 10.5},
		/* many that are slow together, and one alone */
		{3000, 8192, 40000, {{200, .takes = 1500}}, 20, 29},
		{50000, 8192, 50000, {{1, .takes = 2000}}, 20, 25},
		{50000, 8192, 50000, {{1, .takes = 500, .loses = true}}, 1, 3},
		/* little room */
		{100000, 16, 20000, {{2, .takes = 50000}}, 0.4, 3},
		{100000, 1, 2000, {{2, .takes = 50000}}, 0.02, 2.5},
	};
	static struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&p, cases[i].publishes, cases[i].cap, cases[i].kinds);
		double s = publish_all(&p, cases[i].messages);
		if (s < cases[i].least_s || s > cases[i].most_s)
			fail_msg("case %zu took %.2f s", i, s);
		check(&p, i);
	}
}

/* Nobody waits for it while it stands still, and it is waited for again when it takes them. */
static void who_goes_on_counts_again(void **state)
{
	static const struct kind kinds[] = {
		{1, .takes = 1e6}, {1, 30000, 300, 2500, .loses = true}, {0}};
	static struct play p;

	(void)state;
	begin(&p, 100000, 8192, kinds);
	publish_all(&p, 200000);
	assert_true(p.now_us < 4000000);
	double dropped = p.v[1].dropped;
	assert_true(dropped > 50000);
	p.now_us += 3000000;
	pass(&p, 1e6);
	look(&p, false); /* as before each heartbeat */
	double s = publish_all(&p, 100000);
	assert_true(p.v[1].dropped == dropped);
	assert_true(s > 2.5);
	assert_true(p.v[0].dropped == 0);
}

/* So a bus that has nothing to say for long does not think ill of anybody. */
static void silence_makes_nobody_slow(void **state)
{
	static const struct kind kinds[] = {{2, .takes = 20000}, {0}};
	static struct play p;

	(void)state;
	begin(&p, 100000, 8192, kinds);
	for (int i = 0; i < 5; i++) {
		publish_all(&p, 30000);
		pass(&p, 60e6);
		p.now_us += 60000000;
		look(&p, false);
	}
	check(&p, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_can_take_it_gets_all),
		cmocka_unit_test(who_goes_on_counts_again),
		cmocka_unit_test(silence_makes_nobody_slow),
	};

	return cmocka_run_group_tests_name("nng_flow", tests, NULL, NULL);
}
