/* drive_test — see the header; apart from drive.c, which benches link without cmocka. */
#include "tests/sim/drive_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void drive_fail_test(const char *why)
{
	fail_msg("%s", why);
}
