/*
 * nats_subject — the subject that an event is published under: a prefix and the event's topic, or
 * what a template says. Whatever an event holds, it fills tokens and makes none.
 */
#ifndef RELAY_NATS_SUBJECT_H
#define RELAY_NATS_SUBJECT_H

#include "relay/base/event.h"
#include "relay/base/json.h"
#include "relay/base/template.h"

#define NATS_SUBJECT_MAX 2048 /* a server takes 4096 bytes of subject, reply and sizes together */

struct nats_subject { /* valid as {0} */
	char *prefix; /* NULL: there is a template */
	struct template *template;
};

/* `text`: "relay", or "{{type}}.{{data.broadcast_id}}". */
int nats_subject_read(struct nats_subject *ret, const char *text, struct err *err);
void nats_subject_release(struct nats_subject *s);
/* Sets *out anew. By one thread at a time, as `doc` is. Fails for an event that has no subject. */
int nats_subject_make(const struct nats_subject *s, const struct event *event, struct json_doc *doc,
		      struct buf *out, struct err *err);

#endif
