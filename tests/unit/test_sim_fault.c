/* sim faults: specs are understood or refused, each kind does what its name says, and the same seed
 * strikes the same requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/invent-sim/fault.h"
#include "tests/unit/sim_client.h"

#define LATE (SIM_EPOCH + 3600000LL)

static void specs(void **state)
{
	static const struct {
		const char *spec, *says; /* NULL: good */
	} cases[] = {
		{"429", NULL},
		{"429=2,p=0.1,count=3,after=10,on=recipients,broadcast=bc_1", NULL},
		{"slow=1500,p=1", NULL},
		{"", "fault : no such kind"},
		{"503", "fault 503: no such kind"},
		{"500,p=2", "fault 500: p=2 is not understood"},
		{"500,p=", "fault 500: p= is not understood"},
		{"500,count=-1", "fault 500: count=-1 is not understood"},
		{"500,on=moon", "fault 500: on=moon is not understood"},
		{"500,burst=x", "fault 500: burst=x is not understood"},
		{"500,colour=red", "fault 500: colour=red is not understood"},
		{"500,p", "fault 500: p= is not understood"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct faults f = {.n = 0};
		struct err err = {0};
		int status = fault_parse(&f.v[0], cases[i].spec, &err);
		assert_int_equal(status, cases[i].says ? -1 : 0);
		assert_string_equal(err.msg, cases[i].says ? cases[i].says : "");
		f.n = !status;
		faults_release(&f);
	}
}

static void set(struct model *m, const char *spec)
{
	struct err err = {0};

	if (model_set_faults(m, &spec, spec != NULL, &err))
		fail_msg("%s", err.msg);
}

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text++;
	}
	return n;
}

/* What a reply looks like under each fault. */
struct looks {
	const char *spec;
	int status;
	bool json;		    /* the body is JSON as our own reader takes it */
	size_t rows;		    /* "broadcast_name" in the body */
	const char *header, *value; /* NULL: not there */
	const char *holds;	    /* in the body, or NULL */
	enum sim_ending ending;
	int64_t delay_ms;
};

static void assert_looks(const struct looks *l)
{
	struct model *m = sim_make(30, SIM_ORDER_NONE);
	struct sim_reply r;
	struct err err = {0};

	set(m, l->spec);
	sim_ask(m, LATE, SIM_PATH, NULL, &r);
	bool json = !json_check(r.body.data, r.body.len, 32, &err);
	const char *header = sim_reply_header(&r, l->header);
	if (r.status != l->status || json != l->json || r.ending != l->ending ||
	    r.delay_ms != l->delay_ms || occurrences(r.body.data, "broadcast_name") != l->rows ||
	    !header != !l->value || (header && strcmp(header, l->value)) ||
	    (l->holds && !strstr(r.body.data, l->holds)))
		fail_msg("%s: %d json %d (%s) rows %zu %s: %s", l->spec, r.status, json, err.msg,
			 occurrences(r.body.data, "broadcast_name"), l->header, header);
	sim_reply_release(&r);
	model_free(m);
}

static void each_kind(void **state)
{
	static const struct looks cases[] = {
		{NULL, 200, true, 30, "pagination-count", "30", NULL, SIM_WHOLE, 0},
		{"429", 429, true, 0, "Retry-After", NULL, NULL, SIM_WHOLE, 0},
		{"429=7", 429, true, 0, "Retry-After", "7", NULL, SIM_WHOLE, 0},
		{"429=soon", 429, true, 0, "Retry-After", "soon", NULL, SIM_WHOLE, 0},
		{"429=date:90", 429, true, 0, "Retry-After", "Mon, 23 Nov 2026 01:01:30 GMT", NULL,
		 SIM_WHOLE, 0},
		{"500", 500, true, 0, "pagination-count", NULL, NULL, SIM_WHOLE, 0},
		{"500=503", 503, true, 0, "pagination-count", NULL, NULL, SIM_WHOLE, 0},
		{"401", 401, true, 0, "pagination-count", NULL, NULL, SIM_WHOLE, 0},
		{"404", 404, true, 0, "pagination-count", NULL, NULL, SIM_WHOLE, 0},
		{"html", 200, false, 0, "Content-Type", "text/html", "<html>", SIM_WHOLE, 0},
		{"double", 200, true, 31, "pagination-count", "30", NULL, SIM_WHOLE, 0},
		{"missing=4", 200, true, 26, "pagination-count", "30", NULL, SIM_WHOLE, 0},
		{"utf8", 200, false, 30, "pagination-count", "30", "\xC3(", SIM_WHOLE, 0},
		{"nul", 200, false, 30, "pagination-count", "30", "\\u0000", SIM_WHOLE, 0},
		{"words", 200, true, 30, "pagination-count", "30", "carrier_pigeon", SIM_WHOLE, 0},
		{"flag", 200, true, 30, "pagination-count", "30", "\"is_replied\":true", SIM_WHOLE,
		 0},
		{"headers", 200, true, 30, "pagination-count", NULL, NULL, SIM_WHOLE, 0},
		{"truncate=200", 200, false, 0, "pagination-count", "30", NULL, SIM_WHOLE, 0},
		{"cut", 200, true, 30, "pagination-count", "30", NULL, SIM_CUT, 0},
		{"reset", 200, true, 30, "pagination-count", "30", NULL, SIM_RESET, 0},
		{"slow=250", 200, true, 30, "pagination-count", "30", NULL, SIM_WHOLE, 250},
		{"hang", 200, true, 30, "pagination-count", "30", NULL, SIM_HANG, 0},
		{"flood", 200, true, 30, "pagination-count", "30", NULL, SIM_FLOOD, 0},
		{"500,on=orgs", 200, true, 30, "pagination-count", "30", NULL, SIM_WHOLE, 0},
		{"500,broadcast=bc_9", 200, true, 30, "pagination-count", "30", NULL, SIM_WHOLE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_looks(&cases[i]);
}

/* A flood has an end, whatever is asked for. */
static void floods_are_bounded(void **state)
{
	static const struct {
		const char *spec;
		size_t sent;
	} cases[] = {{"flood", SIM_FLOOD_MAX},
		     {"flood=5000", 5000},
		     {"flood=99999999999", SIM_FLOOD_MAX},
		     {"flood=0", SIM_FLOOD_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct model *m = sim_make(3, SIM_ORDER_NONE);
		struct sim_reply r;
		set(m, cases[i].spec);
		sim_ask(m, LATE, SIM_PATH, NULL, &r);
		assert_int_equal(r.sent, cases[i].sent);
		sim_reply_release(&r);
		model_free(m);
	}
}

/* Every variant of a wrong type comes up, and each leaves a page that is JSON. */
static void wrong_types_of_every_kind(void **state)
{
	static const char *const variants[] = {"\"is_sent\":\"yes\"",
					       "\"id\":42,",
					       "\"created_at\":1700000000",
					       "\"is_failed\":{\"value\":true}",
					       "[1,2,3]",
					       "null,{"};
	struct model *m = sim_make(30, SIM_ORDER_NONE);
	unsigned seen = 0;

	(void)state;
	set(m, "types");
	for (int i = 0; i < 100; i++) {
		struct sim_reply r;
		struct err err = {0};
		sim_ask(m, LATE, SIM_PATH, NULL, &r);
		assert_int_equal(json_check(r.body.data, r.body.len, 32, &err), 0);
		for (unsigned v = 0; v < 6; v++)
			if (strstr(r.body.data, variants[v]))
				seen |= 1u << v;
		sim_reply_release(&r);
	}
	assert_int_equal(seen, 63);
	model_free(m);
}

static void strikes_of(const char *spec, char ret[201])
{
	struct model *m = sim_make(5, SIM_ORDER_NONE);

	set(m, spec);
	for (int i = 0; i < 200; i++) {
		struct sim_reply r;
		sim_ask(m, LATE, SIM_PATH, NULL, &r);
		ret[i] = r.status == 500 ? 'x' : '.';
		sim_reply_release(&r);
	}
	ret[200] = '\0';
	model_free(m);
}

static void chance_count_and_after(void **state)
{
	char a[201], b[201];

	(void)state;
	strikes_of("500,p=0.1", a);
	strikes_of("500,p=0.1", b);
	assert_string_equal(a, b);
	assert_in_range(occurrences(a, "x"), 8, 40);
	strikes_of("500,count=3,after=5", a);
	assert_memory_equal(a, ".....xxx..", 10);
	assert_int_equal(occurrences(a, "x"), 3);
	strikes_of("500,count=2,after=3,burst=2", a);
	assert_memory_equal(a, "...xxxxxx..", 11);
	strikes_of("500,p=0.05,burst=4", a);
	assert_in_range(occurrences(a, "xxxxx"), 1, 100);
	assert_null(strstr(a, ".x."));
	strikes_of("500,p=0", a);
	assert_int_equal(occurrences(a, "x"), 0);
}

/* Several at once; and a set of faults with a bad one changes nothing. */
static void sets_of_faults(void **state)
{
	static const char *const good[] = {"slow=10", "slow=5", "double"};
	static const char *const bad[] = {"500", "nonsense"};
	struct model *m = sim_make(30, SIM_ORDER_NONE);
	struct err err = {0};
	struct sim_reply r;

	(void)state;
	assert_int_equal(model_set_faults(m, good, 3, &err), 0);
	assert_int_equal(model_set_faults(m, bad, 2, &err), -1);
	sim_ask(m, LATE, SIM_PATH, NULL, &r);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.delay_ms, 15);
	assert_int_equal(occurrences(r.body.data, "broadcast_name"), 31);
	sim_reply_release(&r);
	set(m, NULL);
	sim_ask(m, LATE, SIM_PATH, NULL, &r);
	assert_int_equal(r.delay_ms, 0);
	sim_reply_release(&r);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(specs),
		cmocka_unit_test(each_kind),
		cmocka_unit_test(floods_are_bounded),
		cmocka_unit_test(wrong_types_of_every_kind),
		cmocka_unit_test(chance_count_and_after),
		cmocka_unit_test(sets_of_faults),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
