/*
 * Regular expressions with PCRE2's interpreter. Its match limit is counted anew for each place
 * where a match may start, so the work of a whole call is counted here: every item of an expression
 * is compiled with a callout, and the one that finds the budget spent ends the call.
 */
#include "rules/pattern_regex.h"

#include <stdint.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "relay/base/mem.h"

#define NEST_MAX 32 /* brackets in brackets */
/* An item is a matter of 10 to 30 ns, so a text costs a few ms at most; honest expressions stay
 * below some thousand. What is scanned within an item is at worst quadratic in the text. */
#define ITEMS_MAX 100000
#define DEPTH_MAX (4 * REGEX_TEXT_MAX)
#define HEAP_MAX  4096 /* KiB */

struct regex {
	pcre2_general_context *memory;
	pcre2_code *code; /* read only once it is compiled */
};

static void *take(size_t size, void *arg)
{
	(void)arg;
	return xmalloc(size);
}

static void give(void *p, void *arg)
{
	(void)arg;
	free(p);
}

bool regex_is_built_in(void)
{
	return true;
}

struct regex *regex_compile(const char *text, size_t len, struct err *err)
{
	int code;
	PCRE2_SIZE at;
	PCRE2_UCHAR why[160];

	if (len > REGEX_MAX) {
		err_set(err, ERR_CONFIG, "a regex of %zu bytes; at most %d are allowed", len,
			REGEX_MAX);
		return NULL;
	}
	struct regex *r = xcalloc(1, sizeof *r);
	r->memory = pcre2_general_context_create(take, give, NULL);
	pcre2_compile_context *context = pcre2_compile_context_create(r->memory);
	pcre2_set_parens_nest_limit(context, NEST_MAX);
	r->code = pcre2_compile((PCRE2_SPTR)text, len,
				PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT, &code,
				&at, context);
	pcre2_compile_context_free(context);
	if (!r->code) {
		pcre2_get_error_message(code, why, sizeof why);
		err_set(err, ERR_CONFIG, "not a regular expression, at byte %zu: %s", at + 1,
			(const char *)why);
		regex_free(r);
		return NULL;
	}
	return r;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_general_context_free(r->memory);
	free(r);
}

static int count_item(pcre2_callout_block *block, void *arg)
{
	unsigned *left = arg;

	(void)block;
	if (!*left)
		return PCRE2_ERROR_MATCHLIMIT;
	--*left;
	return 0;
}

bool regex_match(const struct regex *r, const char *text, size_t len)
{
	unsigned left = ITEMS_MAX;

	if (len > REGEX_TEXT_MAX)
		return false;
	pcre2_match_data *data = pcre2_match_data_create(1, r->memory);
	pcre2_match_context *context = pcre2_match_context_create(r->memory);
	pcre2_set_match_limit(context, ITEMS_MAX);
	pcre2_set_depth_limit(context, DEPTH_MAX);
	pcre2_set_heap_limit(context, HEAP_MAX);
	pcre2_set_callout(context, count_item, &left);
	int found = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_JIT, data, context);
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return found >= 0;
}
