/*
 * config_rig — what tests of the configuration share: a text parsed, and a folder for its files.
 */
#ifndef RELAY_TEST_CONFIG_RIG_H
#define RELAY_TEST_CONFIG_RIG_H

#include "relay/config/yaml.h"

/* As a file named t.yaml. */
struct yaml *parse_text(const char *text, struct problems *p);
/* The tree of a text that has no mistake. */
struct yaml *good(const char *text);

/* For cmocka's setup and teardown: *state is the path of a new folder. */
int make_dir(void **state);
int remove_dir(void **state);

#endif
