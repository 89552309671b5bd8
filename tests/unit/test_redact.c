/* What a destination is not to get it does not get: in no attempt, in no refill, whatever changes
 * in between. */
#include "tests/unit/delivery_rig.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/delivery/destination.h"

#define DATA  "{\"state\":\"failed\",\"contact\":{\"phone\":\"+49301\",\"name\":\"A\"}}"
#define LESS  "{\"state\":\"failed\",\"contact\":{\"phone\":null,\"name\":\"A\"}}"
#define LEAST "{\"state\":\"failed\",\"contact\":{\"phone\":null,\"name\":null}}"

static char phone[] = "phone", name[] = "name";
static char *one_name[] = {phone};
static char *two_names[] = {phone, name};

static bool has(const struct event *ev, const char *data)
{
	const char *at = strstr(ev->body, "\"data\":");

	assert_int_equal(strlen(ev->body), ev->len);
	assert_int_equal(event_sequence_at(ev->body, ev->len), ev->sequence_at);
	return at && strncmp(at + 7, data, strlen(data)) == 0 &&
	       !strcmp(at + 7 + strlen(data), "}");
}

static bool judge_less(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	assert_true(has(p->event, LESS));
	assert_int_equal(p->event->sequence % 2, p->event->body[p->event->sequence_at + 15] % 2);
	return judge_sent(w, p, ret);
}

static void test_every_attempt(void **state)
{
	struct rig *w = *state;

	w->data = DATA;
	w->options.redact = (struct strings){one_name, 1};
	w->receiver.judge = judge_less;
	rig_commit(w, 700, 70);
	rig_pump(w);
	assert_int_equal(w->receiver.n, 700);
	assert_true(delivery_drained(w->delivery));
}

static bool judge_again(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	assert_true(has(p->event, LESS));
	ret->verdict = TRY_AGAIN;
	ret->why = "503";
	return true;
}

static void test_a_repeat_is_as_the_settings_say_then(void **state)
{
	struct rig *w = *state;
	bool was_out[64] = {false};

	w->data = DATA;
	w->options.redact = (struct strings){one_name, 1};
	w->replaced_options = w->options;
	w->replaced_options.redact = (struct strings){two_names, 2};
	w->receiver.judge = judge_again;
	rig_commit(w, 3, 3);
	rig_pump(w);
	w->receiver.judge = judge_hold;
	rig_commit(w, 40, 40); /* more than are out at once: some lie in memory */
	rig_pump(w);
	assert_in_range(w->receiver.nheld, 1, 36);
	for (size_t i = 0; i < w->receiver.nheld; i++)
		was_out[w->receiver.held[i]->event->sequence] = true;
	rig_replace(w);
	while (w->receiver.nheld) {
		const struct event *ev = w->receiver.held[0]->event;

		assert_true(has(ev, was_out[ev->sequence] ? LESS : LEAST));
		rig_answer(w, 0, SENT);
		rig_pump(w);
	}
	rig_pass(w, 10 * S); /* the first three again */
	assert_int_equal(w->receiver.nheld, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(has(w->receiver.held[i]->event, LEAST));
}

/* ---- the past ---- */

static int past(void *arg, const struct history_query *q, history_each *each, void *each_arg,
		struct history_end *ret, struct err *err)
{
	static const char body[] = "{\"sequence\":\"0000000000000007\",\"data\":" DATA "}";

	(void)arg, (void)err;
	assert_int_equal(q->after, 6);
	for (int64_t i = 7; i < 9; i++)
		each(each_arg,
		     &(struct history_event){
			     .sequence = i, .topic = "t", .body = body, .len = sizeof body - 1});
	ret->latest = 8;
	return 0;
}

struct seen {
	const char *data;
	int n;
};

static void see(void *arg, const struct history_event *ev)
{
	struct seen *s = arg;

	assert_int_equal(ev->sequence, 7 + s->n++);
	assert_string_equal(ev->topic, "t");
	assert_int_equal(strlen(ev->body), ev->len);
	assert_non_null(strstr(ev->body, s->data));
}

static void ask(const struct strings *names, const char *data)
{
	struct transport_history whole = {.routes = past};
	struct delivery_options options = {.redact = *names};
	struct seen s = {.data = data};
	struct history_query q = {.after = 6};
	struct history_end end = {0};
	struct redaction r;
	struct err err = {0};

	redaction_open(&r, &options, &whole);
	memset(&options, 0xee, sizeof options);
	assert_int_equal(r.history.routes(r.history.arg, &q, see, &s, &end, &err), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(end.latest, 8);
	redaction_close(&r);
}

static void test_the_past(void **state)
{
	(void)state;
	ask(&(struct strings){NULL, 0}, DATA);
	ask(&(struct strings){one_name, 1}, LESS);
	ask(&(struct strings){two_names, 2}, LEAST);
}

/* ---- rows ---- */

#define ROW                                                                                        \
	"{\"recipient_id\":\"r\",\"integration_id\":\"i\",\"contact_id\":\"c\",\"status\":\"S\","  \
	"\"states\":[\"sent\"],\"at\":{\"sent\":\"t\"},\"created_at\":\"t\",\"updated_at\":\"u\"}"

static int rows(void *arg, const struct history_rows_query *q, history_row_each *each,
		void *each_arg, struct history_rows_end *ret, struct err *err)
{
	(void)arg, (void)err;
	assert_string_equal(q->broadcast, "bc_1");
	each(each_arg, &(struct history_row){"r", ROW, strlen(ROW)});
	each(each_arg, &(struct history_row){"r", ROW, strlen(ROW)});
	*ret = (struct history_rows_end){
		.sequence = 9,
		.more = true,
		.broadcast = xstrdup("{\"broadcast_name\":\"n\",\"status\":\"S\"}"),
	};
	return 0;
}

static void gather(void *arg, const struct history_row *row)
{
	struct buf *text = arg;

	assert_string_equal(row->place, "r"); /* goes on with it, whatever is shown */
	assert_int_equal(strlen(row->body), row->len);
	buf_clear(text);
	buf_adds(text, row->body);
}

#define ABOUT "{\"broadcast_name\":\"n\",\"status\":\"S\"}"

struct row_case {
	const char *redacted; /* NULL: nothing */
	const char *nulls[4]; /* members of the row */
	const char *about;    /* the broadcast */
};

static void check_rows(const struct row_case *c)
{
	char *redacted = xstrdup(c->redacted);
	struct delivery_options o = {.redact = {&redacted, c->redacted ? 1 : 0}};
	const struct transport_history whole = {.rows = rows};
	const struct history_rows_query q = {.broadcast = "bc_1", .limit = 2};
	struct buf text = BUF_INIT(4096);
	struct history_rows_end end;
	struct redaction r;
	struct err err = {0};
	size_t nulls = 0;

	redaction_open(&r, &o, &whole);
	assert_int_equal(r.history.rows(r.history.arg, &q, gather, &text, &end, &err), 0);
	for (; nulls < 4 && c->nulls[nulls]; nulls++) {
		char *member = xasprintf("\"%s\":null", c->nulls[nulls]);
		assert_non_null(strstr(text.data, member));
		free(member);
	}
	for (const char *p = text.data; (p = strstr(p, "null")); p++)
		nulls--;
	assert_int_equal(nulls, 0); /* and no others */
	assert_string_equal(end.broadcast, c->about);
	assert_int_equal(end.sequence, 9);
	assert_true(end.more);
	free(end.broadcast);
	redaction_close(&r);
	buf_release(&text);
	free(redacted);
}

/* As its events would show them: contact_id is what they have as recipient.contact.id. */
static void test_rows(void **state)
{
	static const struct row_case cases[] = {
		{NULL, {NULL}, ABOUT},
		{"phone", {NULL}, ABOUT},
		{"recipient_id", {"recipient_id"}, ABOUT},
		{"status", {"status"}, "{\"broadcast_name\":\"n\",\"status\":null}"},
		{"broadcast_name", {NULL}, "{\"broadcast_name\":null,\"status\":\"S\"}"},
		{"contact", {"contact_id"}, ABOUT},
		{"id", {"contact_id"}, ABOUT},
		{"contact_id", {"contact_id"}, ABOUT},
		{"sent", {"sent"}, ABOUT},
		{"at", {"at"}, ABOUT},
		{"recipient", {"contact_id", "status", "created_at", "updated_at"}, ABOUT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_rows(&cases[i]);
}

static void test_names_are_no_paths(void **state)
{
	static const struct {
		const char *list, *says;
	} cases[] = {
		{"[phone, contact.phone]", "redact[1]: must be the name of a member"},
		{"a.b", "redact: must be the name of a member"},
		{"['']", "redact[0]: must be the name of a member"},
		{"[phone, e-mail]", NULL},
		{"phone", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct delivery_options options = {0};
		struct problems p = {0};
		char text[128];

		snprintf(text, sizeof text, "{redact: %s}", cases[i].list);
		struct yaml *y = yaml_parse("t", text, strlen(text), &p);

		options_read(delivery_option_table, yaml_root(y), &options, &p);
		delivery_options_check(&options, yaml_root(y), &p);
		assert_int_equal(p.n, cases[i].says ? 1 : 0);
		if (cases[i].says)
			assert_non_null(strstr(p.v[0], cases[i].says));
		options_release(delivery_option_table, &options);
		problems_release(&p);
		yaml_free(y);
	}
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(test_every_attempt),
		IN_RIG(test_a_repeat_is_as_the_settings_say_then),
		cmocka_unit_test(test_the_past),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names_are_no_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
