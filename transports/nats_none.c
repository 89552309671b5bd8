/* Built where libnats is missing: the settings are known, and say that nobody can use them. */
#include "transports/nats_settings.h"
#include "transports/transport.h"

static const char missing[] = "nats is not built in: this relay was built without libnats";

bool nats_is_built_in(void)
{
	return false;
}

static void check(const void *settings, const struct node *at, struct problems *p)
{
	(void)settings;
	problem_at(p, at, "%s", missing);
}

static int open_none(void *self, const void *settings, const struct transport_env *env,
		     struct err *err)
{
	(void)self;
	(void)settings;
	(void)env;
	return err_set(err, ERR_CONFIG, "%s", missing);
}

static void send_none(void *self, const struct parcel *parcel) /* nothing is ever open */
{
	(void)self;
	(void)parcel;
}

static void close_none(void *self)
{
	(void)self;
}

const struct transport_type transport_nats = {
	.name = "nats",
	.size = 1,
	.options = nats_option_table,
	.settings_size = sizeof(struct nats_settings),
	.topical = true,
	.check = check,
	.open = open_none,
	.send = send_none,
	.close = close_none,
};
