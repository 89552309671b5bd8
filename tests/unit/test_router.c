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

static void an_event_does_not_go_where_it_is_about(void **state)
{
	static const char text[] =
		"rules:\n- { name: own, when: { type: [{ prefix: relay. }] }, to: [a, b] }\n"
		"- { name: all, to: [a, b, c] }\n";
	static const char *const names[] = {"a", "b", "c", NULL};
	static const struct router_destination destinations[] = {
		{11, false}, {12, true}, {13, false}};
	struct problems problems = {0};

	(void)state;
	struct yaml *yaml = yaml_parse("relay.yaml", text, strlen(text), &problems);
	assert_non_null(yaml);
	struct rules *rules = rules_load(node_get(yaml_root(yaml), "rules"), names, &problems);
	assert_non_null(rules);
	struct router *r = router_new(NULL, 0);
	router_use(r, rules, destinations, 3);

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

	router_free(r);
	rules_free(rules);
	yaml_free(yaml);
	problems_release(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_does_not_go_where_it_is_about),
	};
	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
