/*
 * test_env — the variables that a file of tests gives to the configuration it tests. No others are
 * seen, so that a test says the same on every machine and shows no secret of any.
 */
#ifndef RELAY_TEST_ENV_H
#define RELAY_TEST_ENV_H

#include "relay/config/yaml.h"

struct test_env {
	char **before, **now; /* environments; the second is owned */
};

/* The map's NAME: VALUE are all there is, until it ends. NULL: nothing is. */
void test_env_begin(struct test_env *e, const struct node *map);
void test_env_end(struct test_env *e);

#endif
