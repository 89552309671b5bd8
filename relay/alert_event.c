/* alert_event — see the header. Invariant: the same alert has the same id, whoever derives it. */
#include "relay/alert_event.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

static const char *const types[] = {
	[ALERT_FIRING] = "alert.firing",
	[ALERT_UPDATED] = "alert.updated",
	[ALERT_RESOLVED] = "alert.resolved",
};

/* The n-th of its kind since what opened it. */
static void make_id(char ret[EVENT_ID_SIZE], const char *rule, const struct alert *alert)
{
	char *opened = xasprintf("%lld", (long long)alert->opened), *n = xasprintf("%u", alert->n);
	const struct id_part parts[] = {ID_PART(rule), ID_PART(alert->key), ID_PART(opened),
					ID_PART(types[alert->kind]), ID_PART(n)};
	event_id(ret, parts, sizeof parts / sizeof *parts);
	free(opened);
	free(n);
}

void alert_event(struct event *ret, const struct alert *alert, const char *rule, const char *uuid,
		 int64_t recorded_ms)
{
	char *source = xasprintf("urn:uuid:%s", uuid);
	char *key = xasprintf("%s %s", rule, alert->key);
	char id[EVENT_ID_SIZE];
	make_id(id, rule, alert);
	const struct event_head head = {
		.id = id,
		.type = types[alert->kind],
		.source = source,
		.subject = rule,
		.partitionkey = key,
		.broadcast_id = alert->broadcast,
		.time_ms = alert->time_ms,
		.recorded_ms = recorded_ms,
	};
	event_make(ret, &head, alert->data->data, alert->data->len);
	free(source);
	free(key);
}

struct window_event alert_window_event(const struct event *ev)
{
	return (struct window_event){
		.sequence = ev->sequence,
		.time_ms = ev->time_ms,
		.recorded_ms = event_recorded_ms(ev->body, ev->len),
		.type = ev->type,
		.body = ev->body,
		.len = ev->len,
	};
}
