/*
 * Tests of rules read by tables. Invariant: what was loaded has unique names, expects something in
 * each test, and expects it in the members that such things have.
 */
#include "relay/cmd/test_file.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define TESTS_MAX   10000
#define STEPS_MAX   10000
#define WAIT_MAX_MS (INT64_C(31) * 86400000) /* each second of it is a look at the alerts */
#define CLOCK	    "2026-01-01T00:00:00Z"

const char *const got_names[GOT_KINDS + 1] = {"events", "routes", "callbacks", "alerts", NULL};

#define FILE_AT(field) offsetof(struct test_file, field)
#define TEST_AT(field) offsetof(struct test_case, field)
#define STEP_AT(field) offsetof(struct test_step, field)

static const struct option file_table[] = {
	{"config", OPT_PATH, FILE_AT(config), .help = "the configuration whose rules are tested"},
	{"rules", OPT_NODE, FILE_AT(rules),
	 .help = "in place of config: a file of rules, or the rules right here"},
	{"source", OPT_NODE, FILE_AT(source), .help = "beside rules: as in a configuration"},
	{"destinations", OPT_NODE, FILE_AT(destinations),
	 .help = "beside rules: as in a configuration; those that are missing are stood in for"},
	{"env", OPT_NODE, FILE_AT(env),
	 .help = "the variables that the configuration sees, NAME: VALUE; it sees no others"},
	{"clock", OPT_TIME, FILE_AT(clock_ms), .preset = CLOCK,
	 .help = "what time it is when a test begins"},
	{"since", OPT_STRING, FILE_AT(since), .preset = "all",
	 .help = "as source.since: all, now (the test's clock) or a time"},
	{"tests", OPT_NODE, FILE_AT(tests), .required = true, .help = "a list of tests"},
	{0},
};

static const struct option test_table[] = {
	{"name", OPT_STRING, TEST_AT(name), .required = true, .help = "unique in its file"},
	{"clock", OPT_TIME, TEST_AT(clock_ms), .help = "in place of the file's"},
	{"since", OPT_STRING, TEST_AT(since), .help = "in place of the file's"},
	{"steps", OPT_NODE, TEST_AT(steps), .required = true, .help = "what happens, in order"},
	{"expect", OPT_NODE, TEST_AT(expect), .help = "what comes of all steps together"},
	{0},
};

static const struct option step_table[] = {
	{"name", OPT_STRING, STEP_AT(name), .help = "for messages"},
	{"wait", OPT_DURATION, STEP_AT(wait_ms), .min = 0, .max = WAIT_MAX_MS,
	 .help = "the clock moves on so far, before the rest of the step"},
	{"known", OPT_BOOL, STEP_AT(known), .preset = "false",
	 .help = "what the API shows was known before: no events come of it"},
	{"broadcast", OPT_NODE, STEP_AT(broadcast), .help = "an entry of the API's list"},
	{"recipients", OPT_NODE, STEP_AT(recipients),
	 .help = "rows of the API's page, of the broadcast named last"},
	{"removed", OPT_NODE, STEP_AT(removed),
	 .help = "ids of recipients, or of broadcasts, that the API does not show any more"},
	{"event", OPT_NODE, STEP_AT(event), .help = "an event as it stands, not from the API"},
	{"expect", OPT_NODE, STEP_AT(expect), .help = "what comes of this step"},
	{0},
};

/* ---- what is expected ---- */

/* The members that can be named in an entry; what is below them is free. All are kept nowhere. */
#define MEMBER(name)                                                                               \
	{                                                                                          \
		name, OPT_NODE, 0, .help = name                                                    \
	}

static const struct option expect_table[] = {
	{"events", OPT_NODE, offsetof(struct expectation, v[GOT_EVENTS]),
	 .help = "what the changes at the API became"},
	{"routes", OPT_NODE, offsetof(struct expectation, v[GOT_ROUTES]),
	 .help = "what goes where"},
	{"callbacks", OPT_NODE, offsetof(struct expectation, v[GOT_CALLBACKS]),
	 .help = "what HTTP destinations are told"},
	{"alerts", OPT_NODE, offsetof(struct expectation, v[GOT_ALERTS]),
	 .help = "what rules with alert say"},
	{0},
};

static const struct option event_members[] = {
	MEMBER("specversion"),	   MEMBER("id"),       MEMBER("type"),
	MEMBER("source"),	   MEMBER("subject"),  MEMBER("time"),
	MEMBER("recordedtime"),	   MEMBER("sequence"), MEMBER("partitionkey"),
	MEMBER("datacontenttype"), MEMBER("data"),     {0},
};
static const struct option route_members[] = {
	MEMBER("type"), MEMBER("subject"), MEMBER("to"), MEMBER("rule"), MEMBER("topic"), {0},
};
static const struct option callback_members[] = {
	MEMBER("type"),	   MEMBER("subject"), MEMBER("to"),
	MEMBER("rule"),	   MEMBER("method"),  MEMBER("url"),
	MEMBER("headers"), MEMBER("body"),    {0},
};
static const struct option *const members[GOT_KINDS] = {
	[GOT_EVENTS] = event_members,
	[GOT_ROUTES] = route_members,
	[GOT_CALLBACKS] = callback_members,
	[GOT_ALERTS] = event_members,
};

static void check_entries(const struct node *list, const struct option *table, struct problems *p)
{
	double count;
	if (node_number(list, &count) && count >= 0 && count == (double)(long long)count)
		return;
	if (list->kind != NODE_LIST) {
		problem_at(p, list, "a list is expected ([] for nothing), or how many");
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct node *unused;
		options_read(table, list->items[i], &unused, p);
		if (list->items[i]->kind != NODE_MAP && node_is_null(list->items[i]))
			problem_at(p, list->items[i], "must be a map (name: value …)");
	}
}

static void read_expectation(const struct node *n, struct expectation *ret, struct problems *p)
{
	options_read(expect_table, n, ret, p);
	for (int kind = 0; kind < GOT_KINDS; kind++)
		if (ret->v[kind])
			check_entries(ret->v[kind], members[kind], p);
	if (n && n->kind == NODE_MAP && !n->n)
		problem_at(p, n, "expects nothing; name events, routes, callbacks or alerts");
}

/* ---- steps and tests ---- */

static void read_step(struct test_step *s, struct problems *p)
{
	if (s->at->kind != NODE_MAP) {
		problem_at(p, s->at, "a step is a map with wait, broadcast, recipients … or event");
		return;
	}
	options_read(step_table, s->at, s, p);
	read_expectation(s->expect, &s->expected, p);
	if (s->broadcast && s->broadcast->kind != NODE_MAP)
		problem_at(p, s->broadcast, "a map is expected, as the API's list has it");
	if (s->recipients && s->recipients->kind != NODE_LIST)
		problem_at(p, s->recipients,
			   "a list of rows is expected, as the API's page has it");
	if (s->removed && s->removed->kind != NODE_LIST)
		problem_at(p, s->removed, "a list of ids is expected");
}

static void read_steps(struct test_case *t, struct problems *p)
{
	size_t n = t->steps && t->steps->kind == NODE_LIST ? t->steps->n : 0;
	bool expects = t->expect;
	if (t->steps && (!n || n > STEPS_MAX)) {
		problem_at(p, t->steps, "a list of 1 to %d steps is expected", STEPS_MAX);
		return;
	}
	t->step = xcalloc(n + 1, sizeof *t->step);
	for (t->nsteps = 0; t->nsteps < n; t->nsteps++) {
		struct test_step *s = &t->step[t->nsteps];
		s->at = t->steps->items[t->nsteps];
		read_step(s, p);
		expects = expects || s->expect;
	}
	if (!expects)
		problem_at(p, t->at, "expects nothing, so it could not fail; give it an `expect`");
}

static void read_since(const struct test_file *f, struct test_case *t, struct problems *p)
{
	const char *since = t->since ? t->since : f->since;
	t->since_ms = DATE_NONE;
	if (!strcmp(since, "now"))
		t->since_ms = t->clock_ms;
	else if (strcmp(since, "all") != 0 && !date_parse(since, strlen(since), &t->since_ms))
		problem_at(p,
			   t->since ? node_get(t->at, "since")
				    : node_get(yaml_root(f->yaml), "since"),
			   "now, all, or a time such as 2026-11-22T10:00:00Z is expected");
}

static void read_test(const struct test_file *f, struct test_case *t, struct problems *p)
{
	if (t->at->kind != NODE_MAP) {
		problem_at(p, t->at, "a test is a map with name, steps and expect");
		return;
	}
	t->clock_ms = f->clock_ms;
	options_read(test_table, t->at, t, p);
	read_since(f, t, p);
	read_expectation(t->expect, &t->expected, p);
	read_steps(t, p);
}

static void check_names(const struct test_file *f, struct problems *p)
{
	for (size_t i = 1; i < f->ntests; i++)
		for (size_t k = 0; k < i && f->test[i].name; k++)
			if (f->test[k].name && !strcmp(f->test[i].name, f->test[k].name)) {
				problem_at(p, node_get(f->test[i].at, "name"),
					   "test %zu has the name \"%s\" already", k + 1,
					   f->test[i].name);
				break;
			}
}

static void read_tests(struct test_file *f, struct problems *p)
{
	size_t n = f->tests && f->tests->kind == NODE_LIST ? f->tests->n : 0;
	if (f->tests && (!n || n > TESTS_MAX)) {
		problem_at(p, f->tests, "a list of 1 to %d tests is expected", TESTS_MAX);
		return;
	}
	f->test = xcalloc(n + 1, sizeof *f->test);
	for (f->ntests = 0; f->ntests < n; f->ntests++) {
		struct test_case *t = &f->test[f->ntests];
		t->at = f->tests->items[f->ntests];
		read_test(f, t, p);
	}
	check_names(f, p);
}

/* ---- the file ---- */

static void check_file(const struct test_file *f, struct problems *p)
{
	if (f->config && f->rules)
		problem_at(p, f->rules, "give either config or rules");
	if (f->config && f->source)
		problem_at(p, f->source, "stands beside rules only; config has its own");
	if (f->config && f->destinations)
		problem_at(p, f->destinations, "stands beside rules only; config has its own");
	if (f->rules && f->rules->kind == NODE_MAP)
		problem_at(p, f->rules, "a list of rules is expected, or the name of their file");
	for (size_t i = 0; f->env && i < f->env->n; i++)
		if (f->env->kind != NODE_MAP || !node_string(f->env->items[i]))
			problem_at(p, f->env->items[i], "NAME: VALUE is expected");
	if (f->env && f->env->kind == NODE_SCALAR && !node_is_null(f->env))
		problem_at(p, f->env, "a map is expected, NAME: VALUE");
}

/* The tables know no lists of maps: those are said here. */
void test_file_schema(struct buf *out)
{
	struct buf expect = BUF_INIT(1 << 20);
	options_schema(expect_table, &expect);
	buf_adds(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
		      "\"title\":\"relay test\",\"allOf\":[");
	options_schema(file_table, out);
	buf_adds(out, "],\"properties\":{\"tests\":{\"type\":\"array\",\"items\":{\"allOf\":[");
	options_schema(test_table, out);
	buf_addf(out, "],\"properties\":{\"expect\":%s,\"steps\":", expect.data);
	buf_adds(out, "{\"type\":\"array\",\"items\":{\"allOf\":[");
	options_schema(step_table, out);
	buf_addf(out, "],\"properties\":{\"expect\":%s}}}}}}}}", expect.data);
	buf_release(&expect);
}

struct test_file *test_file_load(const char *path, struct problems *p)
{
	struct yaml *yaml = yaml_load_on(path, p);
	if (!yaml)
		return NULL;
	struct test_file *f = xcalloc(1, sizeof *f);
	f->path = xstrdup(path);
	f->yaml = yaml;
	options_read(file_table, yaml_root(yaml), f, p);
	check_file(f, p);
	read_tests(f, p);
	if (!p->n)
		return f;
	test_file_free(f);
	return NULL;
}

static void release_test(struct test_case *t)
{
	for (size_t i = 0; i < t->nsteps; i++)
		options_release(step_table, &t->step[i]);
	options_release(test_table, t);
	free(t->step);
}

void test_file_free(struct test_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->ntests; i++)
		release_test(&f->test[i]);
	options_release(file_table, f);
	free(f->test);
	yaml_free(f->yaml);
	free(f->path);
	free(f);
}
