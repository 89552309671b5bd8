/* yaml_syntax — libyaml's complaints said so that a person can mend the file. Invariant: every
 * complaint has a place, and one that this table does not know keeps libyaml's own words. */
#include "relay/config/yaml_tree.h"

#include <string.h>
#include <yaml.h>

/* Which of libyaml's two places helps: where it noticed, or where the thing began. */
enum where { NOTICED, NOTICED_AND_BEGAN, BEGAN };

struct saying {
	const char *problem, *context; /* as in libyaml's text; NULL: any */
	const char *text;
	enum where where;
};

static const struct saying sayings[] = {
	{"found a tab character", NULL, "a tab may not be used for indentation; use spaces",
	 NOTICED},
	{"found unexpected end of stream", "while scanning a quoted scalar",
	 "this quote is never closed", BEGAN},
	{"found unexpected document indicator", "while scanning a quoted scalar",
	 "this quote is never closed", BEGAN},
	{"found unknown escape character", NULL,
	 "unknown escape after \"\\\"; in double quotes write \\\\ for a backslash, or use single "
	 "quotes",
	 NOTICED},
	{"did not find expected key", "while parsing a block mapping",
	 "expected \"name: value\" in line with the names above; is the indentation right?",
	 NOTICED},
	{"did not find expected '-' indicator", NULL,
	 "expected \"- value\" in line with the items above; is the indentation right?", NOTICED},
	{"did not find expected ',' or '}'", NULL, "expected \",\" or \"}\" in the {map}",
	 NOTICED_AND_BEGAN},
	{"did not find expected ',' or ']'", NULL, "expected \",\" or \"]\" in the [list]",
	 NOTICED_AND_BEGAN},
	{"mapping values are not allowed", NULL,
	 "\": \" is not allowed here; quote the text, or check the indentation", NOTICED},
	{"block sequence entries are not allowed", NULL,
	 "\"- \" is not allowed here; a list starts on a line of its own", NOTICED},
	{"could not find expected ':'", NULL, "expected \":\" behind this name", BEGAN},
	{"found undefined tag handle", NULL, "tags are not allowed", BEGAN},
	{"did not find expected <document start>", NULL,
	 "expected the end of the file: what is above is complete", NOTICED},
	{"did not find expected alphabetic or numeric", NULL,
	 "a text that starts with & or * must be quoted", BEGAN},
	{"did not find expected node content", NULL, "a value is expected here", NOTICED},
	{"", "while scanning a directive", "a text that starts with % must be quoted", BEGAN},
};

/* A character that may not start a plain text has a saying of its own. */
static bool about_character(struct problems *p, const struct yaml_source *src,
			    const yaml_parser_t *parser)
{
	const yaml_mark_t *at = &parser->problem_mark;
	unsigned line = (unsigned)at->line + 1, column = (unsigned)at->column + 1;

	if (!parser->problem || !strstr(parser->problem, "cannot start any token"))
		return false;
	/* the parser stands at the character that it refused */
	unsigned char c =
		parser->buffer.pointer < parser->buffer.last ? *parser->buffer.pointer : 0;
	if (c == '\t')
		problem_in_source(p, src, line, column,
				  "a tab may not be used for indentation; use spaces");
	else if (c > 0x20 && c < 0x7F)
		problem_in_source(p, src, line, column, "a text that starts with %c must be quoted",
				  c);
	else
		problem_in_source(p, src, line, column, "no value can start here");
	return true;
}

/* The bytes are not what YAML allows; libyaml tells the offset only. */
static void about_bytes(struct problems *p, const struct yaml_source *src,
			const yaml_parser_t *parser, const struct buf *input)
{
	unsigned line = 1, column = 1;
	bool control = strstr(parser->problem, "control characters") != NULL;
	size_t offset = parser->problem_offset;

	yaml_count_place(input->data, offset < input->len ? offset : input->len, &line, &column);
	problem_in_source(p, src, line, column, "%s",
			  control ? "a control character; in double quotes write it as an escape"
				  : "this is not UTF-8");
}

static const struct saying *find_saying(const yaml_parser_t *parser)
{
	for (size_t i = 0; parser->problem && i < sizeof sayings / sizeof *sayings; i++) {
		const struct saying *s = &sayings[i];
		if (strstr(parser->problem, s->problem) &&
		    (!s->context || (parser->context && strcmp(parser->context, s->context) == 0)))
			return s;
	}
	return NULL;
}

void yaml_syntax_problem(struct problems *p, const struct yaml_source *src,
			 const struct yaml_parser_s *parser, const struct buf *input)
{
	if (parser->error == YAML_READER_ERROR && parser->problem) {
		about_bytes(p, src, parser, input);
		return;
	}
	if (about_character(p, src, parser))
		return;
	const struct saying *s = find_saying(parser);
	bool began = s && s->where == BEGAN && parser->context;
	const yaml_mark_t *at = began ? &parser->context_mark : &parser->problem_mark;
	unsigned line = (unsigned)at->line + 1, column = (unsigned)at->column + 1;
	if (s && s->where == NOTICED_AND_BEGAN)
		problem_in_source(p, src, line, column, "%s that starts at %zu:%zu", s->text,
				  parser->context_mark.line + 1, parser->context_mark.column + 1);
	else if (s)
		problem_in_source(p, src, line, column, "%s", s->text);
	else
		problem_in_source(p, src, line, column, "%s%s%s",
				  parser->context ? parser->context : "",
				  parser->context ? ": " : "",
				  parser->problem ? parser->problem : "not YAML");
}

bool yaml_acceptable(const struct yaml_source *src, struct problems *p)
{
	ssize_t masked = yaml_masked_at(src->text, src->len);
	unsigned line = 1, column = 1;

	if (src->len >= 2 &&
	    (!memcmp(src->text, "\xFF\xFE", 2) || !memcmp(src->text, "\xFE\xFF", 2))) {
		problem_in(p, src->name, 1, 1, "this is UTF-16; a file must be UTF-8");
		return false;
	}
	if (masked < 0)
		return true;
	yaml_count_place(src->text, (size_t)masked, &line, &column);
	problem_in_source(p, src, line, column,
			  "the private characters U+10F800 to U+10F87F are "
			  "not allowed");
	return false;
}
