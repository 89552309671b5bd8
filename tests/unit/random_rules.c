/* random_rules — one alphabet for both. Invariant: whatever is written is valid YAML or JSON. */
#include "tests/unit/random_rules.h"

#include <stdio.h>
#include <string.h>

static unsigned pick(struct prng *random, size_t n)
{
	return (unsigned)(prng_next(random) >> 33) % (unsigned)n;
}

#define TEXT 24

#define PICK(random, list) ((list)[pick((random), sizeof(list) / sizeof *(list))])

static const char *const texts[] = {"",
				    "a",
				    "b",
				    "ab",
				    "ba",
				    "abc",
				    "A",
				    "aB",
				    "é",
				    "É",
				    "яa",
				    "Я",
				    "aab",
				    "aaab",
				    "abab",
				    "a*b",
				    "a\\b",
				    "a\"b",
				    "1",
				    "true",
				    "null",
				    "10.0.0.1",
				    "10.0.0.2",
				    "10.1.0.1",
				    "::1",
				    "0:0:0:0:0:0:0:1",
				    "2001:db8::5",
				    "a\tb",
				    "abcdefgh",
				    "abcdefghi",
				    "xabcdefgh",
				    "a long text that holds abc and ab",
				    "ſ",
				    "K",
				    "ac",
				    "acd",
				    "bac",
				    "abcabcabcabcabcabcabc",
				    "a long text that holds ABC and ba"};
static const char *const numbers[] = {
	"0",	"-0.0", "1", "1.0", "1.5", "2", "1e3", "1000", "-1", "0.1", "12345678901234567890",
	"1E-2", "0.01"};
/* In events only. */
static const char *const more_numbers[] = {"1e999", "-1e999", "0.30000000000000004", "0e5", "1.50"};

/* One of those, or one of many: of up to 20 letters, in `text`. */
static const char *any_text(char text[TEXT], struct prng *random)
{
	unsigned len = pick(random, 5);

	if (pick(random, 4))
		return PICK(random, texts);
	if (!pick(random, 8))
		len += pick(random, 16);
	for (unsigned i = 0; i < len; i++)
		text[i] = "abc1"[pick(random, 4)];
	text[len] = '\0';
	return text;
}

/* ---- events */

static void add_space(struct buf *out, struct prng *random)
{
	static const char *const spaces[] = {" ", "\n", "\t", "  "};

	if (!pick(random, 12))
		buf_adds(out, PICK(random, spaces));
}

/* Now and then an ASCII letter as \u0061. */
static void add_string(struct buf *out, struct prng *random, const char *s)
{
	bool escape = !pick(random, 6);

	buf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if (*s == '\t')
			buf_adds(out, "\\t");
		else if (escape && (unsigned char)*s < 0x80 && pick(random, 2))
			buf_addf(out, "\\u%04x", (unsigned)*s);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void add_scalar(struct buf *out, struct prng *random)
{
	char text[TEXT];
	switch (pick(random, 8)) {
	case 0: buf_adds(out, PICK(random, numbers)); break;
	case 1: buf_adds(out, PICK(random, more_numbers)); break;
	case 2: buf_adds(out, pick(random, 2) ? "true" : "false"); break;
	case 3: buf_adds(out, "null"); break;
	default: add_string(out, random, any_text(text, random));
	}
}

/* depth: how many objects it lies in */
static void add_value(struct buf *out, struct prng *random, unsigned depth);

static void add_object(struct buf *out, struct prng *random, unsigned depth)
{
	static const char *const keys[] = {"a", "b", "o", "a.b", "a long name of a member"};
	bool first = true;

	buf_addc(out, '{');
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		/* no two members of one name in objects of the first two levels */
		unsigned times = depth > 1 && !pick(random, 10) ? 2 : pick(random, 3) ? 1 : 0;

		for (; times; times--, first = false) {
			buf_adds(out, first ? "" : ",");
			add_space(out, random);
			add_string(out, random, keys[i]);
			add_space(out, random);
			buf_addc(out, ':');
			add_space(out, random);
			add_value(out, random, depth + 1);
		}
	}
	buf_addc(out, '}');
}

static void add_array(struct buf *out, struct prng *random, unsigned depth)
{
	unsigned n = pick(random, 4);

	buf_addc(out, '[');
	for (unsigned i = 0; i < n; i++) {
		add_space(out, random);
		add_value(out, random, depth);
		add_space(out, random);
		buf_adds(out, i + 1 < n ? "," : "");
	}
	buf_addc(out, ']');
}

static void add_value(struct buf *out, struct prng *random, unsigned depth)
{
	unsigned kind = pick(random, 20);

	if (depth > 4 || kind < 10)
		add_scalar(out, random);
	else if (kind < 15)
		add_object(out, random, depth);
	else
		add_array(out, random, depth);
}

void random_event(struct buf *out, struct prng *random)
{
	char text[TEXT];

	add_space(out, random);
	buf_adds(out, "{\"type\":");
	add_string(out, random, any_text(text, random));
	if (pick(random, 2)) {
		buf_adds(out, ",\"subject\":");
		add_value(out, random, 1);
	}
	buf_adds(out, ",\"data\":");
	if (pick(random, 8))
		add_object(out, random, 1);
	else
		add_array(out, random, 1);
	buf_addc(out, '}');
	add_space(out, random);
}

/* ---- patterns */

/* In double quotes YAML and JSON agree on these escapes; a dollar sign is written twice. */
static void add_quoted(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if (*s == '\t')
			buf_adds(out, "\\t");
		else if (*s == '$')
			buf_adds(out, "$$");
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void add_named(struct buf *out, const char *name, const char *s)
{
	buf_addf(out, "%s: ", name);
	add_quoted(out, s);
}

static const char *const wildcards[] = {
	"*",	   "a*",	"*b",	"*a*",	       "a*b",	     "*ab*",	  "a*a*b",
	"*bc*",	   "*\\**",	"abc*", "*holds abc*", "*text*and*", "a\\\\b",	  "ab",
	"*defg*i", "*cab*cab*", "b*é",	"*bcdefgh*",   "*fgh",	     "a long*ab", "*aa*"};
static const char *const expressions[] = {
	"^a",	    "b$",      "a+b",	  "ab?c",
	"(a|bc)d?", "[ab]c",   "^(ab)+$", "b.*c",
	"holds",    "^a.?b$",  "x*ab",	  "a{2}b",
	"[^a]",	    "a|b",     "\\*",	  "text that (holds)? abc",
	"^abcdef",  "a\\.b?",  "c+$",	  "(long)",
	"^x?abc",   "ab+cd*e", "()",	  "é+"};
static const char *const blocks[] = {"10.0.0.0/24", "10.0.0.0/8",    "10.0.0.0/31",
				     "::/64",	    "2001:db8::/32", "0.0.0.0/0"};

static void add_end(struct buf *out, struct prng *random)
{
	char text[TEXT];
	const char *name = pick(random, 2) ? "prefix" : "suffix";

	if (pick(random, 3)) {
		add_named(out, name, any_text(text, random));
		return;
	}
	buf_addf(out, "%s: {", name);
	add_named(out, "equals-ignore-case", any_text(text, random));
	buf_adds(out, "}");
}

static void add_numeric(struct buf *out, struct prng *random)
{
	static const char *const ranges[] = {"'=', 1",
					     "'<', 1",
					     "'<=', 1",
					     "'>', 1",
					     "'>=', 1.5",
					     "'>', 0, '<', 2",
					     "'>=', 0, '<=', 1",
					     "'>', 0.01, '<', 1000",
					     "'>=', 1, '<', 1.5",
					     "'<', 0",
					     "'=', 0",
					     "'>', 1000"};

	buf_addf(out, "numeric: [%s]", PICK(random, ranges));
}

/* One list, or one value without a list. */
static void add_excluded(struct buf *out, struct prng *random)
{
	char text[TEXT];
	static const char *const names[] = {"prefix", "suffix", "equals-ignore-case"};
	static const char *const endings[] = {"ab", "A", "É", "abc", "c", "10."};
	unsigned kind = pick(random, 4);

	buf_adds(out, "anything-but: ");
	if (kind == 0) {
		buf_addf(out, "[%s, %s]", PICK(random, numbers), PICK(random, numbers));
	} else if (kind == 1) {
		buf_adds(out, "[");
		add_quoted(out, any_text(text, random));
		buf_adds(out, ", ");
		add_quoted(out, any_text(text, random));
		buf_adds(out, "]");
	} else if (kind == 2) {
		buf_addf(out, "{%s: [", PICK(random, names));
		add_quoted(out, "a");
		buf_adds(out, ", ");
		add_quoted(out, PICK(random, endings));
		buf_adds(out, "]}");
	} else {
		buf_adds(out, "{");
		add_named(out, "wildcard", PICK(random, wildcards));
		buf_adds(out, "}");
	}
}

static void add_operator(struct buf *out, struct prng *random)
{
	char text[TEXT];
	buf_adds(out, "{");
	switch (pick(random, 9)) {
	case 0:
	case 1: add_end(out, random); break;
	case 2: add_named(out, "equals-ignore-case", any_text(text, random)); break;
	case 3: add_named(out, "wildcard", PICK(random, wildcards)); break;
	case 4: add_excluded(out, random); break;
	case 5: add_numeric(out, random); break;
	case 6: buf_addf(out, "exists: %s", pick(random, 3) ? "false" : "true"); break;
	case 7: add_named(out, "cidr", PICK(random, blocks)); break;
	default: add_named(out, "regex", PICK(random, expressions));
	}
	buf_adds(out, "}");
}

static void add_test(struct buf *out, struct prng *random)
{
	char text[TEXT];
	switch (pick(random, 8)) {
	case 0: buf_adds(out, PICK(random, numbers)); break;
	case 1: buf_adds(out, pick(random, 2) ? "true" : "null"); break;
	case 2:
	case 3: add_quoted(out, any_text(text, random)); break;
	default: add_operator(out, random);
	}
}

static void add_list(struct buf *out, struct prng *random)
{
	unsigned n = 1 + pick(random, 3);

	buf_adds(out, "[");
	for (unsigned i = 0; i < n; i++) {
		buf_adds(out, i ? ", " : "");
		add_test(out, random);
	}
	buf_adds(out, "]");
}

static void add_map(struct buf *out, struct prng *random, unsigned depth);

static void add_or(struct buf *out, struct prng *random, unsigned depth)
{
	unsigned n = 2 + pick(random, 2);

	buf_adds(out, "$or: [");
	for (unsigned i = 0; i < n; i++) {
		buf_adds(out, i ? ", " : "");
		add_map(out, random, depth + 2);
	}
	buf_adds(out, "]");
}

static void add_map(struct buf *out, struct prng *random, unsigned depth)
{
	static const char *const keys[] = {"a", "b", "o", "a.b", "a long name of a member"};
	unsigned first = pick(random, 5), n = 1 + !pick(random, 3);

	buf_adds(out, "{");
	for (unsigned i = 0; i < n; i++) {
		buf_addf(out, "%s\"%s\": ", i ? ", " : "", keys[(first + i) % 5]);
		if (depth < 4 && !pick(random, 4))
			add_map(out, random, depth + 1);
		else
			add_list(out, random);
	}
	if (depth < 4 && !pick(random, 12)) {
		buf_adds(out, ", ");
		add_or(out, random, depth);
	}
	buf_adds(out, "}");
}

void random_when(struct buf *out, struct prng *random)
{
	bool first = true;

	buf_adds(out, "{");
	if (!pick(random, 4)) {
		buf_adds(out, "type: ");
		add_list(out, random);
		first = false;
	}
	if (!pick(random, 4)) {
		buf_addf(out, "%ssubject: ", first ? "" : ", ");
		if (pick(random, 2))
			add_list(out, random);
		else
			add_map(out, random, 3);
		first = false;
	}
	if (first || pick(random, 4)) {
		buf_addf(out, "%sdata: ", first ? "" : ", ");
		add_map(out, random, 1);
	}
	buf_adds(out, "}");
}
