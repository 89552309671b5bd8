/* option_print — the tables told to people and to editors. Invariant: both say what options_read
 * takes, and come from the same rows. */
#include "relay/config/option.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/buf.h"
#include "relay/base/json.h"
#include "relay/config/option_value.h"

#define NAME_COLUMN_MAX	  48 /* a longer name pushes its own line only */
#define PRESET_COLUMN_MAX 24

/* What a type is called where there is no preset to show it. */
static const char *const type_names[] = {
	[OPT_STRING] = "text",	       [OPT_STRINGS] = "texts",	     [OPT_URL] = "URL",
	[OPT_SECRET] = "secret",       [OPT_SECRETS] = "secrets",    [OPT_PATH] = "path",
	[OPT_INT] = "number",	       [OPT_BOOL] = "true or false", [OPT_DURATION] = "duration",
	[OPT_DURATIONS] = "durations", [OPT_SIZE] = "size",	     [OPT_RATE] = "rate",
	[OPT_PERCENT] = "percentage",  [OPT_CHOICE] = "choice",	     [OPT_TIME] = "time",
	[OPT_NODE] = "section",
};

static bool is_secret(const struct option *row)
{
	return row->type == OPT_SECRET || row->type == OPT_SECRETS;
}

/* "5s", "(secret)" or "(URL, required)". */
static void add_preset(struct buf *out, const struct option *row)
{
	if (row->preset)
		buf_adds(out, row->preset);
	else
		buf_addf(out, "(%s%s)", type_names[row->type], row->required ? ", required" : "");
}

static void add_name(struct buf *out, const char *path, const struct option *row, unsigned depth)
{
	buf_addf(out, "%*s%s%s", (int)(2 * depth), "", path, row->name);
}

struct widths {
	size_t name, preset;
};

static size_t widened(size_t width, const struct buf *text, size_t max)
{
	return text->len > width && text->len <= max ? text->len : width;
}

static void measure(const struct option *table, const char *path, unsigned depth, struct widths *w)
{
	for (; table->name; table++) {
		struct buf name = BUF_INIT(1024), preset = BUF_INIT(1024), inner = BUF_INIT(1024);
		add_name(&name, path, table, depth);
		add_preset(&preset, table);
		w->name = widened(w->name, &name, NAME_COLUMN_MAX);
		w->preset = widened(w->preset, &preset, PRESET_COLUMN_MAX);
		buf_addf(&inner, "%s%s.", path, table->name);
		if (table->section)
			measure(table->section, inner.data, depth + 1, w);
		buf_release(&name);
		buf_release(&preset);
		buf_release(&inner);
	}
}

/* The help, with what only the row knows besides. */
static void print_help(const struct option *row, FILE *out)
{
	fputs(row->help, out);
	for (size_t i = 0; row->choices && row->choices[i]; i++)
		fprintf(out, "%s%s", i ? ", " : " (one of ", row->choices[i]);
	if (row->choices)
		putc(')', out);
	if (is_secret(row))
		fprintf(out, "; or %s_file%s", row->name,
			row->type == OPT_SECRETS ? ", one a line" : "");
	if (row->max && row->type == OPT_INT)
		fprintf(out, " (%" PRId64 " to %" PRId64 ")", row->min, row->max);
	putc('\n', out);
}

static void print_table(const struct option *table, const char *path, unsigned depth,
			const struct widths *w, FILE *out)
{
	for (; table->name; table++) {
		struct buf name = BUF_INIT(1024), preset = BUF_INIT(1024), inner = BUF_INIT(1024);
		add_name(&name, path, table, depth);
		add_preset(&preset, table);
		fprintf(out, "%-*s  %-*s  ", (int)w->name, name.data, (int)w->preset, preset.data);
		print_help(table, out);
		buf_addf(&inner, "%s%s.", path, table->name);
		if (table->section)
			print_table(table->section, inner.data, depth + 1, w, out);
		buf_release(&name);
		buf_release(&preset);
		buf_release(&inner);
	}
}

void options_print(const struct option *table, const char *path, FILE *out)
{
	struct widths w = {0};

	measure(table, path, 0, &w);
	print_table(table, path, 0, &w, out);
}

/* A value that comes from the environment is a string to an editor, whatever it becomes here. */
#define REFERENCE "\\$\\{"

#define NUMBER_TEXT "[0-9]+([.][0-9]+)?"

struct form {
	const char *types; /* JSON */
	const char *pattern;
};

/* OPT_BOOL, OPT_INT and the zero of durations need no quotes; texts may look like numbers. */
static const struct form forms[] = {
	[OPT_STRING] = {"[\"string\",\"number\",\"boolean\"]", NULL},
	[OPT_STRINGS] = {"[\"string\",\"number\",\"boolean\"]", NULL},
	[OPT_URL] = {"\"string\"", "^https?://|" REFERENCE},
	[OPT_SECRET] = {"[\"string\",\"number\",\"boolean\"]", NULL},
	[OPT_SECRETS] = {"[\"string\",\"number\",\"boolean\"]", NULL},
	[OPT_PATH] = {"\"string\"", NULL},
	[OPT_INT] = {"[\"integer\",\"string\"]", REFERENCE},
	[OPT_BOOL] = {"[\"boolean\",\"string\"]", REFERENCE},
	[OPT_DURATION] = {"[\"string\",\"integer\"]",
			  "^(0|" NUMBER_TEXT "(ms|s|m|h|d))$|" REFERENCE},
	[OPT_DURATIONS] = {"[\"string\",\"integer\"]",
			   "^(0|" NUMBER_TEXT "(ms|s|m|h|d))$|" REFERENCE},
	[OPT_SIZE] = {"[\"string\",\"integer\"]", "^" NUMBER_TEXT "([KMGT]?B)?$|" REFERENCE},
	[OPT_RATE] = {"\"string\"", "^" NUMBER_TEXT "/(s|min|h)$|" REFERENCE},
	[OPT_PERCENT] = {"\"string\"", "^" NUMBER_TEXT "%$|" REFERENCE},
	[OPT_CHOICE] = {"\"string\"", NULL},
	[OPT_TIME] = {"\"string\"", "^[0-9]{4}-[0-9]{2}-[0-9]{2}|" REFERENCE},
};

static void add_pair(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

/* The schema of one scalar, without braces. */
static void add_scalar(struct buf *out, const struct option *row)
{
	const struct form *form = &forms[row->type];

	if (row->choices) {
		buf_adds(out, "\"anyOf\":[{\"enum\":[");
		for (size_t i = 0; row->choices[i]; i++) {
			buf_adds(out, i ? "," : "");
			json_write_string(out, row->choices[i]);
		}
		buf_adds(out, "]},{\"type\":\"string\"");
		add_pair(out, "pattern", REFERENCE);
		buf_adds(out, "}]");
		return;
	}
	buf_addf(out, "\"type\":%s", form->types);
	if (form->pattern)
		add_pair(out, "pattern", form->pattern);
	if (row->type == OPT_INT && row->max)
		buf_addf(out, ",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, row->min, row->max);
	if (row->type == OPT_SIZE)
		buf_adds(out, ",\"minimum\":0");
	if (row->type == OPT_DURATION || row->type == OPT_DURATIONS)
		buf_adds(out, ",\"minimum\":0,\"maximum\":0");
}

/* "[5s, 5m]" as a JSON array; other presets as what they are in a file. */
static void add_default(struct buf *out, const struct option *row)
{
	const char *s = row->preset;
	int64_t number;
	bool list = *s == '[';

	buf_adds(out, ",\"default\":");
	if ((row->type == OPT_INT || row->type == OPT_SIZE) && option_int(s, &number)) {
		buf_addi(out, number);
	} else if (row->type == OPT_BOOL) {
		buf_adds(out, s);
	} else if (!list) {
		json_write_string(out, s);
	} else {
		buf_addc(out, '[');
		for (s += strspn(s, "[ "); *s && *s != ']'; s += strspn(s, ", ")) {
			size_t len = strcspn(s, ",]");
			json_write_bytes(out, s, len);
			s += len;
			buf_adds(out, *s == ',' ? "," : "");
		}
		buf_addc(out, ']');
	}
}

static void add_section(struct buf *out, const struct option *table, bool may_be_null);

static void add_row(struct buf *out, const struct option *row)
{
	bool list =
		row->type == OPT_STRINGS || row->type == OPT_SECRETS || row->type == OPT_DURATIONS;

	json_write_string(out, row->name);
	buf_adds(out, ":{\"description\":");
	json_write_string(out, row->help);
	if (row->section) {
		buf_addc(out, ',');
		add_section(out, row->section, true);
	} else if (list) {
		buf_adds(out, ",\"anyOf\":[{");
		add_scalar(out, row);
		buf_adds(out, "},{\"type\":\"array\",\"items\":{");
		add_scalar(out, row);
		buf_adds(out, "}}]");
	} else if (row->type != OPT_NODE) {
		buf_addc(out, ',');
		add_scalar(out, row);
	}
	if (row->preset)
		add_default(out, row);
	buf_addc(out, '}');
	if (is_secret(row))
		buf_addf(out, ",\"%s_file\":{\"description\":\"file that holds %s\",\"type\":%s}",
			 row->name, row->name, list ? "[\"string\",\"array\"]" : "\"string\"");
}

/* What must be there; of a secret either form. */
static void add_required(struct buf *out, const struct option *table)
{
	struct buf plain = BUF_INIT(64 << 10), secrets = BUF_INIT(64 << 10);

	for (const struct option *row = table; row->name; row++) {
		if (row->required && is_secret(row))
			buf_addf(&secrets,
				 "%s{\"anyOf\":[{\"required\":[\"%s\"]},"
				 "{\"required\":[\"%s_file\"]}]}",
				 secrets.len ? "," : "", row->name, row->name);
		else if (row->required)
			buf_addf(&plain, "%s\"%s\"", plain.len ? "," : "", row->name);
	}
	if (plain.len)
		buf_addf(out, ",\"required\":[%s]", plain.data);
	if (secrets.len)
		buf_addf(out, ",\"allOf\":[%s]", secrets.data);
	buf_release(&plain);
	buf_release(&secrets);
}

static void add_section(struct buf *out, const struct option *table, bool may_be_null)
{
	buf_addf(out, "\"type\":%s,\"additionalProperties\":false,\"properties\":{",
		 may_be_null ? "[\"object\",\"null\"]" : "\"object\"");
	for (const struct option *row = table; row->name; row++) {
		buf_adds(out, row == table ? "" : ",");
		add_row(out, row);
	}
	buf_addc(out, '}');
	add_required(out, table);
}

void options_schema(const struct option *table, struct buf *out)
{
	buf_addc(out, '{');
	add_section(out, table, false);
	buf_addc(out, '}');
}
