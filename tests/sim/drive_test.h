/*
 * drive_test — a drive in a test: what is wrong there fails the test.
 */
#ifndef RELAY_TEST_DRIVE_TEST_H
#define RELAY_TEST_DRIVE_TEST_H

/* For drive_options.fail. */
void drive_fail_test(const char *why);

#endif
