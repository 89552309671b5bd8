/* nats_credentials — see the header. Like libnats it takes the line behind one of dashes, whatever
 * name stands between these: first a user's JWT, then its seed. */
#include "transports/nats_credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/mem.h"

#define FILE_MAX (64 << 10)
#define SEED_LEN 58 /* base32 of two bytes of prefix, 32 of seed, two of checksum */

/* Three parts, the first of which is a JSON object in base64url. */
static bool is_jwt(const char *line, size_t len)
{
	size_t dots = 0;

	for (size_t i = 0; i < len; i++)
		dots += line[i] == '.';
	return len > 3 && !memcmp(line, "eyJ", 3) && dots == 2;
}

/* Of a user. */
static bool is_seed(const char *line, size_t len)
{
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

	return len == SEED_LEN && !memcmp(line, "SU", 2) && strspn(line, base32) >= len;
}

static void look(const char *text, bool *ret_jwt, bool *ret_seed)
{
	bool dashes = false;

	while (*text) {
		size_t whole = strcspn(text, "\n"), len = whole;
		while (len && strchr(" \t\r", text[len - 1]))
			len--;
		if (dashes && !*ret_jwt)
			*ret_jwt = is_jwt(text, len);
		else if (dashes && !*ret_seed)
			*ret_seed = is_seed(text, len);
		dashes = len >= 3 && !memcmp(text, "---", 3);
		text += whole + (text[whole] == '\n');
	}
}

int nats_credentials_check(const char *path, struct err *err)
{
	bool jwt = false, seed = false;
	FILE *f = fopen(path, "re");

	if (!f)
		return err_set(err, ERR_IO, "cannot be read: %s", strerror(errno));
	setvbuf(f, NULL, _IONBF, 0); /* no copy that is not wiped */
	char *text = xcalloc(FILE_MAX + 1, 1);
	size_t len = fread(text, 1, FILE_MAX, f);
	fclose(f);
	look(text, &jwt, &seed);
	explicit_bzero(text, len);
	free(text);
	if (jwt && seed)
		return 0;
	return err_set(err, ERR_FORMAT,
		       "holds no %s; a file of credentials has both, as nsc makes it",
		       !jwt && !seed ? "user's JWT and no seed"
		       : jwt	     ? "user's seed"
				     : "user's JWT");
}
