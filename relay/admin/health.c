/* /healthz: does the loop turn? /readyz: is there any use in asking this relay for events? */
#include <string.h>

#include "relay/admin/admin.h"

static void say(struct admin_reply *ret, const char *status)
{
	buf_addf(&ret->body, "{\"status\":\"%s\"}\n", status);
}

/* That it runs at all is the answer. */
void admin_healthz(const struct admin_view *v, const struct admin_request *q,
		   struct admin_reply *ret)
{
	(void)q;
	say(ret, v->journal_full ? "journal full" : "ok");
}

/* Destinations are open, or the relay would not have started. */
void admin_readyz(const struct admin_view *v, const struct admin_request *q,
		  struct admin_reply *ret)
{
	(void)q;
	if (v->stopping)
		admin_error(ret, 503, "the relay is stopping");
	else if (v->down_why)
		admin_error(ret, 503, "the source is down: %s", v->down_why);
	else if (!v->answered)
		admin_error(ret, 503, "starting: the API has not answered yet");
	else
		say(ret, "ready");
}
