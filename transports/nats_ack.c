/* nats_ack — see the header. Invariant: SENT only where a stream is named and the place that the
 * message has in it; any other answer may be somebody else's. */
#include "transports/nats_ack.h"

#include <inttypes.h>
#include <stdio.h>

#define ANSWER_DEPTH 8

/* Of the server's err_code (server/errors.json of nats-server): the same message would get the same
 * answer again. A stream that is full, or moves, is not among them. */
static bool is_final(int64_t code)
{
	return code == 10054	 /* larger than the stream's max_msg_size */
	       || code == 10060	 /* another stream than the expected one takes the subject */
	       || code == 10097; /* its headers are too large */
}

static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void read_error(struct nats_ack *ret, const struct json *answer, const struct json *error)
{
	const char *stream = json_string(json_get(answer, "stream"));
	const char *text = json_string(json_get(error, "description"));
	int64_t code = 0;

	json_int(json_get(error, "err_code"), &code);
	ret->verdict = is_final(code) ? REFUSED : TRY_AGAIN;
	snprintf(ret->why, sizeof ret->why, "%s%.100s: %.300s (%" PRId64 ")",
		 stream && *stream ? "stream " : "JetStream", stream ? stream : "",
		 text ? text : "an error without a description", code);
	one_line(ret->why);
}

void nats_ack_read(struct nats_ack *ret, struct json_doc *doc, const char *text, size_t len)
{
	struct err not_json = {0};
	const struct json *answer = json_parse(doc, text, len, ANSWER_DEPTH, &not_json);
	const struct json *error = json_get(answer, "error");
	const char *stream = json_string(json_get(answer, "stream"));
	int64_t seq = 0;

	*ret = (struct nats_ack){.verdict = TRY_AGAIN};
	if (error)
		read_error(ret, answer, error);
	else if (stream && *stream && json_int(json_get(answer, "seq"), &seq) && seq > 0)
		ret->verdict = SENT;
	else
		snprintf(ret->why, sizeof ret->why,
			 "the answer is no stream's acknowledgement; who else takes the subject?");
}
