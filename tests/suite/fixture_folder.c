/* fixture_folder — temporary folders for tests and benches; see store_fixture.h. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/mem.h"
#include "tests/suite/store_fixture.h"

char *fixture_folder(void)
{
	const char *base = getenv("TMPDIR");
	char *folder = xasprintf("%s/relay-XXXXXX", base ? base : "/tmp");

	if (!mkdtemp(folder)) {
		perror(folder);
		abort();
	}
	return folder;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

void fixture_remove(char *folder)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(folder);
}
