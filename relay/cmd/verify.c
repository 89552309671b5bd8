/* relay verify — is this callback genuine? For who writes a receiver, or wonders about one. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/input.h"
#include "relay/cmd/keyring.h"

#define BODY_MAX    (16 << 20)
#define HEADERS_MAX (64 << 10)
#define TOLERANCE_S 300		/* as the libraries of Standard Webhooks have it */
#define ANY_AGE_S   (1LL << 60) /* more than two timestamps of 16 digits can differ by */

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_SECRET_FILE,
	FLAG_SECRET,
	{'H', "header", "LINE", "'webhook-id: …' and so on; others are passed over"},
	{0, "headers", "FILE", "a file of such lines"},
	{0, "id", "ID", "webhook-id"},
	{0, "timestamp", "SECONDS", "webhook-timestamp"},
	{0, "signature", "TEXT", "webhook-signature"},
	{0, "tolerance", "SPAN", "how old or early it may be; default: 5m; 0: any age"},
	{0, "json", NULL, "one JSON object instead of text"},
	{0},
};

const struct command cmd_verify = {
	.name = "verify",
	.operands = "[BODY|-]",
	.most = 1,
	.summary = "whether a callback's signature fits, and its time",
	.example = "  relay sign --secret-file crm.secret event.json > headers\n"
		   "  relay verify --secret-file crm.secret --headers headers event.json\n\n"
		   "The body is a file, or standard input, byte for byte as it came. Without "
		   "--secret-file\n"
		   "and --secret the secret is that of the environment variable " KEYRING_VARIABLE
		   ".\n"
		   "Exit status: 0 it is valid, 1 it is not, 2 that could not be looked at.",
	.flags = flags,
	.run = run,
};

struct headers {
	char *id, *timestamp, *signature; /* owned */
};

static char **place_of(struct headers *h, const char *name, size_t len)
{
	const struct {
		const char *name;
		char **value;
	} known[] = {{"webhook-id", &h->id},
		     {"webhook-timestamp", &h->timestamp},
		     {"webhook-signature", &h->signature}};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].name) == len && !strncasecmp(name, known[i].name, len))
			return known[i].value;
	return NULL;
}

static void put(char **place, const char *text, size_t len)
{
	free(*place);
	*place = xstrndup(text, len);
}

/* "Name: value"; anything else is passed over, as a status line is. */
static void read_line(struct headers *h, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *end = line + len;
	if (!colon)
		return;
	char **place = place_of(h, line, (size_t)(colon - line));
	const char *value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (value < end && strchr(" \t\r", end[-1]))
		end--;
	if (place)
		put(place, value, (size_t)(end - value));
}

static int read_headers(struct headers *ret, const struct args *a, struct err *err)
{
	static const char *const names[] = {"id", "timestamp", "signature"};
	char **const places[] = {&ret->id, &ret->timestamp, &ret->signature};
	struct buf text = BUF_INIT(HEADERS_MAX);
	int failed = arg_given(a, "headers") ? input_read(&text, arg_value(a, "headers"), err) : 0;
	for (const char *line = text.data; !failed && *line;) {
		size_t len = strcspn(line, "\n");
		read_line(ret, line, len);
		line += len + (line[len] == '\n');
	}
	buf_release(&text);
	for (size_t i = 0; i < arg_count(a, "header"); i++)
		read_line(ret, arg_nth(a, "header", i), strlen(arg_nth(a, "header", i)));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (arg_given(a, names[i]))
			put(places[i], arg_value(a, names[i]), strlen(arg_value(a, names[i])));
	return failed;
}

static int judge(const struct headers *h, const struct keyring *keys, const struct buf *body,
		 int64_t tolerance_s, int64_t *ret_age_s, struct err *err)
{
	struct signed_text t = {.id = h->id, .body = body->data, .len = body->len};
	int64_t now_s = clock_now().wall_ms / 1000;
	if (!h->id || !h->timestamp || !h->signature)
		return err_set(err, ERR_DENIED, "%s is missing",
			       !h->id	       ? "webhook-id"
			       : !h->timestamp ? "webhook-timestamp"
					       : "webhook-signature");
	if (!cmd_number(h->timestamp, &t.timestamp_s))
		return err_set(err, ERR_DENIED, "webhook-timestamp is no number of seconds");
	*ret_age_s = now_s - t.timestamp_s;
	return signature_verify(h->signature, keys->keys, keys->n, &t, now_s, tolerance_s, err);
}

static int tell(const struct command *self, const struct headers *h, bool json, int64_t age_s,
		const struct err *err)
{
	struct buf out = BUF_INIT(HEADERS_MAX);
	bool valid = err->code == ERR_NONE;
	if (json) {
		buf_addf(&out, "{\"valid\":%s", valid ? "true" : "false");
		json_add_text(&out, "id", h->id);
		json_add_text(&out, "why", valid ? NULL : err->msg);
		printf("%s}\n", out.data);
		buf_release(&out);
		return valid ? EXIT_OK : EXIT_FOUND;
	}
	if (!valid)
		return cmd_fail(self, err);
	printf("valid, signed %" PRId64 " s %s\n", age_s < 0 ? -age_s : age_s,
	       age_s < 0 ? "ahead of this clock" : "ago");
	return EXIT_OK;
}

/* A file that cannot be read says nothing of the signature. */
static int fail(const struct command *self, const struct err *err)
{
	cmd_fail(self, err);
	return EXIT_USAGE;
}

static int read_tolerance(const struct args *a, int64_t *ret_s)
{
	const char *text = arg_value(a, "tolerance");
	int64_t ms;
	*ret_s = TOLERANCE_S;
	if (!text)
		return 0;
	if (!option_duration(text, &ms))
		return -1;
	*ret_s = ms ? ms / 1000 : ANY_AGE_S;
	return 0;
}

static int run(const struct command *self, const struct args *a)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct headers h = {0};
	struct keyring keys = {0};
	struct err err = {0}, found = {0};
	int64_t tolerance_s, age_s = 0;
	if (read_tolerance(a, &tolerance_s) < 0)
		return cmd_usage(self, "--tolerance is a time span such as 5m; 0: any age");
	int failed = keyring_load(&keys, a, &err);
	if (!failed && !keys.n)
		failed = err_set(&err, ERR_USAGE, "a secret is missing: --secret-file FILE");
	if (!failed)
		failed = read_headers(&h, a, &err);
	if (!failed)
		failed = input_read(&body, a->noperands ? a->operands[0] : "-", &err);
	if (!failed)
		judge(&h, &keys, &body, tolerance_s, &age_s, &found);
	int status =
		failed ? fail(self, &err) : tell(self, &h, arg_given(a, "json"), age_s, &found);
	free(h.id);
	free(h.timestamp);
	free(h.signature);
	keyring_release(&keys);
	buf_release(&body);
	return status;
}
