/* sim verify: right is right, and every way of being wrong is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "examples/invent-sim/verify.h"
#include "relay/base/mem.h"

#define T1 "2026-11-23T00:00:01.000Z"
#define T2 "2026-11-23T00:00:02.000Z"

/* One of a ledger and one of an event, short. */
#define LINE(type, recipient, at, timed, owed)                                                     \
	"{\"type\":\"" type "\",\"broadcast\":\"b\",\"recipient\":\"" recipient "\",\"at\":\"" at  \
	"\",\"timed\":" timed ",\"shown\":true,\"owed\":" owed "}\n"
#define EVENT(id, type, recipient, at, more)                                                       \
	"{\"id\":\"" id "\",\"type\":\"" type "\",\"time\":\"" at                                  \
	"\",\"data\":{\"broadcast_id\":\"b\",\"recipient_id\":\"" recipient "\",\"at\":\"" at      \
	"\"" more "}}\n"
#define OWED_SENT LINE("recipient.sent", "r1", T1, "true", "true")
#define GOOD_SENT EVENT("e1", "recipient.sent", "r1", T1, "")

struct verdict {
	const char *what, *ledger, *events;
	uint64_t owed, received, missing, invented, repeats, second, different, unreadable;
};

static const struct verdict verdicts[] = {
	{"nothing", "", "", 0, 0, 0, 0, 0, 0, 0, 0},
	{"right", OWED_SENT, GOOD_SENT, 1, 1, 0, 0, 0, 0, 0, 0},
	{"behind a topic", OWED_SENT, "recipient.sent.twilio.b " GOOD_SENT, 1, 1, 0, 0, 0, 0, 0, 0},
	{"another offset", OWED_SENT,
	 EVENT("e1", "recipient.sent", "r1", "2026-11-23T01:00:01+01:00", ""), 1, 1, 0, 0, 0, 0, 0,
	 0},
	{"missing", OWED_SENT, "", 1, 0, 1, 0, 0, 0, 0, 0},
	{"not owed", LINE("recipient.sent", "r1", T1, "true", "false"), "", 0, 0, 0, 0, 0, 0, 0, 0},
	{"not owed, yet received", LINE("recipient.sent", "r1", T1, "true", "false"), GOOD_SENT, 0,
	 1, 0, 0, 0, 0, 0, 0},
	{"invented", "", GOOD_SENT, 0, 1, 0, 1, 0, 0, 0, 0},
	{"another recipient", OWED_SENT, EVENT("e1", "recipient.sent", "r2", T1, ""), 1, 1, 1, 1, 0,
	 0, 0, 0},
	{"another type", OWED_SENT, EVENT("e1", "recipient.opened", "r1", T1, ""), 1, 1, 1, 1, 0, 0,
	 0, 0},
	{"another time", OWED_SENT, EVENT("e1", "recipient.sent", "r1", T2, ""), 1, 1, 1, 1, 0, 0,
	 0, 0},
	{"repeated", OWED_SENT, GOOD_SENT GOOD_SENT GOOD_SENT, 1, 1, 0, 0, 2, 0, 0, 0},
	{"repeated, spelled otherwise", OWED_SENT,
	 "{\"id\":\"e1\",\"type\":\"recipient.opened\",\"data\":{}}\n"
	 "{ \"id\" : \"e1\", \"type\":\"recipient.opened\",\"prevsequence\":\"7\",\"data\":{} }\n",
	 1, 1, 1, 1, 1, 0, 0, 0},
	{"a second id", OWED_SENT, GOOD_SENT EVENT("e2", "recipient.sent", "r1", T1, ""), 1, 2, 0,
	 0, 0, 1, 0, 0},
	{"different under one id", OWED_SENT,
	 GOOD_SENT EVENT("e1", "recipient.sent", "r1", T1, ",\"x\":1"), 1, 1, 0, 0, 0, 0, 1, 0},
	{"one id for two facts", OWED_SENT LINE("recipient.sent", "r2", T1, "true", "true"),
	 GOOD_SENT EVENT("e1", "recipient.sent", "r2", T1, ""), 2, 1, 1, 0, 0, 0, 1, 0},
	{"a time of its own", LINE("recipient.processed", "r1", T1, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T2, ""), 1, 1, 0, 0, 0, 0, 0, 0},
	{"no time, second id", LINE("recipient.processed", "r1", T1, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T2, "")
		 EVENT("e2", "recipient.processed", "r1", T1, ""),
	 1, 2, 0, 0, 0, 1, 0, 0},
	{"processed twice",
	 LINE("recipient.processed", "r1", T1, "false", "true")
		 LINE("recipient.processed", "r1", T2, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T2, "")
		 EVENT("e2", "recipient.processed", "r1", T2, ""),
	 2, 2, 0, 0, 0, 0, 0, 0},
	{"processed twice, once unnoticed",
	 LINE("recipient.processed", "r1", T1, "false", "false")
		 LINE("recipient.processed", "r1", T2, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T2, ""), 1, 1, 0, 0, 0, 0, 0, 0},
	{"processed twice, the first told too",
	 LINE("recipient.processed", "r1", T1, "false", "false")
		 LINE("recipient.processed", "r1", T2, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T1, "")
		 EVENT("e2", "recipient.processed", "r1", T2, ""),
	 1, 2, 0, 0, 0, 0, 0, 0},
	{"processed twice, told three times",
	 LINE("recipient.processed", "r1", T1, "false", "false")
		 LINE("recipient.processed", "r1", T2, "false", "true"),
	 EVENT("e1", "recipient.processed", "r1", T1, "")
		 EVENT("e2", "recipient.processed", "r1", T2, "")
			 EVENT("e3", "recipient.processed", "r1", T2, ""),
	 1, 3, 0, 0, 0, 1, 0, 0},
	{"risen twice", OWED_SENT LINE("recipient.sent", "r1", T2, "true", "true"),
	 GOOD_SENT EVENT("e2", "recipient.sent", "r1", T2, ""), 2, 2, 0, 0, 0, 0, 0, 0},
	{"which state was reverted",
	 "{\"type\":\"recipient.reverted\",\"broadcast\":\"b\",\"recipient\":\"r1\","
	 "\"state\":\"failed\",\"at\":\"" T1 "\",\"timed\":false,\"owed\":true}\n",
	 EVENT("e1", "recipient.reverted", "r1", T1, ",\"state\":\"opened\""), 1, 1, 1, 1, 0, 0, 0,
	 0},
	{"a removal that never was", "", EVENT("e1", "recipient.removed", "r1", T1, ""), 0, 1, 0, 1,
	 0, 0, 0, 0},
	{"others do not count", LINE("broadcast.sent", "r1", T1, "false", "true"),
	 EVENT("e1", "recipient.updated", "r1", T1, "") EVENT("e2", "relay.audit", "r1", T1, ""), 0,
	 0, 0, 0, 0, 0, 0, 0},
	{"torn and strange lines", OWED_SENT, GOOD_SENT "{\"id\":\"e2\",\"ty\n\nhello\n{}\n", 1, 1,
	 0, 0, 0, 0, 0, 3},
};

static char *write_file(const char *dir, const char *text)
{
	char *path = xasprintf("%s/events", dir);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void read_all(struct verify *v, const char *path, const char *ledger)
{
	struct err err = {0};
	FILE *file = tmpfile();

	assert_non_null(file);
	fputs(ledger, file);
	rewind(file);
	if (verify_events(v, path, &err) || verify_ledger(v, file, "ledger", &err))
		fail_msg("%s", err.msg);
	fclose(file);
}

static void assert_verdict(const char *dir, const struct verdict *c)
{
	const uint64_t expected[VERIFY_COUNTS] = {c->owed,    c->received, c->missing,	c->invented,
						  c->repeats, c->second,   c->different};
	char *path = write_file(dir, c->events);
	struct verify *v = verify_new(NULL);

	read_all(v, path, c->ledger);
	for (int i = 0; i < VERIFY_COUNTS; i++)
		if (verify_total(v, (enum verify_count)i) != expected[i])
			fail_msg("%s: %s is %llu", c->what, verify_count_names[i],
				 (unsigned long long)verify_total(v, (enum verify_count)i));
	assert_int_equal(verify_unreadable(v), c->unreadable);
	assert_int_equal(verify_holds(v),
			 !c->missing && !c->invented && !c->second && !c->different);
	verify_free(v);
	free(path);
}

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/sim-verify-XXXXXX", tmp ? tmp : "/tmp");

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int remove_dir(void **state)
{
	char *path = xasprintf("%s/events", (char *)*state);

	unlink(path);
	free(path);
	rmdir(*state);
	free(*state);
	return 0;
}

static void every_verdict(void **state)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		assert_verdict(*state, &verdicts[i]);
	verify_free(NULL);
}

static void only_the_types_asked_for(void **state)
{
	static const char *const types[] = {"recipient.failed", NULL};
	char *path = write_file(*state, EVENT("e1", "recipient.opened", "r1", T1, ""));
	struct verify *v = verify_new(types);

	read_all(v, path, OWED_SENT LINE("recipient.failed", "r1", T1, "true", "true"));
	assert_int_equal(verify_total(v, VERIFY_OWED), 1);
	assert_int_equal(verify_total(v, VERIFY_RECEIVED), 0);
	assert_int_equal(verify_total(v, VERIFY_MISSING), 1);
	verify_free(v);
	free(path);
}

static void problems_are_shown(void **state)
{
	char *path = write_file(*state, EVENT("evt_invented", "recipient.opened", "r7", T1, ""));
	struct verify *v = verify_new(NULL);
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct buf json = BUF_INIT(4096);

	read_all(v, path, OWED_SENT);
	verify_print(v, "a label", out);
	fclose(out);
	assert_non_null(strstr(text, "a label"));
	assert_non_null(strstr(text, "invented: {\"id\":\"evt_invented\""));
	assert_non_null(strstr(text, "missing: {\"type\":\"recipient.sent\""));
	verify_json(v, "a \"label\"", &json);
	assert_string_equal(json.data, "{\"label\":\"a \\\"label\\\"\",\"owed\":1,\"received\":1,"
				       "\"missing\":1,\"invented\":1,\"repeats\":0,\"second_id\":0,"
				       "\"different\":0,\"unreadable\":0,\"holds\":false}");
	buf_release(&json);
	free(text);
	verify_free(v);
	free(path);
}

static void no_ledger_is_an_error(void **state)
{
	struct verify *v = verify_new(NULL);
	struct err err = {0};
	FILE *file = tmpfile();

	(void)state;
	fputs("{\"type\":\"recipient.sent\"}\n", file);
	rewind(file);
	assert_int_equal(verify_ledger(v, file, "FILE", &err), -1);
	assert_string_equal(err.msg, "FILE: not a line of a ledger");
	assert_int_equal(verify_events(v, "/nonexistent/events", &err), -1);
	fclose(file);
	verify_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict),
		cmocka_unit_test(only_the_types_asked_for),
		cmocka_unit_test(problems_are_shown),
		cmocka_unit_test(no_ledger_is_an_error),
	};

	return cmocka_run_group_tests_name("unit", tests, make_dir, remove_dir);
}
