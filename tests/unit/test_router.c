/* router: routes say who gets an event and by which rule; one that is about a destination does not
 * go there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/router.h"

static struct batch *batch_of_one(const char *type)
{
	struct batch *b = batch_new();
	const struct event_head head = {
		.id = "evt_1", .type = type, .source = "urn:x", .partitionkey = "k"};

	event_make(batch_event(b), &head, "{}", 2);
	return b;
}

struct rig {
	struct problems problems;
	struct yaml *yaml;
	struct rules *rules;
	struct router *router;
};

static void open_rig(struct rig *t, const char *text, const struct rules_destination *names,
		     const struct router_destination *destinations, size_t n)
{
	*t = (struct rig){0};
	t->yaml = yaml_parse("relay.yaml", text, strlen(text), &t->problems);
	assert_non_null(t->yaml);
	t->rules = rules_load(node_get(yaml_root(t->yaml), "rules"), names, n, &t->problems);
	assert_non_null(t->rules);
	t->router = router_new(NULL, 0);
	router_use(t->router, t->rules, destinations, n);
}

static void close_rig(struct rig *t)
{
	router_free(t->router);
	rules_free(t->rules);
	yaml_free(t->yaml);
	problems_release(&t->problems);
}

static void an_event_does_not_go_where_it_is_about(void **state)
{
	static const char text[] =
		"rules:\n- { name: own, when: { type: [{ prefix: relay. }] }, to: [a, b] }\n"
		"- { name: all, to: [a, b, c] }\n";
	static const struct rules_destination names[] = {
		{"a", false, 0}, {"b", true, 0}, {"c", false, 0}};
	static const struct router_destination destinations[] = {
		{11, false}, {12, true}, {13, false}};
	struct rig t;

	(void)state;
	open_rig(&t, text, names, destinations, 3);
	struct router *r = t.router;

	struct batch *b = batch_of_one("relay.destination.down");
	router_route_but(r, b, 0, 11);
	assert_int_equal(b->nroutes, 2);
	assert_int_equal(b->routes[0].destination, 12);
	assert_true(b->routes[0].topical);
	assert_int_equal(b->routes[1].destination, 13);
	assert_int_equal(b->nrules, 2);
	batch_free(b);

	b = batch_of_one("recipient.sent");
	router_route(r, b, 0);
	assert_int_equal(b->nroutes, 3);
	assert_int_equal(b->routes[0].destination, 11);
	assert_int_equal(b->nrules, 1);
	router_committed(r, b);
	batch_free(b);

	b = batch_of_one("recipient.sent");
	router_route(r, b, 0);
	assert_int_equal(b->nrules, 0);
	batch_free(b);

	close_rig(&t);
}

/* Batches grow by turns, and each is complete by itself. What the journal holds keeps its number;
 * a rule of that name that says something else gets the next. */
static void a_rule_travels_until_it_is_held(void **state)
{
	static const char text[] = "rules:\n- { name: x, when: { type: [x] }, to: [a] }\n"
				   "- { name: y, when: { type: [y] }, to: [a] }\n";
	static const struct rules_destination names[] = {{"a", false, 0}};
	static const struct router_destination destinations[] = {{1, false}};
	struct rig t;

	(void)state;
	open_rig(&t, text, names, destinations, 1);
	struct batch *first = batch_of_one("y"), *second = batch_of_one("x");
	router_route(t.router, first, 0);
	router_route(t.router, second, 0);
	batch_free(first);
	first = batch_of_one("y");
	router_route(t.router, first, 0);
	router_route(t.router, second, 0);
	assert_int_equal(second->nrules, 1);
	assert_string_equal(second->rules[0].name, "x");
	assert_int_equal(second->rules[0].number, 2);
	assert_int_equal(first->nrules, 1);
	assert_int_equal(first->rules[0].number, 1);
	router_committed(t.router, first);
	router_route(t.router, first, 0);
	assert_int_equal(first->nrules, 1);
	batch_free(first);

	struct rule_record held[] = {second->rules[0], {7, (char *)"y", 1}};
	router_free(t.router);
	t.router = router_new(held, 2);
	router_use(t.router, t.rules, destinations, 1);
	batch_free(second);
	second = batch_of_one("x");
	router_route(t.router, second, 0);
	assert_int_equal(second->nrules, 0);
	assert_int_equal(second->routes[0].rule, 2);
	batch_free(second);
	second = batch_of_one("y");
	router_route(t.router, second, 0);
	assert_int_equal(second->nrules, 1);
	assert_int_equal(second->rules[0].number, 8);
	batch_free(second);
	close_rig(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_does_not_go_where_it_is_about),
		cmocka_unit_test(a_rule_travels_until_it_is_held),
	};
	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
