/* refill_rig — see the header. */
#include "tests/suite/refill_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "relay/base/json.h"
#include "tests/suite/sp_caller.h"
#include "transports/nng_frame.h"

void refill_rig_pause(int ms)
{
	poll(NULL, 0, ms);
}

size_t refill_rig_ask(int fd, const char *request)
{
	struct buf text = BUF_INIT(FRAME_REPLY_MAX);
	struct json_doc *doc = json_doc_new();
	struct err err = {0};

	assert_true(sp_caller_ask(fd, request, strlen(request)));
	assert_true(sp_caller_reply(fd, &text));
	const struct json *root = json_parse(doc, text.data, text.len, JSON_DEPTH + 8, &err);
	if (!root)
		fail_msg("%s in %.200s", err.msg, text.data);
	size_t n = json_count(json_get(root, "events"));
	json_doc_free(doc);
	buf_release(&text);
	return n;
}

void refill_rig_is_served(const struct nng_world *w)
{
	int64_t start = clock_now().mono_ms;
	int fd = sp_caller_open(w->refill);

	assert_int_equal(refill_rig_ask(fd, REFILL_FEW), 2);
	close(fd);
	assert_in_range(clock_now().mono_ms - start, 0, REFILL_AT_ONCE);
}

struct nng_world *refill_rig_world(bool tcp, size_t events, size_t padding)
{
	struct nng_world *w = nng_world_new();

	for (size_t i = 0; i < events; i++)
		nng_world_commit(w, REFILL_TOPIC, padding);
	if (tcp)
		nng_world_refill_on_tcp(w);
	nng_world_open(w, NULL);
	return w;
}

void refill_rig_on_both(void (*test)(struct nng_world *w))
{
	for (int tcp = 0; tcp < 2; tcp++) {
		struct nng_world *w = refill_rig_world(tcp, 100, 2200);

		size_t before = sp_caller_descriptors();
		refill_rig_is_served(w);
		test(w);
		refill_rig_is_served(w);
		for (int i = 0; i < 200 && sp_caller_descriptors() > before; i++)
			refill_rig_pause(10);
		assert_in_range(sp_caller_descriptors(), 0,
				before); /* fewer: nng lets go of another bus */
		nng_world_close(w);	 /* measures itself */
		nng_world_free(w);
	}
}

void refill_rig_pipeline(int fd, const char *request, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(sp_caller_ask(fd, request, strlen(request)));
}
