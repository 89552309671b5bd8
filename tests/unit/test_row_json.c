/* row_json: what stands in a row and in a broadcast, as docs/bus.md says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "relay/base/json.h"
#include "relay/base/row_json.h"
#include "relay/source/snapshot.h"

#define T0 1795341600000

static struct names states, statuses;
static const struct row_names names = {&states, &statuses};

static int name_them(void **state)
{
	(void)state;
	states_init(&states);
	names_number(&statuses, "SENDING", STATUSES_MAX);
	names_number(&statuses, "PROCESSED", STATUSES_MAX);
	return 0;
}

static void expect(const struct recipient_record *r, const char *expected)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err err = {0};

	row_json(&text, r, &names);
	assert_string_equal(text.data, expected);
	assert_int_equal(json_check(text.data, text.len, 3, &err), 0);
	buf_release(&text);
}

static void a_row_tells_what_is_held(void **state)
{
	static char id[] = "rcp_1", contact[] = "con_\"7\"", integration[] = "twilio";
	struct recipient_record r = {.id = id,
				     .states = 1 << STATE_SENT | 1 << STATE_DELIVERED |
					       1 << STATE_OPENED,
				     .status = 1,
				     .created_ms = T0,
				     .updated_ms = T0 + 5000,
				     .contact_id = contact,
				     .integration_id = integration};

	(void)state;
	recipient_record_set_time(&r, STATE_SENT, T0 + 1000);
	recipient_record_set_time(&r, STATE_OPENED, -2);       /* without a time */
	recipient_record_set_time(&r, STATE_FAILED, T0 + 900); /* it fell again */
	expect(&r, "{\"recipient_id\":\"rcp_1\",\"integration_id\":\"twilio\","
		   "\"contact_id\":\"con_\\\"7\\\"\",\"status\":\"PROCESSED\","
		   "\"states\":[\"sent\",\"delivered\",\"opened\"],"
		   "\"at\":{\"sent\":\"2026-11-22T10:00:01.000Z\",\"delivered\":null,"
		   "\"opened\":null},\"created_at\":\"2026-11-22T10:00:00.000Z\","
		   "\"updated_at\":\"2026-11-22T10:00:05.000Z\",\"removed\":false}");
}

static void what_is_not_known_is_null(void **state)
{
	static char id[] = "";
	const struct recipient_record r = {.id = id,
					   .states = UINT64_C(1) << (STATES_MAX - 1) |
						     UINT64_C(1) << 63,
					   .status = 2,
					   .gone = true,
					   .created_ms = DATE_NONE,
					   .updated_ms = DATE_NONE};

	(void)state;
	expect(&r, "{\"recipient_id\":\"\",\"integration_id\":null,\"contact_id\":null,"
		   "\"status\":null,\"states\":[],\"at\":{},\"created_at\":null,"
		   "\"updated_at\":null,\"removed\":true}");
}

static void a_broadcast(void **state)
{
	static char org[] = "c", id[] = "bc_1", name[] = "Spring", status[] = "SENT",
		    counters[] = "{\"sent_count\":3}";
	struct broadcast_record b = {.org = org,
				     .id = id,
				     .name = name,
				     .status = status,
				     .counters = counters,
				     .recipients = 1200,
				     .baseline_done = true};
	struct buf text = BUF_INIT(4096);

	(void)state;
	row_json_broadcast(&text, &b);
	assert_string_equal(
		text.data,
		"{\"org_id\":\"c\",\"broadcast_id\":\"bc_1\",\"broadcast_name\":\"Spring\","
		"\"status\":\"SENT\",\"counters\":{\"sent_count\":3},\"rows\":1200,"
		"\"complete\":true,\"removed\":false}");
	b.counters = b.name = NULL;
	buf_clear(&text);
	row_json_broadcast(&text, &b);
	assert_non_null(strstr(text.data, "\"broadcast_name\":null,"));
	assert_non_null(strstr(text.data, "\"counters\":null,"));
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_tells_what_is_held),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(a_broadcast),
	};

	return cmocka_run_group_tests_name("row_json", tests, name_them, NULL);
}
