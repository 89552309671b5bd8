/* relay check — loads the configuration exactly as `run` would, and opens nothing. */
#include "relay/base/buf.h"
#include "relay/base/json.h"
#include "relay/cmd/cmd.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {FLAG_CONFIG, FLAG_JSON_ONLY, {0}};

const struct command cmd_check = {
	.name = "check",
	.operands = "[FILE]",
	.most = 1,
	.summary = "is the configuration right? all mistakes at once, each with its place",
	.example = "  relay check relay.yaml && kill -HUP $(pidof relay)",
	.flags = flags,
	.run = run,
};

static void print_json(const char *path, const struct problems *p)
{
	struct buf out = BUF_INIT(1 << 20);
	buf_adds(&out, "{\"file\":");
	json_write_string(&out, path);
	buf_addf(&out, ",\"ok\":%s,\"problems\":[", p->n ? "false" : "true");
	for (size_t i = 0; i < p->n; i++) {
		buf_adds(&out, i ? "," : "");
		json_write_string(&out, p->v[i]);
	}
	buf_adds(&out, "],\"warnings\":[");
	for (size_t i = 0; i < p->nwarnings; i++) {
		buf_adds(&out, i ? "," : "");
		json_write_string(&out, p->warnings[i]);
	}
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

static int run(const struct command *self, const struct args *a)
{
	const char *path = a->noperands ? a->operands[0] : arg_value(a, "config");
	struct problems problems = {0};
	if (a->noperands && arg_given(a, "config"))
		return cmd_usage(self, "FILE and --config say the same; give one");
	path = path ? path : "relay.yaml";
	struct settings *s = settings_load(path, &problems);
	if (s)
		rules_warn(s->rules, &problems);
	if (arg_given(a, "json")) {
		print_json(path, &problems);
	} else {
		problems_print(&problems, stderr);
		if (s)
			printf("%s: ok: %zu destination%s, %zu rule%s\n", path, s->ndestinations,
			       s->ndestinations == 1 ? "" : "s", rules_count(s->rules),
			       rules_count(s->rules) == 1 ? "" : "s");
	}
	problems_release(&problems);
	int status = s ? EXIT_OK : EXIT_BAD_CONFIG;
	settings_free(s);
	return status;
}
