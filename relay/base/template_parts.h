/*
 * template_parts — what a compiled template consists of, and what its compiler is made of: tags
 * (template_tag.c), the proof of JSON (template_proof.c), both driven by template.c. Shared by
 * template*.c only.
 */
#ifndef RELAY_TEMPLATE_PARTS_H
#define RELAY_TEMPLATE_PARTS_H

#include "relay/base/template.h"

#define TEMPLATE_NEST_MAX  16  /* blocks in one another */
#define TEMPLATE_NAMES_MAX 16  /* of one path */
#define TEMPLATE_NAME_SIZE 256 /* bytes of one; each is compared with many */

enum path_kind {
	PATH_VALUE,
	PATH_INDEX, /* @index */
	PATH_KEY,   /* @key */
};

struct template_path { /* owned */
	enum path_kind kind;
	unsigned up; /* scopes outwards from where it stands */
	char *names[TEMPLATE_NAMES_MAX];
	size_t n;
};
void template_path_release(struct template_path *p);

enum op_kind {
	OP_TEXT,
	OP_COMMA, /* unless the list was just opened or has one */
	OP_VALUE,
	OP_JSON,
	OP_IF,
	OP_EACH,
};

struct template_op {
	enum op_kind kind;
	size_t at, len; /* OP_TEXT: in the template's text */
	struct template_path path;
	char *full;	       /* the path from the root; owned; NULL: none (@index, @key) */
	char *text, *json;     /* the default, as text and as JSON; owned; NULL: none */
	size_t cut;	       /* to so many characters; 0: not at all */
	size_t end, otherwise; /* blocks: the op behind, the first op of {{else}} (or end) */
};

struct template
{
	enum template_kind kind;
	char *text; /* owned */
	size_t len;
	struct template_op *ops;
	size_t n, cap;
};

/* "line 3, column 7: …" of the text's byte `at`. Always returns -1. */
int template_fail(const struct template *t, size_t at, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- tags --- */

enum tag_kind {
	TAG_VALUE,
	TAG_JSON,
	TAG_IF,
	TAG_EACH,
	TAG_ELSE,
	TAG_END_IF,
	TAG_END_EACH,
	TAG_NOTE
};

struct template_tag {
	enum tag_kind kind;
	size_t at, end;		   /* with its braces */
	struct template_path path; /* owned */
	char *text, *json;	   /* the default; owned */
	size_t cut;
};
void template_tag_release(struct template_tag *tag);

/* Reads the tag whose braces stand at `at`, inside of that many #each. */
int template_tag_read(const struct template *t, size_t at, unsigned scopes,
		      struct template_tag *ret, struct err *err);

/* --- the proof --- */

#define PROOF_DEPTH_MAX 64

struct proof_name { /* of an object that is still open */
	char *text;
	size_t depth;
	unsigned hidden; /* it stands in the other branch of so many #if */
};

struct proof {
	const struct template *t;
	/* Where JSON's grammar may stand: one state for each way through the branches before. All
	 * ways have the same brackets open. */
	unsigned states;
	struct {
		char bracket;
		size_t at;
	} open[PROOF_DEPTH_MAX];
	size_t depth, floor; /* below floor they were opened outside of the block */
	bool held;	     /* the string was opened outside of an #each, and may not end in it */
	struct proof_name *names;
	size_t nnames, cap;
};
void proof_begin(struct proof *p, const struct template *t);
void proof_release(struct proof *p);

/* Follows text[from, to) until its end, or until a value begins that wants an OP_COMMA before it:
 * then *ret_at is where, less than `to`, and the rest is to be followed next. */
int proof_text(struct proof *p, size_t from, size_t to, size_t *ret_at, struct err *err);
/* A tag that stands for a value; *ret_comma: with OP_COMMA before it. */
int proof_value(struct proof *p, const struct template_tag *tag, bool *ret_comma, struct err *err);

struct proof_branch {		/* what is known at the start of a block */
	unsigned before, first; /* states there, and at the end of what stands before {{else}} */
	size_t floor, names_from, names_to;
	bool held;
};
int proof_open(struct proof *p, const struct template_tag *tag, struct proof_branch *ret,
	       struct err *err);
int proof_else(struct proof *p, size_t at, struct proof_branch *b, struct err *err);
int proof_close(struct proof *p, const struct template_tag *end, struct proof_branch *b,
		struct err *err);
int proof_end(const struct proof *p, struct err *err);

#endif
