/* faulty_vfs — a VFS that passes everything on to SQLite's own but what it is told to fail.
 * Invariant: a failed operation changes nothing below. */
#include "tests/suite/faulty_vfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stddef.h>

struct faulty_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *below, faulty;
static int countdown, fail_code; /* countdown 0: no failure is set */
static bool lasts, happened;

static sqlite3_file *real(sqlite3_file *f)
{
	return ((struct faulty_file *)f)->real;
}

/* SQLITE_OK, or what the operation at hand shall give. */
static int verdict(void)
{
	if (countdown == 0 || --countdown > 0)
		return SQLITE_OK;
	happened = true;
	if (lasts)
		countdown = 1;
	return fail_code;
}

static int do_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int do_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), to, n, at);
}

static int do_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int code = verdict();

	return code ? code : real(f)->pMethods->xWrite(real(f), from, n, at);
}

static int do_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int code = verdict();

	return code ? code : real(f)->pMethods->xTruncate(real(f), size);
}

/* Nobody pulls the plug here, so a sync that succeeds costs nothing. */
static int do_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags;
	return verdict();
}

static int do_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real(f)->pMethods->xFileSize(real(f), ret);
}

static int do_lock(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xLock(real(f), how);
}

static int do_unlock(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xUnlock(real(f), how);
}

static int do_reserved(sqlite3_file *f, int *ret)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), ret);
}

static int do_control(sqlite3_file *f, int what, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), what, arg);
}

static int do_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int do_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int do_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real(f)->pMethods->xShmMap(real(f), page, size, extend, ret);
}

static int do_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}

static void do_shm_barrier(sqlite3_file *f)
{
	real(f)->pMethods->xShmBarrier(real(f));
}

static int do_shm_unmap(sqlite3_file *f, int remove)
{
	return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = do_close,
	.xRead = do_read,
	.xWrite = do_write,
	.xTruncate = do_truncate,
	.xSync = do_sync,
	.xFileSize = do_size,
	.xLock = do_lock,
	.xUnlock = do_unlock,
	.xCheckReservedLock = do_reserved,
	.xFileControl = do_control,
	.xSectorSize = do_sector,
	.xDeviceCharacteristics = do_device,
	.xShmMap = do_shm_map,
	.xShmLock = do_shm_lock,
	.xShmBarrier = do_shm_barrier,
	.xShmUnmap = do_shm_unmap,
};

static int do_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct faulty_file *file = (struct faulty_file *)f;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	int code = below->xOpen(below, name, file->real, flags, ret_flags);
	file->base.pMethods = file->real->pMethods ? &methods : NULL;
	return code;
}

void faulty_install(void)
{
	if (below)
		return;
	below = sqlite3_vfs_find(NULL);
	faulty = *below;
	faulty.zName = "faulty";
	faulty.pNext = NULL;
	faulty.szOsFile = below->szOsFile + (int)sizeof(struct faulty_file);
	faulty.xOpen = do_open;
	int code = sqlite3_vfs_register(&faulty, 1);
	assert(code == SQLITE_OK);
	(void)code;
}

void faulty_fail(int nth, int code, bool lasting)
{
	countdown = nth;
	fail_code = code;
	lasts = lasting;
	happened = false;
}

bool faulty_heal(void)
{
	countdown = 0;
	return happened;
}
