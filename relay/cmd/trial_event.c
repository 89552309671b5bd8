/* trial_event — see the header. The data are those of docs/events.md and docs/alerts.md. */
#include "relay/cmd/trial_event.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/hash.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/base/random.h"

#define DATA_MAX 8192

static const char source[] = "urn:relay:send-test";

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void add_place(struct buf *out)
{
	json_add_text(out, "org_id", "c");
	json_add_text(out, "broadcast_id", "test-broadcast");
	json_add_text(out, "broadcast_name", "Test");
}

static void add_row(struct buf *out, int64_t now_ms)
{
	json_add_name(out, "recipient");
	buf_addc(out, '{');
	json_add_text(out, "id", "test-recipient");
	json_add_text(out, "broadcast_id", "test-broadcast");
	json_add_text(out, "integration_id", "test");
	json_add_text(out, "status", "PROCESSED");
	json_add_date(out, "created_at", now_ms - 3000);
	json_add_date(out, "updated_at", now_ms);
	json_add_name(out, "contact");
	buf_addc(out, '{');
	json_add_text(out, "id", "test-contact");
	json_add_text(out, "name", "Test");
	buf_adds(out, "}}");
}

static void add_recipient(struct buf *out, const char *type, int64_t now_ms)
{
	const char *state = strchr(type, '.') + 1;
	bool failed = !strcmp(state, "failed") || !strcmp(state, "bounced");
	add_place(out);
	json_add_text(out, "recipient_id", "test-recipient");
	json_add_text(out, "integration_id", "test");
	json_add_text(out, "state", state);
	json_add_date(out, "at", now_ms);
	json_add_text(out, "error_message", failed ? "a test: nothing failed" : NULL);
	json_add_text(out, "external_message_id", NULL);
	buf_adds(out, ",\"previous\":{\"states\":[\"sent\"],\"status\":\"PROCESSED\"}");
	buf_adds(out, ",\"since\":{\"created\":3,\"sent\":2}");
	add_row(out, now_ms);
}

static void add_alert(struct buf *out, const char *type, int64_t now_ms)
{
	bool firing = strcmp(type, "alert.resolved") != 0;
	json_add_text(out, "rule", "test");
	json_add_text(out, "kind", "count");
	json_add_bool(out, "firing", firing);
	buf_adds(out, ",\"key\":{\"broadcast_id\":\"test-broadcast\"}");
	json_add_text(out, "broadcast_id", "test-broadcast");
	buf_adds(out, ",\"count\":1,\"of\":null,\"ratio\":null,\"threshold\":1");
	buf_adds(out, ",\"within\":\"5m\",\"keys\":1");
	json_add_date(out, "starts_at", now_ms - 60000);
	json_add_date(out, "ends_at", firing ? now_ms + 180000 : now_ms);
	buf_adds(out,
		 ",\"n\":0,\"by\":{\"integration_id\":[],\"error_message\":[]},\"samples\":[]");
	json_add_text(out, "reason", firing ? NULL : "quiet");
	buf_adds(out, ",\"labels\":{\"alertname\":\"test\",\"severity\":\"info\"}");
	buf_adds(out, ",\"annotations\":{\"summary\":\"a test of Relay: nothing is wrong\"}");
}

/* Of relay.*, whatever any of them has; what they lack is null there, too. */
static void add_relay(struct buf *out, const char *type, int64_t now_ms)
{
	bool up = strcmp(strrchr(type, '.'), ".up") == 0;
	json_add_text(out, "destination", begins(type, "relay.source.") ? NULL : "test");
	json_add_text(out, "why", up ? NULL : "a test: nothing is wrong");
	if (!strcmp(type, "relay.parked") || !strcmp(type, "relay.dropped"))
		buf_adds(out, ",\"count\":1,\"ids\":[\"evt_test\"]");
	if (up)
		json_add_int(out, "down_ms", 60000);
	if (up || !strcmp(strrchr(type, '.'), ".down"))
		json_add_date(out, "since", now_ms - 60000);
}

static void write_data(struct buf *out, const char *type, int64_t now_ms)
{
	buf_addc(out, '{');
	json_add_bool(out, "test", true);
	if (begins(type, "recipient."))
		add_recipient(out, type, now_ms);
	else if (begins(type, "alert."))
		add_alert(out, type, now_ms);
	else if (begins(type, "broadcast.") || begins(type, "contact."))
		add_place(out);
	else if (begins(type, "relay."))
		add_relay(out, type, now_ms);
	else
		json_add_text(out, "why", "a test: nothing is wrong");
	buf_addc(out, '}');
}

static const char *subject_of(const char *type)
{
	return begins(type, "recipient.")   ? "test-recipient"
	       : begins(type, "broadcast.") ? "test-broadcast"
	       : begins(type, "contact.")   ? "test-contact"
					    : "test";
}

static bool is_type(const char *type)
{
	size_t n = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_.");
	return strchr(type, '.') && n && n < EVENT_TYPE_SIZE && !type[n] && type[n - 1] != '.';
}

int trial_event(struct event *ret, const char *type, int64_t now_ms, struct err *err)
{
	struct buf data = BUF_INIT(DATA_MAX);
	struct hash128 any;
	char hex[33];
	if (!is_type(type))
		return err_set(err, ERR_USAGE, "\"%s\" is no type; one is recipient.failed", type);
	random_bytes(&any, sizeof any);
	hash128_hex(hex, any);
	char *id = xasprintf("evt_%s", hex);
	const struct event_head head = {
		.id = id,
		.type = type,
		.source = source,
		.subject = subject_of(type),
		.partitionkey = subject_of(type),
		.integration_id = begins(type, "recipient.") ? "test" : NULL,
		.broadcast_id = begins(type, "relay.") ? NULL : "test-broadcast",
		.time_ms = now_ms,
		.recorded_ms = now_ms,
	};
	write_data(&data, type, now_ms);
	event_make(ret, &head, data.data, data.len);
	event_number(ret, 1);
	buf_release(&data);
	free(id);
	return 0;
}
