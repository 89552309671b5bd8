/* Built where PCRE2 is missing: says so when asked for. */
#include "rules/pattern_regex.h"

bool regex_is_built_in(void)
{
	return false;
}

struct regex *regex_compile(const char *text, size_t len, struct err *err)
{
	(void)text;
	(void)len;
	err_set(err, ERR_CONFIG, "regex is not built in: this relay was built without PCRE2");
	return NULL;
}

void regex_free(struct regex *r)
{
	(void)r;
}

bool regex_match(const struct regex *r, const char *text, size_t len)
{
	(void)r;
	(void)text;
	(void)len;
	return false;
}
