/* Whatever the bytes are: no crash, no leak, no hang; and each refusal says something. Runs the
 * parser, the environment, problems with their source lines, and every type of option. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "relay/config/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
	char *string, *url, *path;
	struct strings strings, secrets;
	int64_t number, duration, size, time;
	struct numbers durations;
	bool flag;
	double rate, percent;
	int choice;
};

static const char *const choices[] = {"one", "two", NULL};
static const struct option table[] = {
	{"string", OPT_STRING, offsetof(struct sample, string), .preset = "x", .help = ""},
	{"url", OPT_URL, offsetof(struct sample, url), .help = ""},
	{"path", OPT_PATH, offsetof(struct sample, path), .help = ""},
	{"strings", OPT_STRINGS, offsetof(struct sample, strings), .help = ""},
	{"secret", OPT_SECRETS, offsetof(struct sample, secrets), .help = ""},
	{"number", OPT_INT, offsetof(struct sample, number), .max = 9, .help = ""},
	{"duration", OPT_DURATION, offsetof(struct sample, duration), .help = ""},
	{"size", OPT_SIZE, offsetof(struct sample, size), .help = ""},
	{"time", OPT_TIME, offsetof(struct sample, time), .help = ""},
	{"durations", OPT_DURATIONS, offsetof(struct sample, durations), .help = ""},
	{"flag", OPT_BOOL, offsetof(struct sample, flag), .help = ""},
	{"rate", OPT_RATE, offsetof(struct sample, rate), .help = ""},
	{"percent", OPT_PERCENT, offsetof(struct sample, percent), .help = ""},
	{"choice", OPT_CHOICE, offsetof(struct sample, choice), .choices = choices, .help = ""},
	{0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems p = {0};
	struct sample sample = {0};

	/* no files here: neither included ones nor those of secrets */
	if (memmem(data, size, "include", 7) || memmem(data, size, "_file", 5))
		return 0;
	struct yaml *y = yaml_parse("fuzz.yaml", (const char *)data, size, &p);
	assert(y || p.n);
	if (y)
		options_read(table, yaml_root(y), &sample, &p);
	for (size_t i = 0; i < p.n; i++)
		assert(strlen(p.v[i]) > strlen("fuzz.yaml:1:1: "));
	options_release(table, &sample);
	problems_release(&p);
	yaml_free(y);
	return 0;
}
