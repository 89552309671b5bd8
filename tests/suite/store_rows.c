/* store_rows — everything small and the recipients come back as they were given. */
#include "tests/suite/store_world.h"

#include "relay/base/mem.h"

static void a_new_store_is_empty_and_has_an_identity(void **state)
{
	struct world *w = *state;
	struct store_head h, again;

	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(strlen(h.uuid), 36);
	assert_true(h.created_ms > 1600000000000);
	assert_int_equal(h.since_ms, DATE_NONE);
	assert_int_equal(h.outage_ms, 0);
	assert_int_equal(h.oldest, 0);
	assert_int_equal(h.latest, 0);
	assert_int_equal(h.nbroadcasts + h.ndestinations + h.nrules + h.nexceptions + h.nfolds, 0);
	assert_int_equal(h.states.n + h.statuses.n, 0);
	world_reopen(w);
	PASS(w, w->store->type->head(w->store, &again, &w->err));
	assert_string_equal(again.uuid, h.uuid);
	assert_int_equal(again.created_ms, h.created_ms);
	store_head_release(&h);
	store_head_release(&again);
}

static void since_is_set_once(void **state)
{
	struct world *w = *state;
	struct store_head h;

	PASS(w, w->store->type->set_since(w->store, 1234567890123, &w->err));
	PASS(w, w->store->type->set_since(w->store, 5, &w->err));
	world_reopen(w);
	PASS(w, w->store->type->set_since(w->store, 6, &w->err));
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.since_ms, 1234567890123);
	store_head_release(&h);
}

static void an_outage_is_known_until_it_is_over(void **state)
{
	struct world *w = *state;

	for (int64_t told = 1234567890123; told >= 0; told -= 1234567890123) {
		struct batch *b = world_events(1);
		struct store_head h;
		b->tells_outage = true;
		b->outage_ms = told;
		world_commit(w, b, world_events(1), NULL);
		world_reopen(w);
		PASS(w, w->store->type->head(w->store, &h, &w->err));
		assert_int_equal(h.outage_ms, told);
		store_head_release(&h);
	}
}

static void put_name(struct batch *b, char kind, uint8_t number, const char *name)
{
	struct name_write *n = batch_name(b);

	n->kind = kind;
	n->number = number;
	memcpy(n->name, name, strlen(name) + 1);
}

static void put_rule(struct batch *b, uint32_t number, const char *name, uint64_t version)
{
	*batch_rule(b) = (struct rule_record){number, xstrdup(name), version};
}

static void names_and_rules_come_back(void **state)
{
	struct world *w = *state;
	struct batch *a = batch_new(), *b = batch_new();
	struct store_head h;

	put_name(a, 's', 0, "skipped");
	put_name(a, 't', 0, "SENDING");
	put_rule(a, 1, "everything", UINT64_MAX);
	put_rule(a, 2, "failures: \"\xe2\x82\xac\"", 2);
	put_name(b, 's', 1, "failed");
	put_rule(b, 1, "everything", 7);
	world_commit(w, a, b, NULL);
	world_reopen(w);
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.states.n, 2);
	assert_string_equal(h.states.v[1], "failed");
	assert_int_equal(h.statuses.n, 1);
	assert_string_equal(h.statuses.v[0], "SENDING");
	assert_int_equal(h.nrules, 2);
	assert_int_equal(h.rules[0].version, 7);
	assert_string_equal(h.rules[1].name, "failures: \"\xe2\x82\xac\"");
	assert_int_equal(h.rules[1].number, 2);
	store_head_release(&h);
}

static void broadcasts_come_back(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	struct store_head h;

	*batch_broadcast(b) = (struct broadcast_record){.number = 2,
							.org = xstrdup("c"),
							.id = xstrdup("bc_2"),
							.status = xstrdup("SENDING"),
							.created_ms = DATE_NONE,
							.updated_ms = DATE_NONE};
	*batch_broadcast(b) = (struct broadcast_record){.number = 1,
							.org = xstrdup("org_1"),
							.id = xstrdup("bc_1"),
							.name = xstrdup("Spring"),
							.status = xstrdup("SENT"),
							.created_ms = 1,
							.updated_ms = 2,
							.counters = xstrdup("{\"sent_count\":1}"),
							.templates = xstrdup("{}"),
							.recipients = UINT32_MAX,
							.baseline_page = 17,
							.baseline_done = true,
							.gone = true};
	*batch_broadcast(b) = (struct broadcast_record){.number = 2,
							.org = xstrdup("c"),
							.id = xstrdup("bc_2"),
							.status = xstrdup("SENT"),
							.created_ms = DATE_NONE,
							.updated_ms = 9};
	world_commit(w, b, NULL);
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.nbroadcasts, 2);
	const struct broadcast_record *one = &h.broadcasts[0], *two = &h.broadcasts[1];
	assert_int_equal(one->number, 1);
	assert_string_equal(one->org, "org_1");
	assert_string_equal(one->name, "Spring");
	assert_string_equal(one->counters, "{\"sent_count\":1}");
	assert_string_equal(one->templates, "{}");
	assert_int_equal(one->recipients, UINT32_MAX);
	assert_int_equal(one->baseline_page, 17);
	assert_true(one->baseline_done && one->gone && !two->gone);
	assert_string_equal(two->status, "SENT");
	assert_null(two->name);
	assert_null(two->counters);
	assert_int_equal(two->created_ms, DATE_NONE);
	assert_int_equal(two->updated_ms, 9);
	store_head_release(&h);
}

struct seen {
	const struct batch *b;
	size_t n;
};

static void compare_recipient(void *arg, const struct recipient_record *r)
{
	struct seen *seen = arg;

	assert_true(seen->n < seen->b->nrecipients);
	fixture_same_recipient(r, &seen->b->recipients[seen->n++].r);
}

static void recipients_come_back_in_order(void **state)
{
	struct world *w = *state;
	struct batch *expected = batch_new(), *mixed = batch_new();
	struct seen seen = {.b = expected};

	for (uint32_t i = 0; i < 100; i++) {
		fixture_recipient(expected, 2, i);
		fixture_recipient(mixed, 2, i * 37 % 100);
		fixture_recipient(mixed, i % 2 ? 1 : 3, i); /* neighbours that must not show */
	}
	world_commit(w, mixed, NULL);
	world_reopen(w);
	PASS(w, w->store->type->recipients(w->store, 2, compare_recipient, &seen, &w->err));
	assert_int_equal(seen.n, 100);
	batch_free(expected);
}

static void the_last_write_of_a_recipient_counts(void **state)
{
	struct world *w = *state;
	struct batch *a = batch_new(), *b = batch_new(), *c = batch_new();
	struct recipient_record r = {0};
	uint32_t number = 4;

	fixture_recipient(a, 1, 4)->r.states = 1;
	fixture_recipient(a, 1, 4)->r.states = 2;
	fixture_recipient(b, 1, 4)->r.states = 3;
	world_commit(w, a, b, NULL);
	PASS(w, w->store->type->recipients_at(w->store, 1, &number, 1, &r, &w->err));
	assert_int_equal(r.states, 3);
	recipient_record_release(&r);
	fixture_recipient(c, 1, 4)->r.states = 4;
	world_commit(w, c, NULL);
	PASS(w, w->store->type->recipients_at(w->store, 1, &number, 1, &r, &w->err));
	assert_int_equal(r.states, 4);
	recipient_record_release(&r);
}

static void recipients_are_found_by_number(void **state)
{
	struct world *w = *state;
	static const uint32_t asked[] = {0, 3, 4, 49}, unknown[] = {0, 3, 50};
	struct recipient_record got[4] = {0}, untouched[3] = {0};
	struct batch *b = batch_new(), *expected = batch_new();

	for (uint32_t i = 0; i < 50; i++)
		fixture_recipient(b, 1, 49 - i);
	world_commit(w, b, NULL);
	PASS(w, w->store->type->recipients_at(w->store, 1, asked, 4, got, &w->err));
	for (size_t i = 0; i < 4; i++) {
		fixture_same_recipient(&got[i], &fixture_recipient(expected, 1, asked[i])->r);
		recipient_record_release(&got[i]);
	}
	batch_free(expected);
	PASS(w, w->store->type->recipients_at(w->store, 1, asked, 0, got, &w->err));
	assert_int_equal(w->store->type->recipients_at(w->store, 1, unknown, 3, untouched, &w->err),
			 -1);
	assert_non_null(strstr(w->err.msg, "50"));
	for (size_t i = 0; i < 3; i++)
		assert_null(untouched[i].id);
}

static struct destination_record *put_destination(struct batch *b, uint32_t number,
						  enum destination_state destination,
						  const char *why, int64_t position)
{
	struct destination_record *d = fixture_destination(b, number, destination);

	d->why = xstrdup(why);
	d->cursor.position = position;
	return d;
}

static void destinations_keep_their_cursors(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new(), *later = batch_new();
	struct store_head h;

	put_destination(b, 1, DESTINATION_ENABLED, NULL, 12);
	put_destination(b, 2, DESTINATION_ENABLED, NULL, 0);
	world_commit(w, b, NULL);
	b = batch_new();
	fixture_settle(b, 1, 20);
	world_commit(w, b, NULL);
	put_destination(later, 1, DESTINATION_DISABLED, "410: gone", 0)->down_ms =
		1763805600123; /* not a new one */
	world_commit(w, later, NULL);
	world_reopen(w);
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.ndestinations, 2);
	assert_string_equal(h.destinations[0].name, "dest-1");
	assert_int_equal(h.destinations[0].state, DESTINATION_DISABLED);
	assert_string_equal(h.destinations[0].why, "410: gone");
	assert_int_equal(h.destinations[0].down_ms, 1763805600123);
	assert_int_equal(h.destinations[1].down_ms, 0);
	assert_int_equal(h.destinations_given, 2);
	assert_int_equal(h.destinations[0].cursor.position, 20);
	assert_int_equal(h.destinations[1].cursor.position, 0);
	assert_null(h.destinations[1].why);
	store_head_release(&h);
}

static void a_cursor_has_1024_bits(void **state)
{
	struct world *w = *state;
	struct batch *b = batch_new();
	struct store_head h;

	put_destination(b, 1, DESTINATION_ENABLED, NULL, 0);
	world_commit(w, b, NULL);
	for (unsigned round = 0; round < 4; round++) {
		struct cursor c = {.position = 1000 + round};

		for (unsigned i = 0; i < SETTLE_WINDOW; i += round * 31 + 1)
			c.done[i / 64] |= 1ULL << i % 64;
		c.done[SETTLE_WINDOW / 64 - 1] |= round % 2 ? 1ULL << 63 : 0;
		if (round == 3)
			memset(c.done, 0, sizeof c.done);
		b = batch_new();
		fixture_settle(b, 1, 0)->cursor = c;
		world_commit(w, b, NULL);
		world_reopen(w);
		PASS(w, w->store->type->head(w->store, &h, &w->err));
		assert_memory_equal(&h.destinations[0].cursor, &c, sizeof c);
		store_head_release(&h);
	}
}

static void expect_exception(const struct exception *x, uint32_t destination, int64_t sequence,
			     enum exception_state state)
{
	struct settle given = {.destination = destination};
	const struct exception *e = fixture_exception(&given, sequence, state);

	assert_int_equal(x->destination, destination);
	assert_int_equal(x->sequence, sequence);
	assert_int_equal(x->state, state);
	assert_int_equal(x->order_key, e->order_key);
	assert_int_equal(x->attempts, e->attempts);
	assert_int_equal(x->due_ms, e->due_ms);
	assert_int_equal(x->held, e->held);
	assert_int_equal(!x->why, !e->why);
	if (e->why)
		assert_string_equal(x->why, e->why);
	free(e->why);
	free(given.changed);
}

static void exceptions_come_and_go(void **state)
{
	struct world *w = *state;
	struct batch *a = batch_new(), *b = batch_new();
	struct store_head h;
	struct settle *s = fixture_settle(a, 2, 9);

	fixture_exception(s, 5, EXCEPTION_RETRY);
	fixture_exception(s, 3, EXCEPTION_WAITING);
	fixture_exception(s, 8, EXCEPTION_RETRY);
	fixture_exception(fixture_settle(a, 1, 9), 7, EXCEPTION_PARKED);
	world_commit(w, a, NULL);
	s = fixture_settle(b, 2, 9);
	fixture_exception(s, 8, EXCEPTION_PARKED);
	s->gone = xcalloc(2, sizeof *s->gone);
	s->gone[s->ngone++] = 5;
	s->gone[s->ngone++] = 6; /* none there: no harm */
	world_commit(w, b, NULL);
	world_reopen(w);
	PASS(w, w->store->type->head(w->store, &h, &w->err));
	assert_int_equal(h.nexceptions, 3);
	expect_exception(&h.exceptions[0], 1, 7, EXCEPTION_PARKED);
	expect_exception(&h.exceptions[1], 2, 3, EXCEPTION_WAITING);
	expect_exception(&h.exceptions[2], 2, 8, EXCEPTION_PARKED);
	store_head_release(&h);
}

static void put_fold(struct batch *b, const char *fold, const char *key, const char *state)
{
	*batch_fold(b) = (struct fold_record){xstrdup(fold), xstrdup(key), xstrdup(state)};
}

static void expect_folds(struct world *w, const char *expected)
{
	struct buf text = BUF_INIT(1000);
	struct store_head h;

	PASS(w, w->store->type->head(w->store, &h, &w->err));
	for (size_t i = 0; i < h.nfolds; i++)
		buf_addf(&text, "%s%s %s=%s", i ? "; " : "", h.folds[i].fold, h.folds[i].key,
			 h.folds[i].state);
	assert_string_equal(text.data, expected);
	store_head_release(&h);
	buf_release(&text);
}

static void folds_come_and_go(void **state)
{
	struct world *w = *state;
	struct batch *a = batch_new(), *b = batch_new();

	assert_true(batch_is_empty(a));
	put_fold(a, "report", "bc_2", "told");
	assert_false(batch_is_empty(a));
	put_fold(a, "alerts", "[\"z\"]", "1");
	put_fold(a, "alerts", "[\"\xc3\xa4\"]", "2");
	put_fold(a, "alerts", "", "");
	put_fold(a, "Alerts", "x", "case counts");
	world_commit(w, a, NULL);
	world_reopen(w);
	expect_folds(w, "Alerts x=case counts; alerts =; alerts [\"z\"]=1;"
			" alerts [\"\xc3\xa4\"]=2; report bc_2=told");
	put_fold(b, "alerts", "", NULL);
	put_fold(b, "alerts", "[\"z\"]", "3");
	put_fold(b, "alerts", "[\"z\"]", "4"); /* the last counts */
	put_fold(b, "Alerts", "x", NULL);
	put_fold(b, "Alerts", "y", NULL); /* none there: no harm */
	put_fold(b, "report", "bc_2", NULL);
	put_fold(b, "report", "bc_2", "again");
	world_commit(w, b, NULL);
	expect_folds(w, "alerts [\"z\"]=4; alerts [\"\xc3\xa4\"]=2; report bc_2=again");
}

/* With the events of the same batch, or not at all. */
static void folds_of_a_failed_commit_are_not_kept(void **state)
{
	struct world *w = *state;
	struct batch *good = world_events(1), *bad = world_events(2);
	struct batch *group[] = {good, bad};

	put_fold(good, "alerts", "a", "before");
	put_fold(good, "alerts", "b", "before");
	world_commit(w, good, NULL);
	good = group[0] = world_events(1);
	put_fold(good, "alerts", "a", NULL);
	put_fold(good, "alerts", "b", "after");
	put_fold(bad, "alerts", "c", "after");
	fixture_route(bad, 1, true); /* twice the same: no store takes that */
	assert_int_equal(w->store->type->commit(w->store, group, 2, &w->err), -1);
	expect_folds(w, "alerts a=before; alerts b=before");
	world_reopen(w);
	expect_folds(w, "alerts a=before; alerts b=before");
	batch_free(bad);
	world_commit(w, good, NULL);
	expect_folds(w, "alerts b=after");
}

static void releasing_nothing_is_allowed(void **state)
{
	struct world *w = *state;
	struct store_head h = {0};
	struct delivery_routes r = {0};
	struct event_fates f = {0};
	struct decisions d = {0};
	struct picks p = {0};

	store_head_release(&h);
	store_head_release(NULL);
	delivery_routes_release(&r);
	delivery_routes_release(NULL);
	event_fates_release(&f);
	event_fates_release(NULL);
	decisions_release(&d);
	decisions_release(NULL);
	picks_release(&p);
	picks_release(NULL);
	fold_record_release(&(struct fold_record){0});
	fold_record_release(NULL);
	exception_release(NULL);
	destination_record_release(NULL);
	batch_free(NULL);
	w->store->type->close(NULL);
}

const struct CMUnitTest store_rows[] = {
	cmocka_unit_test(a_new_store_is_empty_and_has_an_identity),
	cmocka_unit_test(since_is_set_once),
	cmocka_unit_test(an_outage_is_known_until_it_is_over),
	cmocka_unit_test(names_and_rules_come_back),
	cmocka_unit_test(broadcasts_come_back),
	cmocka_unit_test(recipients_come_back_in_order),
	cmocka_unit_test(the_last_write_of_a_recipient_counts),
	cmocka_unit_test(recipients_are_found_by_number),
	cmocka_unit_test(destinations_keep_their_cursors),
	cmocka_unit_test(a_cursor_has_1024_bits),
	cmocka_unit_test(exceptions_come_and_go),
	cmocka_unit_test(folds_come_and_go),
	cmocka_unit_test(folds_of_a_failed_commit_are_not_kept),
	cmocka_unit_test(releasing_nothing_is_allowed),
};
const size_t nstore_rows = sizeof store_rows / sizeof *store_rows;
