/* nng_message — topic, space, body. Invariant: the body is copied once, into the message. */
#include "transports/nng_message.h"

#include <string.h>

#include "relay/base/json.h"
#include "transports/nng_frame.h"

const char *message_unfit(const struct event *ev)
{
	if (!ev->topic || !*ev->topic)
		return "the event has no topic";
	if (strchr(ev->topic, ' '))
		return "a topic with a space in it cannot be told from the message";
	if (!utf8_valid(ev->topic, strlen(ev->topic)))
		return "the topic is not UTF-8";
	if (strlen(ev->topic) > FRAME_TOPIC_MAX)
		return "the topic is too long";
	return NULL;
}

nng_msg *message_new(const struct event *ev, int64_t prevsequence)
{
	size_t topic_len = strlen(ev->topic);
	nng_msg *msg;

	if (nng_msg_alloc(&msg, topic_len + 1 + ev->len + FRAME_PREVSEQUENCE) != 0)
		return NULL;
	char *at = nng_msg_body(msg);
	memcpy(at, ev->topic, topic_len);
	at[topic_len] = ' ';
	frame_body(at + topic_len + 1, ev->body, ev->len, ev->sequence_at, prevsequence);
	return msg;
}
