/*
 * nats — events for a NATS JetStream stream, whose subscribers may be many, slow or away. Settings
 * and the contract's functions; the work is done in nats_courier*.c and nats_link.c. SENT means
 * that the stream acknowledged the event; Nats-Msg-Id is the event's id, so that a stream keeps a
 * repeat once.
 */
#include "transports/transport.h"

#include "relay/base/json.h"
#include "transports/nats_courier.h"
#include "transports/nats_link.h"
#include "transports/nats_settings.h"
#include "transports/nats_subject.h"

struct nats_self {
	struct courier *courier;
};

bool nats_is_built_in(void)
{
	return true;
}

static int nats_open_courier(void *self, const void *settings, const struct transport_env *env,
			     struct err *err)
{
	struct nats_self *s = self;

	s->courier = courier_open(settings, env, err);
	return s->courier ? 0 : -1;
}

static void nats_send_parcel(void *self, const struct parcel *parcel)
{
	courier_send(((struct nats_self *)self)->courier, parcel);
}

static void nats_close_courier(void *self)
{
	struct nats_self *s = self;

	courier_close(s->courier);
	s->courier = NULL;
}

static void paths(const void *settings, template_path_fn *fn, void *arg)
{
	const struct nats_settings *s = settings;
	struct nats_subject subject = {0};
	struct err told = {0}; /* by the check */

	if (nats_subject_read(&subject, s->subject, &told) == 0 && subject.template)
		template_paths(subject.template, fn, arg);
	nats_subject_release(&subject);
}

/* As the protocol of NATS has it: PUB SUBJECT. */
static int preview(const void *settings, const struct parcel *parcel, struct transport_preview *ret,
		   struct err *err)
{
	const struct nats_settings *s = settings;
	const struct event *event = parcel->event;
	struct nats_subject subject = {0};
	struct json_doc *doc = json_doc_new();
	int failed = nats_subject_read(&subject, s->subject, err);

	if (!failed)
		failed = nats_subject_make(&subject, event, doc, &ret->url, err);
	ret->method = "PUB";
	buf_addf(&ret->headers, "Nats-Msg-Id: %s\ncontent-type: " NATS_CONTENT_TYPE "\n",
		 event->id);
	if (s->stream)
		buf_addf(&ret->headers, "Nats-Expected-Stream: %s\n", s->stream);
	buf_add(&ret->body, event->body, event->len);
	json_doc_free(doc);
	nats_subject_release(&subject);
	return failed;
}

const struct transport_type transport_nats = {
	.name = "nats",
	.size = sizeof(struct nats_self),
	.options = nats_option_table,
	.settings_size = sizeof(struct nats_settings),
	.topical = true,
	.in_flight = 256, /* an acknowledgement of a cluster takes a millisecond, they come by
			     hundreds */
	.check = nats_settings_check,
	.preview = preview,
	.paths = paths,
	.open = nats_open_courier,
	.send = nats_send_parcel,
	.close = nats_close_courier,
};
