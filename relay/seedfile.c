/* seedfile — reading only; the command that probes writes. */
#include "relay/seedfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/mem.h"

#define SEED_MAX 4096 /* bytes; it has some 250 */

char *seedfile_path(const char *journal_file)
{
	return journal_file ? xasprintf("%s.probe.json", journal_file) : NULL;
}

int seedfile_load(const char *path, const char *base_url, struct seed *ret, struct err *err)
{
	char text[SEED_MAX + 1];
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!f && (!path || errno == ENOENT))
		return 0;
	if (!f)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	size_t len = fread(text, 1, sizeof text, f);
	bool broken = ferror(f);
	fclose(f);
	if (broken || len > SEED_MAX)
		return err_set(err, ERR_IO, "%s: cannot be read, or is too long", path);
	if (seed_read(ret, text, len, base_url, err) < 0)
		return err_wrap(err, "%s", path);
	return 1;
}
